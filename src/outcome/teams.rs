//! Microsoft Teams: an adaptive card for a webhook (Workflows, "post to a channel when a webhook request is received").
//!
//! Every text that is not ours stands in a `TextRun`, which knows no Markdown, so that none makes a link; mentions need an
//! `entities` list, which there is none of (<https://adaptivecards.microsoft.com/?topic=RichTextBlock>).

use serde_json::{Value, json};

use super::chat::Message;
use super::text::line;
use super::words::Severity;

/// A whole card may have 28 KB; these leave room for all of its texts.
const TITLE_UNITS_MAX: usize = 256;
const TEXT_UNITS_MAX: usize = 1_500;
const FACT_UNITS_MAX: usize = 300;
const CHECK_UNITS_MAX: usize = 200;

/// The message as JSON text.
pub(super) fn render(message: &Message) -> String {
    let title = line(&format!("{} {}", message.sign, message.title), TITLE_UNITS_MAX, escape);
    let mut body = vec![
        rich(vec![json!({
            "type": "TextRun", "text": title, "weight": "Bolder", "size": "Large", "color": colour(message.severity),
        })]),
        rich(vec![run(&message.reason, TEXT_UNITS_MAX)]),
    ];
    let checks = message.checks.iter();
    body.extend(checks.map(|check| rich(vec![run("•", 1), run_after(check, CHECK_UNITS_MAX)])));
    let facts = message.facts.iter();
    body.extend(facts.map(|(label, value)| labelled(label, value, FACT_UNITS_MAX)));
    body.push(labelled("What to do", message.next, TEXT_UNITS_MAX));
    body.push(rich(vec![json!({
        "type": "TextRun", "text": line(&message.origin, FACT_UNITS_MAX, escape), "size": "Small", "isSubtle": true,
    })]));
    let actions: Vec<Value> = message
        .links
        .iter()
        .map(|(words, link)| json!({"type": "Action.OpenUrl", "title": words, "url": link.as_str()}))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "fallbackText": title,
                "body": body,
                "actions": actions,
            },
        }],
    })
    .to_string()
}

/// A card's own words for colours.
const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "accent",
        Severity::Good => "good",
        Severity::Warning => "warning",
        Severity::Critical => "attention",
    }
}

fn labelled(label: &str, value: &str, units_max: usize) -> Value {
    rich(vec![
        json!({"type": "TextRun", "text": format!("{label}: "), "weight": "Bolder"}),
        run(value, units_max),
    ])
}

fn rich(inlines: Vec<Value>) -> Value {
    json!({"type": "RichTextBlock", "inlines": inlines})
}

fn run(text: &str, units_max: usize) -> Value {
    json!({"type": "TextRun", "text": line(text, units_max, escape)})
}

/// The same after something.
fn run_after(text: &str, units_max: usize) -> Value {
    json!({"type": "TextRun", "text": format!(" {}", line(text, units_max, escape))})
}

/// A blank of no width after `@` and between the slashes of an address, so that whatever still looks for mentions and
/// addresses finds none.
fn escape(character: char, out: &mut String) {
    out.push(character);
    if matches!(character, '@' | '/') {
        out.push('\u{200B}');
    }
}
