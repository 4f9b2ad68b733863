//! Discord: one embed for a webhook.
//!
//! Nobody can be mentioned (`allowed_mentions`), and every character that Discord's Markdown knows is escaped, so that
//! no text that is not ours makes a link, a heading or a mention. Bounds are Discord's
//! (<https://docs.discord.com/developers/resources/message#embed-object>).

use serde_json::{Value, json};
use url::Url;

use super::chat::Message;
use super::plain::rfc3339_seconds;
use super::text::{line, verbatim};

/// Discord's bound.
const TITLE_UNITS_MAX: usize = 256;
/// Discord's bound is 4,096, but all texts of an embed together may have 6,000.
const DESCRIPTION_UNITS_MAX: usize = 1500;
/// Discord's bound is 25.
const FIELDS_MAX: usize = 25;
/// Discord's bound is 1,024; short ones leave room for the others within the 6,000.
const FACT_UNITS_MAX: usize = 250;
/// Discord's bound.
const VALUE_UNITS_MAX: usize = 1024;
/// Discord's bound is 2,048.
const FOOTER_UNITS_MAX: usize = 200;
/// A line of the list of checks; nine of them fit in one value.
const CHECK_UNITS_MAX: usize = 110;

/// The message as JSON text.
pub(super) fn render(message: &Message) -> String {
    let mut fields: Vec<Value> = message
        .facts
        .iter()
        .map(|(label, value)| field(label, line(value, FACT_UNITS_MAX, escape), true))
        .collect();
    if !message.checks.is_empty() {
        let lines: Vec<String> = message
            .checks
            .iter()
            .map(|check| line(check, CHECK_UNITS_MAX, escape))
            .collect();
        fields.push(field("Failing checks", lines.join("\n"), false));
    }
    fields.push(field("What to do", next(message), false));
    fields.truncate(FIELDS_MAX);
    let mut embed = json!({
        "title": line(&format!("{} {}", message.sign, message.title), TITLE_UNITS_MAX, escape),
        "description": line(&message.reason, DESCRIPTION_UNITS_MAX, escape),
        "color": message.severity.colour(),
        "timestamp": rfc3339_seconds(message.at),
        "fields": fields,
        "footer": {"text": line(&message.origin, FOOTER_UNITS_MAX, verbatim)},
    });
    if let Some((_, link)) = message.links.first() {
        embed["url"] = json!(link.as_str());
    }
    json!({"embeds": [embed], "allowed_mentions": {"parse": []}}).to_string()
}

/// What to do, and the links as far as they fit.
fn next(message: &Message) -> String {
    let mut text = line(message.next, FACT_UNITS_MAX, escape);
    for (words, link) in &message.links {
        let link = format!("\n[{words}]({})", link_target(link));
        if text.encode_utf16().count() + link.encode_utf16().count() <= VALUE_UNITS_MAX {
            text.push_str(&link);
        }
    }
    text
}

fn field(name: &str, value: String, inline: bool) -> Value {
    json!({"name": name, "value": value, "inline": inline})
}

/// Writes a character so that Discord shows it and does nothing with it: a backslash before what its Markdown, its
/// emoji, its links (`https\://`) and its mentions begin with, and a blank of no width after `@`.
fn escape(character: char, out: &mut String) {
    match character {
        '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '[' | ']' | '(' | ')' | ':' => {
            out.push('\\');
            out.push(character);
        }
        '@' => out.push_str("@\u{200B}"),
        other => out.push(other),
    }
}

/// A link's target, in which brackets would end it.
fn link_target(link: &Url) -> String {
    link.as_str().replace('(', "%28").replace(')', "%29")
}
