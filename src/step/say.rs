//! How values are shown to people: short, on one line, and with nothing in them that a terminal would obey.

use std::time::Duration;

use serde_json::Value as Json;

use super::redact::Redactor;

/// How much of an actual value is shown, in characters.
pub(super) const SHOWN_CHARS_MAX: usize = 80;

/// `text` with control characters, and those that turn or hide what follows, written as escapes.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => clean.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => clean.push(c),
        }
    }
    clean
}

/// Unicode's line separators, directional marks, zero-width characters and the byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

/// The first `chars_max` characters of `text`, with `…` if there are more.
pub fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// An actual value: redacted, cut, one line; a text in quotes, anything else as compact JSON.
pub(super) fn value(json: &Json, redactor: &Redactor) -> String {
    match json {
        Json::String(text) => format!("\"{}\"", shown(text, redactor)),
        // Large lists and objects are told by their size; what they hold is another rule's matter.
        Json::Array(items) if items.len() > SHOWN_CHARS_MAX / 2 => format!("a list of {} items", items.len()),
        Json::Object(members) if members.len() > SHOWN_CHARS_MAX / 8 => {
            format!("an object of {} members", members.len())
        }
        other => shown(&other.to_string(), redactor),
    }
}

/// Text, redacted, cut and clean.
pub(super) fn shown(text: &str, redactor: &Redactor) -> String {
    // Enough for the longest characters.
    let bytes = SHOWN_CHARS_MAX * 4;
    let mut redacted = redactor.redact_start(text, bytes);
    if text.len() > bytes {
        redacted.push('…');
    }
    clean(&cut(&redacted, SHOWN_CHARS_MAX))
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn one_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// `800 ms`, `2 s`, `2.31 s`.
pub(super) fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms < 1000 {
        return format!("{ms} ms");
    }
    let text = format!("{}.{:02}", ms / 1000, ms % 1000 / 10);
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}
