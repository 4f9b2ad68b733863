//! Who may ask for the dashboard, the API and the metrics.
//!
//! With an admin token configured, whoever shows it, or the read token beside it, which changes nothing. Without one, only this machine: the other end of the connection
//! is a loopback address, no proxy says that it speaks for somebody else, and the request names a loopback host, so
//! that neither a proxy in front nor a name that resolves to 127.0.0.1 in somebody's browser opens the door.
//! Either way a browser that acts for another site may not change anything.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use super::problem::Problem;
use super::server::Peer;
use super::{App, session, sign_in};
use crate::config::Config;

/// Headers that only a proxy or tunnel adds; with those that begin with [`FORWARDING_PREFIXES`].
const FORWARDING: &[&str] = &[
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];
const FORWARDING_PREFIXES: &[&str] = &["x-forwarded-", "x-original-"];

/// What a client without the token is asked for. `Basic` is what lets a browser in.
const CHALLENGE: &str = r#"Basic realm="backstop", charset="UTF-8", Bearer realm="backstop""#;

/// What somebody who may ask may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// See.
    Reader,
    /// See and change.
    Admin,
}

/// What has to be shown.
#[derive(Clone, Copy, Default)]
pub(super) struct Tokens<'a> {
    pub(super) admin: Option<&'a SecretString>,
    pub(super) read: Option<&'a SecretString>,
}

/// Why somebody may not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A token is configured, and none was shown.
    NoToken,
    /// The token that was shown is not the one.
    WrongToken,
    /// No token is configured, and this is not a plain request from this machine.
    NotLocal(&'static str),
    /// A browser acts for another site.
    CrossSite,
    /// Whoever may only see wants to change something.
    ReadOnly,
}

/// What there is to know about a request.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) peer: IpAddr,
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    /// The host in the request line, where there is one (RFC 9112 §3.2.2).
    pub(super) authority: Option<&'a str>,
    /// What the session that its cookie names may do.
    pub(super) session: Option<Role>,
}

impl<'a> Asker<'a> {
    pub(super) fn of(peer: IpAddr, parts: &'a Parts, session: Option<Role>) -> Self {
        Self {
            peer,
            method: &parts.method,
            headers: &parts.headers,
            authority: parts.uri.authority().map(|authority| authority.as_str()),
            session,
        }
    }

    fn shows_token(self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }
}

/// By what somebody was let in, so that a long answer can end when that no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    pub(super) role: Role,
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Being on this machine, without an admin token in the config.
    Place,
    /// The token of this hash.
    Token(session::Key),
    /// This session.
    Session(session::Key),
}

impl Pass {
    /// Whether a session let them in, which they may end.
    pub(super) fn is_session(self) -> bool {
        matches!(self.by, By::Session(_))
    }

    /// Whether they would still be let in.
    pub(super) fn holds(self, app: &App) -> bool {
        let config = app.config.load();
        let tokens = tokens(&config);
        match self.by {
            By::Place => tokens.admin.is_none(),
            By::Token(hash) => tokens.admin.is_some() && session::is_token(&hash, self.role, tokens),
            By::Session(key) => app.sessions.role(key, tokens, app.clock.now(), false).is_some(),
        }
    }
}

/// The tokens of a config.
pub(super) fn tokens(config: &Config) -> Tokens<'_> {
    Tokens {
        admin: config.server.admin_token.as_ref(),
        read: config.server.read_token.as_ref(),
    }
}

/// What `asker` may do.
///
/// # Errors
/// Why nothing.
pub(super) fn judge(asker: Asker<'_>, tokens: Tokens<'_>, public_url: Option<&Url>) -> Result<Role, Refusal> {
    let role = if tokens.admin.is_some() {
        match asker.session {
            Some(role) if !asker.shows_token() => role,
            _ => shown_role(asker.headers, tokens)?,
        }
    } else {
        is_local(asker)?;
        Role::Admin
    };
    if asker.method.is_safe() {
        Ok(role)
    } else if !is_own_site(asker, public_url) || (asker.session.is_some() && !says_site(asker)) {
        Err(Refusal::CrossSite)
    } else if role == Role::Admin {
        Ok(role)
    } else {
        Err(Refusal::ReadOnly)
    }
}

