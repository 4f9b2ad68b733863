//! The format for the rest: a template of the config, in which an outcome's texts are put.

use url::Url;
use url::form_urlencoded::byte_serialize;

use super::chat::Message;
use super::plain::rfc3339_seconds;
use super::text::{line, verbatim};
use super::{Rendered, Said};
use crate::domain::{MessageId, Mode, Verdict};
use crate::step::{JsonTemplate, Template, TemplateError, Values};

/// Bound of each text that is put in, in UTF-16 units.
const TEXT_UNITS_MAX: usize = 4_096;

/// What the content type is unless the config names one.
pub const CONTENT_TYPE_DEFAULT: &str = "application/json";

/// How a template is filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    template: JsonTemplate,
    content_type: String,
}

/// Why a text is no template of a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Its braces are wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A placeholder that does not exist.
    #[error("there is no `{{{{ {0} }}}}` in an outcome")]
    Unknown(String),
    /// It was to be JSON.
    #[error("the template is no JSON once it is filled: {0}")]
    NotJson(String),
}

impl Layout {
    /// Reads a template for messages of this content type, by which texts are encoded where they are put in.
    ///
    /// # Errors
    /// When a placeholder is unknown, or the template is to be JSON and is not.
    pub fn parse(text: &str, content_type: &str) -> Result<Self, LayoutError> {
        let template = Template::parse(text)?;
        if let Some(unknown) = template.slots().find(|slot| !is_known(slot)) {
            return Err(LayoutError::Unknown(unknown.to_owned()));
        }
        let layout = Self {
            template: JsonTemplate::Text(template),
            content_type: content_type.to_owned(),
        };
        // Whether it should wake somebody is a word of JSON; anything else is a text.
        let filled = layout.fill(|slot| match slot {
            "outcome.page" => "true".to_owned(),
            _ => "a \"text\"\n".to_owned(),
        });
        match serde_json::from_slice::<serde_json::Value>(filled.as_bytes()) {
            Err(error) if encoding(content_type) == Encoding::Json => Err(LayoutError::NotJson(error.to_string())),
            _ => Ok(layout),
        }
    }

    /// The names that may stand in a template.
    pub fn names() -> impl Iterator<Item = String> {
        SLOTS.iter().map(|(name, _)| format!("outcome.{name}"))
    }

    pub(super) fn render(&self, told: &Told<'_>) -> Rendered {
        let read = |slot: &str| {
            let found = SLOTS
                .iter()
                .find(|(name, _)| slot.strip_prefix("outcome.") == Some(*name));
            found.map_or_else(String::new, |(_, read)| read(told))
        };
        Rendered::new(&self.content_type, self.fill(read))
    }

    fn fill(&self, read: impl Fn(&str) -> String) -> String {
        let encoding = encoding(&self.content_type);
        let mut values = Values::new();
        for slot in self.template.slots() {
            values.insert(slot, encoding.encode(&read(slot)), false);
        }
        // Every placeholder is known, so each has its value.
        let filled = self.template.fill(&values).ok();
        filled
            .and_then(|json| json.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

fn is_known(slot: &str) -> bool {
    slot.strip_prefix("outcome.")
        .is_some_and(|name| SLOTS.iter().any(|(known, _)| *known == name))
}

/// How a text is written so that it stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// Inside of a JSON string.
    Json,
    /// Inside of a form's value.
    Form,
    /// As it is.
    Text,
}

fn encoding(content_type: &str) -> Encoding {
    let media = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match media.as_str() {
        "application/x-www-form-urlencoded" => Encoding::Form,
        "application/json" => Encoding::Json,
        other if other.ends_with("+json") => Encoding::Json,
        _ => Encoding::Text,
    }
}

impl Encoding {
    /// One line without tricks, encoded.
    fn encode(self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let text = line(text, TEXT_UNITS_MAX, verbatim);
        match self {
            Self::Text => text,
            Self::Form => byte_serialize(text.as_bytes()).collect(),
            Self::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                inner.unwrap_or_default().to_owned()
            }
        }
    }
}

/// What a template is filled with.
pub(super) struct Told<'a> {
    pub(super) said: Said<'a>,
    pub(super) message: &'a Message,
    pub(super) id: &'a MessageId,
    pub(super) run: Option<&'a Url>,
}

impl Told<'_> {
    /// A text of the outcome; nothing of a notice.
    fn of(&self, read: impl Fn(&crate::domain::Outcome) -> Option<String>) -> String {
        match self.said {
            Said::Outcome(outcome) => read(outcome).unwrap_or_default(),
            Said::Notice(_) => String::new(),
        }
    }
}

type Read = fn(&Told<'_>) -> String;

/// The names, and what each stands for.
const SLOTS: &[(&str, Read)] = &[
    ("event", |told| told.said.event().as_str().to_owned()),
    ("id", |told| told.id.to_string()),
    ("timestamp", |told| rfc3339_seconds(told.message.at)),
    ("title", |told| told.message.title.clone()),
    ("sign", |told| told.message.sign.to_owned()),
    ("severity", |told| told.message.severity.as_str().to_owned()),
    ("page", |told| told.said.page().to_string()),
    ("reason", |told| told.message.reason.clone()),
    ("next", |told| told.message.next.to_owned()),
    ("checks", |told| told.message.checks.join("; ")),
    ("about", |told| told.said.about()),
    ("link", |told| told.run.map(Url::to_string).unwrap_or_default()),
    ("platform", |told| told.of(|o| Some(o.platform.clone()))),
    ("app", |told| told.of(|o| Some(o.app.clone()))),
    ("environment", |told| told.of(|o| Some(o.environment.clone()))),
    ("deployment", |told| told.of(|o| Some(o.deployment.to_string()))),
    ("run", |told| told.of(|o| Some(o.run.to_string()))),
    ("url", |told| told.of(|o| o.url.clone())),
    ("mode", |told| told.of(|o| Some(Mode::as_str(o.mode).to_owned()))),
    ("verdict", |told| {
        told.of(|o| o.verdict.map(Verdict::as_str).map(str::to_owned))
    }),
    ("triggered_by", |told| told.of(|o| o.triggered_by.clone())),
    ("commit", |told| told.of(|o| o.commit.sha.clone())),
    ("commit_message", |told| told.of(|o| o.commit.message.clone())),
    ("author", |told| told.of(|o| o.commit.author.clone())),
    ("branch", |told| told.of(|o| o.commit.branch.clone())),
];
