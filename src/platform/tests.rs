//! The built-in file, what deliveries say by it, and what is wrong with other files.

use serde_json::json;

use super::*;
use crate::document::Source;
use crate::domain::{DeploymentState, HeardEvent};

fn temps() -> File {
    match File::read(&Source::new("temps.toml", include_str!("files/temps.toml"))) {
        Ok(file) => file,
        Err(problems) => panic!(
            "{}",
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        ),
    }
}

#[test]
fn every_built_in_file_is_whole() {
    for name in File::built_in_names() {
        assert!(File::built_in(name).is_some(), "{name}");
    }
    assert!(File::built_in("other").is_none());
    let _ = temps();
}

#[test]
fn the_guides_payload() {
    let hearing = temps().hear(&json!({
        "event": "deploy.live", "timestamp": "2026-03-12T14:22:01Z", "delivery_id": "whk_1", "deployment_id": "dep_a1",
        "app": "api-service", "environment": "production", "url": "https://api.example.com",
        "commit": {"sha": "f4c8e2a", "message": "m", "author": "a", "branch": "main"}, "triggered_by": "git_push",
    }));
    assert_eq!(hearing.id.as_deref(), Some("whk_1"));
    assert_eq!(hearing.event_word.as_deref(), Some("deploy.live"));
    let heard = hearing.heard.expect("heard");
    assert_eq!(heard.event, HeardEvent::Live);
    assert_eq!(
        (heard.deployment.as_str(), heard.app.as_deref()),
        ("dep_a1", Some("api-service"))
    );
    assert_eq!(
        (heard.project, heard.environment.as_deref()),
        (None, Some("production"))
    );
    assert_eq!(
        (heard.commit.sha.as_deref(), heard.triggered_by.as_deref()),
        (Some("f4c8e2a"), Some("git_push"))
    );
}

#[test]
fn the_codes_payload_with_its_gaps() {
    let hearing = temps().hear(&json!({
        "id": "58fe24a7", "event_type": "deployment_succeeded", "timestamp": "2026-01-13T17:00:05.123456789Z",
        "project_id": 7, "payload": {"deployment_id": 42, "project_id": 7, "project_name": "", "environment": "production",
        "branch": null, "commit_sha": "0123456", "commit_message": null, "url": null, "status": "succeeded"},
    }));
    assert_eq!(hearing.id.as_deref(), Some("58fe24a7"));
    let heard = hearing.heard.expect("heard");
    assert_eq!(heard.event, HeardEvent::Live);
    assert_eq!(heard.deployment.as_str(), "42");
    assert_eq!(heard.project.as_ref().map(crate::domain::ProjectId::as_str), Some("7"));
    assert_eq!((heard.app, heard.url, heard.commit.branch), (None, None, None));
}

#[test]
fn every_event_word_is_mapped_or_only_kept() {
    for (word, expected) in [
        ("deploy.started", Some(HeardEvent::Started)),
        ("build.completed", Some(HeardEvent::Built)),
        ("health_check.passed", Some(HeardEvent::Ready)),
        ("deploy.live", Some(HeardEvent::Live)),
        ("deploy.failed", Some(HeardEvent::Failed)),
        ("deploy.rolled_back", Some(HeardEvent::RolledBack)),
        ("deploy.exploded", None),
    ] {
        let hearing = temps().hear(&json!({"event": word, "deployment_id": "d", "delivery_id": "i"}));
        assert_eq!(hearing.heard.map(|heard| heard.event), expected, "{word}");
        assert_eq!(hearing.event_word.as_deref(), Some(word));
    }
    for (word, expected) in [
        ("deployment_created", Some(HeardEvent::Started)),
        ("deployment_ready", Some(HeardEvent::Ready)),
        ("deployment_succeeded", Some(HeardEvent::Live)),
        ("deployment_failed", Some(HeardEvent::Failed)),
        ("deployment_cancelled", Some(HeardEvent::Cancelled)),
        ("domain_created", None),
    ] {
        let hearing = temps().hear(&json!({"event_type": word, "id": "i", "payload": {"deployment_id": 1}}));
        assert_eq!(hearing.heard.map(|heard| heard.event), expected, "{word}");
    }
}

