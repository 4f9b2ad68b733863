//! Formats that machines read: CDEvents against its own library, PagerDuty's incidents, Teams' cards, templates.

use cdevents_sdk::CDEvent;
use serde_json::{Value, json};
use url::Url;

use super::{TEMPLATE, at, message_id, of, rolled_back, started, withheld};
use crate::domain::{Notice, Outcome, OutcomeEvent};
use crate::outcome::{Endpoint, Format, Layout, Rendered, pagerduty, render, render_notice, wants};

fn notice(event: OutcomeEvent) -> Notice {
    Notice {
        event,
        at: at("2026-03-12T14:31:07.250Z"),
        about: "platform temps".to_owned(),
        reason: "the platform refuses the token".to_owned(),
    }
}

/// What is said of `event`, whoever says it.
pub(super) fn told(event: OutcomeEvent, endpoint: &Endpoint) -> Option<Rendered> {
    let dashboard = Url::parse("https://backstop.example.com/").unwrap();
    let is_notice = ["endpoint.", "protection."]
        .iter()
        .any(|start| event.as_str().starts_with(start));
    if is_notice {
        return render_notice(&notice(event), endpoint, Some(&dashboard), &message_id());
    }
    let outcome = Outcome { event, ..rolled_back() };
    render(&outcome, endpoint, Some(&dashboard), None, &message_id())
}

pub(super) fn json(rendered: &Rendered) -> Value {
    serde_json::from_slice(&rendered.body).unwrap()
}

#[test]
fn every_cdevent_is_one_by_its_library_and_its_envelope_says_the_same() {
    let mut types = Vec::new();
    for event in OutcomeEvent::ALL {
        let Some(rendered) = told(*event, &of(Format::CdEvents)) else {
            types.push(format!("{} -", event.as_str()));
            continue;
        };
        assert_eq!(rendered.content_type, "application/cloudevents+json");
        let envelope = json(&rendered);
        let data = envelope["data"].clone();
        let parsed: CDEvent = serde_json::from_value(data.clone()).unwrap_or_else(|error| panic!("{error}: {data:#}"));
        // Nothing of it was lost or read as something else.
        assert_eq!(serde_json::to_value(&parsed).unwrap(), data);
        for (attribute, value) in [
            ("id", &data["context"]["id"]),
            ("source", &data["context"]["source"]),
            ("type", &data["context"]["type"]),
            ("subject", &data["subject"]["id"]),
            ("time", &data["context"]["timestamp"]),
            ("specversion", &json!("1.0")),
            ("datacontenttype", &json!("application/json")),
        ] {
            assert_eq!(&envelope[attribute], value, "{attribute}");
        }
        assert_eq!(envelope["id"], "whk_01k0c0ffee_3");
        assert_eq!(data["customData"]["event"], event.as_str());
        let kind = envelope["type"].as_str().unwrap().trim_start_matches("dev.cdevents.");
        let outcome = data["subject"]["content"]["outcome"].as_str().unwrap_or_default();
        types.push(format!("{} {kind} {outcome}", event.as_str()).trim_end().to_owned());
    }
    assert_eq!(
        types,
        [
            "smoke_test.started testsuiterun.started.0.3.0",
            "smoke_test.passed testsuiterun.finished.0.3.0 success",
            "smoke_test.degraded testsuiterun.finished.0.3.0 success",
            "smoke_test.suspect -",
            "smoke_test.failed testsuiterun.finished.0.3.0 failure",
            "smoke_test.inconclusive testsuiterun.finished.0.3.0 error",
            "rollback.started -",
            "rollback.succeeded service.rolledback.0.3.0",
            "rollback.unconfirmed incident.detected.0.3.0",
            "rollback.failed incident.detected.0.3.0",
            "rollback.withheld incident.detected.0.3.0",
            "approval.requested incident.detected.0.3.0",
            "run.superseded testsuiterun.finished.0.3.0 cancel",
            "delivery.missed -",
            "endpoint.failing -",
            "endpoint.test testsuiterun.queued.0.3.0",
            "protection.lost incident.detected.0.3.0",
            "protection.restored incident.resolved.0.3.0",
        ]
    );
}

