//! `/api/v1/pauses`: apps whose rollbacks wait.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::App;
use super::super::extract::Segment;
use super::super::problem::Problem;
use super::{All, Answer, Done, change, unreadable};
use crate::store::PauseView;

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Characters of an app's name.
const APP_CHARS_MAX: usize = 200;

/// A pause to begin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct PauseAsked {
    /// The app's name.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    app: String,
    /// For how long, as `90s`, `30m`, `2h` or `1d`: from a second to 30 days.
    #[schema(pattern = r"^([1-9][0-9]{0,3}[sm]|[1-9][0-9]?h|[1-9]d|[12][0-9]d)$")]
    r#for: String,
}

/// What is paused now.
#[utoipa::path(get, path = "/api/v1/pauses", operation_id = "list_pauses", tag = "pauses",
    responses((status = 200, description = "All of them", body = All<PauseView>)))]
pub(in crate::web) async fn list(State(app): State<Arc<App>>) -> Answer<All<PauseView>> {
    let read = app.store.pauses(app.clock.now()).await;
    let items = read.map_err(|error| unreadable(&error))?;
    Ok(Json(All { items }))
}

/// Pauses an app's rollbacks; a pause there is ends when the new one does.
#[utoipa::path(post, path = "/api/v1/pauses", operation_id = "pause_app", tag = "pauses", request_body = PauseAsked,
    responses((status = 200, description = "It is paused", body = PauseView)))]
pub(in crate::web) async fn begin(State(app): State<Arc<App>>, body: Body) -> Answer<PauseView> {
    let asked: PauseAsked = change(body, r#"send `{"app": "shop", "for": "2h"}`"#).await?;
    pause(&app, &asked.app, &asked.r#for).await.map(Json)
}

/// Pauses rollbacks of `name` for a time such as `2h`.
///
/// # Errors
/// When either is out of bounds, or the store cannot be used.
pub(in crate::web) async fn pause(app: &App, name: &str, duration: &str) -> Result<PauseView, Problem> {
    let name_fits = (1..=APP_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    let duration = humantime::parse_duration(duration).ok();
    let Some(duration) = duration.filter(|duration| name_fits && !duration.is_zero() && *duration <= PAUSE_MAX) else {
        return Err(Problem::bad_request(
            "a pause names an app and takes from `1s` to `30d`",
        ));
    };
    let until = app.clock.now().plus(duration);
    app.store.pause(name, until).await.map_err(|error| unreadable(&error))?;
    tracing::info!(app = name, until = %until, "rollbacks are paused");
    Ok(PauseView {
        app: name.to_owned(),
        until,
    })
}

/// Ends an app's pause.
#[utoipa::path(delete, path = "/api/v1/pauses/{app}", operation_id = "resume_app", tag = "pauses",
    params(("app" = String, Path, description = "The app's name")),
    responses((status = 200, description = "It is not paused any more", body = Done)))]
pub(in crate::web) async fn resume(State(app): State<Arc<App>>, Segment(name): Segment) -> Answer<Done> {
    match app.store.resume(&name).await {
        Ok(true) => {
            tracing::info!(app = name, "the pause is over");
            Ok(Json(Done { status: "resumed" }))
        }
        Ok(false) => Err(Problem::not_found("this app is not paused")),
        Err(error) => Err(unreadable(&error)),
    }
}
