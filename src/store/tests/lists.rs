//! Lists by filter and in pages: what fits is there once, newest first, and nobody looks further than a bound.

use super::*;
use crate::clock::Ids;
use crate::domain::EndpointName;
use crate::store::sql::lists::DELIVERIES_LOOKED_MAX;

/// Follows a list from its first page to its last; the ids, and how many pages it took.
async fn follow<T>(page: impl AsyncFn(Option<String>) -> Page<T>, id: impl Fn(&T) -> String) -> (Vec<String>, usize) {
    let (mut found, mut next, mut pages) = (Vec::new(), None, 0);
    loop {
        let got = page(next).await;
        found.extend(got.items.iter().map(&id));
        pages += 1;
        next = got.next;
        if next.is_none() {
            return (found, pages);
        }
        assert!(pages < 1_000, "it does not end");
    }
}

/// An id of that moment, as an agent makes them.
fn id_at(prefix: &str, minutes: u64) -> String {
    Ids::seeded(minutes).next(prefix, minute(minutes))
}

pub(super) async fn lists_are_paged_and_filtered(open: Open) {
    let store = open.store;
    for number in 1..=5 {
        let record = RunRecord {
            verdict: (number % 2 == 0).then_some(Verdict::Healthy),
            ..run(number, 1)
        };
        store.commit(commit(record)).await.unwrap();
    }
    let filter = |before: Option<String>, verdict: Option<&str>| RunFilter {
        before,
        verdict: verdict.map(str::to_owned),
        limit: 2,
        ..RunFilter::default()
    };
    let ids = |page: &Page<RunView>| page.items.iter().map(|run| run.id.clone()).collect::<Vec<_>>();
    let first = store.list_runs(filter(None, None)).await.unwrap();
    assert_eq!(ids(&first), ["run_0005", "run_0004"]);
    let second = store.list_runs(filter(first.next, None)).await.unwrap();
    assert_eq!(ids(&second), ["run_0003", "run_0002"]);
    let last = store.list_runs(filter(second.next, None)).await.unwrap();
    assert_eq!((ids(&last), last.next), (vec!["run_0001".to_owned()], None));
    assert_eq!(
        ids(&store.list_runs(filter(None, Some("healthy"))).await.unwrap()),
        ["run_0004", "run_0002"]
    );
    let apps = store.apps().await.unwrap();
    assert_eq!(apps.len(), 1);
    assert_eq!(apps[0].last_run.id, "run_0005", "the newest run stands for the app");
    // Which runs are under way, and that they changed, is what open pages go by.
    let ended = RunRecord {
        ended_at: Some(START.plus_ms(9)),
        ..run(3, 2)
    };
    store.commit(commit(ended)).await.unwrap();
    let under_way = store.runs_under_way(3).await.unwrap();
    let seen: Vec<(&str, u64)> = under_way.iter().map(|run| (run.id.as_str(), run.version)).collect();
    assert_eq!(seen, [("run_0001", 1), ("run_0002", 1), ("run_0004", 1)]);
    assert_eq!(store.run(&"run_0003".into()).await.unwrap().unwrap().version, 2);
    assert_eq!(store.take_over(&"agt_2".into(), 10).await.unwrap().len(), 4);
}

/// A run that began so many minutes after the start.
fn run_at(minutes: u64, app: &str, environment: &str, verdict: Option<Verdict>, action: Option<&str>) -> RunRecord {
    let number = u32::try_from(minutes).unwrap();
    RunRecord {
        id: RunId::new(id_at("run", minutes)),
        app: app.to_owned(),
        environment: environment.to_owned(),
        started_at: minute(minutes),
        ended_at: action.map(|_| minute(minutes).plus_ms(1_000)),
        verdict,
        action: action.map(str::to_owned),
        ..run(number, 1)
    }
}

