//! `/api/v1/deliveries`: what was received.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::super::App;
use super::super::extract::{Asked, Segment};
use super::super::problem::Problem;
use super::{Answer, PageAsked, limit, unreadable};
use crate::domain::DeliveryId;
use crate::store::{DeliveryView, Page};

/// Deliveries that were kept, newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", operation_id = "list_deliveries", tag = "deliveries", params(PageAsked),
    responses((status = 200, description = "A page of deliveries", body = Page<DeliveryView>)))]
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<PageAsked>,
) -> Answer<Page<DeliveryView>> {
    let page = app.store.list_deliveries(asked.before, limit(asked.limit)?);
    page.await.map(Json).map_err(|error| unreadable(&error))
}

/// One delivery, with its headers, redacted, and its body.
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", operation_id = "get_delivery", tag = "deliveries",
    params(("id" = String, Path, description = "The delivery")),
    responses((status = 200, description = "The delivery", body = DeliveryView)))]
pub(in crate::web) async fn one(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<DeliveryView> {
    match app.store.delivery(&DeliveryId::new(id)).await {
        Ok(Some(delivery)) => Ok(Json(delivery)),
        Ok(None) => Err(Problem::not_found("there is no such delivery")),
        Err(error) => Err(unreadable(&error)),
    }
}
