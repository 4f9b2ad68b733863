//! What a deployment may do, in each generation of the platform.

use std::time::Duration;

use backstop::pretend::{Behaviour, Cold, Generation, Release, RollbackFault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::stage::{Setup, Stage};

/// Each scenario as a test in each generation.
macro_rules! in_each_generation {
    ($($name:ident)+) => {
        in_each_generation!(@ guide Guide $($name)+);
        in_each_generation!(@ g1 G1 $($name)+);
        in_each_generation!(@ g2 G2 $($name)+);
        in_each_generation!(@ g3 G3 $($name)+);
    };
    (@ $module:ident $generation:ident $($name:ident)+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
            async fn $name() {
                super::$name(backstop::pretend::Generation::$generation).await;
            })+
        }
    };
}

in_each_generation! {
    a_cold_start_of_20_s_is_not_rolled_back
    a_dead_one_is_rolled_back
    one_that_always_answers_500_is_rolled_back
    one_with_wrong_content_is_rolled_back
    the_old_version_still_answering_is_not_taken_for_the_new_one
    the_console_page_with_200_is_not_taken_for_the_app
    alert_only_never_calls_rollback
    a_superseded_one_is_left_alone
    a_target_that_is_refused_falls_back_to_the_next_older_one
    a_signed_word_that_another_deployment_is_live_does_nothing
    a_check_that_never_passed_does_not_roll_back
    a_lost_answer_is_looked_up_and_the_call_not_repeated
}

async fn a_cold_start_of_20_s_is_not_rolled_back(generation: Generation) {
    let stage = Stage::new(generation, Setup::default()).await;
    stage.known_good("aaaaaaa1").await;
    let cold = Behaviour::ColdFor(Duration::from_secs(20), Cold::AllInTurn);
    let slow = stage.temps.deploy(Release::new("bbbbbbb2", cold)).await;
    stage.must_hear("smoke_test.passed", &slow).await;
    assert_eq!(stage.ended_run(&slow).await["verdict"], "healthy");
    assert_eq!(stage.targets(), Vec::<String>::new());
    assert_eq!(stage.temps.current(), Some(slow));
}

async fn a_dead_one_is_rolled_back(generation: Generation) {
    rolled_back(generation, Behaviour::Dead, "12s").await;
}

async fn one_that_always_answers_500_is_rolled_back(generation: Generation) {
    rolled_back(generation, Behaviour::AllErrors, "45s").await;
}

async fn one_with_wrong_content_is_rolled_back(generation: Generation) {
    rolled_back(generation, Behaviour::WrongContent, "45s").await;
}

/// What fails already while a deployment is on its way is not its doing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_before_is_not_blamed_on_the_deployment() {
    let stage = Stage::new(backstop::pretend::Generation::G3, Setup::default()).await;
    let before = stage.known_good("aaaaaaa1").await;
    stage.temps.turn(&before, Behaviour::AllErrors);
    let release = Release::new("bbbbbbb2", Behaviour::Errors);
    let blamed = stage.temps.build_and_deploy(release, Duration::from_secs(8)).await;
    let told = stage.must_hear("rollback.withheld", &blamed).await;
    let reason = told.text("reason");
    assert!(
        reason.contains("failed in the same way on the version before"),
        "{:#}",
        told.body
    );
    assert!(stage.targets().is_empty());
}

/// The delivery was lost: the platform's own list tells of the deployment, which is then judged as any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_delivery_told_of_is_found_and_judged() {
    let setup = Setup {
        platform: "reconcile_every = \"1s\"",
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    let good = stage.known_good("aaaaaaa1").await;
    let bad = stage
        .temps
        .deploy_silently(Release::new("bbbbbbb2", Behaviour::AllErrors));
    let told = stage.must_hear("delivery.missed", &bad).await;
    assert!(
        told.text("reason").contains("the platform's own list"),
        "{:#}",
        told.body
    );
    let told = stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(told.body["rollback"]["to"], good);
    assert_eq!(stage.temps.rollback_calls().len(), 1);
}

