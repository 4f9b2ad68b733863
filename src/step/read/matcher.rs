//! Reading a value that must be matched: a literal, or a table of matchers.

use regex::{Regex, RegexBuilder};

use super::{all, json_template, template};
use crate::document::{Node, Problems, Table, Value};
use crate::step::json_template::JsonTemplate;
use crate::step::template::Template;
use crate::step::{JsonType, Matcher, Rule};

/// What a rule is about; decides which matchers it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One JSON value.
    Json,
    /// What a path finds that may find several values.
    Plural,
    /// A header, or the body as text.
    Text,
    /// A size.
    Size,
    /// The texts of a page's elements: of the first of them, or counted and quantified over.
    Elements,
}

const EXISTS: &[&str] = &["exists"];
const QUANTIFIERS: &[&str] = &["count", "any", "all", "none"];
const EQUALITY: &[&str] = &["is", "not", "one_of"];
const NUMBERS: &[&str] = &["min", "max"];
const TEXT: &[&str] = &["contains", "lacks", "matches", "length"];
const TYPE: &[&str] = &["type"];
/// Compiled, a regular expression takes at most this much memory.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

const ALIASES: &[(&str, &str)] = &[
    ("eq", "is"),
    ("equals", "is"),
    ("ne", "not"),
    ("in", "one_of"),
    ("gte", "min"),
    ("lte", "max"),
    ("gt", "min"),
    ("lt", "max"),
    ("includes", "contains"),
    ("has", "contains"),
    ("excludes", "lacks"),
    ("regex", "matches"),
    ("match", "matches"),
    ("size", "length"),
    ("len", "length"),
    ("every", "all"),
    ("some", "any"),
];

impl Kind {
    /// The groups of matchers that it may have.
    const fn groups(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Json => &[EQUALITY, NUMBERS, TEXT, EXISTS, TYPE, QUANTIFIERS],
            Self::Plural => &[EXISTS, QUANTIFIERS],
            Self::Text => &[EQUALITY, TEXT, EXISTS],
            Self::Size => &[EQUALITY, NUMBERS],
            Self::Elements => &[EQUALITY, TEXT, EXISTS, QUANTIFIERS],
        }
    }

    /// The kind of what a negation or an item is about.
    const fn inner(self) -> Self {
        match self {
            Self::Json | Self::Plural => Self::Json,
            Self::Text | Self::Elements => Self::Text,
            Self::Size => Self::Size,
        }
    }
}

/// Whether `key` is a matcher's name.
pub(super) fn is_matcher(key: &str) -> bool {
    Kind::Json.groups().iter().any(|group| group.contains(&key))
}

/// Reads a rule: a table of matchers, or a literal to be equal to.
pub(super) fn rule(node: &Node<'_>, kind: Kind, problems: &mut Problems) -> Option<Rule> {
    match node.value() {
        Value::Table(table) if kind == Kind::Json && !table.keys().iter().any(|key| is_matcher(key.name)) => {
            let help = "write matchers; for a member of each item write a path, `json.\"$.items[*].id\"`, and for the whole \
                        object `is`";
            problems.push_help(node.place(), format!("{} has no matcher", node.label()), help);
            None
        }
        Value::Table(table) => matchers(table, kind, problems),
        _ if kind == Kind::Plural => {
            let message = format!("{} may be about several values", node.label());
            let help = "say which of them: `{ all = … }`, `{ any = … }`, `{ none = … }` or `{ count = … }`";
            problems.push_help(node.place(), message, help);
            None
        }
        _ if matches!(kind, Kind::Text | Kind::Elements) => {
            Some(Rule(vec![Matcher::Is(JsonTemplate::Text(template(node, problems)?))]))
        }
        _ if kind == Kind::Size => Some(Rule(vec![Matcher::Is(size(node, problems)?)])),
        _ => literal(node, problems),
    }
}

/// A literal of any shape.
pub(super) fn literal(node: &Node<'_>, problems: &mut Problems) -> Option<Rule> {
    Some(Rule(vec![Matcher::Is(json_template(node, problems)?)]))
}

