//! An endpoint that fails for days, beside one that does not, in simulated time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;
use crate::config::FixedEnv;
use crate::domain::MessageId;
use crate::http::{Failure, Wire};
use crate::step::{Request, Response};

const START: Timestamp = Timestamp::from_millis(1_773_325_867_000);
const CONFIG: &str = r#"
    [platform.temps]
    kind   = "temps"
    url    = "https://temps.example"
    token  = "{{ secret.TOKEN }}"
    secret = "{{ secret.SECRET }}"
    [check.home]
    get = "/"
    [outcome.down]
    url    = "https://down.example/hook"
    secret = "{{ secret.SECRET }}"
    # MORE
    [outcome.ops]
    url    = "https://ops.example/hook"
    secret = "{{ secret.SECRET }}"
"#;

/// Two endpoints, of which one may be down.
struct Endpoints {
    down: AtomicBool,
    gone: AtomicBool,
    calls: AtomicBool,
    heard: Mutex<Vec<(String, String)>>,
}

impl Wire for Endpoints {
    fn answer(&self, request: Request) -> BoxFuture<'_, Result<Response, Failure>> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let is_down = host == "down.example";
        if is_down {
            self.calls.store(true, Ordering::Relaxed);
        }
        let status = match () {
            () if is_down && self.gone.load(Ordering::Relaxed) => 410,
            () if is_down && self.down.load(Ordering::Relaxed) => 503,
            () => 204,
        };
        if status == 204 {
            let body: serde_json::Value = serde_json::from_slice(request.body.as_deref().unwrap_or_default()).unwrap();
            let told = format!("{} {}", body["event"].as_str().unwrap_or("?"), body["about"]);
            self.heard.lock().unwrap().push((host, told));
        }
        let answer = Response {
            status,
            ..Response::empty(request.url)
        };
        std::future::ready(Ok(answer)).boxed()
    }
}

impl Endpoints {
    fn heard(&self, host: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let of_host = heard.iter().filter(|(other, _)| other == host);
        of_host.map(|(_, told)| told.clone()).collect()
    }
}

struct World {
    endpoints: Arc<Endpoints>,
    store: Store,
    clock: Clock,
    wake: Arc<Notify>,
    queued: u32,
}

impl World {
    async fn start() -> Self {
        Self::start_with("").await
    }

    /// With more of the config for the endpoint that may be down.
    async fn start_with(more: &str) -> Self {
        let clock = Clock::of_runtime(START, Arc::default());
        let store = Store::in_memory(clock.clone()).unwrap();
        let endpoints = Arc::new(Endpoints {
            down: AtomicBool::new(true),
            gone: AtomicBool::new(false),
            calls: AtomicBool::new(false),
            heard: Mutex::default(),
        });
        let env = FixedEnv::default()
            .var("TOKEN", "a-token-of-the-test-of-the-courier")
            .var("SECRET", "a-secret-of-the-test-of-the-courier")
            .file("checks.toml", CONFIG.replace("# MORE", more));
        let config = crate::config::load("checks.toml".as_ref(), &env).unwrap();
        let (agent, wake) = (AgentId::new("agt_1"), Arc::new(Notify::new()));
        store.enroll(&agent, 10 * 24 * 3_600_000).await.unwrap();
        let courier = Courier {
            agent,
            store: store.clone(),
            config: Arc::new(ArcSwap::from_pointee(config)),
            client: Client::over(Arc::clone(&endpoints) as Arc<dyn Wire>),
            clock: clock.clone(),
            ids: Ids::seeded(7),
            metrics: crate::telemetry::Metrics::new(),
            wake: Arc::clone(&wake),
            stop: CancellationToken::new(),
        };
        tokio::spawn(courier.run());
        Self {
            endpoints,
            store,
            clock,
            wake,
            queued: 0,
        }
    }

    /// Queues a message for the endpoint that may be down.
    async fn queue(&mut self) {
        self.queue_about(None, 0).await;
    }