pub(super) async fn runs_are_found_by_what_is_known_of_them(open: Open) {
    let store = open.store;
    let bad = Some(Verdict::Unhealthy);
    let all = [
        run_at(0, "shop", "production", Some(Verdict::Healthy), Some("none")),
        run_at(1, "shop", "staging", bad, Some("withheld")),
        run_at(2, "blog", "production", bad, Some("rolled back")),
        run_at(3, "shop", "production", bad, Some("rolled back")),
        run_at(4, "blog", "staging", Some(Verdict::Healthy), Some("none")),
        run_at(5, "shop", "production", None, None),
    ];
    for record in &all {
        store.commit(commit(record.clone())).await.unwrap();
    }
    let table: [(&str, &[usize]); 13] = [
        ("", &[5, 4, 3, 2, 1, 0]),
        ("app=shop", &[5, 3, 1, 0]),
        ("environment=staging", &[4, 1]),
        ("verdict=unhealthy", &[3, 2, 1]),
        ("action=rolled+back", &[3, 2]),
        ("app=shop action=rolled+back", &[3]),
        ("environment=production verdict=unhealthy", &[3, 2]),
        ("app=shop environment=production", &[5, 3, 0]),
        ("app=Shop", &[]),
        ("since=4", &[5, 4]),
        ("until=4", &[3, 2, 1, 0]),
        ("app=shop since=1 until=4", &[3, 1]),
        ("verdict=unhealthy since=9", &[]),
    ];
    for (filter, expected) in table {
        let expected: Vec<String> = expected.iter().map(|at| all[*at].id.to_string()).collect();
        for limit in [1, 2, 50] {
            let page = async |before| store.list_runs(runs_that(filter, limit, before)).await.unwrap();
            let (found, pages) = follow(page, |run| run.id.clone()).await;
            assert_eq!(found, expected, "{filter}");
            assert_eq!(pages, expected.len().div_ceil(limit).max(1), "{filter}");
        }
    }
}

pub(super) async fn deliveries_are_found_by_what_they_are_about(open: Open) {
    let store = open.store;
    let at = |minutes: u64, platform: &str, event: Option<&str>, app: Option<&str>| {
        let plain = delivery(u32::try_from(minutes).unwrap(), HeardEvent::Ready);
        let heard = plain.heard.clone().map(|heard| Heard {
            app: app.map(str::to_owned),
            ..heard
        });
        NewDelivery {
            id: DeliveryId::new(id_at("dlv", minutes)),
            platform: platform.into(),
            received_at: minute(minutes),
            event_word: event.map(str::to_owned),
            heard: event.and(heard),
            ..plain
        }
    };
    let all = [
        at(0, "temps", Some("deploy.ready"), Some("shop")),
        at(1, "temps", Some("deploy.live"), Some("blog")),
        at(2, "other", Some("deploy.live"), Some("shop")),
        // Its secret says whose it is, and of the next one only its run knows.
        NewDelivery {
            opened_app: Some("shop".to_owned()),
            ..at(3, "temps", None, None)
        },
        at(4, "temps", Some("deploy.live"), None),
    ];
    for new in &all {
        assert_eq!(store.accept(new.clone()).await.unwrap(), Accepted::Stored);
    }
    let took = Commit {
        delivery: Some(all[4].id.clone()),
        ..commit(run(1, 1))
    };
    store.commit(took).await.unwrap();
    let table: [(&str, &[usize]); 8] = [
        ("", &[4, 3, 2, 1, 0]),
        ("platform=other", &[2]),
        ("app=shop", &[4, 3, 2, 0]),
        ("event=deploy.live", &[4, 2, 1]),
        ("event=deploy.live app=shop platform=temps", &[4]),
        ("since=3", &[4, 3]),
        ("until=3 app=shop", &[2, 0]),
        ("app=till", &[]),
    ];
    for (filter, expected) in table {
        let expected: Vec<String> = expected.iter().map(|at| all[*at].id.to_string()).collect();
        for limit in [1, 50] {
            let page = async |before| {
                store
                    .list_deliveries(deliveries_that(filter, limit, before))
                    .await
                    .unwrap()
            };
            let (found, _) = follow(page, |delivery| delivery.id.clone()).await;
            assert_eq!(found, expected, "{filter}");
        }
    }
    let shown = store.delivery(&all[4].id).await.unwrap().unwrap();
    assert_eq!(
        (shown.app.as_deref(), shown.body.as_deref()),
        (Some("shop"), Some("{}"))
    );
}

