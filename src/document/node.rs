//! One value, with its place.

use std::time::Duration;

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeValue};

use super::table::{Layer, Table};
use super::{Place, Problems, Source};

/// A value in a document.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    pub(super) source: &'a Source,
    pub(super) value: &'a Spanned<DeValue<'a>>,
    /// How a person calls it: `` `expect` of check "home" ``.
    pub(super) label: String,
    /// The tables it falls back to, if it is a table.
    pub(super) under: Vec<Layer<'a>>,
}

/// What a [`Node`] holds.
#[derive(Debug)]
pub enum Value<'a> {
    /// A string.
    String(&'a str),
    /// An integer.
    Integer(i64),
    /// A finite float.
    Float(f64),
    /// A boolean.
    Boolean(bool),
    /// A date, a time, or both, as written.
    Datetime(String),
    /// An array.
    Array(Vec<Node<'a>>),
    /// A table.
    Table(Table<'a>),
}

impl<'a> Node<'a> {
    /// Where it stands.
    pub fn place(&self) -> Place<'a> {
        self.source.place(self.value.span())
    }

    /// The source it is read from.
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// How a person calls it: `` `expect` of check "home" ``.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What it holds. Numbers out of range were reported by [`super::Document::parse`] and are 0 here.
    pub fn value(&self) -> Value<'a> {
        match self.value.get_ref() {
            DeValue::String(text) => Value::String(text),
            DeValue::Integer(number) => Value::Integer(integer(number).unwrap_or(0)),
            DeValue::Float(number) => Value::Float(float(number).unwrap_or(0.0)),
            DeValue::Boolean(yes) => Value::Boolean(*yes),
            DeValue::Datetime(at) => Value::Datetime(at.to_string()),
            DeValue::Array(items) => Value::Array(items.iter().map(|item| self.item(item)).collect()),
            DeValue::Table(table) => {
                let own = Layer {
                    source: self.source,
                    table,
                    span: self.value.span(),
                    label: self.label.clone(),
                    hidden: Vec::new(),
                    shown: None,
                };
                Value::Table(Table::new(own, self.under.clone()))
            }
        }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// A cursor, if it is a table.
    pub fn as_table(&self) -> Option<Table<'a>> {
        match self.value() {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Its items, if it is an array.
    pub fn as_array(&self) -> Option<Vec<Node<'a>>> {
        match self.value() {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text; anything else is a problem.
    pub fn string(&self, problems: &mut Problems) -> Option<&'a str> {
        self.as_str().or_else(|| self.wrong_type("a string", problems))
    }

    /// The integer; anything else is a problem.
    pub fn integer(&self, problems: &mut Problems) -> Option<i64> {
        match self.value() {
            Value::Integer(number) => Some(number),
            _ => self.wrong_type("an integer", problems),
        }
    }

    /// The number, whole or not; anything else is a problem.
    pub fn float(&self, problems: &mut Problems) -> Option<f64> {
        match self.value() {
            #[expect(clippy::cast_precision_loss, reason = "a limit of 2^53 and more is no limit")]
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => self.wrong_type("a number", problems),
        }
    }

    /// The boolean; anything else is a problem.
    pub fn bool(&self, problems: &mut Problems) -> Option<bool> {
        match self.value() {
            Value::Boolean(yes) => Some(yes),
            _ => self.wrong_type("`true` or `false`", problems),
        }
    }

    /// A duration with units, `"90s"` or `"1h 30m"`; anything else is a problem.
    pub fn duration(&self, problems: &mut Problems) -> Option<Duration> {
        let text = match self.value() {
            Value::String(text) => text,
            Value::Integer(number) => {
                let help = format!("write `\"{number}s\"` or `\"{number}ms\"`");
                problems.push_help(self.place(), format!("{} has no unit", self.label), help);
                return None;
            }
            _ => return self.wrong_type("a duration like `\"10s\"`", problems),
        };
        match humantime::parse_duration(text) {
            Ok(duration) => Some(duration),
            Err(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                let help = format!("write `\"{text}s\"` or `\"{text}ms\"`");
                problems.push_help(self.place(), format!("{} has no unit", self.label), help);
                None
            }
            Err(_) => {
                let message = format!("{} is not a duration", self.label);
                problems.push_help(
                    self.place(),
                    message,
                    "write a number and a unit: `\"800ms\"`, `\"10s\"`, `\"5m\"`, `\"2h\"`",
                );
                None
            }
        }
    }

    /// A cursor over the table; anything else is a problem.
    pub fn table(&self, problems: &mut Problems) -> Option<Table<'a>> {
        match self.value() {
            Value::Table(table) => Some(table),
            _ => self.wrong_type("a table", problems),
        }
    }

    /// The items; anything else is a problem.
    pub fn array(&self, problems: &mut Problems) -> Option<Vec<Node<'a>>> {
        match self.value() {
            Value::Array(items) => Some(items),
            _ => self.wrong_type("a list", problems),
        }
    }

    /// One string or a list of them; anything else is a problem. Each comes with its node.
    pub fn strings(&self, problems: &mut Problems) -> Option<Vec<(Node<'a>, &'a str)>> {
        match self.value() {
            Value::String(text) => Some(vec![(self.clone(), text)]),
            Value::Array(items) => {
                let read = |item: Node<'a>| {
                    let text = item.string(problems)?;
                    Some((item, text))
                };
                Some(items.into_iter().filter_map(read).collect())
            }
            _ => self.wrong_type("a string or a list of strings", problems),
        }
    }

    /// The value as JSON. Dates and times become strings as they are written.
    pub fn to_json(&self) -> serde_json::Value {
        match self.value() {
            Value::String(text) => text.into(),
            Value::Integer(number) => number.into(),
            Value::Float(number) => number.into(),
            Value::Boolean(yes) => yes.into(),
            Value::Datetime(at) => at.into(),
            Value::Array(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(table) => {
                let entries = table.entries().into_iter();
                serde_json::Value::Object(
                    entries
                        .map(|(key, node)| (key.name.to_owned(), node.to_json()))
                        .collect(),
                )
            }
        }
    }

    /// What kind of value it is, for messages: `an integer`.
    pub fn kind(&self) -> &'static str {
        match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    fn item(&self, value: &'a Spanned<DeValue<'a>>) -> Node<'a> {
        Node {
            source: self.source,
            value,
            label: format!("an item of {}", self.label),
            under: Vec::new(),
        }
    }

    fn wrong_type<T>(&self, wanted: &str, problems: &mut Problems) -> Option<T> {
        let message = format!("{} must be {wanted}, not {}", self.label, self.kind());
        problems.push(self.place(), message);
        None
    }
}

/// The integer's value, if it fits.
pub(super) fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// The float's value, if it is finite.
pub(super) fn float(number: &DeFloat<'_>) -> Option<f64> {
    number.as_str().parse().ok().filter(|value: &f64| value.is_finite())
}
