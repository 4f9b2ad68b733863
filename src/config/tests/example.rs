use std::time::Duration;

use super::{Given, deployment, shown};
use crate::config::Limit;
use crate::domain::{Mode, Timestamp};

const EXAMPLE: &str = include_str!("../../../checks.example.toml");

fn env() -> Given {
    Given::main(EXAMPLE)
        .var("BACKSTOP_ADMIN_TOKEN", "admin-token")
        .var("BACKSTOP_READ_TOKEN", "read-token")
        .var("TEMPS_API_TOKEN", "api-token")
        .var("TEMPS_WEBHOOK_SECRET", "webhook-secret")
        .var("OUTCOME_SECRET", "outcome-secret")
        .var("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T0/B0/x")
        .var("PREVIEW_KEY", "preview-key")
        .file("/run/secrets/smoke_password", "smoke-password\n")
        .file("LICENSE-MIT", "MIT")
}

#[test]
fn the_example_loads_without_a_warning() {
    let config = env().config();
    assert_eq!(shown(&config.warnings), "");
    let names: Vec<&str> = config.checks().map(|check| check.name.as_str()).collect();
    insta::assert_snapshot!(names.join(" "), @"home health pages[/pricing] pages[/docs] prices debug-is-off login orders account checkout shop products newsletter upload search partner database orders-service");
}

#[test]
fn the_example_says_what_it_seems_to_say() {
    let config = env().config();
    let production = config.settings_for(&deployment("shop-web", "production"));
    assert_eq!(production.mode, Mode::AutoRollback);
    assert_eq!(production.rollback.cooldown, Duration::from_secs(20 * 60));
    assert_eq!(production.rollback.max_per_hour, 2);
    assert_eq!(production.warmup.limit, Limit::Auto);
    assert_eq!(production.base.as_ref().unwrap().as_str(), "https://shop.example.com/");
    let staging = config.settings_for(&deployment("shop-web", "staging"));
    assert_eq!(staging.mode, Mode::AlertOnly);
    assert_eq!(
        staging.base.as_ref().unwrap().as_str(),
        "https://shop.staging.example.com/"
    );

    let saturday = Timestamp::parse_rfc3339("2026-03-14T12:00:00Z").unwrap();
    let freeze = config.freeze_now(&deployment("shop-web", "production"), saturday);
    assert_eq!(freeze.as_deref(), Some("Sat 00:00-Mon 06:00 Europe/Berlin"));

    assert_eq!(config.checks_for(&deployment("shop-web", "production")).len(), 18);
    assert_eq!(config.checks_for(&deployment("shop-web", "staging")).len(), 17);
    assert_eq!(config.checks_for(&deployment("blog", "production")).len(), 0);
}

#[test]
fn the_example_explains_where_each_value_comes_from() {
    let config = env().config();
    let explained = config.explain(&"search".into()).unwrap();
    let lines: Vec<String> = explained
        .iter()
        .map(|value| format!("{} = {} ({:?})", value.key, value.value, value.from))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    post = "/graphql" (Place("checks.toml:205"))
    repeat = true (Place("checks.toml:206"))
    graphql.query = 'query($q: String!) { search(q: $q) { name } }' (Place("checks.toml:207"))
    graphql.variables.q = "boots" (Place("checks.toml:207"))
    severity = "dependency" (Place("checks.toml:208"))
    expect.json.data.search.type = "array" (Place("checks.toml:209"))
    expect.json.errors.exists = false (Place("checks.toml:209"))
    expect.time = "2s" (Place("checks.toml:110"))
    timeout = "5s" (Place("checks.toml:109"))
    warn.time = "800ms" (Place("checks.toml:111"))
    when = { app = ["shop-web", "shop-api"], env = ["staging", "production"] } (Place("checks.toml:17"))
    base = "https://shop.example.com" (Place("checks.toml:21"))
    follow = true (BuiltIn)
    expect.status = "2xx" (BuiltIn)
    "#);
}

