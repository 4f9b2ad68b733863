//! What an answer must be, as data.

use std::fmt;
use std::time::Duration;

use http::HeaderName;
use regex::Regex;

use super::json_template::JsonTemplate;
use super::page::Selector;
use super::path::Path;
use super::schema::Schema;
use crate::domain::Reason;

/// The placeholders that name the deployment's version.
pub const IDENTITY_SLOTS: [&str; 2] = ["deploy.commit", "deploy.id"];

/// What must be true of an answer (`expect`), or should be (`warn`).
///
/// Empty under `expect` it means a status of 2xx; so does an `expect` that says nothing of the status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The statuses that are right.
    pub status: Option<StatusSet>,
    /// Rules, each with what it is about.
    pub rules: Vec<(About, Rule)>,
    /// What the JSON body follows.
    pub schema: Option<Schema>,
    /// The longest time to the last byte.
    pub time: Option<Duration>,
    /// Percentiles, 50 to 99, and the time within which so many percent of all answers come.
    pub percentiles: Vec<(u8, Duration)>,
    /// How many percent of the samples may fail.
    pub errors_percent: Option<f64>,
    /// Every script, style and preload that the page names must load.
    pub assets: bool,
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq)]
pub enum About {
    /// A header; several of one name are one value, joined with `, ` (RFC 9110 §5.3).
    Header(HeaderName),
    /// What a path finds in the JSON body.
    Json(Path),
    /// The body as text.
    Body,
    /// Something of a cookie that the answer sets.
    Cookie(String, CookiePart),
    /// The texts of a page's elements, or one of their attributes.
    Html(Selector, Option<String>),
    /// The bytes of the body, decoded.
    Size,
    /// The address that answered in the end.
    Url,
    /// The version of HTTP: `1.1` or `2`.
    HttpVersion,
    /// The days for which the certificate is still valid.
    TlsDaysLeft,
    /// The version of TLS: 1.2 or 1.3.
    TlsVersion,
    /// The status that a gRPC health service tells.
    Grpc,
}

impl About {
    /// The word for it in observations.
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::Header(_) => Reason::Header,
            Self::Json(_) => Reason::Json,
            Self::Body => Reason::Body,
            Self::Cookie(..) => Reason::Cookie,
            Self::Html(..) => Reason::Html,
            Self::Size => Reason::Size,
            Self::Url => Reason::Url,
            Self::HttpVersion => Reason::HttpVersion,
            Self::TlsDaysLeft | Self::TlsVersion => Reason::Certificate,
            Self::Grpc => Reason::Grpc,
        }
    }

    /// Whether it may be any number of values, which a rule counts or quantifies over.
    pub(super) const fn is_plural(&self) -> bool {
        match self {
            Self::Json(path) => !path.is_singular(),
            Self::Html(..) => true,
            _ => false,
        }
    }
}

/// How messages call it: `$.status`, `header location`, `the body`.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header {name}"),
            Self::Json(path) => f.write_str(path.as_str()),
            Self::Body => f.write_str("the body"),
            Self::Cookie(name, CookiePart::Value) => write!(f, "cookie {name}"),
            Self::Cookie(name, part) => write!(f, "`{}` of cookie {name}", part.as_str()),
            Self::Html(selector, None) => write!(f, "element {}", selector.as_str()),
            Self::Html(selector, Some(attribute)) => write!(f, "attribute {attribute} of {}", selector.as_str()),
            Self::Size => f.write_str("the size of the body"),
            Self::Url => f.write_str("the final address"),
            Self::HttpVersion => f.write_str("the HTTP version"),
            Self::TlsDaysLeft => f.write_str("the days left of the certificate"),
            Self::TlsVersion => f.write_str("the TLS version"),
            Self::Grpc => f.write_str("the health status"),
        }
    }
}

/// What of a cookie is meant (RFC 6265 §4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookiePart {
    /// Its value.
    Value,
    /// Whether scripts cannot read it.
    HttpOnly,
    /// Whether it is sent over TLS only.
    Secure,
    /// `Strict`, `Lax` or `None`.
    SameSite,
    /// For which paths it is.
    Path,
    /// For which hosts it is.
    Domain,
    /// How long it lives, in seconds.
    MaxAge,
}

impl CookiePart {
    /// Every part.
    pub const ALL: [Self; 7] = [
        Self::Value,
        Self::HttpOnly,
        Self::Secure,
        Self::SameSite,
        Self::Path,
        Self::Domain,
        Self::MaxAge,
    ];

    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::HttpOnly => "http_only",
            Self::Secure => "secure",
            Self::SameSite => "same_site",
            Self::Path => "path",
            Self::Domain => "domain",
            Self::MaxAge => "max_age",
        }
    }
}

impl Expect {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether only redirects are right, so that none may be followed.
    pub fn wants_redirect(&self) -> bool {
        self.status.as_ref().is_some_and(|set| set.within(300, 399))
    }

    /// Every rule.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|(_, rule)| rule)
    }

    /// The same without the rules that name the deployment's version.
    pub(super) fn without_identity(&self) -> Self {
        let kept = |(about, rule): &(About, Rule)| Some((about.clone(), rule.without_identity()?));
        Self {
            rules: self.rules.iter().filter_map(kept).collect(),
            ..self.clone()
        }
    }
}

