//! What runs under way have left of their budgets, bounded.

use std::collections::BTreeMap;

use super::OTHER;
use crate::domain::RunId;

/// Runs whose budgets are kept; of more at once, those that began to be probed first.
const RUNS_MAX: usize = 1_000;
/// Checks kept of one run.
const CHECKS_MAX: usize = 200;
/// Series shown; what is beyond counts for [`OTHER`].
const SERIES_MAX: usize = 500;

#[derive(Default)]
struct Run {
    app: String,
    checks: BTreeMap<String, f64>,
}

/// What is left, by run and check.
#[derive(Default)]
pub(super) struct Budgets(BTreeMap<RunId, Run>);

impl Budgets {
    pub(super) fn keep(&mut self, id: &RunId, app: &str, check: &str, left: f64) {
        if !self.0.contains_key(id) {
            if self.0.len() >= RUNS_MAX {
                return;
            }
            let run = Run {
                app: app.to_owned(),
                ..Run::default()
            };
            self.0.insert(id.clone(), run);
        }
        let Some(run) = self.0.get_mut(id) else { return };
        if let Some(kept) = run.checks.get_mut(check) {
            *kept = left;
        } else if run.checks.len() < CHECKS_MAX {
            run.checks.insert(check.to_owned(), left);
        }
    }

    pub(super) fn forget(&mut self, run: &RunId) {
        self.0.remove(run);
    }

    /// The least that any run has left, by app and check.
    pub(super) fn worst(&self) -> BTreeMap<(String, String), f64> {
        let mut worst: BTreeMap<(String, String), f64> = BTreeMap::new();
        for run in self.0.values() {
            for (check, left) in &run.checks {
                let mut key = (run.app.clone(), check.clone());
                if worst.len() >= SERIES_MAX && !worst.contains_key(&key) {
                    key = (OTHER.to_owned(), OTHER.to_owned());
                }
                let kept = worst.entry(key).or_insert(*left);
                *kept = kept.min(*left);
            }
        }
        worst
    }
}
