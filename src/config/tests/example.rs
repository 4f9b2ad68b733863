use std::time::Duration;

use super::{Given, deployment, shown};
use crate::config::Limit;
use crate::domain::{Mode, Timestamp};

const EXAMPLE: &str = include_str!("../../../checks.example.toml");

fn env() -> Given {
    Given::main(EXAMPLE)
        .var("BACKSTOP_ADMIN_TOKEN", "admin-token")
        .var("TEMPS_API_TOKEN", "api-token")
        .var("TEMPS_WEBHOOK_SECRET", "webhook-secret")
        .var("OUTCOME_SECRET", "outcome-secret")
        .var("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T0/B0/x")
        .file("/run/secrets/smoke_password", "smoke-password\n")
}

#[test]
fn the_example_loads_without_a_warning() {
    let config = env().config();
    assert_eq!(shown(&config.warnings), "");
    let names: Vec<&str> = config.checks().map(|check| check.name.as_str()).collect();
    insta::assert_snapshot!(names.join(" "), @"");
}

#[test]
fn the_example_says_what_it_seems_to_say() {
    let config = env().config();
    let production = config.settings_for(&deployment("shop-web", "production"));
    assert_eq!(production.mode, Mode::AutoRollback);
    assert_eq!(production.rollback.cooldown, Duration::from_secs(20 * 60));
    assert_eq!(production.rollback.max_per_hour, 2);
    assert_eq!(production.warmup.limit, Limit::Auto);
    assert_eq!(production.base.unwrap().as_str(), "https://shop.example.com/");
    let staging = config.settings_for(&deployment("shop-web", "staging"));
    assert_eq!(staging.mode, Mode::AlertOnly);
    assert_eq!(staging.base.unwrap().as_str(), "https://shop.staging.example.com/");

    let saturday = Timestamp::parse_rfc3339("2026-03-14T12:00:00Z").unwrap();
    let freeze = config.freeze_now(&deployment("shop-web", "production"), saturday);
    assert_eq!(freeze.as_deref(), Some("Sat 00:00-Mon 06:00 Europe/Berlin"));

    assert_eq!(config.checks_for(&deployment("shop-web", "production")).len(), 9);
    assert_eq!(config.checks_for(&deployment("shop-web", "staging")).len(), 8);
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
    insta::assert_snapshot!(lines.join("\n"), @"");
}

#[test]
fn the_example_without_its_secrets_names_each_of_them() {
    insta::assert_snapshot!(Given::main(EXAMPLE).var("OUTCOME_SECRET", " ").problems(), @"");
}
