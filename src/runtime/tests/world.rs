//! What is around the agents: a platform with two apps, the apps themselves, an endpoint, and what goes wrong with them.
//!
//! It knows the truth, so it also says when something happened that must not: see [`World::wrong`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use super::agents::Control;
use super::rules;
use crate::clock::Clock;
use crate::domain::{Reason, Timestamp};
use crate::http::{Failure, Wire};
use crate::step::{Request, Response};
use crate::store::Engine;

/// The projects of the two apps.
pub(super) const PROJECTS: [u64; 2] = [7, 8];
const ENVIRONMENT: u64 = 3;
/// A gateway that answers for the platform does so at most this long before a rollback is made: less than the time that
/// an agent waits for an effect.
const GIVES_UP_EARLY_MS: u64 = 25_000;

/// What a release does once it is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quality {
    Good,
    /// Good, after so many milliseconds.
    Cold(u64),
    Broken,
    /// Broken, after so many milliseconds.
    BreaksAfter(u64),
}

impl Quality {
    pub(super) const fn is_bad(self) -> bool {
        matches!(self, Self::Broken | Self::BreaksAfter(_))
    }
}

/// One deployment.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) quality: Quality,
    pub(super) created_at: Timestamp,
    pub(super) live_at: Timestamp,
    pub(super) rolled_back_from: Option<u64>,
    /// Something else was made current after it, other than by a rollback of ours.
    pub(super) superseded: bool,
    /// Probes that may still get no answer, once one had a good one.
    hiccups: u32,
    answered: bool,
    /// It was never live.
    building: bool,
}

/// One app.
#[derive(Default)]
pub(super) struct App {
    pub(super) rows: Vec<Row>,
    pub(super) current: Option<u64>,
    /// What was current when each rollback that is being made was asked for.
    busy: Vec<Option<u64>>,
    /// Each rollback that was made: the bad deployment and when.
    pub(super) rolled_back: Vec<(u64, Timestamp)>,
    /// Went live between an agent's last look and its call.
    pub(super) raced: BTreeSet<u64>,
}

impl App {
    pub(super) fn row(&self, id: u64) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }
}

/// Everything, behind one lock that is never held over an await.
pub(super) struct Inner {
    rng: Xoshiro256PlusPlus,
    pub(super) apps: BTreeMap<u64, App>,
    /// What goes wrong by itself, in thousandths of all requests.
    pub(super) trouble: u64,
    /// The platform answers 503 until then.
    pub(super) down_until: Timestamp,
    /// The endpoint's messages: each with its bytes.
    pub(super) heard: BTreeMap<String, Vec<u8>>,
    pub(super) wrong: BTreeSet<String>,
    pub(super) events: u64,
    pub(super) faults: u64,
    /// What happened, to compare two histories by.
    pub(super) trace: u64,
    /// What the collector of traces was sent: each by which agent, with its bytes.
    pub(super) exported: Vec<(u64, Vec<u8>)>,
    /// It takes everything and never answers.
    pub(super) collector_hangs: bool,
    /// The last answer to "what is current", by agent and project.
    read: BTreeMap<(u64, u64), Option<u64>>,
    next_id: u64,
}

/// The world. Cheap to clone.
#[derive(Clone)]
pub(super) struct World {
    inner: Arc<Mutex<Inner>>,
    pub(super) clock: Clock,
    engine: Arc<dyn Engine>,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    /// It does not arrive.
    Refused,
    /// It arrives and is not acted on.
    ErrorBefore,
    /// It is acted on; the answer says otherwise.
    ErrorAfter,
    /// It is acted on; no answer comes.
    Lost,
}

