//! Whether a value is as a rule wants it, and if not, how to say so.

use serde_json::Value as Json;

use super::expect::{JsonType, Matcher, Rule, is_identity};
use super::json_template::{JsonTemplate, fill_text, lookup};
use super::redact::Redactor;
use super::render::RenderError;
use super::say;
use super::values::Values;

/// Digits of a commit that suffice to know it by.
const COMMIT_DIGITS_MIN: usize = 7;

/// What a rule is about.
pub(super) struct Subject<'a> {
    /// How messages call it: `$.status`, `header location`, `the body`.
    pub(super) name: &'a str,
    /// It may be any number of values, which a rule counts or quantifies over.
    pub(super) plural: bool,
    /// The values found.
    pub(super) nodes: Vec<&'a Json>,
}

/// Why a rule does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The answer is not as wanted; in words.
    Wrong(String),
    /// What is wanted is not known.
    Missing(RenderError),
}

impl From<RenderError> for Fault {
    fn from(error: RenderError) -> Self {
        Self::Missing(error)
    }
}

/// What rules are judged with.
pub(super) struct Judge<'a> {
    pub(super) values: &'a Values,
    pub(super) redactor: &'a Redactor,
}

impl Judge<'_> {
    /// Whether `rule` holds for `subject`.
    pub(super) fn check(&self, rule: &Rule, subject: &Subject<'_>) -> Result<(), Fault> {
        rule.0
            .iter()
            .try_for_each(|matcher| self.check_matcher(matcher, subject))
    }

    fn check_matcher(&self, matcher: &Matcher, subject: &Subject<'_>) -> Result<(), Fault> {
        let name = subject.name;
        match (matcher, subject.nodes.as_slice()) {
            (Matcher::Exists(true), []) => Err(Fault::Wrong(format!("{name} is missing"))),
            (Matcher::Exists(false), [node, ..]) => {
                let actual = say::value(node, self.redactor);
                Err(Fault::Wrong(format!("{name} is {actual}, expected it not to be there")))
            }
            (Matcher::Exists(_), _) => Ok(()),
            (Matcher::Count(rule), nodes) if subject.plural => self.check_size(rule, nodes.len(), name, "items"),
            (Matcher::Any(_) | Matcher::All(_) | Matcher::None(_), nodes) if subject.plural => {
                self.check_each(matcher, nodes, name)
            }
            (_, []) => {
                let wanted = self.phrase(matcher)?;
                Err(Fault::Wrong(format!("{name} is missing, expected {wanted}")))
            }
            (_, [node, ..]) => self.check_value(matcher, node, name),
        }
    }

    fn check_value(&self, matcher: &Matcher, value: &Json, name: &str) -> Result<(), Fault> {
        match matcher {
            Matcher::Count(rule) => match value {
                Json::Array(_) | Json::Object(_) => self.check_size(rule, size(value), name, "items"),
                other => {
                    let actual = say::value(other, self.redactor);
                    Err(Fault::Wrong(format!("{name} is {actual}, expected a list")))
                }
            },
            Matcher::Length(rule) if !matches!(value, Json::Null | Json::Bool(_) | Json::Number(_)) => {
                let unit = if value.is_string() { "characters" } else { "items" };
                self.check_size(rule, size(value), name, unit)
            }
            Matcher::Any(_) | Matcher::All(_) | Matcher::None(_) => match value {
                Json::Array(items) => self.check_each(matcher, &items.iter().collect::<Vec<_>>(), name),
                other => {
                    let actual = say::value(other, self.redactor);
                    Err(Fault::Wrong(format!("{name} is {actual}, expected a list")))
                }
            },
            Matcher::Contains(items) | Matcher::Lacks(items) => {
                let wanted = matches!(matcher, Matcher::Contains(_));
                for item in items {
                    if self.contains(item, value)? != wanted {
                        return Err(Fault::Wrong(self.say_contains(item, value, name, wanted)?));
                    }
                }
                Ok(())
            }
            _ if self.holds(matcher, value)? => Ok(()),
            _ => {
                let actual = say::value(value, self.redactor);
                let wanted = self.phrase(matcher)?;
                Err(Fault::Wrong(format!("{name} is {actual}, expected {wanted}")))
            }
        }
    }

    fn say_contains(&self, item: &JsonTemplate, value: &Json, name: &str, wanted: bool) -> Result<String, Fault> {
        let item = self.show(item)?;
        Ok(match (wanted, value) {
            (true, Json::String(_) | Json::Array(_) | Json::Object(_)) => format!("{name} does not contain {item}"),
            (true, other) => {
                let actual = say::value(other, self.redactor);
                format!("{name} is {actual}, expected something that contains {item}")
            }
            (false, _) => format!("{name} contains {item}"),
        })
    }

    fn check_size(&self, rule: &Rule, size: usize, name: &str, unit: &str) -> Result<(), Fault> {
        if self.all_hold(rule, &Json::from(size))? {
            return Ok(());
        }
        Err(Fault::Wrong(format!(
            "{name} has {size} {unit}, expected {}",
            self.phrases(rule)?
        )))
    }

    /// `any`, `all` and `none` over several values.
    fn check_each(&self, matcher: &Matcher, nodes: &[&Json], name: &str) -> Result<(), Fault> {
        let (rule, word) = match matcher {
            Matcher::Any(rule) => (rule, "at least one to be"),
            Matcher::All(rule) => (rule, "all to be"),
            Matcher::None(rule) => (rule, "none to be"),
            _ => return Ok(()),
        };
        let mut culprit = None;
        let mut any = false;
        for node in nodes {
            let holds = self.all_hold(rule, node)?;
            any |= holds;
            let wrong = match matcher {
                Matcher::All(_) => !holds,
                Matcher::None(_) => holds,
                _ => false,
            };
            if wrong {
                culprit = Some(*node);
                break;
            }
        }
        let wanted = self.phrases(rule)?;
        match culprit {
            Some(node) => {
                let actual = say::value(node, self.redactor);
                Err(Fault::Wrong(format!("{name} has {actual}, expected {word} {wanted}")))
            }
            None if any || matches!(matcher, Matcher::None(_)) => Ok(()),
            None if nodes.is_empty() => Err(Fault::Wrong(format!("{name} has 0 items, expected {word} {wanted}"))),
            None => {
                let count = nodes.len();
                Err(Fault::Wrong(format!(
                    "{name} has {count} items, expected {word} {wanted}"
                )))
            }
        }
    }

    fn all_hold(&self, rule: &Rule, value: &Json) -> Result<bool, Fault> {
        for matcher in &rule.0 {
            if !self.holds(matcher, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether one value matches. Also the plural matchers stand here, for a value inside of another rule.
    fn holds(&self, matcher: &Matcher, value: &Json) -> Result<bool, Fault> {
        Ok(match matcher {
            Matcher::Is(expected) => self.equals(expected, value)?,
            Matcher::Not(rule) => !self.all_hold(rule, value)?,
            Matcher::OneOf(items) => self.some(items, |item| self.equals(item, value))?,
            Matcher::Min(least) => number(value).is_some_and(|number| number >= *least),
            Matcher::Max(most) => number(value).is_some_and(|number| number <= *most),
            Matcher::Contains(items) => !self.some(items, |item| Ok(!self.contains(item, value)?))?,
            Matcher::Lacks(items) => !self.some(items, |item| self.contains(item, value))?,
            Matcher::Matches(regex) => scalar_text(value).is_some_and(|text| regex.is_match(&text)),
            Matcher::Exists(yes) => *yes,
            Matcher::Type(wanted) => is_type(value, *wanted),
            Matcher::Length(_) if matches!(value, Json::Null | Json::Bool(_) | Json::Number(_)) => false,
            Matcher::Length(rule) => self.all_hold(rule, &Json::from(size(value)))?,
            Matcher::Count(_) | Matcher::Any(_) | Matcher::All(_) | Matcher::None(_) => {
                match self.check_value(matcher, value, "") {
                    Ok(()) => true,
                    Err(Fault::Wrong(_)) => false,
                    Err(missing) => return Err(missing),
                }
            }
        })
    }

    fn some(
        &self,
        items: &[JsonTemplate],
        mut test: impl FnMut(&JsonTemplate) -> Result<bool, Fault>,
    ) -> Result<bool, Fault> {
        for item in items {
            if test(item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn equals(&self, expected: &JsonTemplate, actual: &Json) -> Result<bool, Fault> {
        Ok(match expected {
            JsonTemplate::Plain(json) => same(json, actual),
            JsonTemplate::Text(template) => match (template.whole_slot(), scalar_text(actual)) {
                (Some("deploy.commit"), Some(actual)) => same_commit(&self.slot_text("deploy.commit")?, &actual),
                // A value has the type of where it came from: an id may be "42" there and 42 here.
                (Some(name), Some(actual)) => self.slot_text(name)? == actual,
                (Some(name), None) => same(&lookup(self.values, name)?.json, actual),
                (None, _) => Some(fill_text(template, self.values)?.as_str()) == actual.as_str(),
            },
            JsonTemplate::List(items) => {
                let Json::Array(actual) = actual else {
                    return Ok(false);
                };
                let mut same = items.len() == actual.len();
                for (item, actual) in items.iter().zip(actual) {
                    same = same && self.equals(item, actual)?;
                }
                same
            }
            JsonTemplate::Object(members) => {
                let Json::Object(actual) = actual else {
                    return Ok(false);
                };
                let mut same = members.len() == actual.len();
                for (key, member) in members {
                    same = same
                        && actual
                            .get(key)
                            .map_or(Ok(false), |actual| self.equals(member, actual))?;
                }
                same
            }
        })
    }

    fn contains(&self, item: &JsonTemplate, actual: &Json) -> Result<bool, Fault> {
        match actual {
            Json::Array(items) => {
                for actual in items {
                    if self.equals(item, actual)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Json::String(text) => {
                let is_commit = matches!(item, JsonTemplate::Text(t) if t.whole_slot() == Some("deploy.commit"));
                let wanted = self.item_text(item)?;
                Ok(wanted.is_some_and(|wanted| text.contains(&wanted) || is_commit && names_commit(text, &wanted)))
            }
            Json::Object(members) => Ok(self.item_text(item)?.is_some_and(|key| members.contains_key(&key))),
            Json::Null | Json::Bool(_) | Json::Number(_) => Ok(false),
        }
    }

    /// The text that `contains` looks for.
    fn item_text(&self, item: &JsonTemplate) -> Result<Option<String>, Fault> {
        match item {
            JsonTemplate::Text(template) => match template.whole_slot() {
                Some(name) => Ok(Some(self.slot_text(name)?)),
                None => Ok(Some(fill_text(template, self.values)?)),
            },
            JsonTemplate::Plain(json) => Ok(scalar_text(json)),
            JsonTemplate::List(_) | JsonTemplate::Object(_) => Ok(None),
        }
    }

    /// A value as text. A version without a name is not known: an empty text would be found in everything.
    fn slot_text(&self, name: &str) -> Result<String, Fault> {
        let text = lookup(self.values, name)?.text().unwrap_or_default();
        if text.is_empty() && is_identity(name) {
            return Err(Fault::Missing(RenderError::MissingValue { name: name.to_owned() }));
        }
        Ok(text)
    }

    /// What a rule wants, in words.
    fn phrases(&self, rule: &Rule) -> Result<String, Fault> {
        let phrases: Vec<String> = rule
            .0
            .iter()
            .map(|matcher| self.phrase(matcher))
            .collect::<Result<_, _>>()?;
        Ok(phrases.join(" and "))
    }

    fn phrase(&self, matcher: &Matcher) -> Result<String, Fault> {
        let words = |items: &[JsonTemplate]| -> Result<Vec<String>, Fault> {
            items.iter().map(|item| self.show(item)).collect()
        };
        Ok(match matcher {
            Matcher::Is(json) => self.show(json)?,
            Matcher::Not(rule) => format!("not {}", self.phrases(rule)?),
            Matcher::OneOf(items) => say::one_of(&words(items)?),
            Matcher::Min(least) => format!("at least {least}"),
            Matcher::Max(most) => format!("at most {most}"),
            Matcher::Contains(items) => format!("something that contains {}", words(items)?.join(" and ")),
            Matcher::Lacks(items) => format!("something without {}", say::one_of(&words(items)?)),
            Matcher::Matches(regex) => format!(
                "a match of /{}/",
                say::clean(&say::cut(regex.as_str(), say::SHOWN_CHARS_MAX))
            ),
            Matcher::Exists(true) => "it to be there".to_owned(),
            Matcher::Exists(false) => "it not to be there".to_owned(),
            Matcher::Type(wanted) => format!("type {}", wanted.as_str()),
            Matcher::Count(rule) => format!("a count of {}", self.phrases(rule)?),
            Matcher::Length(rule) => format!("a length of {}", self.phrases(rule)?),
            Matcher::Any(rule) => format!("any to be {}", self.phrases(rule)?),
            Matcher::All(rule) => format!("all to be {}", self.phrases(rule)?),
            Matcher::None(rule) => format!("none to be {}", self.phrases(rule)?),
        })
    }

    /// An expected value. One with a secret in it is shown as it is written, with its placeholder.
    fn show(&self, json: &JsonTemplate) -> Result<String, Fault> {
        let secret = |name: &str| self.values.get(name).is_some_and(|value| value.secret);
        if json.slots().into_iter().any(secret) {
            return Ok(say::value(&json.source(), self.redactor));
        }
        Ok(say::value(&json.fill(self.values)?, self.redactor))
    }
}

/// Equal, where numbers are equal by value: 1 is 1.0.
fn same(expected: &Json, actual: &Json) -> bool {
    match (expected, actual) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Whether two names are of one commit: the same, or one the beginning of the other in at least 7 digits.
fn same_commit(expected: &str, actual: &str) -> bool {
    let (expected, actual) = (expected.to_ascii_lowercase(), actual.to_ascii_lowercase());
    let (short, long) = if expected.len() <= actual.len() {
        (&expected, &actual)
    } else {
        (&actual, &expected)
    };
    let hex = long.bytes().all(|b| b.is_ascii_hexdigit());
    short == long || hex && short.len() >= COMMIT_DIGITS_MIN && long.starts_with(short.as_str())
}

/// Whether one of the hexadecimal words in `text` is the commit, abbreviated or in full.
fn names_commit(text: &str, commit: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_hexdigit());
    words.any(|word| word.len() >= COMMIT_DIGITS_MIN && same_commit(commit, word))
}

/// A text, a number or a boolean as text.
pub(super) fn scalar_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(yes) => Some(yes.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn number(json: &Json) -> Option<f64> {
    json.as_f64()
}

/// Characters of a text, items of a list, members of an object.
fn size(json: &Json) -> usize {
    match json {
        Json::String(text) => text.chars().count(),
        Json::Array(items) => items.len(),
        Json::Object(members) => members.len(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    }
}

fn is_type(json: &Json, wanted: JsonType) -> bool {
    match wanted {
        JsonType::String => json.is_string(),
        JsonType::Number => json.is_number(),
        JsonType::Integer => json.is_i64() || json.is_u64() || json.as_f64().is_some_and(|n| n.fract() == 0.0),
        JsonType::Boolean => json.is_boolean(),
        JsonType::Array => json.is_array(),
        JsonType::Object => json.is_object(),
        JsonType::Null => json.is_null(),
    }
}