#[test]
fn odd_payloads_are_nothing_and_do_no_harm() {
    let temps = temps();
    for odd in [
        json!(null),
        json!([]),
        json!("deploy.live"),
        json!({"event": 5}),
        json!({"event": "deploy.live"}),
        json!({"event": "deploy.live", "deployment_id": {"a": 1}}),
        json!({"event": "deploy.live", "deployment_id": "x".repeat(5_000)}),
    ] {
        assert_eq!(temps.hear(&odd).heard, None, "{odd}");
    }
}

#[test]
fn a_deployment_of_the_api() {
    let (platform, project) = ("temps".into(), "7".into());
    let context = fields::Context {
        platform: &platform,
        project: &project,
        app: "shop",
    };
    let read = |json: serde_json::Value| temps().deployment(&json, &context);
    let deployment = read(json!({
        "id": 43, "environment_id": 3, "environment": {"id": 3, "name": "Production", "slug": "production",
        "domains": ["https://shop-production.example"]}, "status": "completed", "url": "https://shop-12.example",
        "commit_hash": "abc", "branch": "main", "created_at": 1_768_323_700_000_i64, "is_current": true,
        "metadata": {"isRollback": true, "rolledBackFromId": 41},
    }))
    .expect("read");
    assert_eq!(deployment.key.to_string(), "temps/7/3");
    assert_eq!(
        (deployment.id.as_str(), deployment.environment.as_str()),
        ("43", "production")
    );
    assert_eq!(deployment.url.as_deref(), Some("https://shop-production.example"));
    assert_eq!((deployment.state, deployment.rollback), (DeploymentState::Good, true));
    assert_eq!(
        deployment.rolled_back_from.map(|id| id.to_string()).as_deref(),
        Some("41")
    );
    assert_eq!(deployment.created_at.map(|at| at.as_millis()), Some(1_768_323_700_000));
    // A state that the file does not know is never a target; what has no id is no deployment.
    assert_eq!(
        read(json!({"id": 1, "environment_id": 3, "status": "hibernating"})).map(|d| d.state),
        Some(DeploymentState::Other)
    );
    assert_eq!(read(json!({"environment_id": 3, "status": "completed"})), None);
}

#[test]
fn what_is_wrong_with_a_file_is_said_at_once() {
    let text = "name = \"ours\"\n\n[[signature]]\nheader = \"x signature\"\ntimestamp = \"x-time\"\n\n[[delivery]]\nevent = \"event\"\n\
                deployment = \"$.id\"\n\n[delivery.events]\nup = \"alive\"\n\n[[refusal]]\nstatus = 4000\n";
    let problems = File::read(&Source::new("ours.toml", text)).expect_err("refused");
    let lines: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.line, p.message)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    1: the file has no `deployment`
    1: the file has no `states`
    1: a platform file needs at least one [[identify]]
    1: a platform file needs at least one [[standing]]
    1: a platform file needs at least one [[current]]
    1: a platform file needs at least one [[roll_back]]
    4: `header` in [[signature]] is not the name of a header
    8: this is not a JSON path: it cannot be read from character 1 on
    12: `alive` is not known here
    15: 4000 is not an HTTP status
    ");
}

