//! What the TOML parser found wrong, in words that say what to write; and a second reading of a text in which one slip
//! would hide all that stands behind it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, Error};

use super::{Problems, Source};

/// How often a text is mended: first the lines are written as TOML, then what is still no TOML is left out.
const MENDINGS_MAX: usize = 3;
/// A longer example is not shown in a help.
const EXAMPLE_CHARS_MAX: usize = 60;

/// The parser stops at a key without a value, and says nothing of the lines behind it.
const NO_VALUE: &str = "key with no value";
const NO_ASSIGNMENT: &str = "missing assignment";
const BAD_KEY: &str = "invalid unquoted key";
const EXTRA_EQUALS: &str = "extra `=`";
const UNEXPECTED: &str = "unexpected key or value";
const UNCLOSED_HEADER: &str = "unclosed table";
const BAD_STRING: &str = "invalid basic string";
const DUPLICATE: &str = "duplicate key";

/// Errors that only repeat another one of the same line.
const ECHOES: &[(&str, &str)] = &[
    (BAD_KEY, NO_VALUE),
    (BAD_KEY, NO_ASSIGNMENT),
    (UNEXPECTED, EXTRA_EQUALS),
    (BAD_STRING, UNCLOSED_HEADER),
];

/// Parses `source` as far as it can be, and reports every syntax error.
pub(super) fn parse<'a>(source: &'a Source, problems: &mut Problems) -> Spanned<DeTable<'a>> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    report(source, &errors, problems);
    if !errors.iter().any(|error| error.message().starts_with(NO_VALUE)) {
        return root;
    }
    let mended = source.mended.get_or_init(|| mend(&source.text));
    let (root, more) = DeTable::parse_recoverable(mended);
    // The lines that were mended have been reported as they are written.
    let untouched = |error: &&Error| {
        let line = line_at(&source.text, start_of(error));
        mended.get(line.clone()) == source.text.get(line)
    };
    let more: Vec<Error> = more.iter().filter(untouched).cloned().collect();
    report(source, &more, problems);
    root
}

/// The text with each key that has no value given one, or left out; every byte that stays is at its old place.
fn mend(text: &str) -> String {
    let mut mended = text.to_owned();
    for round in 0..MENDINGS_MAX {
        let (_, errors) = DeTable::parse_recoverable(&mended);
        let found = errors.iter().filter(|error| error.message().starts_with(NO_VALUE));
        let lines: Vec<Range<usize>> = found.map(|error| line_at(text, start_of(error))).collect();
        if lines.is_empty() {
            break;
        }
        for line in lines {
            let old = mended.get(line.clone()).unwrap_or_default();
            let new = if round == 0 { with_equals(old) } else { None };
            let new = new.unwrap_or_else(|| " ".repeat(old.len()));
            mended.replace_range(line, &new);
        }
    }
    mended
}

/// `key: value` and `key value` as `key= value`, of the same length.
fn with_equals(line: &str) -> Option<String> {
    let key = key_range(line)?;
    let between = line.get(key.end..)?.chars().next()?;
    let rest = line.get(key.end + between.len_utf8()..)?;
    let good = matches!(between, ':' | ' ' | '\t') && !rest.trim().is_empty();
    good.then(|| format!("{}={rest}", line.get(..key.end).unwrap_or_default()))
}

/// The key that `line` begins with.
fn key_range(line: &str) -> Option<Range<usize>> {
    let start = line.len() - line.trim_start().len();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let key: &str = line.get(start..)?;
    let length = key.find(|c| !is_key(c)).unwrap_or(key.len());
    let good = length > 0 && !key.starts_with('-');
    good.then_some(start..start + length)
}

fn report(source: &Source, errors: &[Error], problems: &mut Problems) {
    let text = &source.text;
    let line_of = |error: &Error| line_at(text, start_of(error)).start;
    for error in errors {
        let is_echo = ECHOES.iter().any(|(echo, cause)| {
            let caused = |other: &Error| other.message().starts_with(cause) && line_of(other) == line_of(error);
            error.message().starts_with(echo) && errors.iter().any(caused)
        });
        let in_twin = error.message().starts_with(DUPLICATE)
            && header_above(text, line_of(error)).is_some_and(|header| {
                let twin = |other: &Error| other.message().starts_with(DUPLICATE) && line_of(other) == header.start;
                errors.iter().any(twin)
            });
        if is_echo || in_twin {
            continue;
        }
        let span = error.span().unwrap_or(0..0);
        let (message, help) = explain(text, &span, error.message());
        problems.push_syntax(source.place(span), message, help);
    }
}

