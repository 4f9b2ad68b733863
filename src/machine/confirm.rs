//! Confirming: what the platform says the deployment is.

use super::advance::{GAP_MS, Turn};
use super::event::EntryKind;
use super::judge::Judge;
use super::look::ASK_AGAIN_MS;
use super::state::{Began, DISMISSED, LookFor, Phase};
use crate::domain::{Deployment, DeploymentState, OutcomeEvent, Verdict};

/// How long the platform is asked what a deployment is, before the run ends without a verdict.
const IDENTIFY_MS_MAX: u64 = 10 * 60_000;
/// How long a deployment may take from being heard live to being current, as the platform says.
const BECOME_CURRENT_MS_MAX: u64 = 60_000;

impl Turn<'_> {
    pub(super) fn identified(&mut self, answer: Result<Box<Deployment>, String>) {
        self.state.identify_seq = None;
        match answer {
            Err(why) => self.not_identified(&why),
            Ok(deployment) if self.state.opened_app.as_ref().is_some_and(|app| *app != deployment.app) => {
                let reason = format!(
                    "the secret that signed the delivery does not open the app `{}`",
                    deployment.app
                );
                self.end(DISMISSED, reason);
            }
            Ok(deployment) if deployment.preview && self.plan.checks.is_empty() => {
                self.end(DISMISSED, "a preview environment that no `when` names".to_owned());
            }
            Ok(deployment) if !deployment.current => self.not_current(*deployment),
            Ok(deployment) => {
                let rollback = if deployment.rollback {
                    ", made by a rollback"
                } else {
                    ""
                };
                let word = &deployment.state_word;
                let text = format!(
                    "the platform says: {} is current, state `{word}`{rollback}",
                    deployment.id
                );
                self.note(EntryKind::Note, text);
                if self.state.began.late() {
                    self.state.live_at = deployment.created_at.unwrap_or(self.now).min(self.now);
                }
                self.state.deployment = Some(*deployment);
                if self.state.began == Began::Missed {
                    let reason = "it was found in the platform's own list of deployments".to_owned();
                    self.note(EntryKind::Note, reason.clone());
                    self.say(OutcomeEvent::DeliveryMissed, &reason, false);
                }
                self.ask(LookFor::Start);
            }
        }
    }

    pub(super) fn not_identified(&mut self, why: &str) {
        self.state.identify_failures += 1;
        if self.state.identify_failures == 1 {
            self.note(
                EntryKind::Note,
                format!("the platform did not say what the deployment is: {why}"),
            );
        }
        if self.now.ms_since(self.state.started_at) >= IDENTIFY_MS_MAX {
            self.conclude_inconclusive(format!("the platform did not say what the deployment is: {why}"));
        } else {
            self.state.identify_next_at = self.now.plus_ms(ASK_AGAIN_MS);
        }
    }

    /// Heard to be live, but the platform says otherwise: it may be a moment early, or a confused or forged delivery.
    pub(super) fn not_current(&mut self, deployment: Deployment) {
        let early = deployment.state == DeploymentState::UnderWay || deployment.state == DeploymentState::Good;
        if early && self.now.ms_since(self.state.started_at) < BECOME_CURRENT_MS_MAX {
            self.state.identify_next_at = self.now.plus_ms(ASK_AGAIN_MS);
        } else {
            let reason = format!(
                "the platform says that {} is not current (`{}`)",
                deployment.id, deployment.state_word
            );
            self.state.deployment = Some(deployment);
            self.state.verdict = Some(Verdict::Inconclusive);
            self.end(DISMISSED, reason);
        }
    }

    pub(super) fn begin_judging(&mut self) {
        self.state.phase = Phase::Judging;
        self.state.mode = self.plan.mode;
        let since = self.state.live_at.max(self.state.started_at);
        let mut judge = Judge::new(self.plan, since);
        // While the platform could not be asked, nobody looked.
        let late_ms = self.now.ms_since(since);
        if late_ms > GAP_MS {
            judge.skip(late_ms, self.now);
        }
        self.state.judge = Some(judge);
        let checks = self.plan.checks.len();
        let identity = self.plan.identity_unknown.as_ref();
        let identity = identity.map_or_else(String::new, |why| {
            format!("; which version answers is not known: {why}")
        });
        let reason = format!(
            "judging begins: {checks} checks, warm-up at most {} s{identity}",
            self.plan.warm_up_ms / 1_000
        );
        self.note(EntryKind::Note, reason.clone());
        if checks > 0 {
            self.say(OutcomeEvent::SmokeTestStarted, &reason, false);
        }
    }
}
