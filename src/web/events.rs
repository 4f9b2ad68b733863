//! `/api/v1/events`: what changed, as server-sent events, so that a page need not be loaded again to be true.
//!
//! An event says which row changed and nothing that is worth hiding; who wants more asks for the row. Somebody who listens
//! has the tail of the store looked at, once a second for all that listen: so it does not matter which agent on the store made
//! the change, and where nobody listens nothing is read.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::App;
use super::gate::Pass;
use super::problem::Problem;
use crate::domain::{RunId, Timestamp};
use crate::store::{self, DeliveryFilter, MessageFilter, PAGE_MAX, RunFilter, RunView, Store};

/// Streams at once.
const STREAMS_MAX: usize = 64;
/// When to come again where there is no room.
const AGAIN_S: u64 = 10;
/// How often the store is looked at, and whether each stream may go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two signs of life on a stream where nothing happens, for what stands between and drops what is idle.
const LOOKS_PER_SIGN: u32 = 15;
/// How long one stream lasts: less than a connection may, so that it ends between two events. The listener comes again.
const STREAM_TIME_MAX: Duration = Duration::from_secs(9 * 60);
/// After so long without a look it cannot be known what changed: more may have passed than is looked at.
const UNSEEN_MAX: Duration = Duration::from_secs(30);
/// Events that a listener who comes again can be told of, and that one who is slow may be behind.
const KEPT_MAX: usize = 256;
/// The newest rows that are compared, besides the runs under way.
const TAIL: usize = 50;

/// What is told of one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Change {
    /// `run`, `delivery`, `message`, `pause` or `protection`.
    kind: &'static str,
    /// The row's id, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The run that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
}

/// A row as it was seen: it has changed if any of it has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    print: String,
    change: Change,
    under_way: bool,
}