fn shown_role(headers: &HeaderMap, tokens: Tokens<'_>) -> Result<Role, Refusal> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (shown.next(), shown.next()) else {
        return Err(Refusal::NoToken);
    };
    let value = value.as_bytes().trim_ascii();
    let Some(space) = value.iter().position(|byte| *byte == b' ') else {
        return Err(Refusal::WrongToken);
    };
    let (scheme, credentials) = (&value[..space], value[space..].trim_ascii());
    let candidate = if scheme.eq_ignore_ascii_case(b"bearer") {
        Some(credentials.to_vec())
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        password(credentials)
    } else {
        None
    };
    candidate
        .and_then(|shown| role_of(&shown, tokens))
        .ok_or(Refusal::WrongToken)
}

/// Whose token `shown` is. Both are compared whatever it is, and hashes of them, so that the time taken tells nothing of
/// which, nor of the length.
pub(super) fn role_of(shown: &[u8], tokens: Tokens<'_>) -> Option<Role> {
    let shown = Sha256::digest(shown);
    let is = |token: Option<&SecretString>| {
        token.is_some_and(|token| {
            let token = token.expose_secret().as_bytes();
            bool::from(Sha256::digest(token).ct_eq(&shown)) & !token.is_empty()
        })
    };
    match (is(tokens.admin), is(tokens.read)) {
        (true, _) => Some(Role::Admin),
        (false, true) => Some(Role::Reader),
        (false, false) => None,
    }
}

/// The password of `user:password` in Base64 (RFC 7617); the user is anybody.
fn password(credentials: &[u8]) -> Option<Vec<u8>> {
    let decoded = STANDARD.decode(credentials).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[colon + 1..].to_vec())
}

/// Whether `asker` is on this machine and speaks for nobody else.
///
/// # Errors
/// Why not.
pub(super) fn is_local(asker: Asker<'_>) -> Result<(), Refusal> {
    if !asker.peer.to_canonical().is_loopback() {
        return Err(Refusal::NotLocal("the request is not from this machine"));
    }
    let is_forwarding =
        |name: &str| FORWARDING.contains(&name) || FORWARDING_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if asker.headers.keys().any(|name| is_forwarding(name.as_str())) {
        return Err(Refusal::NotLocal("the request came through a proxy"));
    }
    let mut hosts = asker.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Refusal::NotLocal("the request has no single `Host`"));
    };
    let named = [host.to_str().ok(), Some(asker.authority.unwrap_or("localhost"))];
    if named.into_iter().all(|host| host.is_some_and(is_loopback_host)) {
        return Ok(());
    }
    Err(Refusal::NotLocal("the request names a `Host` that is not this machine"))
}

/// Whether `host`, with or without a port, stands for this machine whatever a name server says.
fn is_loopback_host(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else {
        return false;
    };
    if host.contains('@') {
        return false;
    }
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whether a request that changes something comes from our own pages or from no page at all.
///
/// `Sec-Fetch-Site` and `Origin` are set by the browser and cannot be set by a page's script.
pub(super) fn is_own_site(asker: Asker<'_>, public_url: Option<&Url>) -> bool {
    let sites_are_own = asker
        .headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    let origins_are_own = asker.headers.get_all(ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().ok().and_then(|text| Url::parse(text).ok());
        origin.is_some_and(|origin| is_own_origin(&origin, asker.headers, public_url))
    });
    sites_are_own && origins_are_own
}

/// Whether a request says at all which page it comes from. One with a cookie has to: only a browser has those, and one that
/// does not say it cannot be told from another site's.
fn says_site(asker: Asker<'_>) -> bool {
    asker.shows_token() || asker.headers.contains_key(ORIGIN) || asker.headers.contains_key("sec-fetch-site")
}

