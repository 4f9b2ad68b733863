//! Slack: Block Kit for an incoming webhook.
//!
//! Slack reads `&`, `<` and `>` as control characters: `<!here>` mentions, `<https://…|text>` links. They are escaped
//! in every text that is not ours, and `verbatim` keeps Slack from making links and mentions of what is left. Bounds
//! are Slack's (<https://docs.slack.dev/reference/block-kit/blocks>).

use serde_json::{Value, json};
use url::Url;

use super::chat::Message;
use super::text::line;

/// Slack's bound of a header block's text.
const HEADER_UNITS_MAX: usize = 150;
/// Slack's bound of a section's text is 3,000; a paragraph of ours stays well below.
const PARAGRAPH_UNITS_MAX: usize = 1500;
/// Slack's bound of a field's text is 2,000, label and all.
const FIELD_UNITS_MAX: usize = 500;
/// A check's line; nine of them stay below a section's bound.
const CHECK_UNITS_MAX: usize = 300;

/// The message as JSON text.
pub(super) fn render(message: &Message) -> String {
    let title = line(&format!("{} {}", message.sign, message.title), HEADER_UNITS_MAX, escape);
    let mut blocks = vec![section(line(&message.reason, PARAGRAPH_UNITS_MAX, escape))];
    if !message.checks.is_empty() {
        let lines: Vec<String> = message
            .checks
            .iter()
            .map(|check| format!("• {}", line(check, CHECK_UNITS_MAX, escape)))
            .collect();
        blocks.push(section(lines.join("\n")));
    }
    blocks.push(fields(&message.facts));
    blocks.push(section(format!(
        "*What to do:* {}",
        line(message.next, PARAGRAPH_UNITS_MAX, escape)
    )));
    for (words, link) in &message.links {
        blocks.push(section(format!("<{}|{words}>", link_target(link))));
    }
    blocks.push(json!({"type": "context", "elements": [mrkdwn(line(&message.origin, FIELD_UNITS_MAX, escape))]}));
    json!({
        "text": title, // what a notification shows
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": [{"type": "header", "text": {"type": "plain_text", "text": title, "emoji": false}}],
        "attachments": [{"color": format!("#{:06X}", message.severity.colour()), "blocks": blocks}],
    })
    .to_string()
}

fn fields(facts: &[(&'static str, String)]) -> Value {
    let fields: Vec<Value> = facts
        .iter()
        .map(|(label, value)| mrkdwn(format!("*{label}*\n{}", line(value, FIELD_UNITS_MAX, escape))))
        .collect();
    json!({"type": "section", "fields": fields})
}

fn section(text: String) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

fn mrkdwn(text: String) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

/// Writes a character so that Slack shows it and does nothing with it. The blank of no width after `@` keeps `@here`
/// from being read as a mention by whatever still looks for one.
fn escape(character: char, out: &mut String) {
    match character {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '@' => out.push_str("@\u{200B}"),
        // Half of `code` would swallow what follows it, and a pair could hide it.
        '`' => out.push('\''),
        other => out.push(other),
    }
}

/// A link's target, in which `|` would end it.
fn link_target(link: &Url) -> String {
    link.as_str().replace('|', "%7C").replace('&', "&amp;")
}
