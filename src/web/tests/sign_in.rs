//! Signing in: who gets a session, what it is good for, and how it ends.

use http::header::{LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};

use super::*;

const OWN: (&str, &str) = ("origin", "http://127.0.0.1");

fn form(token: &str) -> String {
    format!("token={token}&next=/trust")
}

/// The cookie of a new session, as a browser sends it back.
pub(super) async fn sign_in(site: &Site, token: &str) -> String {
    let body = form(token);
    let entered = site.ask(Ask::post("/sign-in", &body).with(OWN.0, OWN.1)).await;
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    assert_eq!(entered.headers()[LOCATION], "/trust");
    let cookie = entered.headers()[SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn status(site: &Site, ask: Ask<'_>) -> u16 {
    site.ask(ask).await.status().as_u16()
}

async fn sees(site: &Site, cookie: &str) -> u16 {
    status(site, Ask::get("/api/v1/runs").with("cookie", cookie)).await
}

#[tokio::test]
async fn a_token_begins_a_session_in_a_cookie_that_no_script_and_no_other_site_can_use() {
    let site = site_with(TOKENS, |_| ()).await;
    let body = form(ADMIN);
    let entered = site.ask(Ask::post("/sign-in", &body).with(OWN.0, OWN.1)).await;
    let cookie = entered.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-backstop="), "{cookie}");
    for needed in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(needed), "{needed}: {cookie}");
    }
    let value = cookie.split(['=', ';']).nth(1).unwrap();
    assert_eq!(value.len(), 43, "256 bits in Base64");
    let again = sign_in(&site, ADMIN).await;
    assert!(!again.ends_with(value), "each session is another");
    assert_eq!(sees(&site, &again).await, 200);
    for wrong in [
        "__Host-backstop=",
        "__Host-backstop=AAAA",
        "backstop=x",
        &format!("{again}; {again}"),
        &again[..again.len() - 1],
    ] {
        assert_eq!(sees(&site, wrong).await, 401, "{wrong}");
    }
}

#[tokio::test]
async fn a_session_ends() {
    let site = site_with(TOKENS, |_| ()).await;
    let hour = std::time::Duration::from_secs(3_600);
    // Not used for a while.
    let idle = sign_in(&site, ADMIN).await;
    site.hand.advance(hour * 12);
    assert_eq!(sees(&site, &idle).await, 401);
    // Used all the time, but old.
    let old = sign_in(&site, ADMIN).await;
    for _ in 0..15 {
        site.hand.advance(hour * 11);
        assert_eq!(sees(&site, &old).await, 200);
    }
    site.hand.advance(hour * 4);
    assert_eq!(sees(&site, &old).await, 401);
    // Signed out.
    let out = sign_in(&site, READ).await;
    let other = sign_in(&site, READ).await;
    let left = site
        .ask(Ask::post("/sign-out", "").with(OWN.0, OWN.1).with("cookie", &out))
        .await;
    assert_eq!(left.status(), StatusCode::SEE_OTHER);
    assert!(
        left.headers()[SET_COOKIE]
            .to_str()
            .unwrap()
            .starts_with("__Host-backstop=; Path=/; Max-Age=0;")
    );
    assert_eq!(sees(&site, &out).await, 401);
    assert_eq!(sees(&site, &other).await, 200);
    // Its token is no longer the one; the other token's sessions go on.
    let admin = sign_in(&site, ADMIN).await;
    site.config
        .store(Arc::new(config(&TOKENS.replace("secret.ADMIN", "secret.OTHER"))));
    assert_eq!(sees(&site, &admin).await, 401);
    assert_eq!(sees(&site, &other).await, 200);
    // Restarted.
    let restarted = site_with(TOKENS, |_| ()).await;
    assert_eq!(sees(&restarted, &other).await, 401);
}

#[tokio::test]
async fn sessions_are_bounded() {
    let site = site_with(TOKENS, |_| ()).await;
    let admin = sign_in(&site, ADMIN).await;
    let first = sign_in(&site, READ).await;
    site.hand.advance(std::time::Duration::from_secs(1));
    let second = sign_in(&site, READ).await;
    for _ in 0..255 {
        sign_in(&site, READ).await;
    }
    assert_eq!(sees(&site, &first).await, 401, "the one used longest ago has ended");
    assert_eq!(sees(&site, &second).await, 200);
    assert_eq!(sees(&site, &admin).await, 200, "readers push out readers");
}

