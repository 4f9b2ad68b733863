//! Signing in with a token, and out again.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{HOST, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use url::Url;

use super::App;
use super::extract::{Asked, Form};
use super::gate::{self, Asker};
use super::pages::{Frame, render};
use super::problem::Problem;
use super::server::Peer;
use super::session;

/// The address of the page.
pub(super) const PATH: &str = "/sign-in";
/// Characters of an address to go on to.
const NEXT_CHARS_MAX: usize = 1_000;

/// Where to go on to.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Going {
    next: String,
}

#[derive(Template)]
#[template(path = "sign-in.html")]
struct Page {
    frame: Frame,
    next: String,
    /// Nothing can be sent safely from here.
    in_the_clear: bool,
    wrong: bool,
}

/// The address of the page, from which `next` follows.
pub(super) fn address(next: &str) -> String {
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("{PATH}?next={next}")
}

/// `next` if it is a path of ours, with its query; otherwise the first page.
pub(super) fn local(next: &str) -> String {
    let elsewhere = || "/".to_owned();
    let plain = next.starts_with('/') && !next.contains(|c: char| c == '\\' || c.is_control());
    if !plain || next.chars().count() > NEXT_CHARS_MAX {
        return elsewhere();
    }
    // What a browser makes of it decides, not what it looks like.
    let Ok(base) = Url::parse("http://backstop.invalid/") else {
        return elsewhere();
    };
    match base.join(next) {
        Ok(url) if url.origin() == base.origin() && url.username().is_empty() && !url.path().starts_with("//") => {
            url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()
        }
        _ => elsewhere(),
    }
}

/// The form.
pub(super) async fn show(State(app): State<Arc<App>>, Asked(going): Asked<Going>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let config = app.config.load();
    if config.server.admin_token.is_none() {
        return Redirect::to(&local(&going.next)).into_response();
    }
    // A request for a page does not say by which scheme it came: behind our own name of HTTPS it will do, and the form's own
    // request is looked at again.
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let may_be_private = config.server.public_url.as_ref().is_some_and(|public| {
        let own = host.and_then(|host| Url::parse(&format!("https://{host}/")).ok());
        own.is_some_and(|own| own.origin() == public.origin())
    });
    let in_the_clear = !may_be_private && !is_private(&parts);
    page(StatusCode::OK, local(&going.next), in_the_clear, false)
}

fn page(status: StatusCode, next: String, in_the_clear: bool, wrong: bool) -> Response {
    let page = Page {
        frame: Frame::bare(),
        next,
        in_the_clear,
        wrong,
    };
    match render(&page) {
        Ok(mut response) => {
            *response.status_mut() = status;
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// Signs in.
pub(super) async fn enter(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    refuse_other_sites(&app, &parts)?;
    if !is_private(&parts) {
        let detail = "a token is not taken over plain HTTP, which anybody on the way can read: come by HTTPS";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let form = Form::read(body).await?;
    let next = local(form.get("next").unwrap_or("/"));
    let config = app.config.load();
    let tokens = gate::tokens(&config);
    let role = form
        .get("token")
        .and_then(|token| gate::role_of(token.as_bytes(), tokens));
    let cookie = role.and_then(|role| app.sessions.begin(role, tokens, app.ids.key(), app.clock.now()));
    let Some(cookie) = cookie else {
        let peer = parts.extensions.get::<Peer>().copied();
        tracing::info!(peer = ?peer, "a sign-in with a wrong token");
        if let Some(Peer(peer)) = peer
            && let Err(wait_s) = app.limiter.count(peer.ip(), config.server.rate_limit)
        {
            return Err(gate::too_many(wait_s));
        }
        return Ok(page(StatusCode::UNAUTHORIZED, next, false, true));
    };
    // A session that this browser had is not left behind.
    if let Some(before) = session::named(&parts.headers) {
        app.sessions.end(before);
    }
    Ok(with_cookie(Redirect::to(&next).into_response(), &cookie))
}

/// Signs out.
pub(super) async fn leave(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    refuse_other_sites(&app, &parts)?;
    if let Some(key) = session::named(&parts.headers) {
        app.sessions.end(key);
    }
    Ok(with_cookie(
        Redirect::to(PATH).into_response(),
        &session::clear_cookie(),
    ))
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn asker(parts: &Parts) -> Option<Asker<'_>> {
    let Peer(peer) = parts.extensions.get::<Peer>().copied()?;
    Some(Asker::of(peer.ip(), parts, None))
}

fn refuse_other_sites(app: &App, parts: &Parts) -> Result<(), Problem> {
    let config = app.config.load();
    let is_own = asker(parts).is_some_and(|asker| gate::is_own_site(asker, config.server.public_url.as_ref()));
    if is_own {
        Ok(())
    } else {
        Err(gate::problem(gate::Refusal::CrossSite))
    }
}

/// Whether nobody on the way can read the request: it did not leave this machine, or came by TLS to whatever is in front. The
/// browser's own word (`Origin`) goes before that of a proxy. Somebody who lies here endangers only themselves.
fn is_private(parts: &Parts) -> bool {
    if asker(parts).is_some_and(|asker| gate::is_local(asker).is_ok()) {
        return true;
    }
    let mut origins = parts.headers.get_all(ORIGIN).iter().peekable();
    if origins.peek().is_some() {
        return origins.all(|origin| origin.as_bytes().starts_with(b"https://"));
    }
    let mut schemes = parts.headers.get_all("x-forwarded-proto").iter().peekable();
    schemes.peek().is_some() && schemes.all(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
}
