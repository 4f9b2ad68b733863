//! Trust: what would have been done, what people say of it, and drills.

use std::time::Duration;

use backstop::pretend::{Behaviour, Generation, Release};
use http::Method;

use crate::commands::{must, out, run, run_fails};
use crate::stage::{ADMIN_TOKEN, SOON, Setup, Stage, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trust_is_earned_by_alarms_that_were_right_and_a_drill_that_went_through() {
    let setup = Setup {
        mode: "alert-only",
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    // The app is known from the platform's own list, before anything was heard of it.
    let found = async {
        while !out(&run(&stage, &["trust"]).await).contains("20 more deployments to judge") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, found).await.expect("found");
    let unknown = run_fails(&stage, &["runs", "start", "till"]).await;
    assert!(unknown.contains("nothing was heard of `till`"), "{unknown}");
    let good = stage.known_good("aaaaaaa1").await;

    // A drill goes all the way up to the call, tells of it, and leaves nothing behind.
    let started = must(&stage, &["runs", "start", "shop", "--drill"], &good).await;
    let drill = started
        .split_whitespace()
        .find(|word| word.starts_with("run_"))
        .expect("a run")
        .to_owned();
    let told = stage.must_hear("rollback.withheld", &good).await;
    assert!(told.text("reason").starts_with("This is a drill"), "{:#}", told.body);
    // There is only one version, so a drill finds that there is nothing to go back to.
    must(&stage, &["runs", "show", &drill], "drill withheld").await;
    let newer = stage.known_good("bbbbbbb2").await;
    must(&stage, &["runs", "start", "shop", "--drill"], &newer).await;
    let told = stage.must_hear("rollback.withheld", &newer).await;
    assert!(
        told.text("reason")
            .contains(&format!("asked to go back to {good}, if the mode were not alert-only")),
        "{:#}",
        told.body
    );
    assert!(stage.targets().is_empty());

    let bad = stage.temps.deploy(Release::new("ccccccc3", Behaviour::Errors)).await;
    let withheld = stage.must_hear("rollback.withheld", &bad).await;
    let run = withheld.text("run_id").to_owned();
    stage.ended_run(&bad).await;
    let said = must(&stage, &["trust"], "18 more deployments to judge").await;
    assert!(
        said.contains("1 alarms of which nobody knows yet") && !said.contains("a drill:"),
        "{said}"
    );
    must(&stage, &["trust", "label", &run, "right"], "the alarm was right").await;
    let said = must(&stage, &["trust"], "a person says it was bad").await;
    assert!(said.contains("0 of 2 false alarms"), "{said}");
    run_fails(&stage, &["trust", "label", &drill, "wrong"]).await;

    // The page says the same, and its button labels.
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let page = format!("{}/trust", stage.agent.url);
    let form = format!("run={run}&label=wrong");
    let own = [("authorization", bearer.as_str()), ("origin", stage.agent.url.as_str())];
    assert_eq!(send(Method::POST, &page, &own, form.as_bytes()).await.status, 303);
    let foreign = [("authorization", bearer.as_str()), ("origin", "https://evil.example")];
    assert_eq!(send(Method::POST, &page, &foreign, form.as_bytes()).await.status, 403);
    let shown = send(Method::GET, &page, &own, b"").await;
    let html = String::from_utf8_lossy(&shown.body).into_owned();
    assert!(
        html.contains("a person says it was not bad") && html.contains("1 of 3"),
        "{html}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_live_is_judged_when_a_person_asks() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    stage.known_good("aaaaaaa1").await;
    let newest = stage.known_good("bbbbbbb2").await;
    // So that it is not judged at once.
    stage.temps.turn(&newest, Behaviour::AllErrors);
    must(&stage, &["runs", "start", "shop", "--env", "production"], &newest).await;
    let busy = run_fails(&stage, &["runs", "start", "shop"]).await;
    assert!(busy.contains("is judging what is live"), "{busy}");
}
