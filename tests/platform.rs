//! The built-in platform file against a pretend Temps of each generation, call by call.
#![expect(clippy::expect_used, reason = "these are tests")]

use std::num::NonZeroU32;

use backstop::clock::Clock;
use backstop::domain::{CallAnswer, Deployment, DeploymentState, Heard};
use backstop::http::{Client, Network};
use backstop::platform::{Account, File, Platform, Urgency};
use backstop::pretend::{Behaviour, Generation, Release, RollbackFault, Temps};
use serde_json::json;
use url::Url;

const TOKEN: &str = "tk_component-tests";

struct Both {
    temps: Temps,
    platform: Platform,
}

async fn both(generation: Generation) -> Both {
    let temps = Temps::start(generation, TOKEN).await.expect("temps");
    let platform = platform(&temps.url(), TOKEN);
    Both { temps, platform }
}

fn platform(url: &str, token: &str) -> Platform {
    let file = File::built_in("temps").expect("built in");
    let client = Client::new(Network::default()).expect("a client");
    Platform::new(
        "temps".into(),
        file,
        Account {
            url: Url::parse(url).expect("an address"),
            token: token.into(),
            requests_per_minute: NonZeroU32::new(600).expect("some"),
        },
        client,
        Clock::system(),
    )
}

/// What a delivery of the generation says of `deployment`.
fn heard(generation: Generation, deployment: &str) -> Heard {
    let body = match generation {
        Generation::Guide => json!({"event": "deploy.live", "deployment_id": deployment, "app": "shop"}),
        _ => json!({"event_type": "deployment_succeeded", "project_id": 7,
                    "payload": {"deployment_id": deployment.parse::<u64>().expect("a number"), "project_id": 7}}),
    };
    File::built_in("temps")
        .expect("built in")
        .hear(&body)
        .heard
        .expect("heard")
}

impl Both {
    async fn identified(&self, generation: Generation, deployment: &str) -> Deployment {
        self.platform
            .identify(&heard(generation, deployment))
            .await
            .expect("identified")
    }
}