/// Whoever watches the agent from outside hears of it again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gives_signs_of_life() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let setup = Setup {
        more: format!("[heartbeat]\nurl = \"http://{address}/ping/of-backstop\"\nevery = \"1s\"\n"),
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    for _ in 0..3 {
        let (mut stream, _) = listener.accept().await.expect("a beat");
        let mut head = vec![0; 2_048];
        let length = stream.read(&mut head).await.expect("a request");
        let head = String::from_utf8_lossy(&head[..length]).into_owned();
        assert!(head.starts_with("GET /ping/of-backstop HTTP/1.1\r\n"), "{head}");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).await.expect("written");
    }
    assert!(!stage.agent.log().contains("of-backstop"), "the address is a secret");
}

/// The whole way: found bad, called once, verified, told; and what the rollback itself makes is not judged as if it were
/// somebody's release.
async fn rolled_back(generation: Generation, behaviour: Behaviour, warmup: &'static str) {
    let setup = Setup {
        warmup,
        ..Setup::default()
    };
    let stage = Stage::new(generation, setup).await;
    let good = stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", behaviour)).await;
    stage.must_hear("smoke_test.failed", &bad).await;
    let told = stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(told.body["rollback"]["to"], good);
    assert_eq!(told.body["rollback"]["verified"], true);
    let restored = stage.temps.current().expect("something is current");
    assert_eq!(
        restored == good,
        generation == Generation::G1,
        "only the first generation reuses the id"
    );
    if restored != good {
        // The platform said that this one is live, too.
        stage.ended_run(&restored).await;
    }
    assert_eq!(stage.targets(), [good], "one call, and no loop");
    assert_eq!(stage.temps.current(), Some(restored));
    let run = stage.ended_run(&bad).await;
    assert_eq!(
        (run["verdict"].as_str(), run["action"].as_str()),
        (Some("unhealthy"), Some("rolled back"))
    );
}

async fn the_old_version_still_answering_is_not_taken_for_the_new_one(generation: Generation) {
    let setup = Setup {
        warmup: "8s",
        ..Setup::default()
    };
    let stage = Stage::new(generation, setup).await;
    stage.known_good("aaaaaaa1").await;
    let stuck = stage
        .temps
        .deploy(Release::new("bbbbbbb2", Behaviour::OldVersion))
        .await;
    stage.must_hear("smoke_test.inconclusive", &stuck).await;
    assert_eq!(stage.ended_run(&stuck).await["verdict"], "inconclusive");
    assert_eq!(stage.targets(), Vec::<String>::new());
}

async fn the_console_page_with_200_is_not_taken_for_the_app(generation: Generation) {
    let setup = Setup {
        mode: "alert-only",
        warmup: "8s",
        // Without an expectation of its own, the page's 200 would do.
        more: String::new(),
        ..Setup::default()
    };
    let stage = Stage::new(generation, setup).await;
    stage.known_good("aaaaaaa1").await;
    let unrouted = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Console)).await;
    let told = stage.must_hear("rollback.withheld", &unrouted).await;
    assert!(told.text("reason").contains("page of the platform"), "{:#}", told.body);
    assert!(!stage.heard().contains(&format!("smoke_test.passed {unrouted}")));
}

async fn alert_only_never_calls_rollback(generation: Generation) {
    let setup = Setup {
        mode: "alert-only",
        ..Setup::default()
    };
    let stage = Stage::new(generation, setup).await;
    stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    let told = stage.must_hear("rollback.withheld", &bad).await;
    assert!(told.text("reason").contains("alert-only"), "{:#}", told.body);
    assert_eq!(stage.ended_run(&bad).await["action"], "withheld");
    assert_eq!(stage.targets(), Vec::<String>::new());
    assert_eq!(stage.temps.current(), Some(bad));
}

