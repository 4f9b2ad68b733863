//! A cursor over one table that remembers what it was asked for.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Node, Place, Problems, Source, suggest};

/// One table's keys, and how a person calls it.
#[derive(Clone, Debug)]
pub(super) struct Layer<'a> {
    pub(super) source: &'a Source,
    pub(super) table: &'a DeTable<'a>,
    pub(super) span: Range<usize>,
    pub(super) label: String,
    /// Keys that are not seen through the table above.
    pub(super) hidden: Vec<&'static str>,
    /// If given, the only keys that are seen through the table above.
    pub(super) shown: Option<&'static [&'static str]>,
}

impl<'a> Layer<'a> {
    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.shows(key).then(|| self.table.get(key)).flatten()
    }

    fn shows(&self, key: &str) -> bool {
        !self.hidden.contains(&key) && self.shown.is_none_or(|shown| shown.contains(&key))
    }

    fn place(&self, span: Range<usize>) -> Place<'a> {
        self.source.place(span)
    }
}

/// A key as it is written.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// The key.
    pub name: &'a str,
    /// Where it stands.
    pub place: Place<'a>,
}

/// A cursor over one table, possibly laid over others that hold its defaults: tables merge by key, any other value
/// replaces.
///
/// Every key that is asked for counts as known, present or not; [`Table::finish`] reports the others.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    own: Layer<'a>,
    under: Vec<Layer<'a>>,
    replaced: Vec<(String, Node<'a>)>,
    asked: Vec<&'a str>,
}

impl<'a> Table<'a> {
    pub(super) fn root(source: &'a Source, root: &'a Spanned<DeTable<'a>>) -> Self {
        let own = Layer {
            source,
            table: root.get_ref(),
            span: 0..0,
            label: String::new(),
            hidden: Vec::new(),
            shown: None,
        };
        Self::new(own, Vec::new())
    }

    pub(super) fn new(own: Layer<'a>, under: Vec<Layer<'a>>) -> Self {
        Self {
            own,
            under,
            replaced: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// The same table under another name for people: `check "home"`.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.own.label = label.into();
        self
    }

    /// The same table laid over `defaults`, of which the keys in `without` do not show through.
    #[must_use]
    pub fn over(mut self, defaults: &Table<'a>, without: &'static [&'static str]) -> Self {
        let hide = |layer: &Layer<'a>| Layer {
            hidden: [&layer.hidden, without].concat(),
            ..layer.clone()
        };
        self.under.extend(defaults.layers().map(hide));
        self
    }

    /// The same table laid over those of `keys` that `outer` has, as what several tables share.
    #[must_use]
    pub fn sharing(mut self, outer: &Table<'a>, keys: &'static [&'static str]) -> Self {
        let show = |layer: &Layer<'a>| Layer {
            shown: Some(keys),
            ..layer.clone()
        };
        let replaced = outer
            .replaced
            .iter()
            .filter(|(key, _)| keys.contains(&key.as_str()) && !self.has(key));
        self.replaced.extend(replaced.cloned().collect::<Vec<_>>());
        self.under.extend(outer.layers().map(show));
        self
    }

    /// The same table, in which `key` has another value; it stands for one of several that are written as a list.
    #[must_use]
    pub fn with(mut self, key: &str, node: Node<'a>) -> Self {
        self.replaced.push((key.to_owned(), node));
        self
    }

    /// How a person calls it: `[server]`, `check "home"`; empty for the top level.
    pub fn label(&self) -> &str {
        &self.own.label
    }

    /// Where it stands: its header, or its braces.
    pub fn place(&self) -> Place<'a> {
        self.own.place(self.own.span.clone())
    }

