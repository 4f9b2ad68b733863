//! Who may ask, and that what others wrote stays text.

mod config;
mod document;
mod events;
mod hostile;
mod lists;
mod many;
mod sign_in;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use secrecy::SecretString;
use tower::ServiceExt as _;
use url::Url;

use super::gate::{Asker, Refusal, Role, Tokens, judge};
use super::*;
use crate::clock::ManualClock;
use crate::config::FixedEnv;
use crate::domain::{AppKey, Timestamp, Verdict};
use crate::store::{Commit, JournalEntry, RunRecord};

const START: Timestamp = Timestamp::from_millis(1_773_325_867_000);
const ADMIN: &str = "the-admin-token-of-tests";
const READ: &str = "the-read-token-of-tests";
const TOKENS: &str = "[server]\nadmin_token = \"{{ secret.ADMIN }}\"\nread_token = \"{{ secret.READ }}\"\n";
const HOSTILE: &str = r#"<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}&'"#;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    map
}

fn judged(
    peer: &str,
    method: Method,
    lines: &[(&'static str, &'static str)],
    token: Option<&str>,
) -> Result<Role, Refusal> {
    let headers = headers(lines);
    let asker = Asker {
        peer: peer.parse::<IpAddr>().unwrap(),
        method: &method,
        headers: &headers,
        authority: None,
        session: None,
    };
    let public = Url::parse("https://backstop.example.com").unwrap();
    let (admin, read) = (token.map(SecretString::from), SecretString::from("read"));
    let tokens = Tokens {
        admin: admin.as_ref(),
        read: Some(&read),
    };
    judge(asker, tokens, Some(&public))
}

#[test]
fn without_a_token_only_this_machine_may_ask() {
    let local = ("host", "127.0.0.1:8700");
    for (peer, lines, expected) in [
        ("127.0.0.1", vec![local], true),
        ("::1", vec![("host", "[::1]:8700")], true),
        ("::ffff:127.0.0.1", vec![("host", "localhost:8700")], true),
        ("10.0.0.5", vec![local], false),
        ("203.0.113.9", vec![local], false),
        // A name of somebody else's that resolves to this machine.
        ("127.0.0.1", vec![("host", "evil.example")], false),
        ("127.0.0.1", vec![("host", "localhost.evil.example")], false),
        ("127.0.0.1", vec![("host", "127.0.0.1@evil.example")], false),
        ("127.0.0.1", vec![local, local], false),
        ("127.0.0.1", vec![], false),
        ("127.0.0.1", vec![local, ("x-forwarded-for", "203.0.113.9")], false),
        ("127.0.0.1", vec![local, ("forwarded", "for=203.0.113.9")], false),
        ("127.0.0.1", vec![local, ("x-real-ip", "203.0.113.9")], false),
        ("127.0.0.1", vec![local, ("via", "1.1 proxy")], false),
    ] {
        let judged = judged(peer, Method::GET, &lines, None);
        assert_eq!(judged.is_ok(), expected, "{peer} {lines:?}: {judged:?}");
    }
}

#[test]
fn with_a_token_whoever_shows_it_may_ask() {
    let of = |lines: &[(&'static str, &'static str)]| judged("203.0.113.9", Method::GET, lines, Some("right"));
    assert_eq!(of(&[("authorization", "Bearer right")]), Ok(Role::Admin));
    assert_eq!(of(&[("authorization", "bearer right")]), Ok(Role::Admin));
    assert_eq!(of(&[("authorization", "Basic eDpyaWdodA==")]), Ok(Role::Admin));
    assert_eq!(of(&[]), Err(Refusal::NoToken));
    for wrong in [
        "Bearer wrong",
        "Bearer",
        "Bearer ",
        "Bearer righ",
        "Bearer rightt",
        "right",
        "Basic !!!",
        "Basic cmlnaHQ=",
    ] {
        assert_eq!(of(&[("authorization", wrong)]), Err(Refusal::WrongToken), "{wrong}");
    }
    assert_eq!(
        of(&[("authorization", "Bearer right"), ("authorization", "Bearer right")]),
        Err(Refusal::NoToken)
    );
    // Being on this machine is no token, and an empty token lets nobody in.
    let local = [("host", "127.0.0.1")];
    assert_eq!(
        judged("127.0.0.1", Method::GET, &local, Some("right")),
        Err(Refusal::NoToken)
    );
    let empty = [("authorization", "Bearer ")];
    assert_eq!(
        judged("127.0.0.1", Method::GET, &empty, Some("")),
        Err(Refusal::WrongToken)
    );
}