fn is_own_origin(origin: &Url, headers: &HeaderMap, public_url: Option<&Url>) -> bool {
    if public_url.is_some_and(|public| public.origin() == origin.origin()) {
        return true;
    }
    // Whether TLS ends before us is not known here, so the host and port decide, under the origin's own scheme.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = host.and_then(|host| Url::parse(&format!("{}://{host}/", origin.scheme())).ok());
    origin.origin().is_tuple() && own.is_some_and(|own| own.origin() == origin.origin())
}

/// The middleware in front of everything but deliveries, health and signing in.
pub(super) async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let config = app.config.load();
    let (mut parts, body) = request.into_parts();
    let Some(Peer(peer)) = parts.extensions.get::<Peer>().copied() else {
        return Problem::new(StatusCode::FORBIDDEN, "it is not known where the request comes from").into_response();
    };
    let tokens = tokens(&config);
    let key = session::named(&parts.headers);
    let session = key.and_then(|key| app.sessions.role(key, tokens, app.clock.now(), true));
    let asker = Asker::of(peer.ip(), &parts, session);
    let refusal = match judge(asker, tokens, config.server.public_url.as_ref()) {
        Ok(role) => {
            let by = match (session::token_hash(role, tokens), key) {
                _ if tokens.admin.is_none() => By::Place,
                (_, Some(key)) if session.is_some() && !asker.shows_token() => By::Session(key),
                (Some(hash), _) => By::Token(hash),
                (None, _) => By::Place,
            };
            parts.extensions.insert(role);
            parts.extensions.insert(Pass { role, by });
            return next.run(Request::from_parts(parts, body)).await;
        }
        Err(refusal) => refusal,
    };
    if refusal == Refusal::NoToken && is_page_load(&parts) {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        return Redirect::to(&sign_in::address(target)).into_response();
    }
    tracing::info!(peer = %peer, path = parts.uri.path(), refusal = ?refusal, "refused to show or change anything");
    let counted = match refusal {
        Refusal::WrongToken => app.limiter.count(peer.ip(), config.server.rate_limit),
        Refusal::NoToken | Refusal::NotLocal(_) | Refusal::CrossSite | Refusal::ReadOnly => Ok(()),
    };
    match counted {
        Ok(()) => problem(refusal).into_response(),
        Err(wait_s) => too_many(wait_s).into_response(),
    }
}

/// Whether a person's browser wants a page, which may be sent to sign in; a program is told what to show.
fn is_page_load(parts: &Parts) -> bool {
    parts.method.is_safe() && wants_page(parts.uri.path(), &parts.headers)
}

/// Whether what is answered at `path` is read by a person.
pub(super) fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let is_for_programs = path.starts_with("/api/") || path.starts_with("/webhooks/");
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut kinds = accepts
        .flat_map(|line| line.split(','))
        .map(|kind| kind.split(';').next());
    !is_for_programs && kinds.any(|kind| kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html")))
}

pub(super) fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NoToken | Refusal::WrongToken => {
            let detail = "show the admin token: `Authorization: Bearer …`; in a browser, sign in at `/sign-in`";
            Problem::new(StatusCode::UNAUTHORIZED, detail).authenticate(CHALLENGE)
        }
        Refusal::NotLocal(why) => {
            let detail = format!("{why}, and without `server.admin_token` in the config only this machine may ask");
            Problem::new(StatusCode::FORBIDDEN, detail)
        }
        Refusal::CrossSite => Problem::new(
            StatusCode::FORBIDDEN,
            "a page of another site may not change anything here",
        ),
        Refusal::ReadOnly => Problem::new(
            StatusCode::FORBIDDEN,
            "the read token changes nothing; show the admin token",
        ),
    }
}

/// 429 for a sender whose requests do not verify.
pub(super) fn too_many(wait_s: u64) -> Problem {
    let detail = "too many requests from this sender did not verify; those that verify are still taken";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait_s)
}
