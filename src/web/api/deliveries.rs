//! `/api/v1/deliveries`: what was received.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::App;
use super::super::extract::{Asked, Segment};
use super::super::problem::Problem;
use super::{Answer, limit, unreadable};
use crate::domain::DeliveryId;
use crate::store::{DeliveryView, Page};

/// Which deliveries, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct DeliveriesAsked {
    /// Only from this platform.
    #[param(max_length = 300)]
    pub(in crate::web) platform: Option<String>,
    /// Only about this app.
    #[param(max_length = 300)]
    pub(in crate::web) app: Option<String>,
    /// Only of this event, in the platform's own word.
    #[param(max_length = 300)]
    pub(in crate::web) event: Option<String>,
    /// Only those received then or later: a moment, a day (`2026-03-12`), or how long ago (`2h`).
    #[param(pattern = r"^(|[1-9][0-9]{0,2}[smhd]|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$")]
    pub(in crate::web) since: Option<String>,
    /// Only those received before: the same.
    #[param(pattern = r"^(|[1-9][0-9]{0,2}[smhd]|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$")]
    pub(in crate::web) until: Option<String>,
    /// The last page's `next`.
    #[param(max_length = 300)]
    pub(in crate::web) before: Option<String>,
    /// At most so many rows.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(in crate::web) limit: Option<usize>,
}

/// Deliveries that were kept, newest first.
#[utoipa::path(get, path = "/api/v1/deliveries", operation_id = "list_deliveries", tag = "deliveries", params(DeliveriesAsked),
    responses((status = 200, description = "A page of deliveries", body = Page<DeliveryView>)))]
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<DeliveriesAsked>,
) -> Answer<Page<DeliveryView>> {
    let filter = asked.filter(limit(asked.limit)?, app.clock.now())?;
    let page = app.store.list_deliveries(filter).await;
    page.map(Json).map_err(|error| unreadable(&error))
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
