//! What was received: deliveries that were kept, those that were refused and why, and one with its headers and payload.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::{Frame, Payload, render, room, shown};
use crate::domain::DeliveryId;
use crate::store::DeliveryView;
use crate::web::App;
use crate::web::api::deliveries::DeliveriesAsked;
use crate::web::api::unreadable;
use crate::web::extract::{Asked, Segment};
use crate::web::filters::{Filters, Onward};
use crate::web::problem::Problem;
use crate::web::refusals::{self, Entry, RefusalsAsked};

/// Deliveries on a page.
const SHOWN: usize = 50;
/// Refused ones.
const REFUSED_SHOWN: usize = 20;
/// Bytes for either.
const ROOM: usize = 36_000;
const REFUSED_ROOM: usize = 12_000;
/// Characters of a header's value.
const HEADER_CHARS_MAX: usize = 1_000;
/// Bytes of one delivery's headers.
const HEADERS_ROOM: usize = 16_000;
/// Bytes of a row's markup, besides what others wrote in it.
const ROW_BYTES: usize = 320;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct List {
    frame: Frame,
    filters: Filters,
    deliveries: Vec<DeliveryView>,
    refused: Vec<Entry>,
    onward: Onward,
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
    let filters = asked.shown();
    let filter = asked.filter(shown(asked.limit, SHOWN), app.clock.now())?;
    let page = app.store.list_deliveries(filter).await;
    let mut page = page.map_err(|error| unreadable(&error))?;
    page.items.iter_mut().for_each(clip_row);
    let page = room::fit(page, ROOM, weigh, |delivery| delivery.id.clone());
    let mut refused = Vec::new();
    if filters.is_all() {
        let Json(all) = refusals::list(State(app), Asked(RefusalsAsked::default())).await;
        refused = all.items;
        refused.truncate(REFUSED_SHOWN);
        refused.truncate(room::fitting(&refused, REFUSED_ROOM, weigh_refused));
    }
    render(&List {
        frame,
        onward: filters.onward(&page),
        filters,
        deliveries: page.items,
        refused,
    })
}

fn clip_row(delivery: &mut DeliveryView) {
    room::clip(&mut delivery.platform);
    for text in [
        &mut delivery.event,
        &mut delivery.app,
        &mut delivery.deployment,
        &mut delivery.note,
    ] {
        room::clip_any(text);
    }
}

fn weigh(delivery: &DeliveryView) -> usize {
    let texts = [
        &delivery.event,
        &delivery.app,
        &delivery.deployment,
        &delivery.note,
        &delivery.run,
    ];
    let texts = texts.into_iter().filter_map(|text| text.as_deref());
    // The id stands there twice.
    ROW_BYTES + room::bytes(texts) + room::bytes([delivery.platform.as_str(), &delivery.id, &delivery.id])
}

fn weigh_refused(entry: &Entry) -> usize {
    let findings: usize = entry
        .findings
        .iter()
        .map(|finding| 10 + room::bytes([finding.as_str()]))
        .sum();
    let peer = entry.peer.as_deref().unwrap_or_default();
    ROW_BYTES + findings + room::bytes([entry.platform.as_str(), peer, &entry.reason])
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

/// Names and values, as they were kept; those that fit.
fn headers(kept: Option<&serde_json::Value>) -> Vec<(String, String)> {
    let pairs = kept.and_then(|kept| serde_json::from_value(kept.clone()).ok());
    let mut pairs: Vec<(String, String)> = pairs.unwrap_or_default();
    for (name, value) in &mut pairs {
        room::clip(name);
        room::clip_to(value, HEADER_CHARS_MAX);
    }
    let weigh = |(name, value): &(String, String)| ROW_BYTES / 4 + room::bytes([name.as_str(), value]);
    pairs.truncate(room::fitting(&pairs, HEADERS_ROOM, weigh));
    pairs
}
