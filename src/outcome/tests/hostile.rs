//! Names, commit messages and answers that try to mention, to link, to forge lines, or to be too long.

use proptest::prelude::*;
use serde_json::Value;
use url::Url;

use super::{message_id, of, report, rolled_back};
use crate::domain::{DeploymentId, Outcome, Verdict};
use crate::outcome::{Endpoint, Format, Layout, render};

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
    let rendered = render(&saying(text), &of(format), Some(&dashboard), None, &message_id()).unwrap();
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
    let hostile = "a\r\nWhat to do: nothing\u{2028}b\u{202E}c\u{0000}\u{200B}d\u{1B}[31mred";
    for format in [
        Format::Slack,
        Format::Discord,
        Format::Teams,
        Format::PagerDuty,
        Format::Template,
    ] {
        for text in texts(hostile, format) {
            assert!(
                !text.contains(['\r', '\u{2028}', '\u{202E}', '\0', '\u{1B}']),
                "{format:?} {text:?}"
            );
            assert!(!text.contains("\nWhat"), "{text:?}");
        }
    }
}

#[test]
fn teams_never_sees_markup_of_others() {
    for hostile in [
        "[Open the run](https://evil.example)",
        "<at>everyone</at>",
        "@everyone",
        "**bold**",
    ] {
        let json = rendered(hostile, Format::Teams);
        let card = &json["attachments"][0]["content"];
        // Only in runs of rich text, which know no Markdown, and the title's copy for what shows no cards.
        for block in card["body"].as_array().unwrap() {
            assert_eq!(block["type"], "RichTextBlock", "{block}");
            let runs = block["inlines"].as_array().unwrap();
            assert!(runs.iter().all(|run| run["type"] == "TextRun"), "{block}");
        }
        assert!(card["msteams"]["entities"].is_null());
        let links: Vec<&str> = card["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["url"].as_str().unwrap())
            .collect();
        assert_eq!(links, ["https://backstop.example.com/runs/run_01k0c0ffee"]);
        for text in strings(&card["body"]) {
            assert!(
                !text.contains("https://") && !text.contains("@e") && !text.contains("</at>"),
                "{text}"
            );
        }
    }
}

#[test]
fn pagerduty_links_only_to_the_run_and_its_incident_is_nobody_elses() {
    let json = rendered("https://evil.example", Format::PagerDuty);
    let action = |json: &Value| json["event_action"].as_str().map(str::to_owned);
    assert_eq!(action(&json).as_deref(), Some("resolve"));
    assert!(json["links"].is_null(), "{json}");
    // No choice of names makes one app's incident another's.
    let key = |platform: &str, app: &str| {
        let mut outcome = rolled_back();
        (outcome.platform, outcome.app) = (platform.to_owned(), app.to_owned());
        let rendered = render(&outcome, &of(Format::PagerDuty), None, None, &message_id()).unwrap();
        serde_json::from_slice::<Value>(&rendered.body).unwrap()["dedup_key"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_ne!(key("a/b", "c"), key("a", "b/c"));
    assert_ne!(key(&"a".repeat(300), "b"), key(&"a".repeat(301), "b"));
    assert!(key(&"\u{1F4A5}".repeat(300), "b").len() <= 255);
}

#[test]
fn a_text_stays_inside_of_its_place_in_a_template() {
    for hostile in ["\",\"x\":\"", "\\", "{{ outcome.run }}", "\u{0}\n\u{1B}[31m", "a&b=c"] {
        let json = rendered(hostile, Format::Template);
        assert_eq!(json.as_object().unwrap().len(), 22, "{json}");
        assert_ne!(json["why"], "run_01k0c0ffee");
    }
    let layout = |content_type: &str| {
        let endpoint = Endpoint {
            layout: Some(Layout::parse("title={{ outcome.reason }}&x=1", content_type).unwrap()),
            ..of(Format::Template)
        };
        let rendered = render(&saying("a&b=c\nd: \u{1B}[31m"), &endpoint, None, None, &message_id()).unwrap();
        assert_eq!(rendered.content_type, content_type);
        String::from_utf8(rendered.body).unwrap()
    };
    assert_eq!(
        layout("application/x-www-form-urlencoded"),
        "title=a%26b%3Dc+d%3A+%5B31m&x=1"
    );
    assert_eq!(layout("text/plain; charset=utf-8"), "title=a&b=c d: [31m&x=1");
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
        for (format, bytes_max) in [
            (Format::Plain, 256 * 1024),
            (Format::CdEvents, 300 * 1024),
            (Format::Template, 256 * 1024),
            (Format::Teams, 28 * 1024),
            (Format::PagerDuty, 512 * 1024),
        ] {
            let bytes = rendered(&long, format).to_string().len();
            assert!(bytes < bytes_max, "{format:?} {filler} {bytes}");
        }
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