/// A platform file for Temps with these `[[signature]]` entries in place of its own.
fn signed_by(entries: &str) -> Result<File, String> {
    let text = include_str!("files/temps.toml");
    let (before, rest) = text.split_once("[[signature]]").unwrap();
    let (_, after) = rest.split_once("# The guide's payloads.").unwrap();
    let source = Source::new("ours.toml", format!("{before}{entries}\n{after}"));
    File::read(&source).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_recipe_spelt_out_is_the_one_of_the_table() {
    let spelt: [(&str, &str); 6] = [
        (
            "temps-guide",
            "header = \"X-Temps-Signature\"\ntimestamp = \"X-Temps-Timestamp\"\nprefixes = [\"\", \"sha256=\"]",
        ),
        ("github", "header = \"x-hub-signature-256\"\nprefixes = [\"sha256=\"]"),
        (
            "stripe",
            "header = \"stripe-signature\"\nseparator = \",\"\nmark = \"v1=\"\ntimestamp_mark = \"t=\"\ndedup = \"/id\"",
        ),
        (
            "slack",
            "header = \"x-slack-signature\"\nprefixes = [\"v0=\"]\ntimestamp = \"x-slack-request-timestamp\"\n\
             signed = \"v0:{timestamp}:{body}\"\ndedup = \"/event_id\"",
        ),
        (
            "heroku",
            "header = \"heroku-webhook-hmac-sha256\"\nencoding = \"base64\"\ndedup = \"/id\"",
        ),
        ("gitlab-token", "header = \"x-gitlab-token\"\nalgorithm = \"secret\""),
    ];
    for (name, entry) in spelt {
        let file = signed_by(&format!("[[signature]]\n{entry}")).unwrap();
        let mut recipe = file.recipes()[0].clone();
        recipe.name = name.into();
        assert_eq!(Some(recipe), crate::signature::built_in(name));
    }
    for recipe in crate::signature::built_in_recipes() {
        let file = signed_by(&format!(
            "[[signature]]\nrecipe = \"{}\"\ntolerance = \"60s\"",
            recipe.name
        ))
        .unwrap();
        assert_eq!(file.recipes()[0].tolerance.as_secs(), 60);
    }
}

#[test]
fn recipes_that_cannot_be_meant_are_refused() {
    for (entries, expected) in [
        ("[[signature]]\nrecipe = \"strype\"", "there is no recipe `strype`"),
        (
            "[[signature]]\nrecipe = \"github\"\nheader = \"x\"",
            "unknown key `header`",
        ),
        (
            "[[signature]]\nheader = \"x\"\nsigned = \"{timestamp}\"",
            "does not sign the body",
        ),
        (
            "[[signature]]\nheader = \"x\"\nsigned = \"{timestamp}{body}\"",
            "both `timestamp` and `{timestamp}`",
        ),
        ("[[signature]]\nheader = \"x\"\nid = \"y\"", "both `id` and `{id}`"),
        (
            "[[signature]]\nheader = \"x\"\ndedup = \"id\"",
            "deduplicates by an id that it does not sign",
        ),
        (
            "[[signature]]\nheader = \"x\"\ndedup = \"x-github-delivery\"",
            "is nothing to deduplicate by",
        ),
        (
            "[[signature]]\nheader = \"x\"\nseparator = \", \"",
            "is not one ASCII character",
        ),
        (
            "[[signature]]\nheader = \"x\"\nalgorithm = \"none\"",
            "`none` is not known here",
        ),
        (
            "[[signature]]\nrecipe = \"github\"\ntolerance = \"2h\"",
            "`tolerance` must be from 1 s",
        ),
        (
            "[[signature]]\nrecipe = \"github\"\n[[signature]]\nrecipe = \"stripe\"",
            "know a delivery again by different things",
        ),
    ] {
        let said = signed_by(entries).map(drop).expect_err(entries);
        assert!(said.contains(expected), "{entries}: {said}");
    }
}

#[test]
fn the_page_on_signatures_names_every_recipe_and_its_examples_are_read() {
    let page = include_str!("../../docs/signatures.md");
    for recipe in crate::signature::built_in_recipes() {
        assert!(page.contains(&format!("\n| `{}` |", recipe.name)), "{}", recipe.name);
    }
    let examples: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        signed_by(example).unwrap_or_else(|problems| panic!("{problems}"));
    }
}
