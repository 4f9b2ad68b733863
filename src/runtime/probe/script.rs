//! A whole script: its steps, its clean-up, its samples.

use super::{Looked, Probe, StepLooked};
use crate::check::Script;
use crate::domain::{Class, Observation};
use crate::step::Step;

impl Probe<'_> {
    /// Performs the steps, the first that fails ending it, then cleans up.
    pub(super) async fn perform(mut self, script: &Script) -> Looked {
        let quiet = self.target.kept.quiet();
        if let Some(samples) = script.samples {
            let _alone = quiet.write().await;
            let observation = self.sample(&script.first, samples).await;
            return self.ended(observation);
        }
        let _beside = quiet.read().await;
        let mut observation = self.step(&script.first).await;
        for step in &script.rest {
            if !matches!(observation.class, Class::Pass | Class::Slow) {
                break;
            }
            observation = joined(observation, self.step(step).await);
        }
        if observation.class == Class::Pass {
            self.target.kept.keep_jar(&self.name(), &self.jar);
        }
        for step in &script.finally {
            self.clean_up(step, script, &mut observation).await;
        }
        self.ended(observation)
    }

    /// Sends a step of the clean-up, unless it uses a value that was never captured. That it fails is worth a warning.
    async fn clean_up(&mut self, step: &Step, script: &Script, observation: &mut Observation) {
        let captured: Vec<&str> = script
            .all()
            .flat_map(|step| &step.capture)
            .map(|capture| capture.name.as_str())
            .collect();
        let is_missing = |slot: &String| captured.contains(&slot.as_str()) && self.values.get(slot).is_none();
        if step.slots().iter().any(is_missing) {
            return;
        }
        let seen = self.step(step).await;
        if seen.class != Class::Pass {
            observation.warned = true;
            if observation.class == Class::Pass {
                observation.detail = format!("the clean-up failed: {}", seen.detail);
            }
        }
    }

    fn ended(self, observation: Observation) -> Looked {
        Looked {
            observation,
            steps: self.steps,
            asked: self.trail.into_asked(),
        }
    }

    /// Remembers what came of one request.
    pub(super) fn note(&mut self, step: &Step, observation: &Observation, curl: Option<String>) {
        self.steps.push(StepLooked {
            label: step.label(),
            observation: observation.clone(),
            curl,
        });
    }
}

/// What two steps say together: what the second says, in the time of both, with the doubts of both.
fn joined(before: Observation, after: Observation) -> Observation {
    let slow = before.class == Class::Slow && after.class == Class::Pass;
    let latency_ms = before.latency_ms.saturating_add(after.latency_ms);
    let warned = before.warned || after.warned;
    let told = if slow || before.warned && after.class == Class::Pass && !after.warned {
        &before
    } else {
        &after
    };
    Observation {
        class: told.class,
        reason: told.reason,
        detail: told.detail.clone(),
        identity: if after.identity == crate::domain::Identity::Unknown {
            before.identity
        } else {
            after.identity
        },
        app_made: after.app_made,
        latency_ms,
        warned,
        ..after
    }
}