#[test]
fn the_read_token_changes_nothing() {
    let lines = [("authorization", "Bearer read"), ("host", "backstop.example.com")];
    for (method, expected) in [
        (Method::GET, Ok(Role::Reader)),
        (Method::HEAD, Ok(Role::Reader)),
        (Method::POST, Err(Refusal::ReadOnly)),
        (Method::DELETE, Err(Refusal::ReadOnly)),
        (Method::PUT, Err(Refusal::ReadOnly)),
    ] {
        let judged = judged("203.0.113.9", method.clone(), &lines, Some("right"));
        assert_eq!(judged, expected, "{method}");
    }
    // Without an admin token nobody is let in for it.
    assert!(matches!(
        judged("203.0.113.9", Method::GET, &lines, None),
        Err(Refusal::NotLocal(_))
    ));
}

#[test]
fn another_sites_page_may_not_change_anything() {
    let shown = ("authorization", "Bearer right");
    let host = ("host", "backstop.example.com");
    for (more, expected) in [
        (vec![], true),
        (vec![("origin", "https://backstop.example.com")], true),
        (vec![("sec-fetch-site", "same-origin")], true),
        (vec![("origin", "https://evil.example")], false),
        (vec![("origin", "null")], false),
        (vec![("sec-fetch-site", "cross-site")], false),
        (vec![("sec-fetch-site", "same-site")], false),
        (
            vec![
                ("origin", "https://backstop.example.com"),
                ("origin", "https://evil.example"),
            ],
            false,
        ),
    ] {
        let lines = [vec![shown, host], more.clone()].concat();
        let changed = judged("203.0.113.9", Method::POST, &lines, Some("right"));
        assert_eq!(changed.is_ok(), expected, "{more:?}");
        assert_eq!(
            judged("203.0.113.9", Method::GET, &lines, Some("right")),
            Ok(Role::Admin),
            "{more:?}"
        );
    }
}

struct Site {
    router: Router,
    store: Store,
    config: Arc<ArcSwap<Config>>,
    hand: ManualClock,
    _folder: Option<tempfile::TempDir>,
}

/// What a test asks; from this machine unless told.
struct Ask<'a> {
    method: Method,
    path: &'a str,
    peer: [u8; 4],
    lines: Vec<(&'a str, &'a str)>,
    body: &'a str,
}

impl<'a> Ask<'a> {
    fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            peer: [127, 0, 0, 1],
            lines: vec![("host", "127.0.0.1")],
            body: "",
        }
    }

    fn post(path: &'a str, body: &'a str) -> Self {
        Self {
            method: Method::POST,
            body,
            ..Self::get(path)
        }
    }

    fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.lines.retain(|(known, _)| *known != name);
        self.lines.push((name, value));
        self
    }

    fn from(mut self, peer: [u8; 4]) -> Self {
        self.peer = peer;
        self
    }
}

fn config(text: &str) -> Config {
    let env = FixedEnv::default()
        .file("checks.toml", format!("{text}\n[check.home]\nget = \"/\"\n"))
        .var("ADMIN", ADMIN)
        .var("OTHER", "another-admin-token")
        .var("READ", READ);
    crate::config::load("checks.toml".as_ref(), &env).unwrap()
}

async fn site() -> Site {
    site_with("", |_| ()).await
}

async fn site_with(text: &str, change: impl FnOnce(&mut App)) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/web.db", folder.path().display());
    let store = Store::open(&url, Clock::manual(START).0).await.unwrap();
    Site {
        _folder: Some(folder),
        ..site_over(store, text, change)
    }
}

/// A site as another agent on the same store has it.
fn site_over(store: Store, text: &str, change: impl FnOnce(&mut App)) -> Site {
    let (clock, hand) = Clock::manual(START);
    let (handle, _commands) = Handle::new(8);
    let config = Arc::new(ArcSwap::from_pointee(config(text)));
    let mut app = App::new(
        Arc::clone(&config),
        store.clone(),
        handle,
        clock,
        Ids::default(),
        Metrics::new(),
    );
    change(&mut app);
    let app = Arc::new(app);
    let router = finish(open_routes().merge(gated_routes(&app)), &app);
    Site {
        router,
        store,
        config,
        hand,
        _folder: None,
    }
}

