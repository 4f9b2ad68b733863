//! Agents in the world: how they stand still, die at a commit, and what their store sees of it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, pending};
use tokio::time::Instant;

use super::bugs::{Bug, Rewriting};
use super::rules::{self, Seen};
use super::world::{Reach, World};
use crate::clock::{Clock, Ids};
use crate::config::{Config, FixedEnv};
use crate::domain::{AgentId, Timestamp};
use crate::http::Client;
use crate::runtime::{Agent, Parts};
use crate::store::{Counters, Engine, Error, Item, Store};
use crate::telemetry::Metrics;

/// When an agent dies, counted in its commits from when it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    Before,
    After,
}

/// How one start of one agent fares.
pub(super) struct Control {
    pub(super) number: u64,
    dead: AtomicBool,
    stands_until: Mutex<Option<Instant>>,
    dies: Mutex<Option<(u64, Death)>>,
    /// Its id, once it has a lease.
    pub(super) id: Mutex<Option<AgentId>>,
}

impl Control {
    fn new(number: u64) -> Self {
        Self {
            number,
            dead: AtomicBool::new(false),
            stands_until: Mutex::new(None),
            dies: Mutex::new(None),
            id: Mutex::new(None),
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// From now on nothing that it does has an effect, and nothing reaches it.
    pub(super) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// It dies at the commit with this number from now.
    pub(super) fn die_at(&self, commit: u64, death: Death) {
        *lock(&self.dies) = Some((commit, death));
    }

    pub(super) fn stand_still(&self, until: Instant) {
        *lock(&self.stands_until) = Some(until);
    }

    /// Passes what the agent does, or what reaches it: late if it stands still, never if it is dead.
    pub(super) async fn gate(&self) {
        loop {
            if self.is_dead() {
                pending::<()>().await;
            }
            let until = lock(&self.stands_until).filter(|until| *until > now());
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }

    /// Whether it dies at this commit.
    fn dies_now(&self) -> Option<Death> {
        let mut dies = lock(&self.dies);
        let (left, death) = dies.as_mut()?;
        match left.checked_sub(1) {
            Some(fewer) => {
                *left = fewer;
                None
            }
            None => Some(*death),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulation's own time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The store as one agent reaches it.
struct Edge {
    inner: Arc<dyn Engine>,
    world: World,
    control: Arc<Control>,
    seen: Arc<Mutex<Seen>>,
    bug: Option<Bug>,
}

impl Edge {
    async fn pass(&self, mut item: Item, writes: bool) -> Result<(), Error> {
        self.control.gate().await;
        let (slow_ms, refused) = {
            let mut inner = self.world.lock();
            let trouble = inner.trouble;
            let refused = inner.draw(1_000) < trouble / 4;
            inner.faults += u64::from(refused);
            (1 + inner.draw(20), refused)
        };
        tokio::time::sleep(Duration::from_millis(slow_ms)).await;
        self.control.gate().await;
        if refused {
            return Err(Error::Busy);
        }
        let death = if writes { self.control.dies_now() } else { None };
        if death == Some(Death::Before) {
            self.die().await;
        }
        let bug = self.bug;
        let item: Item = Box::new(move |db| item(&Rewriting { db, bug }));
        let result = if writes {
            self.inner.write(item).await
        } else {
            self.inner.read(item).await
        };
        if writes {
            self.world.happened("commit");
            rules::after_commit(&self.world, &self.inner, &self.control, &mut lock(&self.seen));
        }
        if death == Some(Death::After) {
            self.die().await;
        }
        self.control.gate().await;
        result
    }

    async fn die(&self) {
        self.world.lock().faults += 1;
        self.control.die();
        pending::<()>().await;
    }
}

impl Engine for Edge {
    fn write(&self, item: Item) -> BoxFuture<'_, Result<(), Error>> {
        self.pass(item, true).boxed()
    }

    fn read(&self, question: Item) -> BoxFuture<'_, Result<(), Error>> {
        self.pass(question, false).boxed()
    }

    fn close(&self) {}

    fn counters(&self) -> Counters {
        self.inner.counters()
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// Where agents start.
pub(super) struct Site {
    pub(super) world: World,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) config: Arc<Config>,
    pub(super) start: Timestamp,
    pub(super) seed: u64,
    pub(super) bug: Option<Bug>,
    pub(super) starts: AtomicU64,
}

/// One start of one agent.
pub(super) struct Running {
    pub(super) control: Arc<Control>,
    pub(super) store: Store,
    pub(super) agent: Option<Agent>,
    pub(super) wall_ahead_ms: Arc<AtomicI64>,
}

impl Site {
    /// Starts an agent, whose clock is a little off. One whose store does not answer at first tries again.
    pub(super) async fn start(&self) -> Running {
        let number = self.starts.fetch_add(1, Ordering::Relaxed);
        let control = Arc::new(Control::new(number));
        let skew_ms = self.world.draw(8_000);
        let wall_ahead_ms = Arc::new(AtomicI64::new(0));
        let clock = Clock::of_runtime(
            self.start
                .plus_ms(self.world.clock.now().ms_since(self.start) + skew_ms),
            Arc::clone(&wall_ahead_ms),
        );
        let edge = Edge {
            inner: Arc::clone(&self.engine),
            world: self.world.clone(),
            control: Arc::clone(&control),
            seen: Arc::clone(&self.seen),
            bug: self.bug,
        };
        let store = Store::over(Arc::new(edge), clock.clone());
        let reach = Reach {
            world: self.world.clone(),
            agent: Arc::clone(&control),
        };
        let parts = Parts {
            config: Arc::new(ArcSwap::new(Arc::clone(&self.config))),
            store: store.clone(),
            client: Client::over(Arc::new(reach)),
            clock,
            ids: Ids::seeded(self.seed ^ (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            metrics: Metrics::new(),
            decide: self.bug.map_or(crate::machine::advance, Bug::decide),
            env: Arc::new(FixedEnv::default()),
            config_file: None,
        };
        let mut agent = None;
        for _ in 0..20 {
            *lock(&control.id) = None;
            // One that dies while it starts never comes back from it.
            match tokio::time::timeout(Duration::from_secs(30), Agent::start(parts.clone())).await {
                Ok(Ok(started)) => {
                    agent = Some(started);
                    break;
                }
                Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(500)).await,
                Err(_) => break,
            }
        }
        Running {
            control,
            store,
            agent,
            wall_ahead_ms,
        }
    }
}