/// What was seen at the last look, by kind and id.
type Snapshot = BTreeMap<(&'static str, String), Seen>;

/// The listeners, and what they were told.
pub(super) struct Events {
    streams: Arc<Semaphore>,
    told: broadcast::Sender<Arc<Told>>,
    looking: Mutex<Looking>,
    /// Distinguishes this process's numbers from another's.
    origin: String,
    pub(super) look_every: Duration,
    pub(super) stop: CancellationToken,
}

struct Told {
    number: u64,
    /// As sent.
    bytes: Bytes,
}

#[derive(Default)]
struct Looking {
    last: Option<Snapshot>,
    looked_at: Option<Timestamp>,
    number: u64,
    kept: VecDeque<Arc<Told>>,
}

impl Events {
    /// Nobody listens yet. `origin` is another for each process.
    pub(super) fn new(origin: String) -> Self {
        Self {
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            told: broadcast::Sender::new(KEPT_MAX),
            looking: Mutex::new(Looking::default()),
            origin,
            look_every: LOOK_EVERY,
            stop: CancellationToken::new(),
        }
    }

    /// Looks at the store and tells of what changed since the last look, unless somebody did so just now.
    async fn look(&self, store: &Store, now: Timestamp) -> Result<(), store::Error> {
        // Whoever looks already looks for all.
        let Ok(mut looking) = self.looking.try_lock() else {
            return Ok(());
        };
        // A little early is no harm; the ticks of several listeners must not add up to more.
        let pause_ms = u64::try_from(self.look_every.as_millis() * 9 / 10).unwrap_or(u64::MAX);
        let is_early = |at: Timestamp| now.ms_since(at) < pause_ms;
        if looking.looked_at.is_some_and(is_early) {
            return Ok(());
        }
        let is_long_ago = |at: Timestamp| u128::from(now.ms_since(at)) > UNSEEN_MAX.as_millis();
        if looking.looked_at.is_some_and(is_long_ago) {
            // Whoever listens, and whoever comes again, reads all anew.
            looking.last = None;
            looking.kept.clear();
            self.tell(&mut looking, "reset", &serde_json::json!({}));
        }
        let seen = snapshot(store, now, looking.last.as_ref()).await?;
        looking.looked_at = Some(now);
        for change in changes(looking.last.as_ref(), &seen) {
            self.tell(&mut looking, "change", &change);
        }
        looking.last = Some(seen);
        Ok(())
    }

    fn tell(&self, looking: &mut Looking, event: &str, data: &impl Serialize) {
        looking.number += 1;
        let told = Arc::new(Told {
            number: looking.number,
            bytes: self.written(looking.number, event, data),
        });
        looking.kept.push_back(Arc::clone(&told));
        if looking.kept.len() > KEPT_MAX {
            looking.kept.pop_front();
        }
        // Nobody may be listening just now; those who come again are told from what is kept.
        let _ = self.told.send(told);
    }

    /// An event as it is sent (WHATWG HTML §9.2.5). JSON has no line breaks of its own.
    fn written(&self, number: u64, event: &str, data: &impl Serialize) -> Bytes {
        let data = serde_json::to_string(data).unwrap_or_default();
        Bytes::from(format!(
            "id: {}-{number}\nevent: {event}\ndata: {data}\n\n",
            self.origin
        ))
    }

    /// What a listener is told first: what it missed since `last`; or that it cannot know, and has to read all again.
    fn first(&self, looking: &Looking, last: Option<&str>) -> (u64, Bytes) {
        let number = last
            .and_then(|last| last.rsplit_once('-'))
            .filter(|(origin, _)| *origin == self.origin)
            .and_then(|(_, number)| number.parse::<u64>().ok());
        let oldest = looking.kept.front().map_or(looking.number + 1, |told| told.number);
        let missed = number.filter(|number| *number <= looking.number && *number + 1 >= oldest);
        let bytes = match missed {
            Some(number) => {
                let missed = looking.kept.iter().filter(|told| told.number > number);
                Bytes::from(missed.fold(b": on\n\n".to_vec(), |mut all, told| {
                    all.extend_from_slice(&told.bytes);
                    all
                }))
            }
            None => self.written(looking.number, "reset", &serde_json::json!({})),
        };
        (looking.number, bytes)
    }
}

/// One listener.
struct Stream {
    app: Arc<App>,
    pass: Pass,
    told: broadcast::Receiver<Arc<Told>>,
    first: Option<Bytes>,
    number: u64,
    ticks: Interval,
    quiet_looks: u32,
    until: Timestamp,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    /// What is sent next; `None` is the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let stop = self.app.events.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                told = self.told.recv() => match told {
                    // Told already, among what was missed.
                    Ok(told) if told.number <= self.number => {}
                    Ok(told) => {
                        (self.number, self.quiet_looks) = (told.number, 0);
                        return self.pass.holds(&self.app).then(|| told.bytes.clone());
                    }
                    // Too slow: it comes again and reads all anew.
                    Err(_) => return None,
                },
                _ = self.ticks.tick() => {
                    let now = self.app.clock.now();
                    if now >= self.until || !self.pass.holds(&self.app) {
                        return None;
                    }
                    if let Err(error) = self.app.events.look(&self.app.store, now).await {
                        tracing::warn!(error = %error, "the store could not be looked at for what changed");
                    }
                    self.quiet_looks += 1;
                    if self.quiet_looks >= LOOKS_PER_SIGN {
                        self.quiet_looks = 0;
                        return Some(Bytes::from_static(b": still here\n\n"));
                    }
                }
            }
        }
    }
}

/// Streams what changes, as server-sent events, until the listener goes, may not listen any more, or the agent stops.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "listen", tag = "events",
    params(("last-event-id" = Option<String>, Header, description = "The last event's id, to be told of what was missed")),
    responses((status = 200, description = "Events `change`, each with a `Change`, and `reset`", content_type = "text/event-stream", body = Change)))]
