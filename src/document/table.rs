//! A cursor over one table that remembers what it was asked for.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Node, Place, Problems, Source, suggest};

/// One table's keys, and how a person calls it.
#[derive(Clone, Debug)]
pub(super) struct Layer<'a> {
    pub(super) table: &'a DeTable<'a>,
    pub(super) span: Range<usize>,
    pub(super) label: String,
}

/// A key as it is written.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// The key.
    pub name: &'a str,
    /// Where it stands.
    pub place: Place<'a>,
}

/// A cursor over one table, possibly laid over a second one of defaults: tables in both merge by key, any other value
/// replaces.
///
/// Every key that is asked for counts as known, present or not; [`Table::finish`] reports the others.
#[derive(Debug)]
pub struct Table<'a> {
    source: &'a Source,
    own: Layer<'a>,
    under: Option<Layer<'a>>,
    asked: Vec<String>,
}

impl<'a> Table<'a> {
    pub(super) fn root(source: &'a Source, root: &'a Spanned<DeTable<'a>>) -> Self {
        let own = Layer {
            table: root.get_ref(),
            span: 0..0,
            label: String::new(),
        };
        Self::new(source, own, None)
    }

    pub(super) fn new(source: &'a Source, own: Layer<'a>, under: Option<Layer<'a>>) -> Self {
        Self {
            source,
            own,
            under,
            asked: Vec::new(),
        }
    }

