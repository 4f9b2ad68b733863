//! The HTTP side: deliveries in, health, metrics, the API and the pages.
//!
//! Deliveries and health answer anybody; everything else stands behind `gate`. What goes wrong is told as problem
//! details in our own words; what a lower layer said is in the log.

mod api;
mod approve;
mod body;
mod events;
mod extract;
mod filters;
mod gate;
mod harden;
mod health;
mod limit;
mod metrics;
mod pages;
mod problem;
mod redact;
mod refusals;
mod server;
mod session;
mod sign_in;
#[cfg(test)]
mod tests;
mod trust;
mod webhook;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Ids};
use crate::config::{Config, ConfigFile};
use crate::runtime::Handle;
use crate::store::Store;
use crate::telemetry::Metrics;

use limit::Limiter;
use problem::Problem;
pub use server::Limits;

/// What the handlers work with.
pub struct App {
    config: Arc<ArcSwap<Config>>,
    config_file: Option<ConfigFile>,
    store: Store,
    handle: Handle,
    clock: Clock,
    ids: Ids,
    metrics: Metrics,
    limiter: Limiter,
    limits: Limits,
    readiness: health::Readiness,
    refusals: refusals::Refusals,
    sessions: session::Sessions,
    events: events::Events,
}

impl App {
    /// An app over a running agent, with the limits that connections have by default.
    pub fn new(
        config: Arc<ArcSwap<Config>>,
        store: Store,
        handle: Handle,
        clock: Clock,
        ids: Ids,
        metrics: Metrics,
    ) -> Self {
        let limiter = Limiter::new(clock.clone(), config.load().server.rate_limit);
        let events = events::Events::new(ids.next("evt", clock.now()));
        Self {
            config,
            config_file: None,
            store,
            handle,
            clock,
            ids,
            metrics,
            limiter,
            limits: Limits::default(),
            readiness: health::Readiness::default(),
            refusals: refusals::Refusals::default(),
            sessions: session::Sessions::default(),
            events,
        }
    }

    /// The same, which says how the config and the `file` that it came from compare.
    #[must_use]
    pub fn with_config_file(self, file: Option<ConfigFile>) -> Self {
        Self {
            config_file: file,
            ..self
        }
    }
}

/// Serves `app` until `stop`, then lets the answers under way end. With an `admin` listener, the dashboard, the API and
/// the metrics answer only there.
pub fn serve(
    mut app: App,
    listener: TcpListener,
    admin: Option<TcpListener>,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    app.events.stop = stop.clone();
    let app = Arc::new(app);
    let open = open_routes();
    let (listener_routes, admin_routes) = match admin {
        None => (open.merge(gated_routes(&app)), None),
        Some(admin) => {
            let routes = health_routes().merge(asset_routes()).merge(gated_routes(&app));
            (open, Some((admin, routes)))
        }
    };
    let mut tasks = Vec::new();
    for (listener, routes) in std::iter::once((listener, listener_routes)).chain(admin_routes) {
        let router = finish(routes, &app);
        tasks.push(tokio::spawn(server::run(listener, router, app.limits, stop.clone())));
    }
    tasks
}

type Routes = Router<Arc<App>>;

fn health_routes() -> Routes {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
}

fn open_routes() -> Routes {
    health_routes()
        .merge(asset_routes())
        .route("/webhooks/{platform}", post(webhook::receive))
        .route("/webhooks/{platform}/{secret}", post(webhook::receive_by_path))
        .route("/approve/{id}", get(approve::show).post(approve::give))
}

fn asset_routes() -> Routes {
    Router::new()
        .route("/style.css", get(pages::style))
        .route("/live.js", get(pages::script))
}

fn gated_routes(app: &Arc<App>) -> Routes {
    api::routes()
        .route("/", get(pages::overview::page))
        .route("/apps", get(pages::apps::page))
        .route("/runs/{id}", get(pages::run::page))
        .route("/runs/{id}/approve", post(pages::run::approve))
        .route("/runs/{id}/cancel", post(pages::run::cancel))
        .route("/runs/{id}/rollback", post(pages::run::order))
        .route("/runs/{id}/label", post(pages::run::label))
        .route("/deliveries", get(pages::deliveries::list))
        .route("/deliveries/{id}", get(pages::deliveries::one))
        .route("/messages", get(pages::messages::list))
        .route("/messages/{id}", get(pages::messages::one))
        .route("/messages/{id}/replay", post(pages::messages::replay))
        .route("/endpoints", get(pages::endpoints::page))
        .route("/endpoints/{name}/test", post(pages::endpoints::test))
        .route("/endpoints/{name}/enable", post(pages::endpoints::enable))
        .route("/endpoints/{name}/disable", post(pages::endpoints::disable))
        .route("/endpoints/{name}/replay", post(pages::endpoints::replay))
        .route("/pauses", get(pages::pauses::page).post(pages::pauses::pause))
        .route("/pauses/{app}/resume", post(pages::pauses::resume))
        .route("/trust", get(trust::page).post(trust::label_by_form))
        .route("/config", get(pages::config::page))
        .route("/metrics", get(metrics::show))
        .route_layer(from_fn_with_state(Arc::clone(app), gate::gate))
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
}

fn finish(routes: Routes, app: &Arc<App>) -> Router {
    routes
        .fallback(async || Problem::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                http::StatusCode::METHOD_NOT_ALLOWED,
                "this address does not take this method",
            )
        })
        .layer(from_fn(pages::problems))
        .layer(from_fn(harden::harden))
        .with_state(Arc::clone(app))
}
