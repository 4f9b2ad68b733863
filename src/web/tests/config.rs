//! What is said of the config: what is in force, what the file on disk would change, and no secret.

use super::*;
use crate::config::ConfigFile;

const IN_FORCE: &str = r#"
mode = "auto-rollback"
[server]
admin_token = "{{ secret.ADMIN }}"
[retry]
every = "3s"
[outcome.ops]
url = "https://user:hunter2@ops.example.com/hooks/capability-in-the-path"
secret = "{{ secret.OTHER }}"
headers = { x-key = "spelt-out-key" }
events = ["rollback.*"]
"#;

/// A site with a config of this text in force, and `on_disk` in the file that it came from.
async fn site_beside(on_disk: &str) -> Site {
    let env = FixedEnv::default()
        .file("checks.toml", on_disk)
        .var("ADMIN", ADMIN)
        .var("OTHER", "another-admin-token");
    let file = ConfigFile::new("checks.toml", Arc::new(env));
    site_with(IN_FORCE, |app| app.config_file = Some(file)).await
}

fn whole(text: &str) -> String {
    format!("{text}\n[check.home]\nget = \"/\"\n")
}

async fn asked(site: &Site, path: &str) -> String {
    let bearer = format!("Bearer {ADMIN}");
    let answer = site.ask(Ask::get(path).with("authorization", &bearer)).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn told(site: &Site) -> serde_json::Value {
    serde_json::from_str(&asked(site, "/api/v1/config").await).unwrap()
}

#[tokio::test]
async fn each_value_says_where_it_comes_from() {
    let site = site_beside(&whole(IN_FORCE)).await;
    let told = told(&site).await;
    let value = |section: &str, key: &str| {
        let sections = told["sections"].as_array().unwrap();
        let found = sections.iter().find(|one| one["name"] == section);
        let values = found.unwrap_or_else(|| panic!("no {section}: {told:#}"))["values"]
            .as_array()
            .unwrap();
        let value = values.iter().find(|one| one["key"] == key);
        let value = value.unwrap_or_else(|| panic!("no {key}: {told:#}"));
        (
            value["value"].as_str().unwrap().to_owned(),
            value["from"].as_str().map(str::to_owned),
        )
    };
    let of = |value: &str, from: Option<&str>| (value.to_owned(), from.map(str::to_owned));
    assert_eq!(value("", "mode"), of("\"auto-rollback\"", Some("checks.toml:2")));
    assert_eq!(value("retry", "every"), of("\"3s\"", Some("checks.toml:6")));
    assert_eq!(value("retry", "failures"), of("6", None));
    assert_eq!(value("watch", "for"), of("\"5m\"", None));
    assert_eq!(
        value("outcome.ops", "events"),
        of("[\"rollback.*\"]", Some("checks.toml:11"))
    );
    assert_eq!(value("server", "admin_token").0, "\"{{ secret.ADMIN }}\"");
    assert_eq!(value("check.home", "get"), of("\"/\"", Some("checks.toml:14")));
    assert_eq!(value("check.home", "expect.status"), of("\"2xx\"", None));
    assert_eq!(told["file"]["state"], "in_force");
    let page = asked(&site, "/config").await;
    assert!(
        page.contains("checks.toml: in force") && page.contains("built in"),
        "{page}"
    );
    let check = asked(&site, "/config?check=home").await;
    assert!(
        check.contains("Check home") && check.contains("checks.toml:14"),
        "{check}"
    );
    let bearer = format!("Bearer {ADMIN}");
    let answer = site.ask(Ask::get("/config?check=none").with("authorization", &bearer));
    assert_eq!(answer.await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_may_be_a_secret_is_not_shown() {
    let on_disk = whole(
        &IN_FORCE
            .replace("hunter2", "hunter3")
            .replace("spelt-out-key", "another-spelt-out-key"),
    );
    let site = site_beside(&on_disk).await;
    for path in ["/config", "/api/v1/config", "/config?check=home"] {
        let shown = asked(&site, path).await;
        for secret in ["hunter", "capability", "spelt-out", ADMIN, "another-admin-token"] {
            assert!(!shown.contains(secret), "{path} shows {secret}: {shown}");
        }
    }
}

#[tokio::test]
async fn what_the_file_would_change_is_said_and_why_it_may_not() {
    let changed = IN_FORCE.replace("every = \"3s\"", "every = \"4s\"\npasses = 20") + "[store]\nurl = \"memory:\"\n";
    let site = site_beside(&whole(&changed)).await;
    let file = told(&site).await["file"].clone();
    assert_eq!(file["state"], "changed");
    let change = |key: &str| {
        file["changes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["key"] == key)
            .cloned()
    };
    let every = change("retry.every").unwrap();
    assert_eq!((&every["from"], &every["to"]), (&"\"3s\"".into(), &"\"4s\"".into()));
    let passes = change("retry.passes").unwrap();
    assert_eq!((&passes["from"], &passes["to"]), (&"12".into(), &"20".into()));
    assert_eq!(change("check.home.get"), None, "what stays is not among them");
    assert_eq!(file["needs_restart"], serde_json::json!(["store.url"]));
    let page = asked(&site, "/config").await;
    assert!(
        page.contains("What it changes") && page.contains("restart for"),
        "{page}"
    );

    let site = site_beside(&whole("mood = \"auto-rollback\"\n")).await;
    let file = told(&site).await["file"].clone();
    assert_eq!(file["state"], "refused");
    let problem = &file["problems"][0];
    assert_eq!(
        (&problem["is_error"], &problem["at"]),
        (&true.into(), &"checks.toml:1:1".into())
    );
    assert!(problem["message"].as_str().unwrap().contains("mood"), "{problem}");
    let page = asked(&site, "/config").await;
    assert!(
        page.contains("what was before stays in force") && page.contains("checks.toml:1:1"),
        "{page}"
    );
}

#[tokio::test]
async fn a_long_config_is_a_light_page() {
    use std::fmt::Write as _;
    let mut long = String::new();
    for number in 0..120 {
        let (name, value) = (format!("{number}-{}", "x".repeat(40)), "<&>".repeat(80));
        write!(
            long,
            "[outcome.o{name}]\nurl = \"https://example.com/\"\nevents = [\"*\"]\n"
        )
        .unwrap();
        write!(
            long,
            "[check.c{name}]\nget = \"/\"\nexpect.body.contains = \"{value}\"\n"
        )
        .unwrap();
    }
    let site = site_with(&long, |app| {
        let env = FixedEnv::default().file("checks.toml", whole(&long.replace("\"/\"", "\"/new\"")));
        app.config_file = Some(ConfigFile::new("checks.toml", Arc::new(env)));
    })
    .await;
    let (status, _, page) = site.get("/config").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.len() < 60_000, "{}", page.len());
    assert!(
        page.contains("more values are in") && page.contains("more; <code>backstop explain"),
        "{page}"
    );
}
