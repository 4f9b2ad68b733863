//! What people and receivers read, format by format.

use insta::assert_snapshot;
use serde_json::Value;
use url::Url;

use super::{TALKATIVE, message_id, of, report, rolled_back, started, withheld};
use crate::domain::{Approval, Notice, Outcome, OutcomeEvent, Timestamp, Verdict};
use crate::outcome::words;
use crate::outcome::{Format, render, render_notice};

fn dashboard() -> Url {
    Url::parse("https://backstop.example.com/").unwrap()
}

/// The rendered body, with each object of a list on a line of its own.
fn shown(outcome: &Outcome, format: Format) -> String {
    let rendered = render(outcome, &of(format), Some(&dashboard()), None, &message_id()).unwrap();
    assert_eq!(rendered.content_type, "application/json");
    let _valid: Value = serde_json::from_slice(&rendered.body).unwrap();
    String::from_utf8(rendered.body)
        .unwrap()
        .replace("[{", "[\n{")
        .replace("},{", "},\n{")
}

#[test]
fn plain_has_every_known_part_in_its_order() {
    let rendered = render(
        &rolled_back(),
        &of(Format::Plain),
        Some(&dashboard()),
        None,
        &message_id(),
    )
    .unwrap();
    let one_part_a_line = String::from_utf8(rendered.body).unwrap().replace(",\"", ",\n\"");
    assert_snapshot!(one_part_a_line, @r#"
    {"event":"rollback.succeeded",
    "timestamp":"2026-03-12T14:31:07Z",
    "delivery_id":"whk_01k0c0ffee_3",
    "run_id":"run_01k0c0ffee",
    "platform":"temps",
    "app":"api-service",
    "environment":"production",
    "deployment_id":"dep_a1b2c3d4",
    "commit":{"sha":"f4c8e2a91b3d",
    "message":"Speed up orders\n\nBy caching them.",
    "author":"Ada",
    "branch":"main"},
    "triggered_by":"git_push",
    "url":"https://api.example.com",
    "mode":"auto-rollback",
    "verdict":"unhealthy",
    "reason":"`orders` spent its budget in 41 s after warm-up: GET /api/orders answered 500 in 11 of 13 probes",
    "checks":[{"name":"orders",
    "verdict":"unhealthy",
    "probes":13,
    "failed":11,
    "reason":"status",
    "detail":"500, expected 2xx"},{"name":"home",
    "verdict":"healthy",
    "probes":13,
    "failed":0}],
    "rollback":{"from":"dep_a1b2c3d4",
    "to":"dep_99f1",
    "to_commit":"0be11d2",
    "requested_at":"2026-03-12T14:30:12Z",
    "confirmed_at":"2026-03-12T14:30:40Z",
    "verified":true,
    "platform_state":"dep_99f1 is current"},
    "links":{"run":"https://backstop.example.com/runs/run_01k0c0ffee"}}
    "#);
}

#[test]
fn plain_leaves_out_what_is_not_known() {
    let rendered = render(&started(), &of(Format::Plain), None, None, &message_id()).unwrap();
    assert_snapshot!(String::from_utf8(rendered.body).unwrap(), @r#"{"event":"smoke_test.started","timestamp":"2026-03-12T14:31:07Z","delivery_id":"whk_01k0c0ffee_3","run_id":"run_01k0c0ffee","platform":"temps","app":"api-service","environment":"production","deployment_id":"dep_a1b2c3d4","mode":"alert-only","reason":"the deployment went live","checks":[]}"#);
}

#[test]
fn slack_rolled_back() {
    assert_snapshot!(shown(&rolled_back(), Format::Slack), @r##"
    {"attachments":[
    {"blocks":[
    {"text":{"text":"'orders' spent its budget in 41 s after warm-up: GET /api/orders answered 500 in 11 of 13 probes","type":"mrkdwn","verbatim":true},"type":"section"},
    {"text":{"text":"• orders: unhealthy, 11 of 13 probes failed: 500, expected 2xx","type":"mrkdwn","verbatim":true},"type":"section"},
    {"fields":[
    {"text":"*Deployment*\ndep_a1b2c3d4 on temps","type":"mrkdwn","verbatim":true},
    {"text":"*Commit*\nf4c8e2a “Speed up orders” by Ada on main","type":"mrkdwn","verbatim":true},
    {"text":"*Verdict*\nunhealthy","type":"mrkdwn","verbatim":true},
    {"text":"*Mode*\nauto-rollback","type":"mrkdwn","verbatim":true},
    {"text":"*Rollback*\ndep_a1b2c3d4 → dep_99f1 (0be11d2), verified","type":"mrkdwn","verbatim":true},
    {"text":"*Platform left as*\ndep_99f1 is current","type":"mrkdwn","verbatim":true}],"type":"section"},
    {"text":{"text":"*What to do:* Fix what broke before this commit is deployed again.","type":"mrkdwn","verbatim":true},"type":"section"},
    {"text":{"text":"<https://backstop.example.com/runs/run_01k0c0ffee|Open the run>","type":"mrkdwn","verbatim":true},"type":"section"},
    {"elements":[
    {"text":"rollback.succeeded · run_01k0c0ffee","type":"mrkdwn","verbatim":true}],"type":"context"}],"color":"#2E8B57"}],"blocks":[
    {"text":{"emoji":false,"text":"✅ Rolled back, and the restored version works: api-service in production","type":"plain_text"},"type":"header"}],"text":"✅ Rolled back, and the restored version works: api-service in production","unfurl_links":false,"unfurl_media":false}
    "##);
}

#[test]
fn slack_withheld_wakes_somebody() {
    assert_snapshot!(shown(&withheld(), Format::Slack), @r##"
    {"attachments":[
    {"blocks":[
    {"text":{"text":"'orders' answers 500, but no known-good deployment is left to go back to","type":"mrkdwn","verbatim":true},"type":"section"},
    {"text":{"text":"• orders: unhealthy, 11 of 13 probes failed: 500, expected 2xx","type":"mrkdwn","verbatim":true},"type":"section"},
    {"fields":[
    {"text":"*Deployment*\ndep_a1b2c3d4 on temps","type":"mrkdwn","verbatim":true},
    {"text":"*Commit*\nf4c8e2a “Speed up orders” by Ada on main","type":"mrkdwn","verbatim":true},
    {"text":"*Verdict*\nunhealthy","type":"mrkdwn","verbatim":true},
    {"text":"*Mode*\nauto-rollback","type":"mrkdwn","verbatim":true}],"type":"section"},
    {"text":{"text":"*What to do:* Decide now: roll back by hand, or fix forward. It will not be rolled back by itself.","type":"mrkdwn","verbatim":true},"type":"section"},
    {"text":{"text":"<https://backstop.example.com/runs/run_01k0c0ffee|Open the run>","type":"mrkdwn","verbatim":true},"type":"section"},
    {"elements":[
    {"text":"rollback.withheld · run_01k0c0ffee","type":"mrkdwn","verbatim":true}],"type":"context"}],"color":"#C62828"}],"blocks":[
    {"text":{"emoji":false,"text":"🚨 Bad deployment left live: api-service in production","type":"plain_text"},"type":"header"}],"text":"🚨 Bad deployment left live: api-service in production","unfurl_links":false,"unfurl_media":false}
    "##);
}

#[test]
fn discord_rolled_back() {
    assert_snapshot!(shown(&rolled_back(), Format::Discord), @r#"
    {"allowed_mentions":{"parse":[]},"embeds":[
    {"color":3050327,"description":"\\`orders\\` spent its budget in 41 s after warm-up\\: GET /api/orders answered 500 in 11 of 13 probes","fields":[
    {"inline":true,"name":"Deployment","value":"dep\\_a1b2c3d4 on temps"},
    {"inline":true,"name":"Commit","value":"f4c8e2a “Speed up orders” by Ada on main"},
    {"inline":true,"name":"Verdict","value":"unhealthy"},
    {"inline":true,"name":"Mode","value":"auto-rollback"},
    {"inline":true,"name":"Rollback","value":"dep\\_a1b2c3d4 → dep\\_99f1 \\(0be11d2\\), verified"},
    {"inline":true,"name":"Platform left as","value":"dep\\_99f1 is current"},
    {"inline":false,"name":"Failing checks","value":"orders\\: unhealthy, 11 of 13 probes failed\\: 500, expected 2xx"},
    {"inline":false,"name":"What to do","value":"Fix what broke before this commit is deployed again.\n[Open the run](https://backstop.example.com/runs/run_01k0c0ffee)"}],"footer":{"text":"rollback.succeeded · run_01k0c0ffee"},"timestamp":"2026-03-12T14:31:07Z","title":"✅ Rolled back, and the restored version works\\: api-service in production","url":"https://backstop.example.com/runs/run_01k0c0ffee"}]}
    "#);
}

#[test]
fn discord_started() {
    assert_snapshot!(shown(&started(), Format::Discord), @r#"
    {"allowed_mentions":{"parse":[]},"embeds":[
    {"color":4878245,"description":"the deployment went live","fields":[
    {"inline":true,"name":"Deployment","value":"dep\\_a1b2c3d4 on temps"},
    {"inline":true,"name":"Mode","value":"alert-only"},
    {"inline":false,"name":"What to do","value":"Nothing; the verdict follows.\n[Open the run](https://backstop.example.com/runs/run_01k0c0ffee)"}],"footer":{"text":"smoke_test.started · run_01k0c0ffee"},"timestamp":"2026-03-12T14:31:07Z","title":"ℹ️ Smoke test started\\: api-service in production","url":"https://backstop.example.com/runs/run_01k0c0ffee"}]}
    "#);
}

#[test]
fn every_event_has_one_row_of_words_in_the_order_of_the_events() {
    let listed: Vec<OutcomeEvent> = words::TABLE.iter().map(|words| words.event).collect();
    assert_eq!(listed, OutcomeEvent::ALL);
}

#[test]
fn the_words_of_every_event() {
    let table: Vec<String> = words::TABLE
        .iter()
        .map(|words| {
            let event = words.event.as_str();
            format!("{event} | {:?} | {} | {}", words.severity, words.title, words.next)
        })
        .collect();
    assert_snapshot!(table.join("\n"), @r"
    smoke_test.started | Info | Smoke test started | Nothing; the verdict follows.
    smoke_test.passed | Good | Smoke test passed | Nothing; a late failure is still noticed while the watch lasts.
    smoke_test.degraded | Warning | Smoke test passed, with warnings | Look at the warnings when you can; nothing will be rolled back for them.
    smoke_test.suspect | Warning | Failing, not yet decided | Get ready to look: the verdict follows, and nothing was rolled back so far.
    smoke_test.failed | Critical | Smoke test failed | Find out what broke in this deployment; what becomes of it is told separately.
    smoke_test.inconclusive | Warning | Smoke test inconclusive | Look at the deployment yourself: nobody knows whether it is good, and it stays live.
    rollback.started | Warning | Rolling back | Do not deploy until the rollback has ended; its result follows.
    rollback.succeeded | Good | Rolled back, and the restored version works | Fix what broke before this commit is deployed again.
    rollback.unconfirmed | Critical | Rollback not confirmed | Look now which version is live and whether it works; finish the rollback by hand if it is the bad one.
    rollback.failed | Critical | Rollback failed | Act now: what is live is bad. Restore a good version by hand, or fix forward.
    rollback.withheld | Critical | Bad deployment left live | Decide now: roll back by hand, or fix forward. It will not be rolled back by itself.
    approval.requested | Critical | Roll back? A person is asked | Open the link, look, and approve; or let it be, and it stays live.
    run.superseded | Info | Smoke test ended early | Nothing, unless you expected a verdict on this deployment.
    delivery.missed | Warning | A webhook did not arrive as it should | See that the platform can reach Backstop and that both clocks are right; what is live is judged all the same.
    endpoint.failing | Warning | An outcome endpoint keeps failing | Check the endpoint's address, secret and logs, then replay what it missed.
    endpoint.test | Info | This is a test | Nothing; somebody asked whether messages come through.
    protection.lost | Critical | A bad deployment could not be rolled back now | Mend what the reason says; until then, roll back by hand.
    protection.restored | Good | Bad deployments can be rolled back again | Look at what went live meanwhile.
    ");
}

#[test]
fn every_format_of_every_event_is_valid_and_says_where_to_look() {
    for event in OutcomeEvent::ALL {
        for format in &TALKATIVE {
            let outcome = Outcome {
                event: *event,
                ..rolled_back()
            };
            let body = shown(&outcome, *format);
            assert!(
                body.contains("https://backstop.example.com/runs/run_01k0c0ffee"),
                "{event:?} {format:?}"
            );
            assert!(body.contains("api-service"), "{event:?} {format:?}");
        }
    }
}

#[test]
fn the_link_keeps_the_path_that_the_dashboard_is_served_below() {
    for base in ["https://example.com/backstop", "https://example.com/backstop/?q=1#top"] {
        let rendered = render(
            &started(),
            &of(Format::Plain),
            Some(&Url::parse(base).unwrap()),
            None,
            &message_id(),
        )
        .unwrap();
        let json: Value = serde_json::from_slice(&rendered.body).unwrap();
        assert_eq!(json["links"]["run"], "https://example.com/backstop/runs/run_01k0c0ffee");
    }
}

#[test]
fn the_same_outcome_always_gives_the_same_bytes() {
    for format in Format::ALL {
        let once = render(&rolled_back(), &of(*format), Some(&dashboard()), None, &message_id());
        assert_eq!(
            render(&rolled_back(), &of(*format), Some(&dashboard()), None, &message_id()),
            once
        );
    }
}

#[test]
fn of_too_many_checks_those_that_failed_are_kept_and_the_rest_is_counted() {
    let mut outcome = rolled_back();
    outcome.checks = (0..250)
        .map(|n| report(&format!("ok-{n}"), Verdict::Healthy, 9, 0))
        .collect();
    outcome.checks.push(report("last", Verdict::Unhealthy, 9, 9));
    let json: Value = serde_json::from_str(&shown(&outcome, Format::Plain)).unwrap();
    assert_eq!(json["checks"].as_array().unwrap().len(), 200);
    assert_eq!(json["checks"][0]["name"], "last");
    assert_eq!(json["checks_omitted"], 51);
}

#[test]
fn chats_list_eight_failing_checks_and_count_the_rest() {
    let mut outcome = rolled_back();
    outcome.checks = (0..20)
        .map(|n| report(&format!("check-{n}"), Verdict::Unhealthy, 9, 9))
        .collect();
    for format in [Format::Slack, Format::Discord] {
        let body = shown(&outcome, format);
        assert!(body.contains("check-7"), "{body}");
        assert!(!body.contains("check-8"), "{body}");
        assert!(body.contains("and 12 more"), "{body}");
    }
}

#[test]
fn an_approval_is_asked_for_with_its_link_where_there_is_one() {
    let link = Url::parse("https://backstop.example.com/approve/run_1?token=abc").unwrap();
    let asked = Outcome {
        event: OutcomeEvent::ApprovalRequested,
        approval: Some(Approval {
            from: "dep_b".into(),
            to: "dep_a".into(),
            expires_at: Timestamp::from_millis(1_773_327_667_000),
            given: false,
        }),
        ..rolled_back()
    };
    // A template has no name for it, and everybody who may read a repository reads its deployments.
    let without = [Format::Template, Format::GitHub];
    for format in Format::ALL.iter().filter(|format| !without.contains(format)) {
        let body = |approve| {
            let rendered = render(&asked, &of(*format), Some(&dashboard()), approve, &message_id());
            String::from_utf8(rendered.unwrap().body).unwrap()
        };
        assert!(body(Some(&link)).contains("/approve/run_1?token=abc"), "{format:?}");
        assert!(!body(None).contains("token"), "{format:?}");
    }
    let github = render(
        &asked,
        &of(Format::GitHub),
        Some(&dashboard()),
        Some(&link),
        &message_id(),
    )
    .unwrap();
    assert!(!String::from_utf8(github.body).unwrap().contains("token"));
    let plain = render(&asked, &of(Format::Plain), None, Some(&link), &message_id()).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&plain.body).unwrap();
    assert_eq!(
        json["approval"],
        serde_json::json!({"from": "dep_b", "to": "dep_a", "expires_at": "2026-03-12T15:01:07Z"})
    );
}

#[test]
fn a_notice_says_what_it_is_about_in_every_format() {
    let notice = Notice {
        event: OutcomeEvent::ProtectionLost,
        at: super::at("2026-03-12T14:31:07.250Z"),
        about: "platform temps".to_owned(),
        reason: "the platform refuses the token: GET /api/projects answered 401 <!here>".to_owned(),
    };
    let shown = |format| {
        let rendered = render_notice(&notice, &of(format), None, &message_id()).unwrap();
        let _valid: Value = serde_json::from_slice(&rendered.body).unwrap();
        String::from_utf8(rendered.body).unwrap()
    };
    let all = [Format::Plain, Format::Slack, Format::Discord].map(shown);
    assert_snapshot!(all.join("\n"), @r##"
    {"event":"protection.lost","timestamp":"2026-03-12T14:31:07Z","delivery_id":"whk_01k0c0ffee_3","about":"platform temps","reason":"the platform refuses the token: GET /api/projects answered 401 <!here>"}
    {"attachments":[{"blocks":[{"text":{"text":"the platform refuses the token: GET /api/projects answered 401 &lt;!here&gt;","type":"mrkdwn","verbatim":true},"type":"section"},{"fields":[{"text":"*About*\nplatform temps","type":"mrkdwn","verbatim":true}],"type":"section"},{"text":{"text":"*What to do:* Mend what the reason says; until then, roll back by hand.","type":"mrkdwn","verbatim":true},"type":"section"},{"elements":[{"text":"protection.lost","type":"mrkdwn","verbatim":true}],"type":"context"}],"color":"#C62828"}],"blocks":[{"text":{"emoji":false,"text":"🛑 A bad deployment could not be rolled back now: platform temps","type":"plain_text"},"type":"header"}],"text":"🛑 A bad deployment could not be rolled back now: platform temps","unfurl_links":false,"unfurl_media":false}
    {"allowed_mentions":{"parse":[]},"embeds":[{"color":12986408,"description":"the platform refuses the token\\: GET /api/projects answered 401 \\<!here\\>","fields":[{"inline":true,"name":"About","value":"platform temps"},{"inline":false,"name":"What to do","value":"Mend what the reason says; until then, roll back by hand."}],"footer":{"text":"protection.lost"},"timestamp":"2026-03-12T14:31:07Z","title":"🛑 A bad deployment could not be rolled back now\\: platform temps"}]}
    "##);
}
