//! Deployment statuses, as messages; `tests/outcomes` sends them.

use serde_json::Value;
use url::Url;

use super::{message_id, of, rolled_back};
use crate::domain::{Commit, Outcome, OutcomeEvent};
use crate::outcome::{Format, render, steps};

fn message(outcome: &Outcome) -> Option<Value> {
    let dashboard = Url::parse("https://backstop.example.com/").unwrap();
    let rendered = render(outcome, &of(Format::GitHub), Some(&dashboard), None, &message_id())?;
    Some(serde_json::from_slice(&rendered.body).unwrap())
}

#[test]
fn the_file_of_its_steps_can_be_read() {
    assert!(
        matches!(steps::of(Format::GitHub), Some(Ok(_))),
        "{:?}",
        steps::of(Format::GitHub)
    );
}

#[test]
fn each_outcome_of_a_deployment_has_its_state() {
    let mut states = Vec::new();
    for event in OutcomeEvent::ALL {
        let said = message(&Outcome {
            event: *event,
            ..rolled_back()
        });
        let state = said.as_ref().and_then(|said| said["state"].as_str()).unwrap_or("-");
        states.push(format!("{} {state}", event.as_str()));
    }
    assert_eq!(
        states,
        [
            "smoke_test.started in_progress",
            "smoke_test.passed success",
            "smoke_test.degraded success",
            "smoke_test.suspect in_progress",
            "smoke_test.failed failure",
            "smoke_test.inconclusive error",
            "rollback.started failure",
            "rollback.succeeded failure",
            "rollback.unconfirmed failure",
            "rollback.failed failure",
            "rollback.withheld failure",
            "approval.requested failure",
            "run.superseded inactive",
            "delivery.missed -",
            "endpoint.failing -",
            "endpoint.test -",
            "protection.lost -",
            "protection.restored -",
        ]
    );
}

#[test]
fn a_message_says_what_happened_within_githubs_bounds_and_where_to_read_on() {
    let said = message(&rolled_back()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&said).unwrap(), @r#"
    {
      "description": "Rolled back, and the restored version works: `orders` spent its budget in 41 s after warm-up: GET /api/orders answered 500 in 11 of 13 prob…",
      "environment": "production",
      "log_url": "https://backstop.example.com/runs/run_01k0c0ffee",
      "sha": "f4c8e2a91b3d",
      "state": "failure"
    }
    "#);
    let long = Outcome {
        reason: "\u{202e}é\n".repeat(400),
        environment: "p\r\nroduction".to_owned(),
        ..rolled_back()
    };
    let said = message(&long).unwrap();
    let description = said["description"].as_str().unwrap();
    assert!(
        description.encode_utf16().count() <= 140 && description.ends_with('…'),
        "{description}"
    );
    assert!(!description.contains(['\n', '\u{202e}']), "{description}");
    assert_eq!(said["environment"], "p roduction");
}

#[test]
fn nothing_is_said_of_an_unknown_commit() {
    let outcome = Outcome {
        commit: Commit::default(),
        ..rolled_back()
    };
    assert_eq!(message(&outcome), None);
}
