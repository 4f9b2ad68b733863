//! Checks: a named expectation of a deployment, and what one probe of it saw.
//!
//! [`Check`] is a script of steps with a name; [`classify`] makes an observation of what came of sending it. Everything here is pure.

mod classify;
mod maker;
mod placeholder;
mod script;
#[cfg(test)]
mod tests;

use url::Url;

pub use crate::step::Redactor;
pub use classify::{BODY_BYTES_MAX, DETAIL_CHARS_MAX, Seen, Unanswered, classify, unsent};
pub use maker::Makers;
pub use placeholder::{Meaning, Placeholder};
pub use script::{SAMPLES_MAX, Script};

use crate::domain::{CheckName, Severity};

/// A named, configured expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Its name.
    pub name: CheckName,
    /// What it is called besides, for people.
    pub title: Option<String>,
    /// What is sent and what must hold.
    pub script: Script,
    /// How grave its failure is.
    pub severity: Severity,
    /// It may be sent again and again, so its failure may roll back on its own: GET, HEAD, OPTIONS, or `repeat = true`.
    pub repeat: bool,
    /// The checks whose captured values or cookies it uses.
    pub needs: Vec<CheckName>,
    /// Where the config says that it is sent; `None` if the platform tells.
    pub base: Option<Url>,
    /// SHA-256 of its definition in hex: equal as long as it checks the same in the same way.
    pub form: String,
}
