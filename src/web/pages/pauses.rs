//! Pausing rollbacks of an app, and ending that.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{Redirect, Response};

use super::{Frame, render, room};
use crate::store::PauseView;
use crate::web::App;
use crate::web::api::pauses;
use crate::web::extract::{Form, Segment};
use crate::web::problem::Problem;

#[derive(Template)]
#[template(path = "pauses.html")]
struct Page {
    frame: Frame,
    pauses: Vec<PauseView>,
    left_out: usize,
}

/// Bytes for the list.
const ROOM: usize = 44_000;

/// The pauses that last.
pub(in crate::web) async fn page(app: State<Arc<App>>, frame: Frame) -> Result<Response, Problem> {
    let Json(all) = pauses::list(app).await?;
    let mut pauses = all.items;
    let in_all = pauses.len();
    // The name stands there twice, and in an address, where it takes thrice as much.
    let weigh = |pause: &PauseView| 280 + 2 * room::bytes([pause.app.as_str()]) + 3 * pause.app.len();
    pauses.truncate(room::fitting(&pauses, ROOM, weigh));
    render(&Page {
        frame,
        left_out: in_all - pauses.len(),
        pauses,
    })
}

/// Begins one.
pub(in crate::web) async fn pause(State(app): State<Arc<App>>, body: Body) -> Result<Redirect, Problem> {
    let form = Form::read(body).await?;
    let field = |name: &str| form.get(name).unwrap_or_default().trim();
    pauses::pause(&app, field("app"), field("for")).await?;
    Ok(Redirect::to("/pauses"))
}

/// Ends one.
pub(in crate::web) async fn resume(app: State<Arc<App>>, name: Segment) -> Result<Redirect, Problem> {
    let Json(_) = pauses::resume(app, name).await?;
    Ok(Redirect::to("/pauses"))
}