    /// The source it is read from.
    pub fn source(&self) -> &'a Source {
        self.own.source
    }

    /// The value of `key`, which is known from now on.
    pub fn take(&mut self, key: &'a str) -> Option<Node<'a>> {
        // One that is asked for twice is told once: `suggest` does not care.
        self.asked.push(key);
        self.peek(key)
    }

    /// The value of `key`, which must be there.
    pub fn required(&mut self, key: &'a str, help: &str, problems: &mut Problems) -> Option<Node<'a>> {
        let node = self.take(key);
        if node.is_none() {
            problems.push_missing(self.place(), format!("{} has no `{key}`", self.name()), help);
        }
        node
    }

    /// The table under `key`, if it is one; does not make it known.
    pub fn child(&self, key: &str) -> Option<Table<'a>> {
        self.peek(key)?.as_table()
    }

    /// Whether `key` is there; does not make it known.
    pub fn has(&self, key: &str) -> bool {
        self.layers().any(|layer| layer.get(key).is_some())
    }

    /// Whether `key` is there, not only among the defaults.
    pub fn has_own(&self, key: &str) -> bool {
        self.own.table.contains_key(key)
    }

    /// Where `key` itself stands, else the table.
    pub fn key_place(&self, key: &str) -> Place<'a> {
        self.layers()
            .filter(|layer| layer.shows(key))
            .find_map(|layer| Some(layer.place(layer.table.get_key_value(key)?.0.span())))
            .unwrap_or_else(|| self.place())
    }

    /// A string. Any other type is a problem; so for the methods below.
    pub fn string(&mut self, key: &'a str, problems: &mut Problems) -> Option<&'a str> {
        self.take(key)?.string(problems)
    }

    /// An integer.
    pub fn integer(&mut self, key: &'a str, problems: &mut Problems) -> Option<i64> {
        self.take(key)?.integer(problems)
    }

    /// A number, whole or not.
    pub fn float(&mut self, key: &'a str, problems: &mut Problems) -> Option<f64> {
        self.take(key)?.float(problems)
    }

    /// `true` or `false`.
    pub fn bool(&mut self, key: &'a str, problems: &mut Problems) -> Option<bool> {
        self.take(key)?.bool(problems)
    }

    /// A duration with units.
    pub fn duration(&mut self, key: &'a str, problems: &mut Problems) -> Option<Duration> {
        self.take(key)?.duration(problems)
    }

    /// A table.
    pub fn table(&mut self, key: &'a str, problems: &mut Problems) -> Option<Table<'a>> {
        self.take(key)?.table(problems)
    }

    /// A list.
    pub fn array(&mut self, key: &'a str, problems: &mut Problems) -> Option<Vec<Node<'a>>> {
        self.take(key)?.array(problems)
    }

    /// All keys, own ones in source order and then what only the defaults have.
    pub fn keys(&self) -> Vec<Key<'a>> {
        let mut keys: Vec<Key<'a>> = Vec::new();
        for layer in self.layers() {
            let first = keys.len();
            for (key, _) in layer.table {
                let name: &'a str = key.get_ref();
                if layer.shows(name) && !keys.iter().take(first).any(|known| known.name == name) {
                    let place = layer.place(key.span());
                    keys.push(Key { name, place });
                }
            }
            keys.get_mut(first..)
                .unwrap_or_default()
                .sort_by_key(|key| key.place.span().start);
        }
        keys
    }

    /// All keys with their values, in the order of [`Table::keys`]; does not make them known.
    pub fn entries(&self) -> Vec<(Key<'a>, Node<'a>)> {
        let keys = self.keys().into_iter();
        keys.filter_map(|key| self.peek(key.name).map(|node| (key, node)))
            .collect()
    }

    /// All keys with their values; makes every one known.
    pub fn take_all(&mut self) -> Vec<(Key<'a>, Node<'a>)> {
        let entries = self.entries();
        self.asked.extend(entries.iter().map(|(key, _)| key.name));
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
                if !layer.shows(name) || self.asked.contains(&name) {
                    continue;
                }
                let place = layer.place(key.span());
                let message = if layer.label.is_empty() {
                    format!("unknown key `{name}` at the top level")
                } else {
                    format!("unknown key `{name}` in {}", layer.label)
                };
                let known = &self.asked;
                let tables = [aliases, problems.words()];
                match suggest::help(name, &self.node(layer, name, value), known, &tables) {
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
        std::iter::once(&self.own).chain(&self.under)
    }

    /// The value of `key`; does not make it known.
    pub fn peek(&self, key: &str) -> Option<Node<'a>> {
        if let Some((_, node)) = self.replaced.iter().find(|(name, _)| name == key) {
            return Some(node.clone());
        }
        let mut found = self.layers().filter_map(|layer| Some((layer, layer.get(key)?)));
        let (layer, value) = found.next()?;
        let mut node = self.node(layer, key, value);
        // Only tables merge: below the first other value nothing shows through.
        let tables = found.map_while(|(layer, value)| match value.get_ref() {
            DeValue::Table(table) => Some(Layer {
                source: layer.source,
                table,
                span: value.span(),
                label: node_label(&layer.label, key, value),
                hidden: Vec::new(),
                shown: None,
            }),
            _ => None,
        });
        if matches!(value.get_ref(), DeValue::Table(_)) {
            node.under = tables.collect();
        }
        Some(node)
    }

    fn node(&self, layer: &Layer<'a>, key: &str, value: &'a Spanned<DeValue<'a>>) -> Node<'a> {
        Node {
            source: layer.source,
            value,
            label: node_label(&layer.label, key, value),
            under: Vec::new(),
        }
    }
}

fn node_label(parent: &str, key: &str, value: &Spanned<DeValue<'_>>) -> String {
    match (parent, value.get_ref()) {
        // A table at the top level is known by its header.
        ("", DeValue::Table(_)) => format!("[{key}]"),
        ("", _) => format!("`{key}`"),
        (parent, _) => format!("`{key}` in {parent}"),
    }
}