#[test]
fn the_library_refuses_what_is_no_cdevent() {
    let rendered = told(OutcomeEvent::SmokeTestFailed, &of(Format::CdEvents)).unwrap();
    for (place, value) in [
        ("/data/subject/content/outcome", json!("bad")),
        ("/data/subject/content/verdict", json!("unhealthy")),
        (
            "/data/context/type",
            json!("dev.cdevents.testsuiterun.rolledback.0.3.0"),
        ),
    ] {
        let mut envelope = json(&rendered);
        let (parent, key) = place.rsplit_once('/').unwrap();
        envelope.pointer_mut(parent).unwrap()[key] = value;
        assert!(
            serde_json::from_value::<CDEvent>(envelope["data"].take()).is_err(),
            "{place}"
        );
    }
}

#[test]
fn a_cdevent_of_hostile_names_is_one_too() {
    for name in ["", " ", "a@b/c?d#e", "\u{202E}", "💥"] {
        let mut outcome = rolled_back();
        (outcome.app, outcome.environment) = (name.to_owned(), name.to_owned());
        for event in [
            OutcomeEvent::RollbackSucceeded,
            OutcomeEvent::RollbackFailed,
            OutcomeEvent::SmokeTestStarted,
        ] {
            outcome.event = event;
            let rendered = render(&outcome, &of(Format::CdEvents), None, None, &message_id()).unwrap();
            let data = json(&rendered)["data"].clone();
            serde_json::from_value::<CDEvent>(data.clone()).unwrap_or_else(|error| panic!("{error}: {data:#}"));
        }
    }
}

/// An endpoint with what its format wants by default.
fn pager() -> Endpoint {
    Endpoint {
        events: Vec::new(),
        ..of(Format::PagerDuty)
    }
}

#[test]
fn pagerduty_is_woken_by_what_should_wake_somebody_and_told_when_it_is_over() {
    let action = |outcome: &Outcome| {
        assert!(wants(&pager(), outcome));
        let rendered = render(outcome, &pager(), None, None, &message_id())?;
        Some(json(&rendered)["event_action"].as_str().unwrap().to_owned())
    };
    let of_event = |event, page| {
        action(&Outcome {
            event,
            page,
            ..rolled_back()
        })
    };
    assert_eq!(action(&withheld()).as_deref(), Some("trigger"));
    assert_eq!(of_event(OutcomeEvent::RollbackFailed, true).as_deref(), Some("trigger"));
    assert_eq!(
        of_event(OutcomeEvent::RollbackUnconfirmed, true).as_deref(),
        Some("trigger")
    );
    // Withheld where only alerts were wanted is no reason to wake anybody.
    assert_eq!(of_event(OutcomeEvent::RollbackWithheld, false), None);
    assert_eq!(of_event(OutcomeEvent::SmokeTestFailed, false), None);
    assert_eq!(action(&started()), None);
    for event in [
        OutcomeEvent::SmokeTestPassed,
        OutcomeEvent::SmokeTestDegraded,
        OutcomeEvent::RollbackSucceeded,
    ] {
        assert_eq!(of_event(event, false).as_deref(), Some("resolve"), "{event:?}");
    }
}

#[test]
fn an_incident_is_one_for_its_app_and_kept_in_order() {
    let rendered = |outcome: &Outcome| render(outcome, &pager(), None, None, &message_id()).unwrap();
    let opened = rendered(&withheld());
    let later = Outcome {
        event: OutcomeEvent::SmokeTestPassed,
        deployment: "dep_later".into(),
        run: crate::domain::RunId::new("run_later"),
        ..rolled_back()
    };
    let ended = rendered(&later);
    let key = |rendered: &Rendered| json(rendered)["dedup_key"].as_str().map(str::to_owned);
    assert_eq!(key(&opened).as_deref(), Some("backstop/temps/api-service/production"));
    assert_eq!(key(&opened), key(&ended));
    assert_eq!((&opened.subject, opened.gravity), (&ended.subject, ended.gravity));
    let elsewhere = Outcome {
        environment: "staging".to_owned(),
        ..later
    };
    assert_ne!(key(&rendered(&elsewhere)), key(&opened));
    let event = json(&opened);
    assert_eq!(event["payload"]["severity"], "critical");
    assert_eq!(
        event["payload"]["summary"],
        "Bad deployment left live: api-service in production"
    );
    assert_eq!(event["payload"]["source"], "api-service in production");
}

