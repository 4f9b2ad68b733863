//! Rollbacks that wait for a person, and those that a person orders.

use backstop::pretend::{Behaviour, Generation, Release};
use http::Method;
use serde_json::Value as Json;

use crate::commands::{must, run_fails};
use crate::stage::{Setup, Stage, send};

fn setup() -> Setup {
    Setup {
        mode: "approve",
        server: "public_url = \"http://backstop.test/\"\n",
        more: "approve = true\n\n[outcome.others]\nurl = \"RECEIVER\"\nsecret = \"{{ secret.OUTCOME_SECRET }}\"\nevents = [\"approval.*\"]\n".to_owned(),
        ..Setup::default()
    }
}

/// The link as this machine can open it, and its token.
fn link(stage: &Stage, body: &Json) -> (String, String) {
    let link = body["links"]["approve"].as_str().expect("a link").to_owned();
    let token = link.split_once("?token=").expect("a token").1.to_owned();
    (link.replace("http://backstop.test", &stage.agent.url), token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_shows_when_opened_and_acts_once_by_its_button() {
    let stage = Stage::new(Generation::G3, setup()).await;
    let good = stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    let with_link = |body: &Json| body["links"]["approve"].is_string();
    let asked = stage.must_hear_all("approval.requested", &bad, 2).await;
    let (told, silent): (Vec<_>, Vec<_>) = asked.into_iter().partition(|message| with_link(&message.body));
    assert_eq!((told.len(), silent.len()), (1, 1), "only who may approve gets the link");
    let (link, token) = link(&stage, &told[0].body);

    // A preview opens it, again and again: nothing happens.
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let shown = send(method.clone(), &link, &[], b"").await;
        let html = String::from_utf8_lossy(&shown.body).into_owned();
        assert_eq!(shown.status, 200);
        assert!(
            method == Method::HEAD || (html.contains("<button") && html.contains(&good)),
            "{html}"
        );
    }
    assert!(stage.targets().is_empty());
    // Another token, another run: nothing to see.
    let page = link.split_once('?').expect("a query").0.to_owned();
    for wrong in [format!("{page}?token=AAAA"), link.replace("run_", "run_x")] {
        assert_eq!(send(Method::GET, &wrong, &[], b"").await.status, 404);
    }
    assert_eq!(send(Method::POST, &page, &[], b"token=AAAA").await.status, 404);
    assert_eq!(send(Method::POST, &page, &[], b"").await.status, 400);
    assert!(stage.targets().is_empty());
    // Nowhere else can the token be read.
    let listed = stage.api("/api/v1/messages?limit=200").await;
    for message in listed["items"].as_array().expect("items") {
        let shown = stage
            .api(&format!("/api/v1/messages/{}", message["id"].as_str().expect("id")))
            .await;
        assert!(!shown.to_string().contains(&token));
    }
    let run = told[0].text("run_id");
    let story = stage.api(&format!("/api/v1/runs/{run}")).await;
    assert!(!story.to_string().contains(&token) && !stage.agent.log().contains(&token));

    let form = format!("token={token}");
    let done = send(Method::POST, &page, &[], form.as_bytes()).await;
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
    assert_eq!(
        send(Method::POST, &page, &[], form.as_bytes()).await.status,
        404,
        "single use"
    );
    stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(stage.targets(), [good]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_outlives_a_restart_and_may_be_given_from_a_terminal() {
    let stage = Stage::new(Generation::G3, setup()).await;
    let good = stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    let told = stage.must_hear("approval.requested", &bad).await;
    let run = told.text("run_id").to_owned();
    let stage = stage.restarted(|agent, _| agent.kill_9());
    must(&stage, &["approve", &run], "approved").await;
    stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(stage.targets(), [good]);
    run_fails(&stage, &["approve", &run]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_rolls_back_what_was_withheld() {
    let setup = Setup {
        mode: "alert-only",
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    let good = stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    let withheld = stage.must_hear("rollback.withheld", &bad).await;
    let run = withheld.text("run_id").to_owned();
    stage.ended_run(&bad).await;
    must(&stage, &["rollback", &run], "ordered").await;
    stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(stage.targets(), [good]);
    run_fails(&stage, &["rollback", &run]).await;
    run_fails(&stage, &["rollback", "run_none"]).await;
}