#[tokio::test]
async fn what_a_deployment_is() {
    for generation in Generation::ALL {
        let both = both(generation).await;
        let first = both.temps.deploy(Release::new("aaaaaaa1", Behaviour::Healthy)).await;
        let second = both.temps.deploy(Release::new("bbbbbbb2", Behaviour::Healthy)).await;
        let deployment = both.identified(generation, &second).await;
        assert_eq!(
            (deployment.app.as_str(), deployment.environment.as_str()),
            ("shop", "production")
        );
        assert_eq!(deployment.key.to_string(), "temps/7/3");
        assert_eq!((deployment.current, deployment.state), (true, DeploymentState::Good));
        assert_eq!(deployment.commit.sha.as_deref(), Some("bbbbbbb2"));
        assert_eq!(deployment.url, Some(both.temps.app_url()));
        assert!(!deployment.rollback && !deployment.preview);
        let older = both.identified(generation, &first).await;
        assert_eq!(
            (older.current, older.state),
            (false, DeploymentState::Good),
            "{generation:?}: a possible target"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_not_there() {
    for generation in Generation::ALL {
        let both = both(generation).await;
        both.temps.deploy(Release::new("aaaaaaa1", Behaviour::Healthy)).await;
        let unknown = if generation == Generation::Guide {
            "dep_999"
        } else {
            "999"
        };
        let error = both
            .platform
            .identify(&heard(generation, unknown))
            .await
            .expect_err("unknown")
            .to_string();
        assert!(
            error.contains("404") && error.contains("Deployment Not Found"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn going_back_makes_what_the_generation_makes() {
    for generation in Generation::ALL {
        let both = both(generation).await;
        let good = both.temps.deploy(Release::new("aaaaaaa1", Behaviour::Healthy)).await;
        let bad = both.temps.deploy(Release::new("bbbbbbb2", Behaviour::Dead)).await;
        let own = both.identified(generation, &bad).await;
        let answer = both.platform.roll_back(&own.key, &own.id, &good.as_str().into()).await;
        let CallAnswer::Accepted { made } = answer else {
            panic!("{generation:?}: {answer:?}")
        };
        assert_eq!(made.is_none(), generation == Generation::G1, "{generation:?}");
        let standing = both.platform.standing(&own, Urgency::Run).await.expect("standing");
        assert!(
            standing.is_back_at(&good.as_str().into()),
            "{generation:?}: {standing:?}"
        );
        assert_eq!(standing.current.as_ref().map(ToString::to_string), both.temps.current());
        if let Some(made) = made {
            let made = standing.find(&made).expect("listed");
            assert_eq!(
                (made.rollback, made.rolled_back_from.as_ref().map(ToString::to_string)),
                (true, Some(good))
            );
        }
    }
}

#[tokio::test]
async fn the_call_is_not_made_when_another_deployment_is_current() {
    let both = both(Generation::G3).await;
    let good = both.temps.deploy(Release::new("aaaaaaa1", Behaviour::Healthy)).await;
    let bad = both.temps.deploy(Release::new("bbbbbbb2", Behaviour::Dead)).await;
    let own = both.identified(Generation::G3, &bad).await;
    let newer = both.temps.deploy(Release::new("ccccccc3", Behaviour::Healthy)).await;
    let answer = both.platform.roll_back(&own.key, &own.id, &good.as_str().into()).await;
    assert_eq!(
        answer,
        CallAnswer::NotSent {
            reason: format!("{newer} is current now")
        }
    );
    assert!(both.temps.rollback_calls().is_empty());
}

#[tokio::test]
async fn only_listed_answers_are_definite_refusals() {
    for (generation, prepare, expected) in [
        (Generation::G3, "failed", "Invalid Deployment State"),
        (Generation::G2, "stopped", "Invalid Deployment State"),
        (Generation::G3, "no image", "no longer exists"),
    ] {
        let both = both(generation).await;
        let target = both.temps.deploy(Release::new("aaaaaaa1", Behaviour::Healthy)).await;
        let bad = both.temps.deploy(Release::new("bbbbbbb2", Behaviour::Dead)).await;
        match prepare {
            "no image" => both.temps.remove_image(&target),
            status => both.temps.set_status(&target, status),
        }
        let own = both.identified(generation, &bad).await;
        let answer = both
            .platform
            .roll_back(&own.key, &own.id, &target.as_str().into())
            .await;
        let CallAnswer::Refused { reason } = answer else {
            panic!("{prepare}: {answer:?}")
        };
        assert!(reason.contains(expected), "{reason}");
    }
    let both = both(Generation::G3).await;
    let good = both.temps.deploy(Release::new("aaaaaaa1", Behaviour::Healthy)).await;
    let bad = both.temps.deploy(Release::new("bbbbbbb2", Behaviour::Dead)).await;
    let own = both.identified(Generation::G3, &bad).await;
    both.temps.set_rollback_fault(RollbackFault::LosesTheAnswer);
    let answer = both.platform.roll_back(&own.key, &own.id, &good.as_str().into()).await;
    assert!(matches!(answer, CallAnswer::Unknown { .. }), "{answer:?}");
    let gone = both
        .platform
        .roll_back(
            &own.key,
            &both.temps.current().expect("one").as_str().into(),
            &"999".into(),
        )
        .await;
    assert!(matches!(gone, CallAnswer::Refused { .. }), "{gone:?}");
}

#[tokio::test]
async fn a_page_with_200_is_no_answer_of_an_api() {
    let both = both(Generation::G3).await;
    let wrong = platform(&format!("{}/console", both.temps.url()), TOKEN);
    let error = wrong
        .identify(&heard(Generation::G3, "41"))
        .await
        .expect_err("a page")
        .to_string();
    assert!(
        error.contains("text/html") && error.contains("is `url` the address"),
        "{error}"
    );
}

#[tokio::test]
async fn start_up_says_what_is_missing_and_what_to_do() {
    let both = both(Generation::G3).await;
    let receiver = Url::parse("https://backstop.example.com/webhooks/temps").expect("an address");
    let texts = async |platform: &Platform, receiver: Option<&Url>| -> Vec<(bool, String)> {
        let findings = platform.check_setup(receiver).await;
        findings.into_iter().map(|finding| (finding.ok, finding.text)).collect()
    };
    let missing = texts(&both.platform, Some(&receiver)).await;
    assert_eq!(missing[0], (true, "the token works: it shows 1 projects".to_owned()));
    assert!(
        !missing[1].0
            && missing[1]
                .1
                .contains("`shop` has no webhook to https://backstop.example.com"),
        "{missing:?}"
    );
    assert!(
        missing[1].1.contains("deployment.succeeded"),
        "it says which events: {missing:?}"
    );

    both.temps.deliver_to(receiver.as_str(), "secret");
    let there = texts(&both.platform, Some(&receiver)).await;
    assert!(there[1].0, "{there:?}");
    let unknown = texts(&both.platform, None).await;
    assert!(
        !unknown[1].0 && unknown[1].1.contains("server.public_url"),
        "{unknown:?}"
    );

    let stranger = texts(&platform(&both.temps.url(), "tk_wrong"), Some(&receiver)).await;
    assert_eq!(stranger.len(), 1);
    assert!(
        !stranger[0].0 && stranger[0].1.contains("401") && stranger[0].1.contains("projects:read"),
        "{stranger:?}"
    );
    let nobody = texts(&platform("http://127.0.0.1:9", TOKEN), Some(&receiver)).await;
    assert!(!nobody[0].0 && nobody[0].1.contains("refused"), "{nobody:?}");
}

/// Each environment of each project is told, with what sets a preview apart; a list in pages is read to its end.
#[tokio::test]
async fn a_survey_tells_where_something_may_be_live() {
    for generation in Generation::ALL {
        let both = both(generation).await;
        let surveyed = both.platform.survey().await.expect("surveyed");
        let [found] = surveyed.as_slice() else {
            panic!("{surveyed:?}")
        };
        assert_eq!((found.place.app.as_str(), found.preview), ("shop", false));
        assert_eq!(found.place.key.project.as_str(), "7");
        both.platform.try_token().await.expect("the token works");
        let denied = platform(&both.temps.url(), "tk_another").try_token().await;
        assert!(denied.is_err_and(|error| error.is_denial()));
    }
}
