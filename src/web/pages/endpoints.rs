//! Whom we tell: how each endpoint fares, a test for it, and switching it on again.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{Redirect, Response};
use serde::Deserialize;

use super::apps::after;
use super::{Frame, back_to, render, room};
use crate::web::App;
use crate::web::api::endpoints::{self, EndpointAnswer};
use crate::web::api::messages::{ReplayAsked, replay_asked};
use crate::web::extract::{Asked, Segment};
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "endpoints.html")]
struct Page {
    frame: Frame,
    endpoints: Vec<EndpointAnswer>,
    next: Option<String>,
}

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::web) struct EndpointsAsked {
    /// The last one of the page before.
    after: Option<String>,
}

/// Bytes for the endpoints, and of each besides its names.
const ROOM: usize = 48_000;
const ENDPOINT_BYTES: usize = 1_300;

/// Every endpoint by name, as many as fit.
pub(in crate::web) async fn page(
    app: State<Arc<App>>,
    frame: Frame,
    Asked(asked): Asked<EndpointsAsked>,
) -> Result<Response, Problem> {
    let Json(all) = endpoints::list(app).await?;
    let name = |endpoint: &EndpointAnswer| endpoint.faring.name.clone();
    let begin = after(&all.items, name, asked.after.as_deref());
    let mut endpoints: Vec<EndpointAnswer> = all.items.into_iter().skip(begin).collect();
    for endpoint in &mut endpoints {
        if let Some(reason) = &mut endpoint.faring.off_reason {
            room::clip_to(reason, 500);
        }
    }
    let kept = room::fitting(&endpoints, ROOM, weigh);
    let is_cut = kept < endpoints.len();
    endpoints.truncate(kept);
    render(&Page {
        frame,
        next: endpoints.last().filter(|_| is_cut).map(name),
        endpoints,
    })
}

fn weigh(endpoint: &EndpointAnswer) -> usize {
    let faring = &endpoint.faring;
    let texts = [endpoint.host.as_deref(), faring.off_reason.as_deref()];
    let texts = texts
        .into_iter()
        .flatten()
        .chain(endpoint.events.iter().map(String::as_str));
    // The name stands there seven times.
    ENDPOINT_BYTES + room::bytes(texts) + 7 * room::bytes([faring.name.as_str()])
}

/// Sends it a test, and shows what comes of it.
pub(in crate::web) async fn test(app: State<Arc<App>>, name: Segment) -> Result<Redirect, Problem> {
    let Json(queued) = endpoints::test(app, name).await?;
    Ok(back_to("/messages", &queued.message))
}

/// Switches it on again.
pub(in crate::web) async fn enable(app: State<Arc<App>>, name: Segment) -> Result<Redirect, Problem> {
    let Json(_) = endpoints::enable(app, name).await?;
    Ok(Redirect::to("/endpoints"))
}

/// Switches it off until a person switches it on.
pub(in crate::web) async fn disable(app: State<Arc<App>>, name: Segment) -> Result<Redirect, Problem> {
    let Json(_) = endpoints::disable(app, name).await?;
    Ok(Redirect::to("/endpoints"))
}

/// Sends again what it missed: everything that was given up.
pub(in crate::web) async fn replay(State(app): State<Arc<App>>, Segment(name): Segment) -> Result<Redirect, Problem> {
    replay_asked(&app, ReplayAsked::given_up(name)).await?;
    Ok(Redirect::to("/endpoints"))
}
