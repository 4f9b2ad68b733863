//! What one probe of a check does: its steps, and what is cleaned up after them.

use crate::domain::CheckName;
use crate::step::{Expect, Step};

/// The most requests that one probe of a sampled check sends.
pub const SAMPLES_MAX: u16 = 100;

/// Steps that are sent one after the other; the first that fails ends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The first step.
    pub first: Step,
    /// The steps after it.
    pub rest: Vec<Step>,
    /// What is sent afterwards in any case, except for what uses a value that was never captured.
    pub finally: Vec<Step>,
    /// The check whose cookies are shared.
    pub session: Option<CheckName>,
    /// So many requests of the one step, one after the other and with nothing beside them.
    pub samples: Option<u16>,
}

impl Script {
    /// A script of one step.
    pub fn of(step: Step) -> Self {
        Self {
            first: step,
            rest: Vec::new(),
            finally: Vec::new(),
            session: None,
            samples: None,
        }
    }

    /// The steps, without what is cleaned up.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Everything that it sends.
    pub fn all(&self) -> impl Iterator<Item = &Step> {
        self.steps().chain(&self.finally)
    }

    /// Everything that it sends, to change.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Step> {
        std::iter::once(&mut self.first)
            .chain(&mut self.rest)
            .chain(&mut self.finally)
    }

    /// What is asked, for people: `GET /api/orders`, and how many steps follow.
    pub fn label(&self) -> String {
        match self.rest.len() {
            0 => self.first.label(),
            more => format!("{} and {more} more", self.first.label()),
        }
    }

    /// Every placeholder used, each once, sorted; those that its own steps capture are among them.
    pub fn slots(&self) -> Vec<String> {
        let mut slots: Vec<String> = self.all().flat_map(Step::slots).collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Whether sending it again changes nothing on the other side, by its methods.
    pub fn sends_twice_safely(&self) -> bool {
        self.all().all(Step::sends_twice_safely)
    }

    /// Whether an expectation names the deployment's version.
    pub fn tells_identity(&self) -> bool {
        self.steps().any(Step::tells_identity)
    }

    /// What must hold of its answers, step by step.
    pub fn expectations(&self) -> impl Iterator<Item = &Expect> {
        self.steps().map(|step| &step.expect)
    }

    /// The definition as canonical text, for hashing.
    pub fn form(&self) -> String {
        let forms = |steps: &[Step]| steps.iter().map(Step::form).collect::<Vec<_>>().join("\n");
        let session = self.session.as_ref().map_or("", CheckName::as_str);
        if self.rest.is_empty() && self.finally.is_empty() && self.session.is_none() && self.samples.is_none() {
            return self.first.form();
        }
        let samples = self.samples.unwrap_or(1);
        let (first, rest, finally) = (self.first.form(), forms(&self.rest), forms(&self.finally));
        format!("{first}\n{rest}\n\n{finally}\n\n{session}\n{samples}")
    }
}
