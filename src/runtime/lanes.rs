//! How much may be sent to each endpoint now: attempts under way, the rate, and when to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::{EndpointName, Timestamp};
use crate::outcome::{CONCURRENCY_DEFAULT, Endpoint, Pace};
use crate::store::{Due, Room};

/// Messages taken from the outbox at once.
const BATCH_MAX: usize = 64;
/// The whole outbox is not looked at more often.
const LOOKS_APART_MS: u64 = 20;

/// One endpoint's.
#[derive(Default)]
struct Lane {
    running: usize,
    pace: Option<Pace>,
}

impl Lane {
    fn room(&self, concurrency: usize, now: Timestamp) -> Room {
        let places = concurrency.saturating_sub(self.running);
        let any = self.pace.as_ref().map_or(places, |pace| places.min(pace.room(now)));
        // The gravest news has a place of its own, and waits for no rate.
        let gravest = (concurrency + 1).saturating_sub(self.running).min(any + 1);
        Room { any, gravest }
    }
}

/// What to look for in the outbox, and when.
pub(super) struct Lanes {
    lanes: BTreeMap<EndpointName, Lane>,
    /// Everything is to be looked at, as soon as this moment.
    all: Option<Timestamp>,
    /// These are to be looked at.
    some: BTreeSet<EndpointName>,
    /// These have sent what their rate allows.
    paced: BTreeSet<EndpointName>,
}

impl Lanes {
    /// Nothing under way, and everything to be looked at.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            lanes: BTreeMap::new(),
            all: Some(now),
            some: BTreeSet::new(),
            paced: BTreeSet::new(),
        }
    }

    /// There is news for anybody.
    pub(super) fn look_at_all(&mut self, at: Timestamp) {
        self.all = Some(self.all.map_or(at, |sooner| sooner.min(at)));
    }

    /// An attempt to `endpoint` has ended.
    pub(super) fn ended(&mut self, endpoint: EndpointName) {
        if let Some(lane) = self.lanes.get_mut(&endpoint) {
            lane.running = lane.running.saturating_sub(1);
        }
        self.some.insert(endpoint);
    }

    /// An attempt to `endpoint` begins.
    pub(super) fn began(&mut self, endpoint: &EndpointName, now: Timestamp) {
        let lane = self.lanes.entry(endpoint.clone()).or_default();
        lane.running += 1;
        if let Some(pace) = &mut lane.pace {
            pace.take(now);
        }
    }

    /// What to ask the outbox for now, if there is anything to look for.
    pub(super) fn due(&mut self, endpoints: &[Endpoint], now: Timestamp) -> Option<Due> {
        self.resume_paced(now);
        let all = self.all.is_some_and(|at| at <= now);
        if !all && self.some.is_empty() {
            return None;
        }
        let some = std::mem::take(&mut self.some);
        let only = if all {
            self.all = None;
            None
        } else {
            Some(some)
        };
        let mut rooms = BTreeMap::new();
        for endpoint in endpoints {
            if only.as_ref().is_some_and(|only| !only.contains(&endpoint.name)) {
                continue;
            }
            let lane = self.lanes.entry(endpoint.name.clone()).or_default();
            if lane.pace.map(|pace| pace.rate()) != endpoint.rate {
                lane.pace = endpoint.rate.map(Pace::new);
            }
            let room = lane.room(endpoint.concurrency, now);
            if lane.pace.is_some_and(|pace| pace.room(now) == 0) {
                self.paced.insert(endpoint.name.clone());
            }
            rooms.insert(endpoint.name.clone(), room);
        }
        Some(Due {
            only,
            rooms,
            // An endpoint that the config has no more: what waits for it is given up, in few steps.
            room: Room {
                any: CONCURRENCY_DEFAULT,
                gravest: CONCURRENCY_DEFAULT,
            },
            limit: BATCH_MAX,
        })
    }

    /// So many messages were taken.
    pub(super) fn took(&mut self, count: usize, now: Timestamp) {
        if count >= BATCH_MAX {
            self.look_at_all(now);
        }
    }

    /// News that comes in quick succession is looked at together.
    pub(super) fn look_soon(&mut self, looked_at: Timestamp, now: Timestamp) {
        self.look_at_all(looked_at.plus_ms(LOOKS_APART_MS).max(now));
    }

    /// Until there is something to look for by itself.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        if !self.some.is_empty() {
            return Some(Duration::ZERO);
        }
        let all = self.all.map(|at| Duration::from_millis(at.ms_since(now)));
        let paces = self.paced.iter().filter_map(|name| self.lanes.get(name)?.pace);
        paces.map(|pace| pace.wait(now)).chain(all).min()
    }

    fn resume_paced(&mut self, now: Timestamp) {
        let has_room = |name: &EndpointName| {
            let pace = self.lanes.get(name).and_then(|lane| lane.pace);
            pace.is_none_or(|pace| pace.room(now) > 0)
        };
        let (free, held) = std::mem::take(&mut self.paced).into_iter().partition(has_room);
        self.paced = held;
        let mut free: BTreeSet<EndpointName> = free;
        self.some.append(&mut free);
    }
}