/// Reads a table of matchers; a key that is none of those of `kind` is a problem.
pub(super) fn matchers(mut table: Table<'_>, kind: Kind, problems: &mut Problems) -> Option<Rule> {
    let mut found = Vec::new();
    let mut complete = true;
    for word in kind.groups().iter().copied().flatten() {
        let Some(node) = table.take(word) else {
            continue;
        };
        match matcher(word, &node, kind, problems) {
            Some(matcher) => found.push(matcher),
            None => complete = false,
        }
    }
    let place = table.place();
    let label = table.label().to_owned();
    let others = table.keys().iter().any(|key| !key.name.starts_with('$'));
    table.finish(problems, ALIASES);
    if found.is_empty() && complete && !others {
        problems.push_help(
            place,
            format!("{label} is empty and expects nothing"),
            "write a matcher: `{ exists = true }`",
        );
    }
    (complete && !found.is_empty()).then_some(Rule(found))
}

fn matcher(word: &str, node: &Node<'_>, kind: Kind, problems: &mut Problems) -> Option<Matcher> {
    let inner = kind.inner();
    Some(match word {
        "is" => Matcher::Is(operand(node, kind, problems)?),
        "not" => Matcher::Not(rule(node, inner, problems)?),
        "one_of" => Matcher::OneOf(several(node, kind, problems)?),
        "min" => Matcher::Min(node.float(problems)?),
        "max" => Matcher::Max(node.float(problems)?),
        "contains" => Matcher::Contains(several(node, kind, problems)?),
        "lacks" => Matcher::Lacks(several(node, kind, problems)?),
        "matches" => Matcher::Matches(regex(node, problems)?),
        "exists" => Matcher::Exists(node.bool(problems)?),
        "type" => Matcher::Type(json_type(node, problems)?),
        "count" => Matcher::Count(rule(node, Kind::Size, problems)?),
        "length" => Matcher::Length(rule(node, Kind::Size, problems)?),
        "any" => Matcher::Any(rule(node, inner, problems)?),
        "all" => Matcher::All(rule(node, inner, problems)?),
        "none" => Matcher::None(rule(node, inner, problems)?),
        _ => return None,
    })
}

/// A literal of the kind: text for text, a number for a size, anything for JSON.
fn operand(node: &Node<'_>, kind: Kind, problems: &mut Problems) -> Option<JsonTemplate> {
    match kind {
        Kind::Json | Kind::Plural => json_template(node, problems),
        Kind::Text | Kind::Elements => template(node, problems).map(JsonTemplate::Text),
        Kind::Size => size(node, problems),
    }
}

/// One literal, or a list of at least one.
fn several(node: &Node<'_>, kind: Kind, problems: &mut Problems) -> Option<Vec<JsonTemplate>> {
    let items = match node.value() {
        Value::Array(items) => all(items.iter().map(|item| operand(item, kind, problems)))?,
        _ => vec![operand(node, kind, problems)?],
    };
    if items.is_empty() {
        return nothing(node, problems);
    }
    Some(items)
}

fn size(node: &Node<'_>, problems: &mut Problems) -> Option<JsonTemplate> {
    let size = node.integer(problems)?;
    if size < 0 {
        problems.push(node.place(), format!("{} is negative, and no size is", node.label()));
        return None;
    }
    Some(JsonTemplate::Plain(size.into()))
}

/// A regular expression. Placeholders are not expanded in it, and one that looks like it has some is a problem.
pub(super) fn regex(node: &Node<'_>, problems: &mut Problems) -> Option<Regex> {
    let text = node.string(problems)?;
    if Template::parse(text).is_ok_and(|template| template.slots().next().is_some()) {
        let message = format!(
            "{} has a placeholder, and none is expanded in a regular expression",
            node.label()
        );
        problems.push_help(node.place(), message, "compare with `is` or `contains`");
        return None;
    }
    match RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build() {
        Ok(regex) => Some(regex),
        Err(error) => {
            let error = error.to_string();
            let reason = error
                .lines()
                .last()
                .unwrap_or_default()
                .trim()
                .trim_start_matches("error: ");
            problems.push(
                node.place(),
                format!("{} is not a regular expression: {reason}", node.label()),
            );
            None
        }
    }
}

fn json_type(node: &Node<'_>, problems: &mut Problems) -> Option<JsonType> {
    let found = node
        .as_str()
        .and_then(|word| JsonType::ALL.into_iter().find(|kind| kind.as_str() == word));
    if found.is_none() {
        let words = JsonType::ALL.map(|kind| format!("`{}`", kind.as_str())).join(", ");
        let help = format!("the types are {words}; for a member called `type` write its path: `json.\"$.type\"`");
        problems.push_help(node.place(), format!("{} is not a type of JSON", node.label()), help);
    }
    found
}

fn nothing<T>(node: &Node<'_>, problems: &mut Problems) -> Option<T> {
    problems.push(node.place(), format!("{} is empty and expects nothing", node.label()));
    None
}
