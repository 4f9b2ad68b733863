//! Checks: a named expectation of a deployment, and what one probe of it saw.
//!
//! [`Check`] is a step with a name; [`classify`] makes an observation of what came of sending it. Everything here is pure.

mod classify;
mod placeholder;
#[cfg(test)]
mod tests;

use sha2::{Digest as _, Sha256};
use url::Url;

pub use crate::step::Redactor;
pub use classify::{BODY_BYTES_MAX, DETAIL_CHARS_MAX, Seen, Unanswered, classify, unsent};
pub use placeholder::{Meaning, Placeholder};

use crate::domain::{CheckName, Severity};
use crate::step::Step;

/// The first words of placeholders that are not names of checks.
pub const RESERVED_NAMES: [&str; 5] = ["deploy", "env", "run", "secret", "vars"];

/// A named, configured expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Its name.
    pub name: CheckName,
    /// What is sent and what must hold.
    pub step: Step,
    /// How grave its failure is.
    pub severity: Severity,
    /// It may be sent again and again, so its failure may roll back on its own: GET, HEAD, OPTIONS, or `repeat = true`.
    pub repeat: bool,
    /// The checks whose captured values it uses.
    pub needs: Vec<CheckName>,
    /// Where the config says that it is sent; `None` if the platform tells.
    pub base: Option<Url>,
    /// SHA-256 of its definition in hex: equal as long as it checks the same in the same way.
    pub form: String,
}

impl Check {
    /// A check of this step. `repeat` is what the file says; methods that are safe to send again need not be told.
    pub fn new(name: CheckName, step: Step, severity: Severity, repeat: bool, base: Option<Url>) -> Self {
        Self {
            repeat: repeat || step.sends_twice_safely(),
            needs: needs(&step),
            form: form(&step, base.as_ref()),
            name,
            step,
            severity,
            base,
        }
    }
}

/// The checks named by placeholders such as `{{ login.token }}`, each once.
fn needs(step: &Step) -> Vec<CheckName> {
    let slots = step.slots();
    let owners = slots
        .iter()
        .filter_map(|slot| slot.rsplit_once('.').map(|(owner, _)| owner));
    let mut owners: Vec<&str> = owners
        .filter(|owner| !RESERVED_NAMES.contains(&owner.split('.').next().unwrap_or(owner)))
        .collect();
    owners.sort_unstable();
    owners.dedup();
    owners.into_iter().map(CheckName::new).collect()
}

fn form(step: &Step, base: Option<&Url>) -> String {
    let mut hash = Sha256::new();
    hash.update(step.form());
    // No JSON text contains a bare line feed, so the two parts cannot run into one another.
    hash.update("\n");
    hash.update(base.map_or("", Url::as_str));
    hex::encode(hash.finalize())
}
