//! What one run keeps of answers, in memory only.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::RwLock;

use crate::check::Makers;
use crate::domain::{CheckName, Observation};
use crate::http::Jar;
use crate::step::{Response, Value, Values};

/// What one run keeps of answers, in memory only: captured values, which are secret, tokens, cookies, and what answers
/// looked like.
#[derive(Clone, Default)]
pub struct Kept {
    values: Arc<Mutex<Vec<(String, Value)>>>,
    jars: Arc<Mutex<Vec<(CheckName, Jar)>>>,
    makers: Arc<Mutex<Makers>>,
    quiet: Arc<RwLock<()>>,
}

impl Kept {
    /// Keeps values under their whole names: `login.token`.
    pub(super) fn keep(&self, values: impl IntoIterator<Item = (String, Value)>) {
        let mut kept = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in values {
            kept.retain(|(known, _)| *known != name);
            kept.push((name, value));
        }
    }

    /// Keeps a value no longer.
    pub(super) fn forget(&self, name: &str) {
        let mut kept = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| known != name);
    }

    pub(super) fn add_to(&self, values: &mut Values) {
        let kept = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.extend(kept.iter().cloned());
    }

    /// Keeps the cookies of a check that passed, for those that share them.
    pub(super) fn keep_jar(&self, check: &CheckName, jar: &Jar) {
        let mut jars = self.jars.lock().unwrap_or_else(PoisonError::into_inner);
        jars.retain(|(known, _)| known != check);
        jars.push((check.clone(), jar.clone()));
    }

    /// The cookies of a check that has passed.
    pub(super) fn jar(&self, check: &CheckName) -> Option<Jar> {
        let jars = self.jars.lock().unwrap_or_else(PoisonError::into_inner);
        jars.iter()
            .find(|(known, _)| known == check)
            .map(|(_, jar)| jar.clone())
    }

    pub(super) fn attribute(&self, check: &CheckName, response: &Response, seen: Observation) -> Observation {
        let mut makers = self.makers.lock().unwrap_or_else(PoisonError::into_inner);
        makers.attribute(check, response, seen)
    }

    /// Held for reading by usual probes, and for writing by what measures times, which is then alone.
    pub(super) fn quiet(&self) -> &RwLock<()> {
        &self.quiet
    }
}