/// The message, and what to do about it.
fn explain(text: &str, span: &Range<usize>, message: &str) -> (String, Option<String>) {
    let marked = text.get(span.clone()).unwrap_or_default();
    let line = text.get(line_at(text, span.start)).unwrap_or_default().trim();
    let fixed = |help: &str| (lower_first(message), Some(help.to_owned()));
    if message.starts_with(DUPLICATE) {
        return duplicate(text, span);
    }
    if message.starts_with(NO_VALUE) {
        return no_value(line, message);
    }
    if message.starts_with("string values must be quoted") {
        return unquoted(marked);
    }
    let word = marked.to_lowercase();
    if message.starts_with("invalid boolean") && (word == "true" || word == "false") {
        return fixed(&format!("write `{word}`, in lower case"));
    }
    if message.starts_with("invalid boolean") || message.starts_with("invalid float, expected `nan`") {
        return unquoted(marked);
    }
    if message.contains("dotted key") {
        let of_table = message.contains("inline table");
        return fixed(if of_table {
            "a table written as `{ … }` is complete: put the key inside the braces, or write every key with dots"
        } else {
            "it has a value already, so it cannot have keys of its own: keep one of the two"
        });
    }
    let help = if message.starts_with(NO_ASSIGNMENT) {
        "a key and its value have `=` between them, in braces too: `{ name = \"value\" }`"
    } else if message.starts_with(EXTRA_EQUALS) {
        "one `=` stands between a key and its value; what an answer must be is said by matchers: `{ min = 1 }`"
    } else if message.starts_with(UNEXPECTED) && text.get(span.start..).is_some_and(|rest| rest.starts_with(',')) {
        "a line has no comma at its end: commas stand only inside of `[ … ]` and `{ … }`"
    } else if message.starts_with(UNEXPECTED) {
        "each key has a line of its own"
    } else if message.starts_with(BAD_STRING) {
        "a string ends with `\"` on the line it begins on; for several lines write `\"\"\"` around it"
    } else if message.contains("literal string") {
        "a string ends with `'` on the line it begins on"
    } else if message.starts_with("missing escaped value") {
        "in `\"…\"` a backslash begins an escape; in `'…'` it is a backslash, as regular expressions need it"
    } else if message.starts_with("missing comma") {
        "put a comma between the two"
    } else if message.starts_with(UNCLOSED_HEADER) {
        "a header ends with `]`, and a name with a space in it is quoted: `[check.home]`, `[env.\"my app\"]`"
    } else if message.starts_with(BAD_KEY) {
        "a key has letters, digits, `_` and `-`; write any other in quotes: `json.\"$.items[0]\"`"
    } else if message.starts_with("invalid key-value pair") && line.starts_with('{') {
        "this is written as JSON; the config is TOML: `[check.home]`, and below it `get = \"/\"`"
    } else {
        return (lower_first(message), None);
    };
    fixed(help)
}

/// A key or a table that is there twice, and where it is first.
fn duplicate(text: &str, span: &Range<usize>) -> (String, Option<String>) {
    let key = text.get(span.clone()).unwrap_or_default();
    let line = line_at(text, span.start);
    let own = text.get(line.clone()).unwrap_or_default();
    if own.trim_start().starts_with('[') {
        let header = bare_header(own);
        let first = text.lines().position(|line| bare_header(line) == header);
        let message = first.map_or_else(
            || format!("`{key}` has its keys elsewhere already"),
            |first| format!("{header} is already at line {}", first + 1),
        );
        let first = first.filter(|first| *first < line_number(text, span.start));
        let help = "a table has one header: put the keys together, or give one of them another name";
        return match first {
            Some(_) => (message, Some(help.to_owned())),
            None => (
                format!("`{key}` has its keys elsewhere already"),
                Some("a table has one header, or keys with dots, but not both: put the keys together".to_owned()),
            ),
        };
    }
    let whole = text.get(line.start..span.end).unwrap_or_default().trim_start();
    let from = header_above(text, line.start).map_or(0, |header| header.end);
    let before = text.get(from..line.start).unwrap_or_default();
    let begins = |line: &str| {
        let rest = line.trim_start().strip_prefix(whole);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
    };
    let first = before.lines().position(begins);
    let message = match first {
        Some(first) => format!("`{whole}` is already at line {}", line_number(text, from) + first + 1),
        None => format!("`{key}` is there twice"),
    };
    (message, Some("keep one of the two".to_owned()))
}