/// A set of statuses; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet(Vec<(u16, u16)>);

impl StatusSet {
    /// 200 to 299.
    pub fn success() -> Self {
        Self(vec![(200, 299)])
    }

    /// The set of these inclusive ranges; `None` if there are none, or one is not within 100 to 599.
    pub fn of(ranges: Vec<(u16, u16)>) -> Option<Self> {
        let valid = ranges
            .iter()
            .all(|(first, last)| first <= last && (100..=599).contains(first) && *last <= 599);
        (valid && !ranges.is_empty()).then_some(Self(ranges))
    }

    /// Whether `status` is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }

    fn within(&self, first: u16, last: u16) -> bool {
        self.0.iter().all(|range| first <= range.0 && range.1 <= last)
    }
}

/// As people write it: `2xx`, `200, 204 or 404`.
impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(range_word).collect();
        f.write_str(&super::say::one_of(&words))
    }
}

fn range_word((first, last): &(u16, u16)) -> String {
    match (first, last) {
        (first, last) if first == last => first.to_string(),
        (first, last) if first % 100 == 0 && *last == first + 99 => format!("{}xx", first / 100),
        (first, last) => format!("{first}-{last}"),
    }
}

/// Matchers, all of which must hold for one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule(pub Vec<Matcher>);

/// One demand on a value.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// It equals this; numbers by value, a commit by its first digits.
    Is(JsonTemplate),
    /// It does not match this.
    Not(Rule),
    /// It equals one of these.
    OneOf(Vec<JsonTemplate>),
    /// It is a number, at least this.
    Min(f64),
    /// It is a number, at most this.
    Max(f64),
    /// A text contains each of these; a list has each as an item; an object has each as a key.
    Contains(Vec<JsonTemplate>),
    /// The opposite: none of these.
    Lacks(Vec<JsonTemplate>),
    /// A regular expression finds something in the text.
    Matches(Regex),
    /// It is there, or is not.
    Exists(bool),
    /// It is of this type.
    Type(JsonType),
    /// How many nodes a plural path finds; for one value, how many items or members it has.
    Count(Rule),
    /// How many characters, items or members it has.
    Length(Rule),
    /// At least one node of a plural path, or item of a list, matches.
    Any(Rule),
    /// Every one matches, and there is at least one.
    All(Rule),
    /// No one matches.
    None(Rule),
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        super::form::matcher(self) == super::form::matcher(other)
    }
}

/// A type of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    /// A string.
    String,
    /// Any number.
    Number,
    /// A number without a fraction.
    Integer,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
    /// Null.
    Null,
}

impl JsonType {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::String,
        Self::Number,
        Self::Integer,
        Self::Boolean,
        Self::Array,
        Self::Object,
        Self::Null,
    ];

    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
            Self::Null => "null",
        }
    }
}

impl Rule {
    /// The names of the values it needs.
    pub fn slots(&self) -> Vec<&str> {
        self.0.iter().flat_map(Matcher::slots).collect()
    }

    /// The matchers that do not name the deployment's version; `None` if all do.
    fn without_identity(&self) -> Option<Self> {
        let names = |matcher: &&Matcher| !matcher.slots().into_iter().any(is_identity);
        let kept: Vec<Matcher> = self.0.iter().filter(names).cloned().collect();
        (!kept.is_empty()).then_some(Self(kept))
    }

    /// The matchers that can hold only for an answer of this deployment's version.
    pub(super) fn identity_part(&self) -> Option<Self> {
        let part: Vec<Matcher> = self
            .0
            .iter()
            .filter(|matcher| matcher.proves_identity())
            .cloned()
            .collect();
        (!part.is_empty()).then_some(Self(part))
    }

    /// Whether one of its matchers can hold only for an answer of this deployment's version.
    pub(super) fn proves_identity(&self) -> bool {
        self.0.iter().any(Matcher::proves_identity)
    }
}

impl Matcher {
    /// It equals or contains the version's name. A `not`, or one of several, proves nothing.
    fn proves_identity(&self) -> bool {
        match self {
            Self::Is(json) => json.slots().into_iter().any(is_identity),
            Self::Contains(items) => items.iter().any(|item| item.slots().into_iter().any(is_identity)),
            Self::Any(rule) | Self::All(rule) => rule.proves_identity(),
            _ => false,
        }
    }

    fn slots(&self) -> Vec<&str> {
        match self {
            Self::Is(json) => json.slots(),
            Self::OneOf(items) | Self::Contains(items) | Self::Lacks(items) => {
                items.iter().flat_map(JsonTemplate::slots).collect()
            }
            Self::Not(rule)
            | Self::Count(rule)
            | Self::Length(rule)
            | Self::Any(rule)
            | Self::All(rule)
            | Self::None(rule) => rule.slots(),
            Self::Min(_) | Self::Max(_) | Self::Matches(_) | Self::Exists(_) | Self::Type(_) => Vec::new(),
        }
    }
}

pub(super) fn is_identity(slot: &str) -> bool {
    IDENTITY_SLOTS.contains(&slot)
}