impl World {
    pub(super) fn new(seed: u64, clock: Clock, engine: Arc<dyn Engine>) -> Self {
        let inner = Inner {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            apps: PROJECTS.iter().map(|project| (*project, App::default())).collect(),
            trouble: 0,
            down_until: clock.now(),
            heard: BTreeMap::new(),
            wrong: BTreeSet::new(),
            events: 0,
            faults: 0,
            trace: 0,
            exported: Vec::new(),
            collector_hangs: false,
            read: BTreeMap::new(),
            next_id: 41,
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            clock,
            engine,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened that must not.
    pub(super) fn wrong(&self, what: impl Into<String>) {
        self.lock().wrong.insert(what.into());
    }

    /// A random number below `bound`.
    pub(super) fn draw(&self, bound: u64) -> u64 {
        self.lock().draw(bound)
    }

    /// Counts something that happened.
    pub(super) fn happened(&self, what: &str) {
        let at = self.clock.now().as_millis().unsigned_abs();
        let mut inner = self.lock();
        inner.events += 1;
        for byte in what.bytes().chain(at.to_le_bytes()) {
            inner.trace = (inner.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// A new deployment becomes current.
    pub(super) fn deploy(&self, project: u64, quality: Quality) -> u64 {
        let now = self.clock.now();
        let mut inner = self.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        let Some(app) = inner.apps.get_mut(&project) else {
            return id;
        };
        let before = app.current.replace(id);
        // With what a rollback restored, the run that verifies it is superseded.
        let undone = app.rolled_back.last().map(|(bad, _)| *bad);
        for row in app
            .rows
            .iter_mut()
            .filter(|row| Some(row.id) == before || Some(row.id) == undone)
        {
            row.superseded = true;
        }
        app.rows.push(Row::new(id, quality, now, None));
        tracing::info!(project, id, ?quality, at = %now, "a release");
        id
    }

    /// A new deployment that does not get further than being built.
    pub(super) fn build(&self, project: u64) -> u64 {
        let now = self.clock.now();
        let mut inner = self.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        if let Some(app) = inner.apps.get_mut(&project) {
            let row = Row::new(id, Quality::Good, now, None);
            app.rows.push(Row { building: true, ..row });
        }
        id
    }

    /// What the endpoint heard that tells `event`.
    pub(super) fn told(&self, event: &str) -> Vec<Json> {
        let inner = self.lock();
        let said = inner
            .heard
            .values()
            .filter_map(|body| serde_json::from_slice(body).ok());
        said.filter(|body: &Json| body["event"] == event).collect()
    }

    fn fate(&self) -> (Fate, Duration) {
        let mut inner = self.lock();
        let latency = Duration::from_millis(5 + inner.draw(200));
        let trouble = inner.trouble;
        let fate = match inner.draw(1_000) {
            roll if roll >= trouble => Fate::Answered,
            roll => {
                inner.faults += 1;
                [Fate::Refused, Fate::ErrorBefore, Fate::ErrorAfter, Fate::Lost][usize::try_from(roll % 4).unwrap_or(0)]
            }
        };
        (fate, latency)
    }

    async fn answer(&self, agent: &Control, request: Request) -> Result<Response, Failure> {
        agent.gate().await;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        if host == "otlp.example" {
            return self.collector(agent, request).await;
        }
        let (fate, latency) = self.fate();
        // What happens while a request is on its way cannot be known to whoever made it.
        let known = self.lock().last_read(agent.number, &request);
        tokio::time::sleep(latency).await;
        let answered = match host.as_str() {
            "temps.example" => self.platform(agent, &request, fate, known).await,
            "ops.example" => self.endpoint(&request, fate),
            _ => self.app(&request, &host),
        };
        let answered = match (answered, fate) {
            (_, Fate::Lost) if !host.starts_with("app-") => std::future::pending().await,
            (answered, _) => answered,
        };
        agent.gate().await;
        answered
    }

    /// The collector of traces, whom no chance befalls.
    async fn collector(&self, agent: &Control, request: Request) -> Result<Response, Failure> {
        let hangs = {
            let mut inner = self.lock();
            let body = request.body.clone().unwrap_or_default();
            inner.exported.push((agent.number, body));
            inner.collector_hangs
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        Ok(Response {
            status: 200,
            ..Response::empty(request.url)
        })
    }

    /// What a release answers. Of one release few probes get no answer, so that no number of them makes it a bad one.
    fn app(&self, request: &Request, host: &str) -> Result<Response, Failure> {
        let project = host
            .trim_start_matches("app-")
            .split('.')
            .next()
            .and_then(|text| text.parse().ok());
        let now = self.clock.now();
        let mut inner = self.lock();
        let hiccup = inner.trouble > 0 && inner.draw(20) == 0;
        let app = project.and_then(|project: u64| inner.apps.get_mut(&project));
        let Some(row) = app.and_then(|app| app.rows.iter_mut().find(|row| Some(row.id) == app.current)) else {
            return answer(request, 404, &json!("nothing is live"));
        };
        let live_ms = now.ms_since(row.live_at);
        if hiccup && row.answered && row.hiccups > 0 {
            row.hiccups -= 1;
            return Err(Failure::new(Reason::Timeout, "no answer"));
        }
        row.answered |= !matches!(row.quality, Quality::Cold(ms) if live_ms < ms);
        match row.quality {
            Quality::Cold(ms) if live_ms < ms => answer(request, 503, &json!("starting")),
            Quality::Good | Quality::Cold(_) => answer(request, 200, &json!({"status": "ok"})),
            Quality::BreaksAfter(ms) if live_ms < ms => answer(request, 200, &json!({"status": "ok"})),
            Quality::Broken | Quality::BreaksAfter(_) => answer(request, 500, &json!({"status": "broken"})),
        }
    }

    /// The endpoint takes a message, or says that it did not.
    fn endpoint(&self, request: &Request, fate: Fate) -> Result<Response, Failure> {
        if fate == Fate::Refused {
            return Err(Failure::new(Reason::Refused, "refused"));
        }
        if fate == Fate::ErrorBefore {
            return answer(request, 503, &json!("later"));
        }
        let body = request.body.clone().unwrap_or_default();
        let said: Json = serde_json::from_slice(&body).unwrap_or_default();
        let id = said["delivery_id"].as_str().unwrap_or_default().to_owned();
        self.happened(&id);
        let mut inner = self.lock();
        let before = inner.heard.insert(id.clone(), body.clone());
        if before.is_some_and(|before| before != body) {
            inner.wrong.insert(format!("message {id} was sent with other bytes"));
        }
        drop(inner);
        answer(
            request,
            if fate == Fate::ErrorAfter { 500 } else { 200 },
            &json!("heard"),
        )
    }

    /// `known` is what the agent took for current when it asked.
    async fn platform(
        &self,
        agent: &Control,
        request: &Request,
        fate: Fate,
        known: Option<u64>,
    ) -> Result<Response, Failure> {
        if fate == Fate::Refused {
            return Err(Failure::new(Reason::Refused, "refused"));
        }
        let down = self.lock().down_until > self.clock.now();
        if fate == Fate::ErrorBefore || down {
            return answer(request, 503, &json!({"title": "Unavailable", "detail": "restarting"}));
        }
        let path: Vec<&str> = request.url.path().split('/').collect();
        let answered = match (path.as_slice(), ids_in(request).as_slice()) {
            ([_, _, _, _, "deployments", _, "rollback"], [project, target]) => {
                return self.roll_back(request, *project, *target, fate, known).await;
            }
            ([_, _, _, _, "deployments"], [project]) => self.lock().listed(*project),
            ([_, _, _, _, "deployments", _], [project, id]) => self.lock().shown(*project, *id),
            ([_, _, _, _, "environments", _], [project, _]) => Some(self.lock().environment(agent.number, *project)),
            // One page holds them all.
            ([_, _, "projects"], []) => Some(json!(listed_projects(request))),
            ([_, _, _, _, "environments"], [project]) => Some(json!([self.lock().environment(agent.number, *project)])),
            ([_, _, "projects", _], [project]) => Some(json!({"id": project, "slug": format!("app-{project}")})),
            _ => None,
        };
        match answered {
            _ if fate == Fate::ErrorAfter => answer(request, 500, &json!({"title": "Error", "detail": "lost"})),
            Some(json) => answer(request, 200, &json),
            None => answer(
                request,
                404,
                &json!({"title": "Deployment Not Found", "detail": "not found"}),
            ),
        }
    }

    /// A rollback is made by a task of the platform's own, which goes on when the caller hangs up.
    async fn roll_back(
        &self,
        request: &Request,
        project: u64,
        target: u64,
        fate: Fate,
        known: Option<u64>,
    ) -> Result<Response, Failure> {
        tracing::info!(project, target, at = %self.clock.now(), "a rollback call arrives");
        self.happened("rollback call");
        rules::may_roll_back(self, &self.engine, project, target, known);
        let (reply, done) = oneshot::channel();
        let (world, takes_ms) = (self.clone(), {
            let mut inner = self.lock();
            let slow = inner.trouble > 0 && inner.draw(4) == 0;
            if slow {
                1_000 + inner.draw(240_000)
            } else {
                50 + inner.draw(3_000)
            }
        });
        let bad = self.lock().apps.get(&project).and_then(|app| app.current);
        if let Some(app) = self.lock().apps.get_mut(&project) {
            app.busy.push(bad);
        }
        let at_once = |app: &App| app.busy.iter().filter(|busy| **busy == bad).count();
        if self.lock().apps.get(&project).map(at_once) > Some(1) {
            self.wrong(format!("two calls at once to go back from {bad:?}"));
        }
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(takes_ms)).await;
            let _ = reply.send(world.go_back(project, target, bad));
        });
        if fate == Fate::ErrorAfter {
            // What is between gives up, at times while the platform is still at it.
            let early_ms = self.draw(GIVES_UP_EARLY_MS);
            tokio::time::sleep(Duration::from_millis(takes_ms.saturating_sub(early_ms))).await;
            return answer(
                request,
                504,
                &json!({"title": "Error", "detail": "no answer from upstream"}),
            );
        }
        let made = done.await.ok().flatten();
        match made {
            Some(json) => answer(request, 200, &json),
            None => answer(
                request,
                404,
                &json!({"title": "Deployment Not Found", "detail": "not found"}),
            ),
        }
    }

    fn go_back(&self, project: u64, target: u64, bad: Option<u64>) -> Option<Json> {
        let now = self.clock.now();
        tracing::info!(project, target, at = %now, "a rollback is made");
        self.happened("rolled back");
        let mut inner = self.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        let app = inner.apps.get_mut(&project)?;
        if let Some(place) = app.busy.iter().position(|busy| *busy == bad) {
            app.busy.remove(place);
        }
        let quality = app.row(target)?.quality;
        let undone = app.rolled_back.last().map(|(bad, _)| *bad);
        let before = app.current.replace(id);
        app.rolled_back.extend(before.map(|before| (before, now)));
        // A slow call also undoes what went live since it was made, and what another call restored.
        let late = before != bad;
        for row in app
            .rows
            .iter_mut()
            .filter(|row| late && (Some(row.id) == before || Some(row.id) == undone))
        {
            row.superseded = true;
        }
        app.rows.push(Row::new(id, quality, now, Some(target)));
        inner.shown(project, id)
    }
}

/// The numbers in a request's path: the project's is the first.
fn ids_in(request: &Request) -> Vec<u64> {
    request
        .url
        .path()
        .split('/')
        .filter_map(|part| part.parse().ok())
        .collect()
}

fn listed_projects(request: &Request) -> Vec<Json> {
    let is_first = request
        .url
        .query_pairs()
        .any(|(name, value)| name == "page" && value == "1");
    let shown = PROJECTS.iter().filter(|_| is_first);
    shown
        .map(|project| json!({"id": project, "slug": format!("app-{project}")}))
        .collect()
}

impl Row {
    fn new(id: u64, quality: Quality, now: Timestamp, rolled_back_from: Option<u64>) -> Self {
        Self {
            id,
            quality,
            created_at: now,
            live_at: now,
            rolled_back_from,
            superseded: false,
            hiccups: 2,
            answered: false,
            building: false,
        }
    }
}

impl Inner {
    pub(super) fn draw(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    /// What this agent was told last about what is current in the project that `request` is about.
    fn last_read(&self, agent: u64, request: &Request) -> Option<u64> {
        let project = *ids_in(request).first()?;
        self.read.get(&(agent, project)).copied().flatten()
    }

    fn listed(&self, project: u64) -> Option<Json> {
        let app = self.apps.get(&project)?;
        let rows: Vec<Json> = app.rows.iter().rev().map(|row| shown(project, app, row)).collect();
        Some(json!({"deployments": rows, "total": rows.len()}))
    }

    fn shown(&self, project: u64, id: u64) -> Option<Json> {
        let app = self.apps.get(&project)?;
        app.row(id).map(|row| shown(project, app, row))
    }

    fn environment(&mut self, agent: u64, project: u64) -> Json {
        let current = self.apps.get(&project).and_then(|app| app.current);
        self.read.insert((agent, project), current);
        json!({"id": ENVIRONMENT, "slug": "production", "current_deployment_id": current, "is_preview": false})
    }
}

fn shown(project: u64, app: &App, row: &Row) -> Json {
    let status = if app.current == Some(row.id) {
        "completed"
    } else if row.building {
        "building"
    } else {
        "stopped"
    };
    json!({
        "id": row.id, "project_id": project, "environment_id": ENVIRONMENT, "status": status,
        "environment": {"slug": "production", "domains": [format!("http://app-{project}.example")]},
        "commit_hash": format!("c0ffee{}", row.id), "created_at": row.created_at.as_millis(),
        "metadata": row.rolled_back_from.map(|from| json!({"isRollback": true, "rolledBackFromId": from})),
    })
}

fn answer(request: &Request, status: u16, body: &Json) -> Result<Response, Failure> {
    let mut response = Response::empty(request.url.clone());
    response.status = status;
    response.body = body.to_string().into_bytes();
    let json = ::http::HeaderValue::from_static("application/json");
    response.headers.insert(::http::header::CONTENT_TYPE, json);
    Ok(response)
}

/// The world as one agent reaches it.
pub(super) struct Reach {
    pub(super) world: World,
    pub(super) agent: Arc<Control>,
}

impl Wire for Reach {
    fn answer(&self, request: Request) -> BoxFuture<'_, Result<Response, Failure>> {
        self.world.answer(&self.agent, request).boxed()
    }

    fn going_on(&self) -> BoxFuture<'_, ()> {
        self.agent.gate().boxed()
    }
}
