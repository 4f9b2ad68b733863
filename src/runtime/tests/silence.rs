//! What the agents find where nothing tells them, in a world without chance.

use super::{History, PROJECTS, Quality, START, sleep_s};
use crate::domain::{DeliveryId, HeardEvent};
use crate::store::NewDelivery;

fn in_simulated_time(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test);
}

async fn with_agents(count: usize, before: impl FnOnce(&History)) -> History {
    let mut history = History::new(1, None).await;
    before(&history);
    for _ in 0..count {
        let running = history.site.start().await;
        history.running.push(running);
    }
    history
}

/// What was live before anybody looked is left alone; what goes live afterwards is found, judged and told of, in an app that
/// no delivery ever spoke of.
#[test]
fn apps_that_no_delivery_ever_told_of_are_looked_after() {
    in_simulated_time(async {
        let history = with_agents(2, |history| {
            history.site.world.deploy(PROJECTS[0], Quality::Broken);
        })
        .await;
        let world = &history.site.world;
        sleep_s(200).await;
        assert_eq!(world.told("delivery.missed"), Vec::<serde_json::Value>::new());
        let silent = [
            world.deploy(PROJECTS[0], Quality::Good),
            world.deploy(PROJECTS[1], Quality::Good),
        ];
        sleep_s(300).await;
        let told = world.told("delivery.missed");
        let mut of: Vec<&str> = told.iter().filter_map(|body| body["deployment_id"].as_str()).collect();
        of.sort_unstable();
        assert_eq!(of, silent.map(|id| id.to_string()), "{told:#?}");
        assert_eq!(world.told("smoke_test.passed").len(), 2);
    });
}

#[test]
fn what_became_ready_and_never_live_is_told_of_once() {
    in_simulated_time(async {
        let history = with_agents(2, |history| {
            history.site.world.deploy(PROJECTS[0], Quality::Good);
        })
        .await;
        let (world, store) = (&history.site.world, &history.running[0].store);
        let [stuck, failed, live] = [
            world.build(PROJECTS[0]),
            world.build(PROJECTS[0]),
            world.deploy(PROJECTS[0], Quality::Good),
        ];
        for (id, event) in [
            (stuck, HeardEvent::Ready),
            (failed, HeardEvent::Ready),
            (live, HeardEvent::Ready),
            (failed, HeardEvent::Failed),
        ] {
            let delivery = NewDelivery {
                id: DeliveryId::new(format!("dlv_{id}_{event:?}")),
                platform: "temps".into(),
                received_at: world.clock.now(),
                event_word: None,
                heard: Some(crate::domain::Heard {
                    event,
                    ..super::heard(PROJECTS[0], id)
                }),
                note: None,
                opened_app: None,
                dedup_key: format!("{id} {event:?}").into_bytes(),
                headers: Vec::new(),
                body: Vec::new(),
            };
            store.accept(delivery).await.unwrap();
        }
        sleep_s(14 * 60).await;
        let about_stuck = || -> Vec<String> {
            let told = world.told("delivery.missed");
            let reasons = told.iter().filter(|body| body["about"].is_string());
            reasons
                .map(|body| {
                    format!(
                        "{}: {}",
                        body["about"].as_str().unwrap(),
                        body["reason"].as_str().unwrap()
                    )
                })
                .collect()
        };
        assert_eq!(about_stuck(), Vec::<String>::new());
        sleep_s(3_600).await;
        let expected = format!(
            "deployment {stuck} of app-7: it became ready more than 15 minutes ago and never went live: the platform says `building`"
        );
        assert_eq!(about_stuck(), [expected]);
    });
}

/// A platform that is away for a moment wakes nobody; one that stays away is told of once by two agents, and so is its end.
#[test]
fn a_platform_that_cannot_be_asked_is_protection_lost() {
    in_simulated_time(async {
        let history = with_agents(2, |_| {}).await;
        let world = &history.site.world;
        let down_for = async |seconds: u64| {
            // What works is tried every 15 minutes: begin just before.
            let tried_at = world.clock.now().ms_since(START) / 900_000 + 1;
            sleep_s((tried_at * 900).saturating_sub(world.clock.now().ms_since(START) / 1_000 + 5)).await;
            world.lock().down_until = world.clock.now().plus_ms(seconds * 1_000);
            sleep_s(seconds).await;
        };
        let told = || {
            (
                world.told("protection.lost").len(),
                world.told("protection.restored").len(),
            )
        };
        sleep_s(60).await;
        down_for(20).await;
        sleep_s(300).await;
        assert_eq!(told(), (0, 0));
        down_for(600).await;
        assert_eq!(told(), (1, 0));
        let lost = &world.told("protection.lost")[0];
        assert_eq!(lost["about"], "platform temps");
        assert!(lost["reason"].as_str().unwrap().contains("answered 503"), "{lost:#}");
        sleep_s(300).await;
        assert_eq!(told(), (1, 1));
    });
}
