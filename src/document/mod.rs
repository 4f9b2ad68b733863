//! Reading TOML that people write: every value knows its place, and all problems are reported at once.
//!
//! A [`Source`] is parsed into a [`Document`]; a [`Table`] is a cursor over one of its tables that remembers which keys
//! it was asked for, so that [`Table::finish`] can report every other key with a suggestion. Readers push what is wrong
//! to [`Problems`] and go on. Written by hand and not derived with `serde`, because a derived reader stops at the first
//! error and cannot suggest.

mod node;
mod problem;
mod suggest;
mod syntax;
mod table;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::OnceLock;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use node::{Node, Value};
pub use problem::{Level, Place, Problem, Problems};
pub use suggest::closest;
pub use table::{Key, Table};

/// A file larger than this is refused: 4 MiB.
pub const SOURCE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One TOML text and the name that problems show for it.
#[derive(Clone, Debug)]
pub struct Source {
    /// What people know it by; mostly a file's path.
    pub path: String,
    /// The text.
    pub text: String,
    /// What is read in its place if it has lines behind which the parser reads nothing.
    mended: OnceLock<String>,
}

impl Source {
    /// A source with this name and text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
            mended: OnceLock::new(),
        }
    }

    /// A place in this source, in bytes.
    pub fn place(&self, span: Range<usize>) -> Place<'_> {
        Place::new(self, span)
    }

    /// The very start, for what concerns the file as a whole.
    pub fn start(&self) -> Place<'_> {
        self.place(0..0)
    }
}

/// A parsed source.
#[derive(Debug)]
pub struct Document<'a> {
    source: &'a Source,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Document<'a> {
    /// Parses `source`.
    ///
    /// Syntax errors go to `problems`, all of them, and what could be read besides is still returned: the reader finds
    /// its own problems in the same go. Numbers outside of JSON's and `i64`'s range are problems too, so that every
    /// [`Node`] has a JSON form. `None` only if the text is over [`SOURCE_BYTES_MAX`].
    pub fn parse(source: &'a Source, problems: &mut Problems) -> Option<Self> {
        if source.text.len() > SOURCE_BYTES_MAX {
            problems.push(
                source.start(),
                format!(
                    "this file has {} bytes, more than {SOURCE_BYTES_MAX}",
                    source.text.len()
                ),
            );
            return None;
        }
        let root = syntax::parse(source, problems);
        let document = Self { source, root };
        document.check_numbers(problems);
        Some(document)
    }

    /// A cursor over the top level.
    pub fn table(&'a self) -> Table<'a> {
        Table::root(self.source, &self.root)
    }

    fn check_numbers(&self, problems: &mut Problems) {
        // The parser bounds the depth; a stack of our own keeps this walk flat all the same.
        let mut left: Vec<&Spanned<DeValue<'_>>> = self.root.get_ref().iter().map(|(_, value)| value).collect();
        while let Some(value) = left.pop() {
            let message = match value.get_ref() {
                DeValue::Integer(integer) if node::integer(integer).is_none() => "this integer does not fit 64 bits",
                DeValue::Float(float) if node::float(float).is_none() => "this number has no finite value",
                DeValue::Array(array) => {
                    left.extend(array.iter());
                    continue;
                }
                DeValue::Table(table) => {
                    left.extend(table.iter().map(|(_, value)| value));
                    continue;
                }
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => continue,
            };
            problems.push(self.source.place(value.span()), message);
        }
    }
}