pub(super) async fn messages_are_found_by_whom_and_what_they_tell(open: Open) {
    let store = open.store;
    let to = |number: u32, run: u32, endpoint: &str, event: OutcomeEvent, minutes: u64| NewMessage {
        run: Some(RunId::new(format!("run_{run:04}"))),
        endpoint: EndpointName::new(endpoint),
        event,
        created_at: minute(minutes),
        ..message(number, false)
    };
    use OutcomeEvent::{SmokeTestFailed as Failed, SmokeTestPassed as Passed};
    let all = [
        to(5, 1, "ops", Passed, 0),
        to(4, 1, "chat", Passed, 0),
        to(3, 2, "ops", Failed, 1),
        to(2, 2, "chat", Failed, 1),
        to(1, 3, "ops", Passed, 2),
        to(6, 3, "chat", Passed, 2),
    ];
    store.queue(all.to_vec()).await.unwrap();
    let record = async |at: usize, next: Next| {
        let endpoint = all[at].endpoint.clone();
        let attempt = Attempt {
            endpoint,
            ..attempt(&all[at].id)
        };
        store.record_attempt(attempt, next).await.unwrap();
    };
    record(0, Next::Delivered).await;
    record(2, Next::Delivered).await;
    let reason = "refused".to_owned();
    record(3, Next::Dead { reason }).await;
    // Those of one moment stand by their ids.
    let table: [(&str, &[usize]); 12] = [
        ("", &[5, 4, 2, 3, 0, 1]),
        ("endpoint=ops", &[4, 2, 0]),
        ("event=smoke_test.failed", &[2, 3]),
        ("run=run_0002", &[2, 3]),
        ("run=run_0002 endpoint=chat", &[3]),
        ("state=queued", &[5, 4, 1]),
        ("state=dead", &[3]),
        ("state=delivered", &[2, 0]),
        ("state=queued endpoint=ops", &[4]),
        ("since=1", &[5, 4, 2, 3]),
        ("until=1", &[0, 1]),
        ("state=dead event=smoke_test.passed", &[]),
    ];
    for (filter, expected) in table {
        let expected: Vec<String> = expected.iter().map(|at| all[*at].id.to_string()).collect();
        for limit in [1, 2, 50] {
            let page = async |before| store.list_messages(messages_that(filter, limit, before)).await.unwrap();
            let (found, _) = follow(page, |message| message.id.clone()).await;
            assert_eq!(found, expected, "{filter}");
        }
    }
}

/// Rows beyond what one page looks through, of which few fit.
pub(super) async fn a_filter_that_little_fits_looks_only_so_far(open: Open) {
    let store = open.store;
    let looked = u64::try_from(DELIVERIES_LOOKED_MAX).unwrap();
    let count = 2 * looked + 10;
    // One among the last, and the one that the first page looks at last.
    let wanted = [3, looked + 10];
    let many = (0..count).map(|number| {
        let plain = delivery(u32::try_from(number).unwrap(), HeardEvent::Started);
        store.accept(NewDelivery {
            id: DeliveryId::new(format!("dlv_{number:06}")),
            platform: if wanted.contains(&number) {
                "rare".into()
            } else {
                "temps".into()
            },
            ..plain
        })
    });
    for accepted in futures_util::future::join_all(many).await {
        accepted.unwrap();
    }
    let page = async |before| {
        let filter = deliveries_that("platform=rare", 50, before);
        store.list_deliveries(filter).await.unwrap()
    };
    let first = page(None).await;
    assert_eq!(first.items.len(), 1);
    assert_eq!(first.looked, Some(looked));
    assert_eq!(first.next, Some(format!("dlv_{:06}", wanted[1])));
    let (found, pages) = follow(page, |delivery| delivery.id.clone()).await;
    assert_eq!(
        found,
        [format!("dlv_{:06}", wanted[1]), format!("dlv_{:06}", wanted[0])]
    );
    assert_eq!(pages, 3);
    // What fits often is told without looking so far, and where nothing is asked there is nothing to look through.
    let often = deliveries_that("platform=temps", 50, None);
    let often = store.list_deliveries(often).await.unwrap();
    assert_eq!((often.items.len(), often.looked), (50, None));
    assert_eq!(store.list_deliveries(deliveries(50)).await.unwrap().looked, None);
}