impl Site {
    async fn ask(&self, ask: Ask<'_>) -> axum::response::Response {
        let mut request = Request::builder().method(ask.method).uri(ask.path);
        for (name, value) in ask.lines {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::from(ask.body.to_owned())).unwrap();
        request
            .extensions_mut()
            .insert(server::Peer(SocketAddr::from((ask.peer, 9))));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = self.ask(Ask::get(path)).await.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn fill(&self, text: &str) {
        self.fill_run("run_0001", text).await;
        self.store.pause(text, START.plus_ms(60_000)).await.unwrap();
    }

    async fn fill_run(&self, id: &str, text: &str) {
        let probe = r#"{"seen":{"class":"broken","latency_ms":12},"budget_to":500,"budget_max":2000}"#;
        let entry = |kind: &str, data: Option<&str>| JournalEntry {
            at: START.plus_ms(1_250),
            kind: kind.to_owned(),
            text: text.to_owned(),
            data: data.map(str::to_owned),
        };
        self.commit_run(id, text, vec![entry("note", None), entry("probe", Some(probe))])
            .await;
    }

    /// A run that was probed so often.
    async fn fill_long(&self, id: &str, probes: u64) {
        let probe = r#"{"check":"home","seen":{"class":"broken","latency_ms":12},"budget_to":500,"budget_max":2000}"#;
        let entry = |number: u64| JournalEntry {
            at: START.plus_ms(number * 250),
            kind: "probe".to_owned(),
            text: format!("GET /a/path/of/some/length answered 500, expected 2xx, for the {number}th time"),
            data: Some(probe.to_owned()),
        };
        self.commit_run(id, "shop", (0..probes).map(entry).collect()).await;
    }

    async fn commit_run(&self, id: &str, text: &str, journal: Vec<JournalEntry>) {
        let run = RunRecord {
            is_rollback: false,
            id: id.into(),
            platform: "temps".into(),
            deployment: text.into(),
            key: Some(AppKey {
                platform: "temps".into(),
                project: "7".into(),
                environment: "3".into(),
            }),
            app: text.to_owned(),
            environment: text.to_owned(),
            commit_sha: Some(text.to_owned()),
            started_at: START,
            ended_at: Some(START.plus_ms(41_300)),
            phase: "done".to_owned(),
            verdict: Some(Verdict::Unhealthy),
            action: Some("withheld".to_owned()),
            reason: Some(text.to_owned()),
            config_hash: "hash".to_owned(),
            state: "{}".to_owned(),
            version: 1,
            deployed_at: None,
            fence: 1,
        };
        let commit = Commit {
            agent: "agt_1".into(),
            only: false,
            hold: crate::store::Hold::Release,
            run,
            journal,
            messages: Vec::new(),
            ledger: Vec::new(),
            delivery: None,
        };
        self.store.commit(commit).await.unwrap();
    }
}

#[tokio::test]
async fn what_others_wrote_stays_text() {
    let site = site().await;
    site.fill(HOSTILE).await;
    for path in ["/", "/runs/run_0001"] {
        let (status, headers, page) = site.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(page.contains("alert(1)"), "{path} shows the text");
        assert!(!page.contains("<script>") && !page.contains("<img"), "{path}: {page}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn a_run_page_tells_the_story() {
    let site = site().await;
    site.fill("shop").await;
    let (_, _, page) = site.get("/runs/run_0001").await;
    for shown in [
        "unhealthy",
        "withheld",
        "1.2",
        "12 ms",
        "25 %",
        "41s",
        "Decide: the bad version",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    // An ended run's page does not load itself again.
    assert!(!page.contains("http-equiv=\"refresh\""));
    assert_eq!(site.get("/runs/run_none").await.0, StatusCode::NOT_FOUND);
    // The picture, and what a screen reader reads of it.
    assert_eq!(
        page.matches("class=\"broken\"").count(),
        2,
        "a mark and its legend: {page}"
    );
    assert!(page.contains("<title id=\"plot-title\">") && page.contains("role=\"img\""));
    for action in ["label", "rollback"] {
        assert!(
            page.contains(&format!("action=\"/runs/run_0001/{action}\"")),
            "{action}"
        );
    }
    assert!(!page.contains("/approve\"") && !page.contains("/cancel\""));
    let read = site_with(TOKENS, |_| ()).await;
    read.fill("shop").await;
    let cookie = sign_in::sign_in(&read, READ).await;
    let shown = read.ask(Ask::get("/runs/run_0001").with("cookie", &cookie)).await;
    let shown = to_bytes(shown.into_body(), 1 << 20).await.unwrap();
    let shown = String::from_utf8(shown.to_vec()).unwrap();
    assert!(
        shown.contains("withheld") && !shown.contains("/runs/run_0001/"),
        "{shown}"
    );
}

#[tokio::test]
async fn queries_and_ids_are_bounded_and_problems_are_in_our_words() {
    let site = site().await;
    for (path, expected) in [
        ("/api/v1/runs?limit=0", 400),
        ("/api/v1/runs?limit=201", 400),
        ("/api/v1/runs?limit=x", 400),
        ("/api/v1/runs?aap=shop", 400),
        ("/api/v1/runs/nope", 404),
        ("/api/v1/nothing", 404),
    ] {
        let (status, headers, body) = site.get(path).await;
        assert_eq!(status.as_u16(), expected, "{path}");
        assert_eq!(headers["content-type"], "application/problem+json", "{path}");
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["status"], expected, "{path}: {body}");
        assert!(problem["detail"].is_string() && problem["title"].is_string(), "{body}");
    }
    let long = format!("/api/v1/runs/{}", "x".repeat(5_000));
    assert_eq!(site.get(&long).await.0, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/api/v1/runs?limit=200").await.0, StatusCode::OK);
    let (_, headers, metrics) = site.get("/metrics").await;
    assert!(
        headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(metrics.contains("# TYPE backstop_probes_total counter\n"), "{metrics}");
}

#[tokio::test]
async fn a_long_run_stays_a_light_page() {
    let site = site().await;
    site.fill_long("run_0001", 3_000).await;
    let (_, _, page) = site.get("/runs/run_0001").await;
    let picture = page
        .split("<svg")
        .nth(1)
        .and_then(|rest| rest.split("</svg>").next())
        .unwrap();
    assert_eq!(picture.matches("class=\"broken\"").count(), 400, "marks are bounded");
    assert!(page.contains("120 of 2000 probes") && page.contains("The story goes on"));
    assert!(page.len() - picture.len() < 60_000, "{}", page.len() - picture.len());
}

#[tokio::test]
async fn the_overview_says_how_each_app_stands_and_pages_its_runs() {
    let site = site().await;
    for number in 1..=120 {
        site.fill_run(
            &format!("run_{number:04}"),
            if number % 2 == 0 { "shop" } else { "blog" },
        )
        .await;
    }
    site.store
        .begin_trouble("temps", "the token was refused", Vec::new())
        .await
        .unwrap();
    let (_, _, page) = site.get("/").await;
    for shown in [
        "the token was refused",
        "alert-only",
        "Decide: the bad version",
        "Latest runs",
        "run_0120",
        "run_0071",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("run_0070") && !page.contains("✓ Protected"));
    assert!(page.len() < 60_000, "{}", page.len());
    let next = page
        .split("<a href=\"/?")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    assert_eq!(next, "before=run_0071");
    let (_, _, older) = site.get(&format!("/?{next}")).await;
    assert!(older.contains("run_0070") && older.contains("run_0021") && !older.contains("run_0071\""));
    let (_, _, blogs) = site.get("/?app=blog&environment=&verdict=unhealthy").await;
    assert!(blogs.contains("run_0119") && !blogs.contains("run_0120"));
    assert!(
        blogs.contains("before=run_0021") && blogs.contains("app=blog"),
        "{blogs}"
    );
    let (_, _, none) = site.get("/?verdict=healthy").await;
    assert!(
        none.contains("None.") && none.contains("<option value=\"healthy\" selected>healthy"),
        "{none}"
    );
    assert_eq!(site.get("/?aap=shop").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_person_reads_a_problem_as_a_page_and_a_program_as_it_is() {
    let site = site().await;
    let kind = async |ask: Ask<'_>| {
        let answer = site.ask(ask).await;
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind)
    };
    let (html, json) = (
        "text/html; charset=utf-8".to_owned(),
        "application/problem+json".to_owned(),
    );
    let browser = |path| Ask::get(path).with("accept", "text/html,*/*;q=0.8");
    assert_eq!(kind(browser("/runs/none")).await, (404, html.clone()));
    assert_eq!(kind(browser("/nothing")).await, (404, html));
    assert_eq!(kind(Ask::get("/runs/none")).await, (404, json.clone()));
    assert_eq!(kind(browser("/api/v1/runs/none")).await, (404, json.clone()));
    let delivery = Ask::post("/webhooks/none", "{}").with("accept", "text/html");
    assert_eq!(kind(delivery).await, (404, json));
}
