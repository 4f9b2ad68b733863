//! Text with placeholders: `/api/orders/{{ cart }}`.

use std::fmt;

/// The longest template, in bytes: 256 KiB.
pub const TEMPLATE_BYTES_MAX: usize = 256 * 1024;
const SLOT_BYTES_MAX: usize = 128;
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Text in which `{{ name }}` stands for a value and `{{{{` for the two braces themselves.
///
/// What a value becomes depends on where the template is used, so a template does not expand itself: each place (a URL
/// segment, a header, a JSON string) puts the values in, once, encoded for itself. A value is never read as a template.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text as it is.
    Text(String),
    /// The name of a value.
    Slot(String),
}

/// What is wrong with a template's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{` without `}}`.
    #[error("`{{{{` is not closed; write `{{{{{{{{` for the braces themselves")]
    Unclosed,
    /// What stands between the braces is not a name.
    #[error("`{{{{{0}}}}}` is not a placeholder: a name like `deploy.commit` stands between the braces")]
    BadName(String),
    /// Longer than [`TEMPLATE_BYTES_MAX`].
    #[error("the text is longer than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// On an unclosed placeholder, on one that is not a dotted name of letters, digits, `_` and `-`, and on text longer
    /// than [`TEMPLATE_BYTES_MAX`].
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong);
        }
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once(OPEN) {
            text.push_str(before);
            if let Some(literal) = after.strip_prefix(OPEN) {
                text.push_str(OPEN);
                rest = literal;
                continue;
            }
            let (inner, behind) = after.split_once(CLOSE).ok_or(TemplateError::Unclosed)?;
            let name = inner.trim_matches(' ');
            if !is_slot_name(name) {
                return Err(TemplateError::BadName(inner.chars().take(40).collect()));
            }
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Slot(name.to_owned()));
            rest = behind;
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self {
            source: source.to_owned(),
            parts,
        })
    }

    /// A template of exactly this text, braces included.
    pub fn literal(text: &str) -> Self {
        Self {
            source: text.replace(OPEN, "{{{{"),
            parts: vec![Part::Text(text.to_owned())],
        }
    }

    /// The names of the values it needs, in order, with repetitions.
    pub fn slots(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Slot(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The name, if the whole template is one placeholder; such a value keeps its type in JSON.
    pub fn whole_slot(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Slot(name)] => Some(name),
            _ => None,
        }
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.source)
    }
}

/// Whether `name` can stand in a placeholder.
fn is_slot_name(name: &str) -> bool {
    name.len() <= SLOT_BYTES_MAX && name.split('.').all(is_word)
}

/// Whether `word` can name a captured value: letters, digits, `_` and `-`, at least one.
pub(super) fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
