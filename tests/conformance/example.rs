//! The example config at work: each of its checks passes with a server that is as it says.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::authority::Authority;
use super::corpus::{Answer, Kind};
use super::run::Run;
use super::servers::Setup;

/// What the example's app answers, and what it wants to be sent.
const APP: &str = r##"
answers = [
  { on = "GET /", body = "home" },
  { on = "GET /healthz", json = { status = "ok" } },
  { on = "GET /pricing", body = "Acme: prices" },
  { on = "GET /docs", body = "Acme: how to" },
  { on = "GET /api/prices", headers.content-type = "application/json", json = { prices = [{ amount = 0 }, { amount = 9.5 }] }, expects.query = "currency=EUR&limit=10" },
  { on = "GET /debug", status = 404 },
  { on = "POST /api/login", headers.set-cookie = "sid=abcdef; Path=/; HttpOnly", json = { token = "token-of-smoke" }, expects.json = { user = "smoke", password = "smoke-password" } },
  { on = "GET /api/orders", json = { orders = [{ id = 1 }] }, expects.header.authorization = "Bearer token-of-smoke" },
  { on = "GET /account", body = "<h1>Your account, smoke</h1>", expects.cookies = { sid = "abcdef" } },
  { on = "POST /api/carts", status = 201, json = { id = "c-1" }, expects.header.authorization = "Bearer token-of-smoke" },
  { on = "GET /api/carts/c-1", json = { state = "new", total = 0 }, times = 1 },
  { on = "GET /api/carts/c-1", json = { state = "ready", total = 5 } },
  { on = "DELETE /api/carts/c-1", status = 204 },
  { on = "GET /shop", headers.set-cookie = "theme=light", headers.content-type = "text/html", body = '<title>Acme Shop</title><script src="/app.js"></script><link rel="stylesheet" href="/app.css">' },
  { on = "GET /app.js", headers.content-type = "text/javascript", body = "1" },
  { on = "GET /app.css", headers.content-type = "text/css", body = "a{}" },
  { on = "GET /api/products", json = { products = [] } },
  { on = "POST /newsletter", status = 202 },
  { on = "POST /api/files", status = 201, expects.multipart = [{ name = "kind", value = "avatar" }, { name = "file", value = "MIT", filename = "LICENSE-MIT", type = "text/plain" }] },
  { on = "POST /graphql", json = { data = { search = [{ name = "boots" }] } } },
  { on = "GET /ping" },
]
"##;

#[derive(Deserialize)]
struct App {
    answers: Vec<Answer>,
}

/// The example with its hosts on this machine.
fn example() -> String {
    include_str!("../../checks.example.toml")
        .replace("https://partner.example.com", "http://@ADDR@")
        .replace("warn.tls.days_left = { min = 21 }\n", "")
        .replace("db.example.com:5432", "@ADDR@")
        .replace("http://orders.example.com:50051", "http://@OTHER@")
        .replace("/run/secrets/smoke_password", "@DIR@/smoke_password")
}

fn run(app: &str) -> Run {
    let app: App = toml::from_str(app).expect("answers");
    let secrets = [
        ("BACKSTOP_ADMIN_TOKEN", "admin-token"),
        ("BACKSTOP_READ_TOKEN", "read-token"),
        ("TEMPS_API_TOKEN", "api-token"),
        ("TEMPS_WEBHOOK_SECRET", "webhook-secret"),
        ("OUTCOME_SECRET", "outcome-secret"),
        ("PREVIEW_KEY", "preview-key"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T0/B0/x"),
    ];
    let owned = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    Run {
        checks: example(),
        files: owned(&[("smoke_password", "smoke-password"), ("LICENSE-MIT", "MIT")]),
        env: owned(&secrets),
        args: ["--app", "shop-web", "--env", "production"].map(str::to_owned).to_vec(),
        answers: app.answers,
        other_setup: Setup {
            kind: Kind::Grpc,
            health: owned(&[("acme.orders.v1.Orders", "SERVING")]),
            ..Setup::default()
        },
        ..Run::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_passes_with_a_server_that_is_as_it_says() {
    let outcome = run(APP).perform(&Authority::new()).await;
    let wrong: Vec<_> = outcome.rows.iter().filter(|(_, row)| row.result != "pass").collect();
    assert!(wrong.is_empty() && outcome.rows.len() == 18, "{}", outcome.story());
    assert_eq!(outcome.code, Some(0));
    assert_eq!(outcome.hits("DELETE /api/carts/c-1"), 1, "{}", outcome.story());
    assert_eq!(outcome.hits("GET /api/products"), 20);
    assert_eq!(outcome.hits("POST /api/login"), 1, "{}", outcome.story());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_notices_what_is_not_as_it_says() {
    let broken = APP
        .replace("<title>Acme Shop", "<title>Error")
        .replace("state = \"ready\"", "state = \"failed\"")
        .replace(
            "{ on = \"GET /app.css\", headers.content-type = \"text/css\"",
            "{ on = \"GET /app.css\"",
        );
    let outcome = run(&broken).perform(&Authority::new()).await;
    let failed: Vec<&str> = outcome
        .rows
        .iter()
        .filter(|(_, row)| row.result == "fail")
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        (failed, outcome.code),
        (vec!["checkout", "shop"], Some(1)),
        "{}",
        outcome.story()
    );
    assert_eq!(outcome.hits("DELETE /api/carts/c-1"), 1, "{}", outcome.story());
}
