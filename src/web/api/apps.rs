//! `/api/v1/apps` and `/api/v1/troubles`: how each app stands, and whether it could be rolled back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::App;
use super::{All, Answer, unreadable};
use crate::domain::{Timestamp, rfc3339};
use crate::store::AppView;

/// Why a rollback would not be possible now.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct TroubleView {
    /// What it is about: the store, a platform, the controls, …
    about: String,
    /// Why.
    reason: String,
    /// Since when.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// Each app in each environment, with its newest run and its last good deployment.
#[utoipa::path(get, path = "/api/v1/apps", operation_id = "list_apps", tag = "apps",
    responses((status = 200, description = "All of them", body = All<AppView>)))]
pub(in crate::web) async fn list(State(app): State<Arc<App>>) -> Answer<All<AppView>> {
    let items = app.store.apps().await.map_err(|error| unreadable(&error))?;
    Ok(Json(All { items }))
}

/// What keeps rollbacks from being possible now, oldest first; empty when all is well.
#[utoipa::path(get, path = "/api/v1/troubles", operation_id = "list_troubles", tag = "apps",
    responses((status = 200, description = "All of them", body = All<TroubleView>)))]
pub(in crate::web) async fn troubles(State(app): State<Arc<App>>) -> Answer<All<TroubleView>> {
    let read = app.store.troubles().await.map_err(|error| unreadable(&error))?;
    let view = |(about, reason, since)| TroubleView { about, reason, since };
    Ok(Json(All {
        items: read.into_iter().map(view).collect(),
    }))
}