fn bare_header(line: &str) -> &str {
    let line = line.trim();
    let end = line.rfind(']').map_or(line.len(), |at| at + 1);
    line.get(..end).unwrap_or(line)
}

fn no_value(line: &str, message: &str) -> (String, Option<String>) {
    let Some(key) = key_range(line) else {
        let help = "this looks like YAML; the config is TOML: `[check.home]`, and below it `get = \"/\"`";
        let help = line.starts_with('-').then(|| help.to_owned());
        return (lower_first(message), help);
    };
    let (name, rest) = line.split_at(key.end);
    let colon = rest.starts_with(':');
    let value = rest.trim_start_matches([':', ' ', '\t']);
    let message = format!("`{name}` has no `=`");
    let example = format!("{name} = {}", quoted(value));
    let example = if value.is_empty() || example.chars().count() > EXAMPLE_CHARS_MAX {
        format!("{name} = …")
    } else {
        example
    };
    let help = if colon {
        format!("TOML has `=` where YAML and JSON have `:`: write `{example}`")
    } else {
        format!("write `{example}`")
    };
    (message, Some(help))
}

/// A value as TOML has it: what is no string, number, boolean, list or table gets quotes.
fn quoted(value: &str) -> String {
    let plain = value.starts_with(['"', '\'', '[', '{']) || value.parse::<f64>().is_ok();
    if plain || value == "true" || value == "false" || value.is_empty() {
        value.to_owned()
    } else {
        format!("\"{value}\"")
    }
}

fn unquoted(marked: &str) -> (String, Option<String>) {
    let curly = ['“', '”', '„', '‘', '’', '«', '»'];
    if marked.is_empty() {
        let help = "write one behind the `=`, or take the key out";
        return ("a value is missing".to_owned(), Some(help.to_owned()));
    }
    let help = if marked.contains(curly) {
        let bare = marked.trim_matches(|c| curly.contains(&c) || c == '"');
        format!("these quotes are typographic: write `\"{bare}\"`")
    } else if ["yes", "on"].contains(&marked) {
        "write `true`, or quotes around it".to_owned()
    } else if ["no", "off"].contains(&marked) {
        "write `false`, or quotes around it".to_owned()
    } else if ["null", "nil", "None", "undefined"].contains(&marked) {
        "TOML has no null: leave the key out, or expect `{ type = \"null\" }`".to_owned()
    } else if marked.contains(['"', '\\']) || marked.chars().count() > EXAMPLE_CHARS_MAX {
        "write `'…'` around it".to_owned()
    } else {
        format!("write `\"{marked}\"`")
    };
    ("a text needs quotes around it".to_owned(), Some(help))
}

fn start_of(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// The line that holds the byte `at`, without its end.
fn line_at(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let bytes = text.as_bytes();
    let before = bytes.get(..at).unwrap_or_default();
    let behind = bytes.get(at..).unwrap_or_default();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end = behind
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .map_or(text.len(), |length| at + length);
    start..end
}

/// How many lines end before the byte `at`.
fn line_number(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at.min(text.len())).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count()
}

/// The line of the header that the byte `at` stands under.
fn header_above(text: &str, at: usize) -> Option<Range<usize>> {
    let mut end = at;
    while end > 0 {
        let line = line_at(text, end - 1);
        if text.get(line.clone())?.trim_start().starts_with('[') {
            return Some(line);
        }
        end = line.start;
    }
    None
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}
