//! Samples that the tests of this module share.

mod cdevents;
mod endpoint;
mod formats;
mod github;
mod hostile;
mod render;
mod schedule;

use secrecy::SecretString;

use super::{Address, Endpoint, Format, Layout};
use crate::domain::{
    CheckName, CheckReport, Commit, DeploymentId, EndpointName, MessageId, Mode, Outcome, OutcomeEvent, Reason,
    RollbackReport, RunId, Severity, Timestamp, Verdict,
};

fn at(rfc3339: &str) -> Timestamp {
    Timestamp::parse_rfc3339(rfc3339).unwrap()
}

fn message_id() -> MessageId {
    MessageId::new("whk_01k0c0ffee_3")
}

/// A rollback that went well, with everything known.
fn rolled_back() -> Outcome {
    Outcome {
        approval: None,
        event: OutcomeEvent::RollbackSucceeded,
        at: at("2026-03-12T14:31:07.250Z"),
        seq: 3,
        run: RunId::new("run_01k0c0ffee"),
        platform: "temps".to_owned(),
        app: "api-service".to_owned(),
        environment: "production".to_owned(),
        deployment: DeploymentId::new("dep_a1b2c3d4"),
        commit: Commit {
            sha: Some("f4c8e2a91b3d".to_owned()),
            message: Some("Speed up orders\n\nBy caching them.".to_owned()),
            author: Some("Ada".to_owned()),
            branch: Some("main".to_owned()),
        },
        triggered_by: Some("git_push".to_owned()),
        url: Some("https://api.example.com".to_owned()),
        mode: Mode::AutoRollback,
        verdict: Some(Verdict::Unhealthy),
        reason: "`orders` spent its budget in 41 s after warm-up: GET /api/orders answered 500 in 11 of 13 probes"
            .to_owned(),
        page: false,
        checks: vec![
            report("orders", Verdict::Unhealthy, 13, 11),
            report("home", Verdict::Healthy, 13, 0),
        ],
        rollback: Some(RollbackReport {
            from: DeploymentId::new("dep_a1b2c3d4"),
            to: DeploymentId::new("dep_99f1"),
            to_commit: Some("0be11d2".to_owned()),
            requested_at: Some(at("2026-03-12T14:30:12Z")),
            confirmed_at: Some(at("2026-03-12T14:30:40Z")),
            verified: true,
            platform_state: Some("dep_99f1 is current".to_owned()),
        }),
    }
}

/// The start of a run of which hardly anything is known.
fn started() -> Outcome {
    Outcome {
        event: OutcomeEvent::SmokeTestStarted,
        commit: Commit::default(),
        triggered_by: None,
        url: None,
        mode: Mode::AlertOnly,
        verdict: None,
        reason: "the deployment went live".to_owned(),
        checks: Vec::new(),
        rollback: None,
        ..rolled_back()
    }
}

/// A bad deployment that a guard left live, where auto-rollback was on.
fn withheld() -> Outcome {
    Outcome {
        event: OutcomeEvent::RollbackWithheld,
        reason: "`orders` answers 500, but no known-good deployment is left to go back to".to_owned(),
        page: true,
        rollback: None,
        ..rolled_back()
    }
}

fn report(name: &str, verdict: Verdict, probes: u32, failed: u32) -> CheckReport {
    CheckReport {
        name: CheckName::new(name),
        severity: Severity::Critical,
        verdict: Some(verdict),
        probes,
        failed,
        reason: (failed > 0).then_some(Reason::Status),
        detail: (failed > 0).then(|| "500, expected 2xx".to_owned()),
    }
}

fn endpoint(url: &str, secret: Option<&str>) -> Endpoint {
    Endpoint {
        secrets: secret.into_iter().map(SecretString::from).collect(),
        ..Endpoint::new(EndpointName::new("ops"), Format::Plain, Address::parse(url).unwrap())
    }
}

/// An endpoint that reads `format`, and wants everything that it can say.
fn of(format: Format) -> Endpoint {
    let url = Address::parse("https://ops.example.com/").unwrap();
    let plain = Endpoint::new(EndpointName::new("ops"), format, url);
    Endpoint {
        events: vec!["*".to_owned()],
        layout: (format == Format::Template).then(|| Layout::parse(TEMPLATE, "application/json").unwrap()),
        ..plain
    }
}

/// A template with every name in it.
const TEMPLATE: &str = r#"{
    "message": "{{ outcome.sign }} {{ outcome.title }}", "priority": "{{ outcome.severity }}", "page": {{ outcome.page }},
    "alias": "{{ outcome.platform }}/{{ outcome.app }}/{{ outcome.environment }}", "id": "{{ outcome.id }}",
    "event": "{{ outcome.event }}", "at": "{{ outcome.timestamp }}", "about": "{{ outcome.about }}",
    "why": "{{ outcome.reason }}", "do": "{{ outcome.next }}", "checks": "{{ outcome.checks }}", "link": "{{ outcome.link }}",
    "deployment": "{{ outcome.deployment }}", "run": "{{ outcome.run }}", "url": "{{ outcome.url }}", "mode": "{{ outcome.mode }}",
    "verdict": "{{ outcome.verdict }}", "by": "{{ outcome.triggered_by }}", "commit": "{{ outcome.commit }}",
    "subject": "{{ outcome.commit_message }}", "author": "{{ outcome.author }}", "branch": "{{ outcome.branch }}"
}"#;

/// The formats that say something of every event.
const TALKATIVE: [Format; 5] = [
    Format::Plain,
    Format::Template,
    Format::Slack,
    Format::Discord,
    Format::Teams,
];
