//! `/api/v1`: what the command line and scripts ask. Each handler says what it takes and answers; `openapi` makes the
//! document of that, so neither can be without the other.

pub(super) mod apps;
pub(super) mod config;
pub(super) mod deliveries;
pub(super) mod endpoints;
pub(super) mod messages;
mod openapi;
pub(super) mod pauses;
pub(super) mod runs;

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::{App, Routes, events, refusals, trust};
use crate::store::{self, PAGE_MAX};

/// Rows in a page unless asked otherwise.
const PAGE_DEFAULT: usize = 50;
/// When to ask again after the store could not be read.
const AGAIN_S: u64 = 5;
/// The most that a request to change something may carry.
const CHANGE_BYTES_MAX: usize = 16 * 1024;
/// The only way to write a null character in JSON.
const NULL_ESCAPE: &[u8] = br"\u0000";

pub(super) type Answer<T> = Result<Json<T>, Problem>;

/// The API, and the document that describes it.
pub(super) fn routes() -> Routes {
    let described: OpenApiRouter<Arc<App>> = OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(runs::list, runs::start))
        .routes(routes!(runs::one))
        .routes(routes!(runs::journal))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::approve))
        .routes(routes!(runs::roll_back))
        .routes(routes!(trust::label))
        .routes(routes!(trust::list))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::one))
        .routes(routes!(refusals::list))
        .routes(routes!(messages::list))
        .routes(routes!(messages::replay_many))
        .routes(routes!(messages::one))
        .routes(routes!(messages::replay))
        .routes(routes!(endpoints::list))
        .routes(routes!(endpoints::test))
        .routes(routes!(endpoints::enable))
        .routes(routes!(endpoints::disable))
        .routes(routes!(apps::list))
        .routes(routes!(apps::troubles))
        .routes(routes!(pauses::list, pauses::begin))
        .routes(routes!(pauses::resume))
        .routes(routes!(config::show))
        .routes(routes!(events::listen));
    openapi::with_document(described)
}

/// Rows that are few enough for one page.
#[derive(Serialize, ToSchema)]
pub(super) struct All<T> {
    pub(super) items: Vec<T>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {
    /// It, in a word or two.
    pub(super) status: &'static str,
}

fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(PAGE_DEFAULT) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(Problem::bad_request(format!("`limit` is from 1 to {PAGE_MAX}"))),
    }
}

/// The store's error is for the log; the client learns that it may ask again.
pub(super) fn unreadable(error: &store::Error) -> Problem {
    tracing::error!(error = %error, "the store could not be used for an answer");
    Problem::unavailable("the store cannot be used now; the log says why", AGAIN_S)
}

fn stopping() -> Problem {
    Problem::unavailable("the agent is stopping", AGAIN_S)
}

/// The JSON of a request to change something; `shape` is what it should look like.
pub(super) async fn change<T: serde::de::DeserializeOwned>(body: Body, shape: &'static str) -> Result<T, Problem> {
    let bytes = to_bytes(body, CHANGE_BYTES_MAX)
        .await
        .map_err(|_| Problem::bad_request(shape))?;
    // Nothing of ours holds a null character, and PostgreSQL does not take it.
    if bytes.windows(NULL_ESCAPE.len()).any(|window| window == NULL_ESCAPE) {
        return Err(Problem::bad_request("the JSON holds a null character"));
    }
    serde_json::from_slice(&bytes).map_err(|_| Problem::bad_request(shape))
}
