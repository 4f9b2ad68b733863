//! What we send as CDEvents against the schemas that they publish, which are kept in `tests/cdevents`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

use super::formats::{json, told};
use super::{message_id, of, rolled_back};
use crate::domain::OutcomeEvent;
use crate::outcome::{Format, render};

/// The kept files of a folder, by their `$id`.
fn files(folder: &Path) -> BTreeMap<String, Value> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_schema = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    paths
        .filter(is_schema)
        .map(|path| {
            let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            (schema["$id"].as_str().unwrap().to_owned(), schema)
        })
        .collect()
}

/// A schema for each type of event. Nothing is fetched: what they refer to is kept with them.
fn validators() -> BTreeMap<String, Validator> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cdevents");
    let registry = files(&folder.join("links"))
        .into_iter()
        .fold(Registry::new(), |registry, (id, schema)| {
            registry.add(id, schema).unwrap()
        })
        .prepare()
        .unwrap();
    let options = jsonschema::options()
        .offline()
        .should_validate_formats(true)
        .with_registry(&registry);
    let by_type = |(_, schema): (String, Value)| {
        let of = "/properties/context/properties/type/enum/0";
        let of = schema.pointer(of).and_then(Value::as_str).unwrap().to_owned();
        (of, options.build(&schema).unwrap())
    };
    files(&folder).into_iter().map(by_type).collect()
}

/// What is wrong with `data` by the schema of its own type.
fn faults(validators: &BTreeMap<String, Validator>, data: &Value) -> Vec<String> {
    let of = data["context"]["type"].as_str().unwrap();
    let validator = validators
        .get(of)
        .unwrap_or_else(|| panic!("no schema of {of} is kept"));
    let faults = validator.iter_errors(data);
    faults
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn every_event_is_as_the_published_schema_of_its_type_says() {
    let validators = validators();
    let mut unused: Vec<&String> = validators.keys().collect();
    for event in OutcomeEvent::ALL {
        let Some(rendered) = told(*event, &of(Format::CdEvents)) else {
            continue;
        };
        let data = json(&rendered)["data"].take();
        assert_eq!(faults(&validators, &data), Vec::<String>::new(), "{data:#}");
        unused.retain(|of| data["context"]["type"] != **of);
    }
    // No schema is kept that nothing is held against.
    assert_eq!(unused, Vec::<&String>::new());
}

#[test]
fn an_event_of_hostile_names_is_one_by_the_schemas_too() {
    let validators = validators();
    for name in ["", " ", "a@b/c?d#e", "\u{202E}", "💥"] {
        let mut outcome = rolled_back();
        (outcome.app, outcome.environment) = (name.to_owned(), name.to_owned());
        for event in OutcomeEvent::ALL {
            outcome.event = *event;
            let rendered = render(&outcome, &of(Format::CdEvents), None, None, &message_id());
            let Some(rendered) = rendered else {
                continue;
            };
            let data = json(&rendered)["data"].take();
            assert_eq!(faults(&validators, &data), Vec::<String>::new(), "{name:?}: {data:#}");
        }
    }
}

#[test]
fn the_schemas_refuse_what_is_no_such_event() {
    let validators = validators();
    let good = json(&told(OutcomeEvent::SmokeTestFailed, &of(Format::CdEvents)).unwrap())["data"].take();
    for (parent, key, value) in [
        ("/context", "id", json!("")),
        ("/context", "timestamp", json!("yesterday")),
        ("/context", "verdict", json!("unhealthy")),
        // By a schema that this one refers to.
        ("/context", "links", json!([{ "linkType": "SIDEWAYS" }])),
        ("/subject", "id", Value::Null),
        ("/subject/content", "outcome", json!("bad")),
        ("/subject/content", "severity", json!("grave")),
        ("/subject/content", "environment", json!({})),
        ("", "customData", json!(1)),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(parent).unwrap()[key] = value;
        let faults = faults(&validators, &bad);
        let place = format!("{parent}/{key}");
        // A key that nobody knows is its parent's fault.
        let is_there = |fault: &String| fault.starts_with(&place) || fault.contains(&format!("'{key}' was unexpected"));
        assert!(faults.iter().any(is_there), "{place}: {faults:?}");
    }
}