pub(super) async fn listen(
    State(app): State<Arc<App>>,
    Extension(pass): Extension<Pass>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let permit = Arc::clone(&app.events.streams).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable("too many listen already", AGAIN_S))?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let looked = app.events.look(&app.store, app.clock.now()).await;
    looked.map_err(|error| super::api::unreadable(&error))?;
    let (told, (number, first)) = {
        let looking = app.events.looking.lock().await;
        (app.events.told.subscribe(), app.events.first(&looking, last))
    };
    let mut ticks = tokio::time::interval(app.events.look_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Stream {
        pass,
        told,
        first: Some(first),
        number,
        ticks,
        quiet_looks: 0,
        until: app.clock.now().plus(STREAM_TIME_MAX),
        _permit: permit,
        app,
    };
    let body = stream::unfold(stream, async |mut stream| {
        let bytes = stream.next().await?;
        Some((Ok::<Bytes, Infallible>(bytes), stream))
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that collects answers would show nothing until there is enough.
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    Ok(response)
}

/// The rows that may change, as they are now.
async fn snapshot(store: &Store, now: Timestamp, last: Option<&Snapshot>) -> Result<Snapshot, store::Error> {
    let mut seen = Snapshot::new();
    let newest = RunFilter {
        limit: TAIL,
        ..RunFilter::default()
    };
    let mut runs = store.list_runs(newest).await?.items;
    runs.extend(store.runs_under_way(PAGE_MAX).await?);
    for run in &runs {
        put(&mut seen, run.id.clone(), of_run(run));
    }
    // One that was under way and is in neither list has ended meanwhile.
    for (key, was) in last.into_iter().flatten() {
        if was.under_way
            && !seen.contains_key(key)
            && let Some(run) = store.run(&RunId::new(key.1.as_str())).await?
        {
            put(&mut seen, run.id.clone(), of_run(&run));
        }
    }
    let newest = DeliveryFilter {
        limit: TAIL,
        ..DeliveryFilter::default()
    };
    for delivery in store.list_deliveries(newest).await?.items {
        let print = format!("{:?} {:?}", delivery.note, delivery.run);
        let change = Change::new("delivery", Some(&delivery.id), delivery.run.as_deref());
        put(&mut seen, delivery.id, Seen::new(print, change));
    }
    let newest = MessageFilter {
        limit: TAIL,
        ..MessageFilter::default()
    };
    for message in store.list_messages(newest).await?.items {
        let print = format!("{} {}", message.state, message.attempts);
        let change = Change::new("message", Some(&message.id), message.run.as_deref());
        put(&mut seen, message.id, Seen::new(print, change));
    }
    for pause in store.pauses(now).await? {
        let mut change = Change::new("pause", None, None);
        change.app = Some(pause.app.clone());
        put(&mut seen, pause.app, Seen::new(pause.until.to_string(), change));
    }
    for (about, reason, _) in store.troubles().await? {
        put(
            &mut seen,
            about,
            Seen::new(reason, Change::new("protection", None, None)),
        );
    }
    Ok(seen)
}

fn put(seen: &mut Snapshot, id: String, row: Seen) {
    seen.insert((row.change.kind, id), row);
}

fn of_run(run: &RunView) -> Seen {
    let change = Change {
        app: Some(run.app.clone()),
        environment: Some(run.environment.clone()),
        phase: Some(run.phase.clone()),
        verdict: run.verdict.clone(),
        ..Change::new("run", Some(&run.id), Some(&run.id))
    };
    Seen {
        print: run.version.to_string(),
        change,
        under_way: run.ended_at.is_none(),
    }
}

impl Seen {
    fn new(print: String, change: Change) -> Self {
        Self {
            print,
            change,
            under_way: false,
        }
    }
}

impl Change {
    fn new(kind: &'static str, id: Option<&str>, run: Option<&str>) -> Self {
        Self {
            kind,
            id: id.map(str::to_owned),
            run: run.map(str::to_owned),
            app: None,
            environment: None,
            phase: None,
            verdict: None,
        }
    }
}

/// What is new or other in `now`; and what is gone, where that is a change and no row that only left the tail.
fn changes(before: Option<&Snapshot>, now: &Snapshot) -> Vec<Change> {
    let Some(before) = before else { return Vec::new() };
    let other = now
        .iter()
        .filter(|(row, seen)| before.get(*row).is_none_or(|was| was.print != seen.print));
    let gone = before
        .iter()
        .filter(|(row, _)| matches!(row.0, "pause" | "protection") && !now.contains_key(*row));
    other.chain(gone).map(|(_, seen)| seen.change.clone()).collect()
}