async fn a_superseded_one_is_left_alone(generation: Generation) {
    let stage = Stage::new(generation, Setup::default()).await;
    stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    stage.must_hear("smoke_test.started", &bad).await;
    let newer = stage.temps.deploy(Release::new("ccccccc3", Behaviour::Healthy)).await;
    stage.must_hear("run.superseded", &bad).await;
    stage.must_hear("smoke_test.passed", &newer).await;
    stage.ended_run(&newer).await;
    assert_eq!(stage.targets(), Vec::<String>::new());
    assert_eq!(stage.temps.current(), Some(newer));
}

async fn a_target_that_is_refused_falls_back_to_the_next_older_one(generation: Generation) {
    let stage = Stage::new(generation, Setup::default()).await;
    let older = stage.known_good("aaaaaaa1").await;
    let newer = stage.known_good("bbbbbbb2").await;
    let status = match generation {
        // What a later clean-up leaves there, and these generations then refuse.
        Generation::G1 | Generation::G2 => {
            stage.temps.set_status(&newer, "stopped");
            400
        }
        Generation::G3 | Generation::Guide => {
            stage.temps.remove_image(&newer);
            500
        }
    };
    let bad = stage.temps.deploy_silently(Release::new("ccccccc3", Behaviour::Errors));
    if status == 400 {
        stage.temps.set_status(&newer, "stopped");
    }
    assert_eq!(stage.temps.say_live(&bad).await, Some(202));
    let told = stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(told.body["rollback"]["to"], older);
    let calls = stage.temps.rollback_calls();
    let calls: Vec<(&str, u16)> = calls.iter().map(|call| (call.target.as_str(), call.status)).collect();
    assert_eq!(calls, [(newer.as_str(), status), (older.as_str(), 200)]);
}

async fn a_signed_word_that_another_deployment_is_live_does_nothing(generation: Generation) {
    let stage = Stage::new(generation, Setup::default()).await;
    let first = stage.known_good("aaaaaaa1").await;
    let current = stage.known_good("bbbbbbb2").await;
    stage.temps.set_status(&first, "failed");
    let never = stage.temps.deploy_silently(Release::new("ccccccc3", Behaviour::Errors));
    // Back to the one before without a word; what was just deployed is now an old, failed row.
    let again = stage
        .temps
        .deploy_silently(Release::new("bbbbbbb2", Behaviour::Healthy));
    stage.temps.set_status(&never, "failed");
    let before = stage.heard();
    assert_eq!(stage.temps.say_live(&never).await, Some(202));
    let run = stage.ended_run(&never).await;
    assert_eq!(run["action"], "dismissed", "{run:#}");
    assert_eq!(stage.heard(), before, "nothing is told");
    assert_eq!(stage.targets(), Vec::<String>::new());
    assert_eq!(stage.temps.current(), Some(again));
    assert_ne!(current, never);
}

async fn a_check_that_never_passed_does_not_roll_back(generation: Generation) {
    let stage = Stage::new(generation, Setup::default()).await;
    stage.known_good("aaaaaaa1").await;
    let stage = stage.restart_with("\n[check.mistyped]\nget = \"/api/ordres\"\n");
    let fine = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Healthy)).await;
    let told = stage.must_hear("rollback.withheld", &fine).await;
    assert!(told.text("reason").contains("mistyped"), "{:#}", told.body);
    assert!(told.text("reason").contains("never passed"), "{:#}", told.body);
    assert_eq!(stage.targets(), Vec::<String>::new());
}

async fn a_lost_answer_is_looked_up_and_the_call_not_repeated(generation: Generation) {
    let stage = Stage::new(generation, Setup::default()).await;
    let good = stage.known_good("aaaaaaa1").await;
    stage.temps.set_rollback_fault(RollbackFault::LosesTheAnswer);
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(stage.targets(), [good]);
}
