//! A pretend Temps: deploys, routes, rolls back and tells, as its generations differ.

mod api;
mod deliver;
mod state;
mod webhooks;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State as With;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};

use super::app::{self, Behaviour, Release};
use super::server::Server;
use crate::clock::Clock;
use crate::http::{Client, Network};

use state::State;
pub use state::{Generation, RollbackCall, RollbackFault};

/// The one project's id.
const PROJECT: u64 = 7;
/// Its slug, which is the app's name.
pub(super) const APP: &str = "shop";
/// The one environment's id and slug.
const ENVIRONMENT: u64 = 3;
const ENVIRONMENT_NAME: &str = "production";

/// Requests of which `traceparent` is kept.
const TRACED_MAX: usize = 10_000;

/// What the API and the app share.
struct Shared {
    state: Mutex<State>,
    clock: Clock,
    client: Client,
    token: Mutex<String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token(&self) -> MutexGuard<'_, String> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pretend Temps with one project, one environment, and an app that its proxy routes to the current deployment.
pub struct Temps {
    api: Server,
    shared: Arc<Shared>,
    // Held so that the app answers as long as the platform does.
    _app: Server,
}

impl Temps {
    /// Starts one of this generation, whose API asks for `token`.
    ///
    /// # Errors
    /// When no port can be had, or HTTP cannot be set up.
    pub async fn start(generation: Generation, token: &str) -> io::Result<Self> {
        let client = Client::new(Network::default()).map_err(io::Error::other)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(generation)),
            clock: Clock::system(),
            client,
            token: Mutex::new(token.to_owned()),
        });
        let app = Server::start(Router::new().fallback(route).with_state(Arc::clone(&shared))).await?;
        shared.state().app_url = format!("http://{}", app.address);
        let api = Server::start(api::router(Arc::clone(&shared))).await?;
        Ok(Self { api, shared, _app: app })
    }

    /// The address of its API.
    pub fn url(&self) -> String {
        format!("http://{}", self.api.address)
    }

    /// The address of the app, where the current deployment answers.
    pub fn app_url(&self) -> String {
        self.shared.state().app_url.clone()
    }

    /// Has it deliver to `url`, signed by `secret`, and to nobody else.
    pub fn deliver_to(&self, url: &str, secret: &str) {
        self.register(PROJECT, url, secret, &webhooks::DEPLOYMENTS);
    }

    /// A webhook of `project` for these events, in place of all that the project has.
    fn register(&self, project: u64, url: &str, secret: &str, events: &[&str]) {
        let mut state = self.shared.state();
        state.webhooks.retain(|webhook| webhook.project != project);
        let wall = self.shared.clock.wall();
        state.add_webhook(
            project,
            url,
            Some(secret),
            events.iter().map(|event| (*event).to_owned()).collect(),
            wall,
        );
    }

    /// Another project, which never deploys, with a webhook to `url` if one is given; returns its id.
    pub fn add_project(&self, slug: &str, url: Option<&str>) -> u64 {
        let id = {
            let mut state = self.shared.state();
            let id = PROJECT + 1 + state.more_projects.len() as u64;
            state.more_projects.push((id, slug.to_owned()));
            id
        };
        if let Some(url) = url {
            self.register(id, url, "a-secret-of-somebody-else", &["deployment_failed"]);
        }
        id
    }

    /// The webhooks of all projects, as the API shows them, and the secret of each.
    pub fn webhooks(&self) -> Vec<(serde_json::Value, Option<String>)> {
        let state = self.shared.state();
        let shown = state
            .webhooks
            .iter()
            .map(|webhook| (webhook.shown(), webhook.secret.clone()));
        shown.collect()
    }

    /// Switches webhooks to `url` off, or has them send only these events.
    pub fn spoil_webhooks(&self, url: &str, enabled: bool, events: &[&str]) {
        let mut state = self.shared.state();
        for webhook in state.webhooks.iter_mut().filter(|webhook| webhook.url == url) {
            webhook.enabled = enabled;
            webhook.events = events.iter().map(|event| (*event).to_owned()).collect();
        }
    }

    /// Takes a permission from the token.
    pub fn deny(&self, permission: &str) {
        self.shared.state().denied.push(permission.to_owned());
    }

    /// The requests to the app that came with a `traceparent`, each with its path and that.
    pub fn traced(&self) -> Vec<(String, String)> {
        self.shared.state().traced.clone()
    }

    /// How many requests the app answered.
    pub fn app_requests(&self) -> u64 {
        self.shared.state().requests
    }

    /// How many requests to the API came with a `traceparent`.
    pub fn api_traced(&self) -> u64 {
        self.shared.state().api_traced
    }

    /// How many requests to make or change a webhook it took.
    pub fn webhook_changes(&self) -> u64 {
        self.shared.state().webhook_changes
    }

    /// Deploys `release`, makes it current and delivers that it is live; returns its id. Waits until the deliveries are
    /// answered.
    pub async fn deploy(&self, release: Release) -> String {
        self.build_and_deploy(release, Duration::ZERO).await
    }

    /// The same, with so much time between the word that it is on its way and its being current.
    pub async fn build_and_deploy(&self, release: Release, build: Duration) -> String {
        let (id, started) = {
            let mut state = self.shared.state();
            let id = state.create(release, None, self.shared.clock.wall());
            (id, state.payload(id, "started", self.shared.clock.wall()))
        };
        self.deliver(started).await;
        tokio::time::sleep(build).await;
        let (shown, live) = {
            let mut state = self.shared.state();
            state.make_current(id, self.shared.clock.now());
            (state.show(id), state.payload(id, "live", self.shared.clock.wall()))
        };
        self.deliver(live).await;
        shown
    }

    /// Deploys and makes current without a word: the delivery is lost.
    pub fn deploy_silently(&self, release: Release) -> String {
        let mut state = self.shared.state();
        let id = state.create(release, None, self.shared.clock.wall());
        state.make_current(id, self.shared.clock.now());
        state.show(id)
    }

    /// Has the API take only this token from now on.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut self.shared.token());
    }

    /// Delivers that `deployment` is live, whether or not that is so; returns the answer's status.
    pub async fn say_live(&self, deployment: &str) -> Option<u16> {
        let payload = {
            let state = self.shared.state();
            state
                .find(deployment)
                .map(|id| state.payload(id, "live", self.shared.clock.wall()))
        };
        self.deliver(payload?).await
    }

    /// The current deployment.
    pub fn current(&self) -> Option<String> {
        let state = self.shared.state();
        state.current.map(|id| state.show(id))
    }

    /// Every rollback call it got, in order.
    pub fn rollback_calls(&self) -> Vec<RollbackCall> {
        self.shared.state().calls.clone()
    }

    /// What goes wrong with rollback calls from now on.
    pub fn set_rollback_fault(&self, fault: RollbackFault) {
        self.shared.state().fault = fault;
    }

    /// Removes the image of `deployment`, as nightly clean-ups do.
    pub fn remove_image(&self, deployment: &str) {
        self.change(deployment, |row| row.has_image = false);
    }

    /// The version of `deployment` does something else from now on.
    pub fn turn(&self, deployment: &str, behaviour: Behaviour) {
        self.change(deployment, |row| row.release.behaviour = behaviour);
    }

    /// Sets the state of `deployment`.
    pub fn set_status(&self, deployment: &str, status: &str) {
        self.change(deployment, |row| row.status = status.to_owned());
    }

    fn change(&self, deployment: &str, change: impl FnOnce(&mut state::Row)) {
        let mut state = self.shared.state();
        let found = state.find(deployment);
        if let Some(row) = found.and_then(|id| state.row_mut(id)) {
            change(row);
        }
    }

    async fn deliver(&self, payload: serde_json::Value) -> Option<u16> {
        deliver::send(&self.shared, payload).await
    }
}

fn traceparent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    Some(value.to_owned())
}

/// The proxy: whoever asks gets what the current deployment answers.
async fn route(With(shared): With<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let mut state = shared.state();
    state.requests += 1;
    if let Some(parent) = traceparent(&headers).filter(|_| state.traced.len() < TRACED_MAX) {
        state.traced.push((uri.path().to_owned(), parent));
    }
    let number = state.requests;
    let Some(current) = state.current.and_then(|id| state.row(id)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let before = current.before.and_then(|id| state.row(id)).map(|row| &row.release);
    let live_ms = shared.clock.now().ms_since(current.live_at);
    app::answer(&current.release, before, live_ms, number, uri.path())
}
