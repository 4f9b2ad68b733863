//! Whom we tell: how each endpoint fares, a test for it, and switching it on again.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{Redirect, Response};

use super::{Frame, back_to, render};
use crate::web::App;
use crate::web::api::endpoints::{self, EndpointAnswer};
use crate::web::api::messages::{ReplayAsked, replay_asked};
use crate::web::extract::Segment;
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "endpoints.html")]
struct Page {
    frame: Frame,
    endpoints: Vec<EndpointAnswer>,
}

/// Every endpoint.
pub(in crate::web) async fn page(app: State<Arc<App>>, frame: Frame) -> Result<Response, Problem> {
    let Json(all) = endpoints::list(app).await?;
    render(&Page {
        frame,
        endpoints: all.items,
    })
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