    /// Queues one that is about something, and so grave.
    async fn queue_about(&mut self, subject: Option<&str>, gravity: u32) {
        self.queued += 1;
        let message = NewMessage {
            id: MessageId::new(format!("whk_{:04}", self.queued)),
            endpoint: "down".into(),
            run: None,
            subject: subject.map(str::to_owned),
            seq: 0,
            gravity,
            event: OutcomeEvent::SmokeTestPassed,
            content_type: "application/json".to_owned(),
            body: format!(r#"{{"event":"test","about":{}}}"#, self.queued).into_bytes(),
            page: false,
            created_at: self.clock.now(),
        };
        let about = format!("message {}", self.queued);
        self.store.begin_trouble(&about, "a test", vec![message]).await.unwrap();
        self.wake.notify_one();
    }

    async fn off(&self) -> Option<String> {
        let all = self.store.endpoints().await.unwrap();
        all.into_iter().find(|endpoint| endpoint.name == "down")?.off_reason
    }
}

async fn hours(hours: u64) {
    tokio::time::sleep(Duration::from_secs(hours * 3_600)).await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_keeps_failing_is_told_of_then_switched_off_then_probed() {
    let mut world = World::start().await;
    world.queue().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.endpoints.heard("ops.example"), Vec::<String>::new());
    hours(1).await;
    let failing = "endpoint.failing \"endpoint down\"";
    assert_eq!(world.endpoints.heard("ops.example"), [failing]);
    // Not after a day alone: six attempts are few.
    hours(30).await;
    assert_eq!(world.off().await, None);

    for _ in 0..4 {
        world.queue().await;
        hours(2).await;
    }
    let off = world.off().await.unwrap();
    assert!(off.starts_with("20 attempts in a row failed, since "), "{off}");
    assert_eq!(world.endpoints.heard("ops.example"), [failing, failing]);
    world.queue().await;
    hours(100).await;
    assert_eq!(world.endpoints.heard("down.example"), Vec::<String>::new());

    // It is there again: what waited comes, and it is on.
    world.endpoints.down.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(16 * 60)).await;
    assert_eq!(world.off().await, None);
    let waited = world.store.endpoints().await.unwrap();
    let down = waited.iter().find(|endpoint| endpoint.name == "down").unwrap();
    assert_eq!(down.queued, 0);
    assert!(down.delivered >= 2, "{down:?}");
    assert_eq!(world.endpoints.heard("ops.example").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_gone_is_told_of_and_not_asked_again() {
    let mut world = World::start().await;
    world.endpoints.gone.store(true, Ordering::Relaxed);
    world.queue().await;
    hours(1).await;
    assert_eq!(world.off().await.as_deref(), Some("it answered 410 Gone"));
    assert_eq!(
        world.endpoints.heard("ops.example"),
        ["endpoint.failing \"endpoint down\""]
    );
    world.endpoints.calls.store(false, Ordering::Relaxed);
    world.queue().await;
    hours(100).await;
    assert!(!world.endpoints.calls.load(Ordering::Relaxed));
    assert_eq!(world.endpoints.heard("ops.example").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_again_holds_up_what_follows_it_but_nothing_graver() {
    let mut world = World::start().await;
    world.queue_about(Some("dep_1"), 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.endpoints.down.store(false, Ordering::Relaxed);
    // The same deployment: no graver, graver; another deployment.
    world.queue_about(Some("dep_1"), 0).await;
    world.queue_about(Some("dep_1"), 2).await;
    world.queue_about(Some("dep_2"), 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.endpoints.heard("down.example"), ["test 3", "test 4"]);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(
        world.endpoints.heard("down.example"),
        ["test 3", "test 4", "test 1", "test 2"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_sent_no_more_than_its_rate_but_for_what_wakes_somebody() {
    let mut world = World::start_with("rate = \"2/m\"").await;
    world.endpoints.down.store(false, Ordering::Relaxed);
    for _ in 0..4 {
        world.queue().await;
    }
    let heard = |world: &World| world.endpoints.heard("down.example").len();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(heard(&world), 2);
    world.queue_about(None, 3).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.endpoints.heard("down.example").last().unwrap(), "test 5");
    tokio::time::sleep(Duration::from_secs(51)).await;
    assert_eq!(heard(&world), 4, "one that was ahead of its time is made up for");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(heard(&world), 5);
}