#[tokio::test]
async fn no_token_is_taken_where_others_can_read_it() {
    let site = site_with(&format!("{TOKENS}public_url = \"https://backstop.example\"\n"), |_| ()).await;
    let body = form(ADMIN);
    let far = [203, 0, 113, 9];
    let host = ("host", "backstop.example");
    for (lines, peer, expected) in [
        (vec![OWN], [127, 0, 0, 1], 303),
        (vec![host], far, 403),
        (vec![host, ("origin", "http://backstop.example")], far, 403),
        (
            vec![
                host,
                ("origin", "http://backstop.example"),
                ("x-forwarded-proto", "https"),
            ],
            far,
            403,
        ),
        (vec![host, ("origin", "https://backstop.example")], far, 303),
        (vec![host, ("x-forwarded-proto", "https")], far, 303),
        (vec![host, ("x-forwarded-proto", "http")], far, 403),
        // A proxy on this machine speaks for somebody else.
        (vec![host, ("x-forwarded-for", "203.0.113.9")], [127, 0, 0, 1], 403),
        // Another site signs somebody in.
        (vec![host, ("origin", "https://evil.example")], far, 403),
        (
            vec![
                host,
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://backstop.example"),
            ],
            far,
            403,
        ),
    ] {
        let ask = lines
            .iter()
            .fold(Ask::post("/sign-in", &body).from(peer), |ask, (name, value)| {
                ask.with(name, value)
            });
        assert_eq!(status(&site, ask).await, expected, "{peer:?} {lines:?}");
    }
    let shown = async |ask: Ask<'_>| {
        let body = to_bytes(site.ask(ask).await.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap().contains("type=\"password\"")
    };
    assert!(shown(Ask::get("/sign-in")).await);
    assert!(shown(Ask::get("/sign-in").from(far).with("host", "backstop.example")).await);
    assert!(!shown(Ask::get("/sign-in").from(far).with("host", "10.0.0.5:8700")).await);
}

#[tokio::test]
async fn guesses_are_counted_and_slowed() {
    let site = site_with(&format!("{TOKENS}rate_limit = \"6/m\"\n"), |_| ()).await;
    let guess = form("wrong");
    for _ in 0..6 {
        assert_eq!(
            status(&site, Ask::post("/sign-in", &guess).with(OWN.0, OWN.1)).await,
            401
        );
    }
    let slowed = site.ask(Ask::post("/sign-in", &guess).with(OWN.0, OWN.1)).await;
    assert_eq!(slowed.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(slowed.headers()[RETRY_AFTER], "10");
    assert!(!slowed.headers().contains_key(SET_COOKIE));
    // Whoever has the token is not shut out by whoever guesses from the same address.
    sign_in(&site, ADMIN).await;
}

#[tokio::test]
async fn a_browser_is_led_to_sign_in_and_a_program_is_told() {
    let site = site_with(TOKENS, |_| ()).await;
    let led = site
        .ask(Ask::get("/runs/run_1?x=1&y=2").with("accept", "text/html,application/xhtml+xml;q=0.9"))
        .await;
    assert_eq!(led.status(), StatusCode::SEE_OTHER);
    assert_eq!(led.headers()[LOCATION], "/sign-in?next=%2Fruns%2Frun_1%3Fx%3D1%26y%3D2");
    for ask in [
        Ask::get("/"),
        Ask::get("/").with("accept", "*/*"),
        Ask::get("/api/v1/runs").with("accept", "text/html"),
        Ask::post("/trust", "").with("accept", "text/html"),
        Ask::get("/")
            .with("accept", "text/html")
            .with("authorization", "Bearer wrong"),
    ] {
        let told = site.ask(ask).await;
        assert_eq!(told.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(told.headers()["content-type"], "application/problem+json");
        assert!(told.headers()[WWW_AUTHENTICATE].to_str().unwrap().contains("Bearer"));
    }
}

#[test]
fn nobody_is_led_elsewhere() {
    let local = super::super::sign_in::local;
    for (next, expected) in [
        ("/", "/"),
        ("/runs/run_1?x=1", "/runs/run_1?x=1"),
        ("/runs/a b#c", "/runs/a%20b"),
        ("", "/"),
        ("runs", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/\t/evil.example/", "/"),
        ("/..//evil.example", "/"),
        ("/.//evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\r\nset-cookie: a=b", "/"),
    ] {
        assert_eq!(local(next), expected, "{next:?}");
    }
    assert_eq!(local(&format!("/{}", "x".repeat(2_000))), "/");
}

#[tokio::test]
async fn a_session_changes_something_only_from_our_own_pages_and_only_an_admins() {
    let site = site_with(TOKENS, |_| ()).await;
    site.fill("shop").await;
    let (admin, reader) = (sign_in(&site, ADMIN).await, sign_in(&site, READ).await);
    let body = "run=run_0001&label=wrong";
    for (cookie, line, expected) in [
        (&admin, Some(OWN), 303),
        (&admin, Some(("sec-fetch-site", "same-origin")), 303),
        (&admin, None, 403),
        (&admin, Some(("origin", "https://evil.example")), 403),
        (&admin, Some(("origin", "null")), 403),
        (&admin, Some(("sec-fetch-site", "same-site")), 403),
        (&reader, Some(OWN), 403),
    ] {
        let ask = Ask::post("/trust", body).with("cookie", cookie);
        let ask = line.into_iter().fold(ask, |ask, (name, value)| ask.with(name, value));
        assert_eq!(status(&site, ask).await, expected, "{line:?}");
    }
}

#[tokio::test]
async fn without_a_token_there_is_nothing_to_sign_in_to() {
    let site = site().await;
    let led = site.ask(Ask::get("/sign-in?next=/trust")).await;
    assert_eq!(led.headers()[LOCATION], "/trust");
    let entered = site.ask(Ask::post("/sign-in", "token=").with(OWN.0, OWN.1)).await;
    assert_eq!(entered.status(), StatusCode::UNAUTHORIZED);
}