pub(super) async fn places_are_named_once_by_their_newest_run(open: Open) {
    let store = open.store;
    let at = |number: u32, platform: &str, project: &str, environment: &str, app: &str| RunRecord {
        key: Some(AppKey {
            platform: platform.into(),
            project: project.into(),
            environment: environment.into(),
        }),
        platform: platform.into(),
        app: app.to_owned(),
        ..run(number, 1)
    };
    let runs = [
        at(1, "temps", "7", "3", "shop"),
        at(2, "temps", "7", "4", "shop"),
        at(3, "temps", "10", "3", "blog"),
        at(4, "other", "7", "3", "till"),
        at(5, "temps", "7", "3", "market"),
        RunRecord {
            key: None,
            ..at(6, "temps", "7", "3", "nobody")
        },
    ];
    assert!(store.apps().await.unwrap().is_empty());
    for record in runs {
        store.commit(commit(record)).await.unwrap();
    }
    let good = |deployment: &str, ms: u64| LedgerWrite::KnownGood {
        key: key(),
        deployment: deployment.into(),
        commit_sha: None,
        at: START.plus_ms(ms),
    };
    let judged = Commit {
        ledger: vec![good("dep_z", 1), good("dep_a", 2)],
        ..commit(at(7, "temps", "7", "3", "market"))
    };
    store.commit(judged).await.unwrap();
    let apps = store.apps().await.unwrap();
    let named: Vec<(&str, &str, Option<&str>)> = apps
        .iter()
        .map(|app| (app.app.as_str(), app.last_run.id.as_str(), app.last_good.as_deref()))
        .collect();
    assert_eq!(
        named,
        [
            ("blog", "run_0003", None),
            ("market", "run_0007", Some("dep_a")),
            ("shop", "run_0002", None),
            ("till", "run_0004", None)
        ]
    );
    assert_eq!(apps[1].key, key());
    let places = store.places(10).await.unwrap();
    let places: Vec<&str> = places.iter().map(|place| place.app.as_str()).collect();
    assert_eq!(places, ["blog", "market", "shop", "till"]);
    assert_eq!(store.places_of("shop").await.unwrap().len(), 1);
    assert!(store.has_known_good(&key()).await.unwrap());
    let other = AppKey {
        environment: "4".into(),
        ..key()
    };
    assert!(!store.has_known_good(&other).await.unwrap());
}

pub(super) async fn endpoints_are_counted_by_how_their_messages_stand(open: Open) {
    let store = open.store;
    assert!(store.endpoints().await.unwrap().is_empty());
    let to = |number: u32, endpoint: &str| NewMessage {
        endpoint: EndpointName::new(endpoint),
        ..message(number, false)
    };
    let all = vec![to(1, "ops"), to(2, "ops"), to(3, "ops"), to(4, "chat"), to(5, "ops")];
    store.queue(all).await.unwrap();
    let record = async |id: &str, next: Next| store.record_attempt(attempt(&id.into()), next).await.unwrap();
    record("whk_0001", Next::Delivered).await;
    record("whk_0002", Next::Delivered).await;
    let reason = "refused".to_owned();
    record("whk_0003", Next::Dead { reason }).await;
    let found = store.endpoints().await.unwrap();
    let counts: Vec<(&str, u64, u64, u64, u32)> = found
        .iter()
        .map(|found| {
            (
                found.name.as_str(),
                found.delivered,
                found.queued,
                found.dead,
                found.failures,
            )
        })
        .collect();
    assert_eq!(counts, [("chat", 0, 1, 0, 0), ("ops", 2, 1, 1, 1)]);
}
