//! `/metrics`: what is counted, and how things stand when somebody asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

use super::App;
use super::problem::Problem;
use crate::config::Config;
use crate::domain::Timestamp;
use crate::store::{self, Store};
use crate::telemetry::{EndpointStanding, MetricsForm, OTHER, Standing};

/// When to ask again.
const AGAIN_S: u64 = 5;
/// What a rollback needs besides the platforms: the word counted, and what the store tells of it by.
const NEEDS: &[(&str, &str)] = &[
    ("controls", "controls"),
    ("fleet_brake", "fleet brake"),
    ("store", "store"),
    ("config", "config"),
];

/// Everything that is counted, in OpenMetrics if that is asked for, else as Prometheus writes it.
pub(super) async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let form = MetricsForm::asked(accept.unwrap_or_default());
    let config = app.config.load_full();
    let read = async {
        let endpoints = endpoints(&app.store, &config, app.clock.now()).await?;
        let protected = protected(&app.store, &config).await?;
        Ok::<_, store::Error>((endpoints, protected))
    };
    let (endpoints, protected) = read.await.unwrap_or_else(|error| {
        tracing::warn!(error = %error, "how things stand could not be read for the metrics; they are without it");
        Default::default()
    });
    let standing = Standing {
        endpoints,
        protected,
        store_commits: app.store.counters().commits,
    };
    match app.metrics.encode(&standing, form) {
        Ok(page) => ([(CONTENT_TYPE, form.media_type())], page).into_response(),
        Err(_) => Problem::unavailable("the metrics could not be written", AGAIN_S).into_response(),
    }
}

/// Each endpoint of the config, and as one those that are not in it any more.
async fn endpoints(store: &Store, config: &Config, now: Timestamp) -> Result<Vec<EndpointStanding>, store::Error> {
    let fresh = |name: &str| EndpointStanding {
        name: name.to_owned(),
        queued: 0,
        oldest: Duration::ZERO,
        failures: 0,
        is_on: true,
    };
    let configured = config.endpoints.iter().map(|endpoint| endpoint.name.as_str());
    let mut all: BTreeMap<String, EndpointStanding> = configured.map(|name| (name.to_owned(), fresh(name))).collect();
    for stored in store.outbox_standing().await? {
        let name = if all.contains_key(&stored.name) {
            stored.name.as_str()
        } else {
            OTHER
        };
        let found = all.entry(name.to_owned()).or_insert_with(|| fresh(name));
        let age = stored.oldest.map_or(0, |oldest| now.ms_since(oldest));
        found.queued += stored.queued;
        found.oldest = found.oldest.max(Duration::from_millis(age));
        found.failures = found.failures.max(stored.failures);
        found.is_on &= !stored.off;
    }
    Ok(all.into_values().collect())
}

/// What a rollback needs, and whether it is there; nothing where no policy may roll back.
async fn protected(store: &Store, config: &Config) -> Result<Vec<(&'static str, String, bool)>, store::Error> {
    if !config.may_roll_back() {
        return Ok(Vec::new());
    }
    let troubles = store.troubles().await?;
    let is_there = |told: &str| !troubles.iter().any(|(about, ..)| about == told);
    let platforms = config.platforms.keys();
    let mut all: Vec<_> = platforms
        .map(|name| ("platform", name.to_string(), is_there(&format!("platform {name}"))))
        .collect();
    all.extend(NEEDS.iter().map(|(word, told)| (*word, String::new(), is_there(told))));
    Ok(all)
}
