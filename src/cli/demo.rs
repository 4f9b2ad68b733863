//! `backstop demo`: the whole story on this machine, with the real agent and a pretend platform.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::Exit;
use super::args::DemoArgs;
use super::serve::{Server, StopSignals, parts};
use crate::clock::{Clock, Ids};
use crate::config::{self, FixedEnv};
use crate::domain::{DeploymentId, PlatformName};
use crate::pretend::{Behaviour, Cold, Generation, Received, Receiver, Release, RollbackFault, Temps};
use crate::runtime::Parts;

/// The longest that one step of the story may take.
const STEP_MAX: Duration = Duration::from_secs(40);
/// How long the second release takes to start.
const COLD: Duration = Duration::from_secs(6);
/// Between two looks at whether a run has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const SECRET: &str = "a-secret-that-only-the-demo-uses";

/// Tells the story; with the dashboard kept up afterwards unless `--once`.
pub(super) async fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    let stage = Stage::build(RollbackFault::None).await?;
    let came_true = stage.tell().await;
    if !args.once {
        say(&format!(
            "The dashboard stays up at {} until Ctrl-C.",
            stage.dashboard()
        ));
        StopSignals::new()?.wait().await;
    }
    stage.strike().await;
    Ok(if came_true { Exit::Ok } else { Exit::Failed })
}

/// Tells the story once, on a platform with `fault`; whether every step came true.
///
/// # Errors
/// When the stage cannot be built: no port, no temporary folder.
pub async fn tell_once(fault: RollbackFault) -> anyhow::Result<bool> {
    let stage = Stage::build(fault).await?;
    let came_true = stage.tell().await;
    stage.strike().await;
    Ok(came_true)
}

fn say(line: &str) {
    println!("{line}");
}

/// Everything that the story needs.
struct Stage {
    folder: PathBuf,
    temps: Temps,
    receiver: Receiver,
    parts: Parts,
    server: Server,
}

impl Stage {
    async fn build(fault: RollbackFault) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let folder = std::env::temp_dir().join(Ids::default().next("backstop-demo", clock.now()));
        std::fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let temps = Temps::start(Generation::G3, SECRET).await?;
        temps.set_rollback_fault(fault);
        let receiver = Receiver::start(SECRET).await?;
        let text = include_str!("demo.toml")
            .replace("STORE", &format!("sqlite://{}/backstop.db", folder.display()))
            .replace("PLATFORM", &temps.url())
            .replace("RECEIVER", &receiver.url());
        let env = FixedEnv::default().var("DEMO_SECRET", SECRET).file("demo.toml", text);
        let config = config::load("demo.toml".as_ref(), &env).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", lines.join("\n"))
        })?;
        let parts = parts(config, Arc::new(env)).await?;
        let server = Server::start(&parts).await?;
        temps.deliver_to(&format!("http://{}/webhooks/temps", server.address), SECRET);
        Ok(Self {
            folder,
            temps,
            receiver,
            parts,
            server,
        })
    }

    fn dashboard(&self) -> String {
        format!("http://{}/", self.server.address)
    }

    async fn tell(&self) -> bool {
        say("A pretend platform with an app, a receiver of outcomes, and the real agent, all on this machine.");
        say(&format!("  platform  {}", self.temps.url()));
        say(&format!("  app       {}", self.temps.app_url()));
        say(&format!("  dashboard {}\n", self.dashboard()));
        let came_true = match self.first_release().await {
            Some(_) => match self.slow_release().await {
                Some(good) => self.bad_release(&good).await,
                None => false,
            },
            None => false,
        };
        let signed = self.receiver.all().iter().all(|message| message.signed);
        let all = check(signed, "every outcome was signed, and every signature held") && came_true;
        say(if all {
            "\nThe story came true."
        } else {
            "\nThe story did not come true."
        });
        all
    }

    /// A first release: the app's baseline.
    async fn first_release(&self) -> Option<String> {
        say("1. A first release goes live. It becomes what is known to be good.");
        let first = self.temps.deploy(Release::new("1f00ba4", Behaviour::Healthy)).await;
        let passed = self.heard("smoke_test.passed", &first).await.is_some();
        let known = check(passed, "it passed its checks") && self.run_ended(&first).await;
        check(known, "its watch ended well").then_some(first)
    }

    /// A good one that starts slowly: left alone.
    async fn slow_release(&self) -> Option<String> {
        say(&format!(
            "2. A good release goes live that takes {} s to start: the old version answers, then the platform's own page, then 502, then 503.",
            COLD.as_secs()
        ));
        let cold = Behaviour::ColdFor(COLD, Cold::AllInTurn);
        let slow = self.temps.deploy(Release::new("2c01d57", cold)).await;
        let passed = self.heard("smoke_test.passed", &slow).await;
        let mut well = check(passed.is_some(), "it was waited for, and passed its checks");
        well &= check(self.run_ended(&slow).await, "its watch ended well");
        well &= check(self.temps.rollback_calls().is_empty(), "nothing was rolled back");
        well.then_some(slow)
    }

    /// A bad one: rolled back, and what was restored is verified.
    async fn bad_release(&self, good: &str) -> bool {
        say("3. A bad release goes live: it starts, and answers 500.");
        let bad = self.temps.deploy(Release::new("3badbad", Behaviour::Errors)).await;
        let failed = self.heard("smoke_test.failed", &bad).await;
        if let Some(failed) = &failed {
            say(&format!("     {}", failed.text("reason")));
        }
        let mut well = check(failed.is_some(), "it was found to be bad");
        let restored = self.heard("rollback.succeeded", &bad).await;
        well &= check(
            restored.is_some(),
            "it was rolled back, and what was restored passed the checks",
        );
        let calls = self.temps.rollback_calls();
        let once = matches!(calls.as_slice(), [call] if call.target == good);
        well &= check(once, &format!("the platform was asked once, to go back to {good}"));
        let verified = restored
            .as_ref()
            .is_some_and(|message| message.body["rollback"]["verified"] == true);
        well & check(verified, "the outcome says so")
    }

    /// The outcome `event` of `deployment`, if it comes in time.
    async fn heard(&self, event: &str, deployment: &str) -> Option<Received> {
        let wanted = |message: &Received| message.event() == event && message.deployment() == deployment;
        self.receiver.wait_for(STEP_MAX, wanted).await
    }

    /// Whether the run of `deployment` ends in time.
    async fn run_ended(&self, deployment: &str) -> bool {
        let (platform, deployment) = (PlatformName::new("temps"), DeploymentId::new(deployment));
        let ended = async {
            loop {
                let run = self.parts.store.run_of(&platform, &deployment).await;
                if matches!(run, Ok(Some(run)) if run.ended_at.is_some()) {
                    return;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(STEP_MAX, ended).await.is_ok()
    }

    /// Ends the agent and removes what it wrote.
    async fn strike(self) {
        self.server.stop(&self.parts).await;
        // What is left in a temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Says whether `what` came true.
fn check(came_true: bool, what: &str) -> bool {
    say(&format!("   {} {what}", if came_true { "✓" } else { "✗ NOT:" }));
    came_true
}
