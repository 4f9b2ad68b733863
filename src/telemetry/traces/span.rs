//! One span, bounded.

use super::ids::{SpanId, TraceId};
use crate::domain::{RunId, Timestamp};

/// Characters of a name.
const NAME_CHARS_MAX: usize = 120;
/// Characters of a text.
const TEXT_CHARS_MAX: usize = 500;
/// Attributes of one span; further ones are left out.
const ATTRIBUTES_MAX: usize = 32;

/// What a span is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What we do ourselves.
    Internal,
    /// What we ask of somebody.
    Client,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(cut(text, TEXT_CHARS_MAX))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// Something that took its time in a run. What it says is redacted by whoever makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) left_out: u32,
    pub(super) error: Option<String>,
}

impl Span {
    /// The span `id` of a run, from `start` to `end`; an end before its start is the start.
    pub fn new(run: &RunId, id: SpanId, name: &str, (start, end): (Timestamp, Timestamp)) -> Self {
        Self {
            trace: TraceId::of(run),
            id,
            parent: None,
            name: cut(name, NAME_CHARS_MAX),
            kind: Kind::Internal,
            start,
            end: end.max(start),
            attributes: Vec::new(),
            left_out: 0,
            error: None,
        }
    }

    /// The same below another.
    #[must_use]
    pub fn below(self, parent: SpanId) -> Self {
        Self {
            parent: Some(parent),
            ..self
        }
    }

    /// The same as a question to somebody else.
    #[must_use]
    pub fn asking(self) -> Self {
        Self {
            kind: Kind::Client,
            ..self
        }
    }

    /// The same with one more attribute, whose key it does not have yet.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        if self.attributes.len() < ATTRIBUTES_MAX {
            self.attributes.push((key, value.into()));
        } else {
            self.left_out += 1;
        }
        self
    }

    /// The same with one more attribute, if there is a value.
    #[must_use]
    pub fn with_some(self, key: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// The same as something that failed, and why.
    #[must_use]
    pub fn failed(self, why: &str) -> Self {
        Self {
            error: Some(cut(why, TEXT_CHARS_MAX)),
            ..self
        }
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