#[test]
fn what_wakes_more_can_be_asked_for_and_what_ends_it_comes_all_the_same() {
    let endpoint = Endpoint {
        events: vec!["protection.*".to_owned(), "smoke_test.failed".to_owned()],
        ..of(Format::PagerDuty)
    };
    let action = |event| {
        let rendered = told(event, &endpoint)?;
        Some(json(&rendered)["event_action"].as_str().unwrap().to_owned())
    };
    assert_eq!(action(OutcomeEvent::ProtectionLost).as_deref(), Some("trigger"));
    assert_eq!(action(OutcomeEvent::ProtectionRestored).as_deref(), Some("resolve"));
    assert_eq!(action(OutcomeEvent::SmokeTestFailed).as_deref(), Some("trigger"));
    let passed = Outcome {
        event: OutcomeEvent::SmokeTestPassed,
        ..rolled_back()
    };
    assert!(wants(&endpoint, &passed));
}

#[test]
fn the_routing_key_is_put_in_when_it_is_sent_and_only_there() {
    let stored = render(&withheld(), &pager(), None, None, &message_id()).unwrap().body;
    let key = "R0UT\"ING".into();
    let sent: Value = serde_json::from_slice(&pagerduty::complete(&stored, Some(&key))).unwrap();
    assert_eq!(sent["routing_key"], "R0UT\"ING");
    let mut kept: Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(kept["routing_key"], "");
    kept["routing_key"] = sent["routing_key"].clone();
    assert_eq!(kept, sent);
}

#[test]
fn a_teams_card_says_what_where_why_and_what_to_do() {
    let dashboard = Url::parse("https://backstop.example.com/").unwrap();
    let rendered = render(&withheld(), &of(Format::Teams), Some(&dashboard), None, &message_id()).unwrap();
    let card = &json(&rendered)["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &card["content"];
    assert_eq!(
        (&card["type"], &card["version"]),
        (&json!("AdaptiveCard"), &json!("1.4"))
    );
    let lines: Vec<String> = card["body"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| {
            block["inlines"]
                .as_array()
                .unwrap()
                .iter()
                .map(|run| run["text"].as_str().unwrap())
                .collect()
        })
        .collect();
    assert_eq!(
        lines,
        [
            "🚨 Bad deployment left live: api-service in production",
            "`orders` answers 500, but no known-good deployment is left to go back to",
            "• orders: unhealthy, 11 of 13 probes failed: 500, expected 2xx",
            "Deployment: dep_a1b2c3d4 on temps",
            "Commit: f4c8e2a “Speed up orders” by Ada on main",
            "Verdict: unhealthy",
            "Mode: auto-rollback",
            "What to do: Decide now: roll back by hand, or fix forward. It will not be rolled back by itself.",
            "rollback.withheld · run_01k0c0ffee",
        ]
    );
    assert_eq!(card["body"][0]["inlines"][0]["color"], "attention");
}

#[test]
fn a_template_is_filled() {
    let rendered = told(OutcomeEvent::RollbackSucceeded, &of(Format::Template)).unwrap();
    let json = json(&rendered);
    for (key, value) in [
        (
            "message",
            "✅ Rolled back, and the restored version works: api-service in production",
        ),
        ("priority", "good"),
        ("alias", "temps/api-service/production"),
        ("subject", "Speed up orders By caching them."),
        ("link", "https://backstop.example.com/runs/run_01k0c0ffee"),
        ("checks", "orders: unhealthy, 11 of 13 probes failed: 500, expected 2xx"),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    assert_eq!(json["page"], false);
}

#[test]
fn a_template_that_says_something_wrong_is_refused() {
    for (text, content_type, error) in [
        (
            "{{ outcome.nmae }}",
            "text/plain",
            "there is no `{{ outcome.nmae }}` in an outcome",
        ),
        (
            "{{ secret.TOKEN }}",
            "text/plain",
            "there is no `{{ secret.TOKEN }}` in an outcome",
        ),
        (
            "{{ outcome.app",
            "text/plain",
            "`{{` is not closed; write `{{{{` for the braces themselves",
        ),
    ] {
        assert_eq!(Layout::parse(text, content_type).unwrap_err().to_string(), error);
    }
    assert!(Layout::parse("{\"a\": {{ outcome.app }}}", "application/vnd.x+json").is_err());
    assert!(Layout::parse("{\"a\": {{ outcome.app }}}", "text/plain").is_ok());
    // Every name stands in the tests' own template.
    for name in Layout::names() {
        assert!(TEMPLATE.contains(&format!("{{{{ {name} }}}}")), "{name}");
    }
}