#[test]
fn the_example_without_its_secrets_names_each_of_them() {
    insta::assert_snapshot!(Given::main(EXAMPLE).var("OUTCOME_SECRET", " ").problems(), @r#"
    error: secret `BACKSTOP_ADMIN_TOKEN` has no value: it is not set
       --> checks.toml:27:16
        |
     27 | admin_token  = "{{ secret.BACKSTOP_ADMIN_TOKEN }}"
        |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = help: set the environment variable `BACKSTOP_ADMIN_TOKEN`, or name a file: `[secrets]` with `BACKSTOP_ADMIN_TOKEN = { file = "…" }`

    error: secret `BACKSTOP_READ_TOKEN` has no value: it is not set
       --> checks.toml:28:16
        |
     28 | read_token   = "{{ secret.BACKSTOP_READ_TOKEN }}" # sees the same and changes nothing
        |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = help: set the environment variable `BACKSTOP_READ_TOKEN`, or name a file: `[secrets]` with `BACKSTOP_READ_TOKEN = { file = "…" }`

    error: secret `TEMPS_API_TOKEN` has no value: it is not set
       --> checks.toml:43:10
        |
     43 | token  = "{{ secret.TEMPS_API_TOKEN }}"
        |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = help: set the environment variable `TEMPS_API_TOKEN`, or name a file: `[secrets]` with `TEMPS_API_TOKEN = { file = "…" }`

    error: secret `TEMPS_WEBHOOK_SECRET` has no value: it is not set
       --> checks.toml:44:10
        |
     44 | secret = "{{ secret.TEMPS_WEBHOOK_SECRET }}"
        |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = help: set the environment variable `TEMPS_WEBHOOK_SECRET`, or name a file: `[secrets]` with `TEMPS_WEBHOOK_SECRET = { file = "…" }`

    error: secret `PREVIEW_KEY` has no value: it is not set
        --> checks.toml:106:1
         |
     106 | headers.x-preview = "{{ secret.PREVIEW_KEY }}" # sent with each request to the base address
         | ^^^^^^^
         = help: set the environment variable `PREVIEW_KEY`, or name a file: `[secrets]` with `PREVIEW_KEY = { file = "…" }`

    error: secret `SMOKE_PASSWORD` has no value: no such file
        --> checks.toml:142:40
         |
     142 | json   = { user = "smoke", password = "{{ secret.SMOKE_PASSWORD }}" }
         |                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^
         = help: it is read from the file /run/secrets/smoke_password

    error: cannot read the file `LICENSE-MIT`: no such file
        --> checks.toml:201:75
         |
     201 | multipart = [{ name = "kind", value = "avatar" }, { name = "file", file = "LICENSE-MIT", type = "text/plain" }]
         |                                                                           ^^^^^^^^^^^^^

    error: secret `OUTCOME_SECRET` is empty
        --> checks.toml:238:10
         |
     238 | secret = "{{ secret.OUTCOME_SECRET }}"
         |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
         = help: set the environment variable `OUTCOME_SECRET`, or name a file: `[secrets]` with `OUTCOME_SECRET = { file = "…" }`

    error: secret `SLACK_WEBHOOK_URL` has no value: it is not set
        --> checks.toml:245:10
         |
     245 | slack  = "{{ secret.SLACK_WEBHOOK_URL }}" # or `discord`, `teams`; `pagerduty` (a routing key), `github` and `cdevents` too
         |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
         = help: set the environment variable `SLACK_WEBHOOK_URL`, or name a file: `[secrets]` with `SLACK_WEBHOOK_URL = { file = "…" }`
    "#);
}

proptest::proptest! {
    #[test]
    fn no_damage_to_the_example_makes_the_reader_panic(from in 0..EXAMPLE.len(), length in 0..200_usize, with in ".{0,3}") {
        let mut text = EXAMPLE.to_owned();
        let to = (from + length).min(text.len());
        if text.is_char_boundary(from) && text.is_char_boundary(to) {
            text.replace_range(from..to, &with);
        }
        if let Err(problems) = env().file("checks.toml", &text).load() {
            proptest::prop_assert!(!problems.is_empty());
        }
    }
}