    /// The same table under another name for people: `check "home"`.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.own.label = label.into();
        self
    }

    /// The same table laid over `defaults`, which must be of the same source.
    #[must_use]
    pub fn over(mut self, defaults: &Table<'a>) -> Self {
        self.under = Some(defaults.own.clone());
        self
    }

    /// How a person calls it: `[server]`, `check "home"`; empty for the top level.
    pub fn label(&self) -> &str {
        &self.own.label
    }

    /// Where it stands: its header, or its braces.
    pub fn place(&self) -> Place<'a> {
        self.source.place(self.own.span.clone())
    }

    /// The source it is read from.
    pub fn source(&self) -> &'a Source {
        self.source
    }

    /// The value of `key`, which is known from now on.
    pub fn take(&mut self, key: &str) -> Option<Node<'a>> {
        if !self.asked.iter().any(|asked| asked == key) {
            self.asked.push(key.to_owned());
        }
        self.get(key)
    }

    /// The value of `key`, which must be there.
    pub fn required(&mut self, key: &str, help: &str, problems: &mut Problems) -> Option<Node<'a>> {
        let node = self.take(key);
        if node.is_none() {
            problems.push_missing(self.place(), format!("{} has no `{key}`", self.name()), help);
        }
        node
    }

    /// Whether `key` is there; does not make it known.
    pub fn has(&self, key: &str) -> bool {
        self.layers().any(|layer| layer.table.contains_key(key))
    }

    /// Whether `key` is there, not only among the defaults.
    pub fn has_own(&self, key: &str) -> bool {
        self.own.table.contains_key(key)
    }

    /// Where `key` itself stands, else the table.
    pub fn key_place(&self, key: &str) -> Place<'a> {
        self.layers()
            .find_map(|layer| layer.table.get_key_value(key))
            .map_or_else(|| self.place(), |(key, _)| self.source.place(key.span()))
    }

    /// A string. Any other type is a problem; so for the methods below.
    pub fn string(&mut self, key: &str, problems: &mut Problems) -> Option<&'a str> {
        self.take(key)?.string(problems)
    }

    /// An integer.
    pub fn integer(&mut self, key: &str, problems: &mut Problems) -> Option<i64> {
        self.take(key)?.integer(problems)
    }

    /// A number, whole or not.
    pub fn float(&mut self, key: &str, problems: &mut Problems) -> Option<f64> {
        self.take(key)?.float(problems)
    }

    /// `true` or `false`.
    pub fn bool(&mut self, key: &str, problems: &mut Problems) -> Option<bool> {
        self.take(key)?.bool(problems)
    }

    /// A duration with units.
    pub fn duration(&mut self, key: &str, problems: &mut Problems) -> Option<Duration> {
        self.take(key)?.duration(problems)
    }

    /// A table.
    pub fn table(&mut self, key: &str, problems: &mut Problems) -> Option<Table<'a>> {
        self.take(key)?.table(problems)
    }

    /// A list.
    pub fn array(&mut self, key: &str, problems: &mut Problems) -> Option<Vec<Node<'a>>> {
        self.take(key)?.array(problems)
    }

    /// All keys, own ones in source order and then what only the defaults have.
    pub fn keys(&self) -> Vec<Key<'a>> {
        let mut keys = Vec::new();
        for (number, layer) in self.layers().enumerate() {
            for (key, _) in layer.table {
                if number == 0 || !self.own.table.contains_key(key.get_ref().as_ref()) {
                    keys.push((number, key));
                }
            }
        }
        keys.sort_by_key(|(number, key)| (*number, key.span().start));
        let written = |key: &'a Spanned<_>| Key {
            name: AsRef::<std::borrow::Cow<'a, str>>::as_ref(key).as_ref(),
            place: self.source.place(key.span()),
        };
        keys.into_iter().map(|(_, key)| written(key)).collect()
    }

    /// All keys with their values, in the order of [`Table::keys`]; does not make them known.
    pub fn entries(&self) -> Vec<(Key<'a>, Node<'a>)> {
        let keys = self.keys().into_iter();
        keys.filter_map(|key| self.get(key.name).map(|node| (key, node)))
            .collect()
    }

    /// All keys with their values; makes every one known.
    pub fn take_all(&mut self) -> Vec<(Key<'a>, Node<'a>)> {
        let entries = self.entries();
        self.asked.extend(entries.iter().map(|(key, _)| key.name.to_owned()));
        entries
    }

    /// Reports each key that nobody asked for.
    ///
    /// `aliases` pairs a word from elsewhere with what to write here: a key (`time`), a path (`expect.status`, for a
    /// key in the wrong table), or a whole sentence of help.
    pub fn finish(self, problems: &mut Problems, aliases: &[(&str, &str)]) {
        for layer in self.layers() {
            for (key, value) in layer.table {
                let name = key.get_ref().as_ref();
                if self.asked.iter().any(|asked| asked == name) {
                    continue;
                }
                let place = self.source.place(key.span());
                let message = if layer.label.is_empty() {
                    format!("unknown key `{name}` at the top level")
                } else {
                    format!("unknown key `{name}` in {}", layer.label)
                };
                let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
                match suggest::help(name, &self.node(layer, name, value), &known, aliases) {
                    Some(help) => problems.push_help(place, message, help),
                    None => problems.push(place, message),
                }
            }
        }
    }

    fn name(&self) -> &str {
        if self.own.label.is_empty() {
            "the file"
        } else {
            &self.own.label
        }
    }

    fn layers(&self) -> impl Iterator<Item = &Layer<'a>> {
        std::iter::once(&self.own).chain(self.under.as_ref())
    }

    fn get(&self, key: &str) -> Option<Node<'a>> {
        let below = self
            .under
            .as_ref()
            .and_then(|layer| Some((layer, layer.table.get(key)?)));
        let Some(value) = self.own.table.get(key) else {
            return below.map(|(layer, value)| self.node(layer, key, value));
        };
        let mut node = self.node(&self.own, key, value);
        node.under = below.and_then(|(layer, value)| match value.get_ref() {
            DeValue::Table(table) => Some(Layer {
                table,
                span: value.span(),
                label: child_label(&layer.label, key),
            }),
            _ => None,
        });
        Some(node)
    }

    fn node(&self, layer: &Layer<'a>, key: &str, value: &'a Spanned<DeValue<'a>>) -> Node<'a> {
        Node {
            source: self.source,
            value,
            label: match value.get_ref() {
                // A table at the top level is known by its header.
                DeValue::Table(_) if layer.label.is_empty() => format!("[{key}]"),
                _ => child_label(&layer.label, key),
            },
            under: None,
        }
    }
}

fn child_label(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        format!("`{key}`")
    } else {
        format!("`{key}` in {parent}")
    }
}
