//! What placeholders stand for.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

/// A value and whether it may be shown.
#[derive(Clone, PartialEq)]
pub struct Value {
    /// What it is.
    pub json: Json,
    /// It must not appear in anything that a person or a log sees.
    pub secret: bool,
}

impl Value {
    /// The value as it stands in text: a string without quotes, a number in digits, a list or an object as compact JSON.
    /// `None` for null, which is no value.
    pub fn text(&self) -> Option<String> {
        match &self.json {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret {
            f.write_str("[secret]")
        } else {
            write!(f, "{}", self.json)
        }
    }
}

/// The values of a run by their placeholders' names: `deploy.commit`, `secret.SMOKE_PASSWORD`, `login.token`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(BTreeMap<String, Value>);

impl Values {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value, or replaces the one of that name. A null is kept, but counts as missing when asked for.
    pub fn insert(&mut self, name: impl Into<String>, json: impl Into<Json>, secret: bool) {
        let json = json.into();
        self.0.insert(name.into(), Value { json, secret });
    }

    /// The value of that name, unless it is null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.json.is_null())
    }

    /// All of them, by their names.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }

    /// Every text that must not be shown: the secret values, and each text and number inside of secret lists and objects.
    pub fn secrets(&self) -> Vec<String> {
        let secret = self.0.values().filter(|value| value.secret);
        secret.flat_map(|value| texts(&value.json)).collect()
    }
}

impl Extend<(String, Value)> for Values {
    fn extend<I: IntoIterator<Item = (String, Value)>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

/// Each text and number in `json`, keys excepted.
pub(super) fn texts(json: &Json) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![json];
    while let Some(json) = left.pop() {
        match json {
            Json::Null | Json::Bool(_) => {}
            Json::Number(number) => found.push(number.to_string()),
            Json::String(text) => found.push(text.clone()),
            Json::Array(items) => left.extend(items),
            Json::Object(members) => left.extend(members.values()),
        }
    }
    found
}
