//! JSON paths (RFC 9535), with a bound on what evaluating them can cost.

use std::fmt;

use serde_json::Value as Json;
use serde_json_path::JsonPath;

/// The longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 500;
const NESTING_MAX: usize = 6;

/// A JSON path.
///
/// The answers it is evaluated on are other people's, up to 4 MiB of nodes in up to 128 levels. So that the work stays
/// linear in that, a path has at most one `..` and one list of selectors, and its filters look only at the node before
/// them: no `..`, no `$`, and not `match` or `search`, which build a regular expression for each node.
#[derive(Clone)]
pub struct Path {
    text: String,
    singular: bool,
    query: JsonPath,
}

/// What is wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not RFC 9535.
    #[error("this is not a JSON path: it cannot be read from character {0} on")]
    Syntax(usize),
    /// It could cost too much on a large answer.
    #[error("this JSON path could take very long on a large answer: {0}")]
    Costly(&'static str),
    /// Longer than [`PATH_BYTES_MAX`].
    #[error("this JSON path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
}

impl Path {
    /// Reads a path that starts with `$`.
    ///
    /// # Errors
    /// See [`PathError`].
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        // Before parsing, because the parser tries nested filters again and again.
        if nesting(text) > NESTING_MAX {
            return Err(PathError::Costly("it is nested too deeply"));
        }
        let query = JsonPath::parse(text).map_err(|error| PathError::Syntax(error.position() + 1))?;
        let shape = Shape::of(text);
        match shape.costly() {
            Some(why) => Err(PathError::Costly(why)),
            None => Ok(Self {
                text: text.to_owned(),
                singular: shape.singular,
                query,
            }),
        }
    }

    /// The path to a value inside of this one's, by the names of the objects' members around it.
    ///
    /// # Errors
    /// [`PathError::TooLong`].
    pub fn member(&self, names: &[&str]) -> Result<Self, PathError> {
        let mut text = self.text.trim_end().to_owned();
        for name in names {
            let first_is_letter = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if first_is_letter && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                text.push('.');
                text.push_str(name);
            } else {
                // A JSON string is a name selector in double quotes (RFC 9535 §2.3.1.1).
                text.push_str(&format!("[{}]", Json::from(*name)));
            }
        }
        Self::parse(&text)
    }

    /// The nodes it finds, in order.
    pub fn find<'j>(&self, json: &'j Json) -> Vec<&'j Json> {
        self.query.query(json).all()
    }

    /// Whether it finds at most one node in any JSON: it has names and indexes only.
    pub const fn is_singular(&self) -> bool {
        self.singular
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({:?})", self.text)
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// How deep brackets and parentheses are nested; those in quotes may count too.
fn nesting(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for c in text.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What of a path's text, outside of quotes, says how many nodes it finds and how much it costs.
#[derive(Default)]
struct Shape {
    singular: bool,
    descendants: u32,
    lists: u32,
    descends_in_filter: bool,
    root_in_filter: bool,
    regex_in_filter: bool,
}

impl Shape {
    /// Scans a path that is known to be well-formed.
    fn of(text: &str) -> Self {
        let mut shape = Self {
            singular: true,
            ..Self::default()
        };
        let mut quote = None;
        let mut depth = 0_u32;
        // The bracket depth at which the outermost filter began.
        let mut filter: Option<u32> = None;
        let mut bracket_has_comma = false;
        let mut chars = text.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if let Some(open) = quote {
                match c {
                    '\\' => drop(chars.next()),
                    c if c == open => quote = None,
                    _ => {}
                }
                continue;
            }
            match c {
                '\'' | '"' => quote = Some(c),
                '[' => {
                    depth += 1;
                    bracket_has_comma &= depth > 1;
                }
                ']' => {
                    depth = depth.saturating_sub(1);
                    filter = filter.filter(|began| depth >= *began);
                }
                '?' => {
                    shape.singular = false;
                    filter = filter.or(Some(depth));
                }
                '*' | ':' => shape.singular = false,
                ',' if filter.is_none() => {
                    shape.singular = false;
                    shape.lists += u32::from(!bracket_has_comma);
                    bracket_has_comma = true;
                }
                '.' if chars.peek().is_some_and(|(_, next)| *next == '.') => {
                    shape.singular = false;
                    shape.descendants += 1;
                    shape.descends_in_filter |= filter.is_some();
                }
                '$' => shape.root_in_filter |= filter.is_some(),
                '(' => {
                    let before = text.get(..at).unwrap_or_default().trim_end();
                    shape.regex_in_filter |= before.ends_with("match") || before.ends_with("search");
                }
                _ => {}
            }
        }
        shape
    }

    fn costly(&self) -> Option<&'static str> {
        if self.descendants > 1 {
            Some("`..` can stand in it once")
        } else if self.lists > 1 {
            Some("a list of selectors can stand in it once")
        } else if self.descends_in_filter {
            Some("`..` cannot stand in a filter")
        } else if self.root_in_filter {
            Some("`$` cannot stand in a filter")
        } else if self.regex_in_filter {
            Some("`match` and `search` cannot be used; use the matcher `matches`")
        } else {
            None
        }
    }
}
