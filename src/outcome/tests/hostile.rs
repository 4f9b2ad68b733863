//! Names, commit messages and answers that try to mention, to link, to forge lines, or to be too long.

use proptest::prelude::*;
use serde_json::Value;
use url::Url;

use super::{message_id, report, rolled_back};
use crate::domain::{DeploymentId, Outcome, Verdict};
use crate::outcome::{Format, render};

/// An outcome in which every text that others choose is `text`.
fn saying(text: &str) -> Outcome {
    let mut outcome = rolled_back();
    let own = || text.to_owned();
    (outcome.platform, outcome.app, outcome.environment) = (own(), own(), own());
    outcome.deployment = DeploymentId::new(text);
    outcome.commit.sha = Some(own());
    outcome.commit.message = Some(own());
    outcome.commit.author = Some(own());
    outcome.commit.branch = Some(own());
    (outcome.triggered_by, outcome.url) = (Some(own()), Some(own()));
    outcome.reason = own();
    let mut check = report(text, Verdict::Unhealthy, 3, 3);
    check.detail = Some(own());
    outcome.checks = vec![check; 30];
    if let Some(rollback) = &mut outcome.rollback {
        rollback.from = DeploymentId::new(text);
        rollback.to = DeploymentId::new(text);
        rollback.to_commit = Some(own());
        rollback.platform_state = Some(own());
    }
    outcome
}

fn rendered(text: &str, format: Format) -> Value {
    let dashboard = Url::parse("https://backstop.example.com/").unwrap();
    let rendered = render(&saying(text), format, Some(&dashboard), None, &message_id());
    serde_json::from_slice(&rendered.body).unwrap()
}

/// Every string in `json`, without the keys.
fn strings(json: &Value) -> Vec<&str> {
    match json {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(map) => map.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// The strings of a chat message without the one link that is ours.
fn texts(text: &str, format: Format) -> Vec<String> {
    let ours = [
        "<https://backstop.example.com/runs/run_01k0c0ffee|Open the run>",
        "[Open the run](https://backstop.example.com/runs/run_01k0c0ffee)",
        "https://backstop.example.com/runs/run_01k0c0ffee",
    ];
    let json = rendered(text, format);
    let without_ours = |text: &str| ours.iter().fold(text.to_owned(), |left, ours| left.replace(ours, ""));
    strings(&json).into_iter().map(without_ours).collect()
}

#[test]
fn slack_never_sees_a_control_sequence_of_others() {
    for hostile in [
        "<!here>",
        "<!channel> & <@U123>",
        "<https://evil.example|Open the run>",
        "&lt;!here&gt;",
        "@here @channel @everyone",
        "`code` ```fence",
    ] {
        for text in texts(hostile, Format::Slack) {
            assert!(!text.contains(['<', '>', '`']), "{hostile}: {text}");
            assert!(!text.contains("@here") && !text.contains("@U123"), "{hostile}: {text}");
            let unescaped = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!unescaped.contains('&'), "{hostile}: {text}");
        }
    }
}

#[test]
fn slack_makes_no_links_of_addresses_in_texts() {
    let json = rendered("https://evil.example", Format::Slack);
    fn check(json: &Value) {
        match json {
            Value::Object(map) => {
                if map.get("type") == Some(&"mrkdwn".into()) {
                    assert_eq!(map.get("verbatim"), Some(&true.into()), "{json}");
                }
                map.values().for_each(check);
            }
            Value::Array(items) => items.iter().for_each(check),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    check(&json);
    assert_eq!(json["unfurl_links"], false);
    assert_eq!(json["blocks"][0]["text"]["type"], "plain_text");
}

#[test]
fn discord_never_sees_markup_of_others() {
    for hostile in [
        "[Open the run](https://evil.example)",
        "**bold** __under__ ~~gone~~ ||spoiler|| `code`",
        "# heading > quote",
        "<@123> <@&456> <#789> <t:1> <:emoji:1>",
        "https://evil.example",
        "\\[x](y)",
    ] {
        for text in texts(hostile, Format::Discord)
            .iter()
            .filter(|text| text.contains('\\'))
        {
            let bare = without_escapes(text);
            let markup = ['*', '~', '`', '|', '>', '<', '#', '[', ']', '(', ')', ':', '\\'];
            assert!(!bare.contains(markup), "{hostile}: {text}");
        }
    }
}

#[test]
fn discord_mentions_nobody() {
    let json = rendered("@everyone @here", Format::Discord);
    assert_eq!(json["allowed_mentions"], serde_json::json!({"parse": []}));
    let embed = &json["embeds"][0];
    assert!(!embed["title"].to_string().contains("@everyone"), "{embed}");
    assert!(!embed["description"].to_string().contains("@here"), "{embed}");
}

#[test]
fn no_text_forges_a_line_or_turns_the_writing_direction() {
    let hostile = "a\r\nWhat to do: nothing\u{2028}b\u{202E}c\u{0000}\u{200B}d";
    for format in [Format::Slack, Format::Discord] {
        for text in texts(hostile, format) {
            assert!(!text.contains(['\r', '\u{2028}', '\u{202E}', '\0']), "{text:?}");
            assert!(!text.contains("\nWhat"), "{text:?}");
        }
    }
}

#[test]
fn plain_keeps_texts_as_they_are() {
    let json = rendered("<!here>\n\u{202E}\"\\", Format::Plain);
    assert_eq!(json["commit"]["message"], "<!here>\n\u{202E}\"\\");
}

#[test]
fn the_longest_texts_stay_within_every_bound() {
    for filler in ["x", "&", "[", "@", "é", "🛑", "\\"] {
        let long = filler.repeat(100_000);
        assert_slack_bounds(&rendered(&long, Format::Slack));
        assert_discord_bounds(&rendered(&long, Format::Discord));
        let plain = rendered(&long, Format::Plain).to_string();
        assert!(plain.len() < 256 * 1024, "{}", plain.len());
    }
}

/// Unescaped, so that only characters that still mean something are left.
fn without_escapes(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        } else {
            out.push(character);
        }
    }
    out
}

fn units(json: &Value) -> usize {
    json.as_str().unwrap_or_default().encode_utf16().count()
}

fn assert_discord_bounds(json: &Value) {
    let embed = &json["embeds"][0];
    let fields = embed["fields"].as_array().unwrap();
    assert!(fields.len() <= 25);
    let mut total = units(&embed["title"]) + units(&embed["description"]) + units(&embed["footer"]["text"]);
    assert!(units(&embed["title"]) <= 256);
    assert!(units(&embed["description"]) <= 4096);
    for field in fields {
        assert!(units(&field["name"]) <= 256);
        assert!((1..=1024).contains(&units(&field["value"])), "{field}");
        total += units(&field["name"]) + units(&field["value"]);
    }
    assert!(total <= 6000, "{total}");
}

fn assert_slack_bounds(json: &Value) {
    let header = &json["blocks"][0]["text"]["text"];
    assert!(units(header) <= 150);
    let blocks = json["attachments"][0]["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50);
    for block in blocks {
        assert!(units(&block["text"]["text"]) <= 3000);
        let fields = block["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(fields.len() <= 10);
        assert!(fields.iter().all(|field| units(&field["text"]) <= 2000));
    }
}

proptest! {
    #[test]
    fn any_text_renders_within_bounds_and_without_markup(text in any::<String>()) {
        assert_slack_bounds(&rendered(&text, Format::Slack));
        assert_discord_bounds(&rendered(&text, Format::Discord));
        for shown in texts(&text, Format::Slack) {
            prop_assert!(!shown.contains(['<', '>']), "{shown}");
        }
    }
}
