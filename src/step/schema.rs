//! JSON Schema: what a whole JSON body follows.

use std::fmt;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value as Json;

/// The largest schema, in bytes of JSON: 256 KiB.
pub const SCHEMA_BYTES_MAX: usize = 256 * 1024;
/// How deep a schema may be nested.
const NESTING_MAX: usize = 64;

/// A JSON Schema: draft 4, 6, 7, 2019-09 or 2020-12, as its `$schema` says, else the newest. It refers to nothing outside
/// of itself.
#[derive(Clone)]
pub struct Schema {
    source: Arc<Json>,
    validator: Arc<Validator>,
}

/// What is wrong with a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It is no schema, or it refers to something that is not in it.
    #[error("this is not a JSON Schema: {0}")]
    Invalid(String),
    /// Larger than [`SCHEMA_BYTES_MAX`], or nested too deeply.
    #[error("this JSON Schema is too large")]
    TooLarge,
}

impl Schema {
    /// Reads a schema. Patterns in it are matched in linear time.
    ///
    /// # Errors
    /// See [`SchemaError`].
    pub fn parse(source: Json) -> Result<Self, SchemaError> {
        if source.to_string().len() > SCHEMA_BYTES_MAX || depth(&source) > NESTING_MAX {
            return Err(SchemaError::TooLarge);
        }
        let linear = jsonschema::PatternOptions::regex();
        let validator = jsonschema::options().with_pattern_options(linear).build(&source);
        let validator = validator.map_err(|error| SchemaError::Invalid(super::say::clean(&error.to_string())))?;
        Ok(Self {
            source: Arc::new(source),
            validator: Arc::new(validator),
        })
    }

    /// The schema as it was written.
    pub fn source(&self) -> &Json {
        &self.source
    }

    /// Where `json` first departs from it, as a JSON pointer, and the keyword that says so: no part of `json` itself is
    /// told but its names.
    pub(super) fn first_fault(&self, json: &Json) -> Option<(String, String)> {
        let error = self.validator.iter_errors(json).next()?;
        let schema_path = error.schema_path().to_string();
        Some((error.instance_path().to_string(), schema_path))
    }
}

/// How many lists and objects stand inside of each other.
fn depth(json: &Json) -> usize {
    let mut deepest = 0;
    let mut left = vec![(json, 1)];
    while let Some((json, level)) = left.pop() {
        deepest = deepest.max(level);
        match json {
            Json::Array(items) => left.extend(items.iter().map(|item| (item, level + 1))),
            Json::Object(members) => left.extend(members.values().map(|value| (value, level + 1))),
            _ => {}
        }
    }
    deepest
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.source)
    }
}
