//! A store in which whoever could write a word of it has written markup.

use backstop::clock::Clock;
use backstop::domain::{AppKey, OutcomeEvent, Timestamp, Verdict};
use backstop::store::{Attempt, Commit, Hold, JournalEntry, NewDelivery, NewMessage, Next, RunRecord, Store};

/// The run about which everything is hostile. It sorts before those that the agent makes.
pub const RUN: &str = "run_00000000000000000000hostile";
/// What was told of it, and given up.
const MESSAGES: [&str; 2] = ["msg_hostile", "msg_hostile_too"];
/// Acts if it is taken for markup, wherever it stands: in text, in an attribute, in a script.
const HOSTILE: &str = r#"<script>window.xss=1</script>"'><img src=x onerror="window.xss=1"><svg onload="window.xss=1">{{7*7}}</title></style>"#;

/// Writes it.
pub async fn fill(url: &str) {
    let clock = Clock::system();
    let now = clock.now();
    let store = Store::open(url, clock).await.expect("a store");
    let at = Timestamp::from_millis(now.as_millis() - 120_000);
    store.accept(delivery(at)).await.expect("accepted");
    store.commit(commit(at)).await.expect("committed");
    store.pause(HOSTILE, now.plus_ms(3_600_000)).await.expect("paused");
    for id in MESSAGES {
        let attempt = Attempt {
            message: id.into(),
            endpoint: "tests".into(),
            at,
            url_host: HOSTILE.to_owned(),
            status: Some(500),
            error: Some(HOSTILE.to_owned()),
            response: HOSTILE.to_owned(),
            latency_ms: 12,
        };
        let dead = Next::Dead {
            reason: HOSTILE.to_owned(),
        };
        store.record_attempt(attempt, dead).await.expect("recorded");
    }
    store.close().await;
}

fn delivery(at: Timestamp) -> NewDelivery {
    NewDelivery {
        id: "del_hostile".into(),
        platform: "temps".into(),
        received_at: at,
        event_word: Some(HOSTILE.to_owned()),
        heard: None,
        note: Some(HOSTILE.to_owned()),
        opened_app: None,
        dedup_key: b"hostile".to_vec(),
        headers: vec![("user-agent".to_owned(), HOSTILE.to_owned())],
        body: serde_json::json!({ HOSTILE: HOSTILE }).to_string().into_bytes(),
    }
}

fn commit(at: Timestamp) -> Commit {
    let entry = |after_ms: u64, kind: &str, data: Option<serde_json::Value>| JournalEntry {
        at: at.plus_ms(after_ms),
        kind: kind.to_owned(),
        text: HOSTILE.to_owned(),
        data: data.map(|data| data.to_string()),
    };
    let probe = |class: &str, latency_ms: u32, budget_to: u32| {
        serde_json::json!({
            "check": HOSTILE,
            "seen": {
                "class": class, "reason": "status", "identity": "unknown", "app_made": true, "warned": false,
                "latency_ms": latency_ms, "status": 500, "address": null, "detail": HOSTILE, "body": HOSTILE,
            },
            "budget_from": 2_000, "budget_to": budget_to, "budget_max": 2_000, "subject": "deployment",
        })
    };
    let message = |id: &str| NewMessage {
        id: id.into(),
        endpoint: "tests".into(),
        run: Some(RUN.into()),
        subject: None,
        seq: 0,
        gravity: 0,
        event: OutcomeEvent::SmokeTestFailed,
        content_type: "application/json".to_owned(),
        body: serde_json::json!({ "reason": HOSTILE }).to_string().into_bytes(),
        page: false,
        created_at: at,
    };
    Commit {
        agent: "agt_before".into(),
        only: false,
        hold: Hold::Release,
        run: run(at),
        journal: vec![
            entry(0, "note", None),
            entry(1_000, "probe", Some(probe("pass", 20, 2_000))),
            entry(2_000, "probe", Some(probe("broken", 4_000, 1_000))),
            entry(3_000, "probe", Some(probe(HOSTILE, 1, 0))),
            entry(3_100, "verdict", None),
            entry(3_200, "guard", None),
        ],
        messages: MESSAGES.map(message).into(),
        ledger: Vec::new(),
        delivery: None,
    }
}

fn run(at: Timestamp) -> RunRecord {
    RunRecord {
        id: RUN.into(),
        platform: "temps".into(),
        deployment: HOSTILE.into(),
        key: Some(AppKey {
            platform: "temps".into(),
            project: "900".into(),
            environment: "1".into(),
        }),
        app: HOSTILE.to_owned(),
        environment: HOSTILE.to_owned(),
        commit_sha: Some(HOSTILE.to_owned()),
        is_rollback: false,
        started_at: at,
        ended_at: Some(at.plus_ms(4_000)),
        phase: "done".to_owned(),
        verdict: Some(Verdict::Unhealthy),
        action: Some("withheld".to_owned()),
        reason: Some(HOSTILE.to_owned()),
        config_hash: "before".to_owned(),
        state: "{}".to_owned(),
        version: 1,
        deployed_at: None,
        fence: 1,
    }
}
