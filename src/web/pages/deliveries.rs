//! What was received: deliveries that were kept, those that were refused and why, and one with its headers and payload.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, Payload, render};
use crate::domain::DeliveryId;
use crate::store::DeliveryView;
use crate::web::App;
use crate::web::api::unreadable;
use crate::web::extract::{Asked, Segment};
use crate::web::problem::Problem;
use crate::web::refusals::{self, Entry, RefusalsAsked};

/// Deliveries on a page.
const SHOWN: usize = 50;
/// Refused ones.
const REFUSED_SHOWN: usize = 20;

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::web) struct DeliveriesAsked {
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct List {
    frame: Frame,
    deliveries: Vec<DeliveryView>,
    refused: Vec<Entry>,
    is_first: bool,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct One {
    frame: Frame,
    delivery: DeliveryView,
    headers: Vec<(String, String)>,
    payload: Option<Payload>,
}

/// The deliveries, newest first, and on the first page what was refused.
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    frame: Frame,
    Asked(asked): Asked<DeliveriesAsked>,
) -> Result<Response, Problem> {
    let before = asked.before.filter(|before| !before.is_empty());
    let is_first = before.is_none();
    let page = app.store.list_deliveries(before, SHOWN).await;
    let page = page.map_err(|error| unreadable(&error))?;
    let mut refused = Vec::new();
    if is_first {
        let Json(all) = refusals::list(State(app), Asked(RefusalsAsked::default())).await;
        refused = all.items;
        refused.truncate(REFUSED_SHOWN);
    }
    render(&List {
        frame,
        deliveries: page.items,
        refused,
        is_first,
        next: page.next,
    })
}

/// One delivery.
pub(in crate::web) async fn one(
    State(app): State<Arc<App>>,
    frame: Frame,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let found = app.store.delivery(&DeliveryId::new(id)).await;
    let found = found.map_err(|error| unreadable(&error))?;
    let delivery = found.ok_or_else(|| Problem::not_found("there is no such delivery"))?;
    render(&One {
        frame,
        headers: headers(delivery.headers.as_ref()),
        payload: delivery.body.as_deref().map(Payload::of),
        delivery,
    })
}

/// Names and values, as they were kept.
fn headers(kept: Option<&serde_json::Value>) -> Vec<(String, String)> {
    let pairs = kept.and_then(|kept| serde_json::from_value(kept.clone()).ok());
    pairs.unwrap_or_default()
}
