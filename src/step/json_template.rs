//! JSON whose strings are templates.

use serde_json::{Map, Value as Json};

use super::render::{REQUEST_BYTES_MAX, RenderError};
use super::template::{Part, Template, TemplateError};
use super::values::Values;

/// A JSON value in which each string is a [`Template`]. Keys are plain.
///
/// A string that is one placeholder and nothing else becomes the value itself, with its type; in any other string a value
/// is text, and the quoting of JSON keeps it there.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonTemplate {
    /// Null, a boolean or a number.
    Plain(Json),
    /// A string.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object.
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// Reads each string of `json` as a template. The depth is what the parser that made `json` allows.
    ///
    /// # Errors
    /// On the first string that is not a template.
    pub fn parse(json: &Json) -> Result<Self, TemplateError> {
        Ok(match json {
            Json::Null | Json::Bool(_) | Json::Number(_) => Self::Plain(json.clone()),
            Json::String(text) => Self::Text(Template::parse(text)?),
            Json::Array(items) => Self::List(items.iter().map(Self::parse).collect::<Result<_, _>>()?),
            Json::Object(members) => {
                let read = |(key, value): (&String, &Json)| Ok((key.clone(), Self::parse(value)?));
                Self::Object(members.iter().map(read).collect::<Result<_, _>>()?)
            }
        })
    }

    /// The value with every placeholder filled in.
    ///
    /// # Errors
    /// [`RenderError::MissingValue`].
    pub fn fill(&self, values: &Values) -> Result<Json, RenderError> {
        Ok(match self {
            Self::Plain(json) => json.clone(),
            Self::Text(template) => match template.whole_slot() {
                Some(name) => lookup(values, name)?.json.clone(),
                None => Json::String(fill_text(template, values)?),
            },
            Self::List(items) => Json::Array(items.iter().map(|item| item.fill(values)).collect::<Result<_, _>>()?),
            Self::Object(members) => {
                let fill = |(key, value): &(String, Self)| Ok((key.clone(), value.fill(values)?));
                Json::Object(members.iter().map(fill).collect::<Result<Map<_, _>, RenderError>>()?)
            }
        })
    }

    /// The names of the values it needs.
    pub fn slots(&self) -> Vec<&str> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Text(template) => template.slots().collect(),
            Self::List(items) => items.iter().flat_map(Self::slots).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, value)| value.slots()).collect(),
        }
    }

    /// The JSON as it was written.
    pub fn source(&self) -> Json {
        match self {
            Self::Plain(json) => json.clone(),
            Self::Text(template) => template.source().into(),
            Self::List(items) => items.iter().map(Self::source).collect(),
            Self::Object(members) => {
                let entries = members.iter().map(|(key, value)| (key.clone(), value.source()));
                Json::Object(entries.collect())
            }
        }
    }
}

/// The value of that name.
pub(super) fn lookup<'v>(values: &'v Values, name: &str) -> Result<&'v super::Value, RenderError> {
    values
        .get(name)
        .ok_or_else(|| RenderError::MissingValue { name: name.to_owned() })
}

/// The template with each value as it is. Only for places where any text stays in its place: inside of a JSON string, and
/// in a body of plain text.
pub(super) fn fill_text(template: &Template, values: &Values) -> Result<String, RenderError> {
    let mut text = String::new();
    for part in template.parts() {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Slot(name) => text.push_str(&lookup(values, name)?.text().unwrap_or_default()),
        }
        if text.len() > REQUEST_BYTES_MAX {
            return Err(RenderError::TooLarge);
        }
    }
    Ok(text)
}
