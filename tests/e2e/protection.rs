//! Whether a rollback would be possible, and the config that is read again while the agent runs.

use backstop::pretend::{Behaviour, Generation, Received, Release};

use crate::stage::{SOON, Setup, Stage, TOKEN};

/// The notice `event` about `about`.
async fn notice(stage: &Stage, event: &str, about: &str) -> Received {
    let wanted = |message: &Received| message.event() == event && message.body["about"] == about;
    match stage.receiver.wait_for(SOON, wanted).await {
        Some(message) => message,
        None => panic!(
            "no {event} about {about}; heard {:?}\n{}",
            stage.heard(),
            stage.agent.log()
        ),
    }
}

/// A token that does not work is found when the agent starts, not when a rollback needs it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_does_not_work_is_told_of_and_so_is_one_that_does_again() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    stage.temps.set_token("tk_another-token-0123456789");
    let stage = stage.restart_with("");
    let lost = notice(&stage, "protection.lost", "platform temps").await;
    let reason = lost.text("reason");
    assert!(
        reason.contains("refuses the token") && reason.contains("401"),
        "{:#}",
        lost.body
    );
    stage.temps.set_token(TOKEN);
    notice(&stage, "protection.restored", "platform temps").await;
    let told = stage
        .heard()
        .into_iter()
        .filter(|heard| heard.starts_with("protection."));
    assert_eq!(told.count(), 2, "each is told once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_config_is_refused_and_told_of_and_the_one_before_stays_in_force() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let good = stage.known_good("aaaaaaa1").await;
    let text = stage.config();
    stage.write_config(&text.replace("mode = \"auto-rollback\"", "mode = \"auto-rolback\""));
    stage.agent.signal("HUP");
    let lost = notice(&stage, "protection.lost", "config").await;
    let reason = lost.text("reason");
    assert!(
        reason.contains("checks.toml") && reason.contains("auto-rolback"),
        "{:#}",
        lost.body
    );
    // What it said before still holds.
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::AllErrors)).await;
    let told = stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(told.body["rollback"]["to"], good);
    // No signal is needed: the files are looked at.
    stage.write_config(&text);
    notice(&stage, "protection.restored", "config").await;
}

/// What is stricter wins: a run that began where it might roll back asks what holds now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mode_that_became_stricter_holds_for_runs_under_way_and_a_looser_one_does_not() {
    let setup = Setup {
        mode: "auto-rollback",
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    stage.known_good("aaaaaaa1").await;
    let auto = stage.config().replace("every = \"250ms\"", "every = \"2s\"");
    let alert_only = auto.replace("mode = \"auto-rollback\"", "mode = \"alert-only\"");
    stage.in_force(&auto).await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::AllErrors)).await;
    stage.must_hear("smoke_test.started", &bad).await;
    stage.in_force(&alert_only).await;
    let told = stage.must_hear("rollback.withheld", &bad).await;
    assert!(told.text("reason").contains("alert-only"), "{:#}", told.body);

    let worse = stage.temps.deploy(Release::new("ccccccc3", Behaviour::AllErrors)).await;
    stage.must_hear("smoke_test.started", &worse).await;
    stage.in_force(&auto).await;
    let told = stage.must_hear("rollback.withheld", &worse).await;
    assert!(told.text("reason").contains("alert-only"), "{:#}", told.body);
    assert!(stage.targets().is_empty());
}

impl Stage {
    fn config(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("checks.toml")).expect("config")
    }

    fn write_config(&self, text: &str) {
        // In one step, so that no half of it is read.
        let beside = self.folder.path().join("checks.toml.new");
        std::fs::write(&beside, text).expect("written");
        std::fs::rename(&beside, self.folder.path().join("checks.toml")).expect("in place");
    }

    /// Writes the config and waits until the agent says that it has it.
    async fn in_force(&self, text: &str) {
        let said = || self.agent.log().matches("a new config is in force").count();
        let before = said();
        self.write_config(text);
        self.agent.signal("HUP");
        let taken = async {
            while said() == before {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON, taken).await.expect("taken");
    }
}
