//! Reading `[[signature]]`: a recipe by its name, or spelt out.

use std::borrow::Cow;

use super::read::Reader;
use crate::document::{Node, Table};
use crate::signature::{
    Algorithm, Dedup, Encoding, KeyForm, Layout, Part, Place, Recipe, Scheme, TOLERANCE_DEFAULT, Text, Time, built_in,
    built_in_recipes,
};

/// How far off a recipe's timestamps may be at most; a longer time would be none.
const TOLERANCE_MAX_S: u64 = 3_600;

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("hmac-sha256", Algorithm::HmacSha256),
    ("hmac-sha1", Algorithm::HmacSha1),
    ("ed25519", Algorithm::Ed25519),
    ("secret", Algorithm::Secret),
];
const ENCODINGS: &[(&str, Encoding)] = &[("hex", Encoding::Hex), ("base64", Encoding::Base64)];
const KEYS: &[(&str, KeyForm)] = &[("text", KeyForm::Text), ("base64", KeyForm::Base64)];

/// The header of an HTTP Message Signature, which its layout names.
const MESSAGE_HEADER: &str = "signature";

impl Reader<'_> {
    /// All of a file's, which must agree on what makes two deliveries one: whoever takes one of two signatures away must
    /// not make another delivery of it.
    pub(super) fn recipes(&mut self, root: &mut Table<'_>) -> Vec<Recipe> {
        let place = root.place();
        let recipes = self.each(root, "signature", Self::recipe);
        if recipes.windows(2).any(|pair| pair[0].dedup != pair[1].dedup) {
            let help = "give them the same `dedup`, or keep one of them";
            let message = "the [[signature]] entries know a delivery again by different things";
            self.problems.push_help(place, message, help);
        }
        recipes
    }

    fn recipe(&mut self, mut table: Table<'_>) -> Option<Recipe> {
        let place = table.place();
        let recipe = match table.take("recipe") {
            Some(node) => self.named(&node),
            None => self.spelt(&mut table),
        };
        let tolerance = table.duration("tolerance", self.problems);
        let dedup = table.take("dedup").and_then(|node| self.dedup(&node));
        table.finish(self.problems, &[]);
        let mut recipe = recipe?;
        recipe.dedup = dedup.unwrap_or(recipe.dedup);
        recipe.tolerance = tolerance.unwrap_or(recipe.tolerance);
        if !(1..=TOLERANCE_MAX_S).contains(&recipe.tolerance.as_secs()) {
            let message = format!("`tolerance` must be from 1 s to {TOLERANCE_MAX_S} s");
            self.problems.push(place.clone(), message);
        }
        if let Some(fault) = recipe.fault() {
            self.problems.push(place, format!("[[signature]] {fault}"));
        }
        Some(recipe)
    }

    fn named(&mut self, node: &Node<'_>) -> Option<Recipe> {
        let name = node.string(self.problems)?;
        let found = built_in(name);
        if found.is_none() {
            let known: Vec<_> = built_in_recipes().into_iter().map(|recipe| recipe.name).collect();
            let help = format!("there are {}; or spell it: `header`, `signed`, …", known.join(", "));
            let message = format!("there is no recipe `{name}`");
            self.problems.push_help(node.place(), message, help);
        }
        found
    }

    fn spelt(&mut self, table: &mut Table<'_>) -> Option<Recipe> {
        let components = self.texts(table, "components");
        let header = if components.is_empty() {
            self.header(table, "header").map(|name| name.to_string())
        } else {
            Some(MESSAGE_HEADER.to_owned())
        };
        let separator = table.take("separator").and_then(|node| self.separator(&node));
        let prefixes = self.texts(table, "prefixes");
        let layout = match separator {
            _ if !components.is_empty() => Layout::Message(components.into_iter().map(Cow::Owned).collect()),
            Some(separator) => Layout::List(separator),
            None if prefixes.is_empty() => Layout::Whole(vec![Cow::Borrowed("")].into()),
            None => Layout::Whole(prefixes.into_iter().map(Cow::Owned).collect()),
        };
        let (time_header, time_mark) = (
            self.optional_header(table, "timestamp"),
            self.optional(table, "timestamp_mark"),
        );
        let timestamp = time_mark.map(Time::Entry).or(time_header.map(Time::Header));
        let scheme = self.scheme(table);
        let encoding = table.take("encoding").and_then(|node| self.choice(&node, ENCODINGS));
        let encoding = match scheme.algorithm {
            Algorithm::Secret => Encoding::Plain,
            _ => encoding.unwrap_or(Encoding::Hex),
        };
        let id = self.optional_header(table, "id");
        let signed = match self.optional(table, "signed") {
            Some(template) => parts(&template),
            None if scheme.algorithm == Algorithm::Secret => Vec::new(),
            None => parts(if timestamp.is_some() {
                "{timestamp}.{body}"
            } else {
                "{body}"
            }),
        };
        let dedup = if id.is_some() { Dedup::SignedId } else { Dedup::Body };
        let header = header?;
        Some(Recipe {
            name: header.clone().into(),
            place: Place::Header(header.into()),
            layout,
            signed: signed.into(),
            schemes: vec![scheme].into(),
            encoding,
            timestamp,
            id,
            tolerance: TOLERANCE_DEFAULT,
            dedup,
        })
    }

    fn scheme(&mut self, table: &mut Table<'_>) -> Scheme {
        let algorithm = table.take("algorithm").and_then(|node| self.choice(&node, ALGORITHMS));
        let key = table.take("key").and_then(|node| self.choice(&node, KEYS));
        let prefix = self.optional(table, "key_prefix").unwrap_or_default();
        Scheme {
            bare: true,
            prefix,
            key: key.unwrap_or(KeyForm::Text),
            algorithm: algorithm.unwrap_or(Algorithm::HmacSha256),
            mark: self.optional(table, "mark").unwrap_or_default(),
        }
    }

    /// `"body"`, `"id"`, or the JSON pointer of an id in the signed body.
    fn dedup(&mut self, node: &Node<'_>) -> Option<Dedup> {
        match node.string(self.problems)? {
            "body" => Some(Dedup::Body),
            "id" => Some(Dedup::SignedId),
            pointer if pointer.starts_with('/') => Some(Dedup::Json(pointer.to_owned().into())),
            other => {
                let help = "write \"id\" for the signed id, a JSON pointer such as \"/event_id\", or \"body\"";
                self.problems
                    .push_help(node.place(), format!("`{other}` is nothing to deduplicate by"), help);
                None
            }
        }
    }

    fn separator(&mut self, node: &Node<'_>) -> Option<char> {
        let mut characters = node.string(self.problems)?.chars();
        let only = characters
            .next()
            .filter(|first| first.is_ascii() && characters.next().is_none());
        if only.is_none() {
            let message = format!("{} is not one ASCII character, such as \",\" or \" \"", node.label());
            self.problems.push(node.place(), message);
        }
        only
    }

    fn optional_header(&mut self, table: &mut Table<'_>, key: &'static str) -> Option<Text> {
        if !table.has(key) {
            return None;
        }
        Some(Cow::Owned(self.header(table, key)?.to_string()))
    }

    fn optional(&mut self, table: &mut Table<'_>, key: &'static str) -> Option<Text> {
        let text = table.string(key, self.problems)?;
        Some(Cow::Owned(text.to_owned()))
    }
}

/// The pieces of a template: `{id}`, `{timestamp}` and `{body}`, and the characters between them.
fn parts(template: &str) -> Vec<Part> {
    const SLOTS: [(&str, Part); 3] = [
        ("{id}", Part::Id),
        ("{timestamp}", Part::Timestamp),
        ("{body}", Part::Body),
    ];
    let (mut parts, mut rest) = (Vec::new(), template);
    while !rest.is_empty() {
        if let Some((slot, part)) = SLOTS.iter().find(|(slot, _)| rest.starts_with(slot)) {
            parts.push(part.clone());
            rest = &rest[slot.len()..];
            continue;
        }
        let next = SLOTS.iter().filter_map(|(slot, _)| rest.find(slot)).min();
        let (text, after) = rest.split_at(next.unwrap_or(rest.len()));
        parts.push(Part::Text(text.to_owned().into()));
        rest = after;
    }
    parts
}
