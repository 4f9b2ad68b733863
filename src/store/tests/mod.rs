//! What a store must do, on each engine.

mod agents;
mod contract;
mod lists;
mod migrations;
mod plans;
mod postgres;
mod retention;
#[path = "../../../tests/support/postgres.rs"]
mod server;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Weak;
use std::time::Duration;

use tempfile::TempDir;

use self::server::Cluster;
use super::*;
use crate::clock::ManualClock;
use crate::domain::{
    AppPlace, Before, CheckName, Commit as DeployedCommit, Deployment, Fleet, Heard, HeardEvent, MessageId,
    OutcomeEvent, Reason, Retention, TimesBefore, Verdict,
};

impl Store {
    /// A store on an engine of the caller's.
    pub(crate) fn over(engine: Arc<dyn Engine>, clock: Clock) -> Self {
        let called = Arc::new(Notify::new());
        Self {
            engine,
            clock,
            called,
            watch: None,
        }
    }

    /// Fills it with more than one row at a time, which no agent does.
    pub(crate) async fn run_script(&self, script: Vec<String>) {
        let run = move |db: &dyn Db| script.iter().try_for_each(|sql| db.execute(sql, &[]).map(drop));
        self.write(run).await.unwrap();
    }

    /// An engine in memory, whose time is `clock`'s.
    pub(crate) fn memory_engine(clock: Clock) -> Arc<dyn Engine> {
        Arc::new(memory::Memory::open(clock).unwrap())
    }
}

const START: Timestamp = Timestamp::from_millis(1_773_325_867_000);

/// A fresh store, and what must live as long as it does.
struct Open {
    store: Store,
    clock: ManualClock,
    _place: Option<TempDir>,
    _server: Option<Arc<Cluster>>,
}

impl Open {
    fn memory() -> Self {
        let (clock, hand) = Clock::manual(START);
        Self {
            store: Store::in_memory(clock).unwrap(),
            clock: hand,
            _place: None,
            _server: None,
        }
    }

    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(START);
        Self {
            store: Store::open(&url(&folder), clock).await.unwrap(),
            clock: hand,
            _place: Some(folder),
            _server: None,
        }
    }

    async fn postgres() -> Self {
        let (server, url) = fresh_database().await;
        let (clock, hand) = Clock::manual(START);
        Self {
            store: Store::open(&url, clock).await.unwrap(),
            clock: hand,
            _place: None,
            _server: Some(server),
        }
    }
}

/// The server that the tests of this process share, as long as one of them needs it.
fn shared_server() -> Arc<Cluster> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let started = Arc::new(Cluster::start(false));
        *shared = Arc::downgrade(&started);
        started
    })
}

/// The shared server and the address of a database in it. Its client blocks, which a runtime's thread may not.
async fn fresh_database() -> (Arc<Cluster>, String) {
    let made = tokio::task::spawn_blocking(|| {
        let server = shared_server();
        let url = server.database();
        (server, url)
    });
    made.await.unwrap()
}

/// Each of these holds on each engine; one that is not listed here is dead code.
macro_rules! on_every_engine {
    ($($module:ident: $($name:ident),+;)+) => {$($(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn in_memory() {
                $module::$name(Open::memory()).await;
            }

            #[tokio::test]
            async fn in_a_file() {
                $module::$name(Open::sqlite().await).await;
            }

            #[tokio::test]
            async fn on_a_server() {
                $module::$name(Open::postgres().await).await;
            }
        }
    )+)+};
}

on_every_engine! {
    contract:
        a_delivery_is_there_once,
        deliveries_wait_in_order_until_they_are_dealt_with,
        a_decision_is_committed_whole_or_not_at_all,
        one_intent_for_each_deployment,
        the_ledger_remembers_by_app_and_environment,
        the_fleet_is_the_apps_that_were_good_and_those_of_them_that_fail_now,
        the_times_of_the_last_five_good_deployments_are_kept,
        what_was_seen_of_the_version_before_gives_way_to_a_newer_look,
        messages_are_due_gravest_first_until_they_are_delivered_or_dead,
        an_endpoint_that_is_off_is_left_alone_until_it_is_wanted_again,
        an_endpoint_that_is_off_for_good_stays_so,
        a_pause_ends_by_itself_or_by_hand,
        a_failing_item_leaves_those_beside_it_alone,
        what_no_run_was_about_is_known_only_if_it_is_older,
        what_was_live_at_first_sight_is_known,
        what_became_ready_is_waited_for_until_more_is_heard,
        a_trouble_is_told_of_once,
        deduplication_is_kept_for_48_hours;
    lists:
        lists_are_paged_and_filtered,
        runs_are_found_by_what_is_known_of_them,
        deliveries_are_found_by_what_they_are_about,
        messages_are_found_by_whom_and_what_they_tell,
        a_filter_that_little_fits_looks_only_so_far,
        places_are_named_once_by_their_newest_run,
        endpoints_are_counted_by_how_their_messages_stand;
    retention:
        what_is_old_goes_and_what_somebody_waits_for_stays,
        a_config_in_force_stays_although_no_run_is_left_of_it,
        what_is_too_much_goes_oldest_first_until_the_rest_fits,
        where_nothing_may_go_it_is_said_by_how_much_there_is_too_much,
        no_transaction_removes_more_than_some_hundred_rows,
        a_run_that_was_taken_up_again_stays;
    agents:
        a_run_is_its_owners_until_the_lease_ends,
        ended_runs_are_left_alone_until_a_person_wants_one,
        whoever_takes_over_knows_for_how_long_a_call_may_be_under_way,
        one_run_for_each_deployment,
        a_delivery_begins_one_run,
        a_message_is_given_to_one_agent,
        busy_endpoints_are_passed_over,
        messages_about_the_same_keep_their_order_but_for_graver_ones,
        what_was_given_up_is_replayed_by_filter,
        one_agent_has_a_duty,
        the_duty_of_a_dead_agent_is_free;
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}/test.db", folder.path().display())
}

fn delivery(number: u32, event: HeardEvent) -> NewDelivery {
    NewDelivery {
        id: DeliveryId::new(format!("dlv_{number:04}")),
        platform: "temps".into(),
        received_at: START,
        event_word: Some("deploy.live".to_owned()),
        heard: Some(Heard {
            event,
            deployment: format!("dep_{number}").as_str().into(),
            project: None,
            app: Some("shop".to_owned()),
            environment: None,
            commit: DeployedCommit::default(),
            url: None,
            triggered_by: None,
        }),
        note: None,
        opened_app: None,
        dedup_key: format!("key {number}").into_bytes(),
        headers: vec![("user-agent".to_owned(), "temps".to_owned())],
        body: b"{}".to_vec(),
    }
}

fn key() -> AppKey {
    AppKey {
        platform: "temps".into(),
        project: "7".into(),
        environment: "3".into(),
    }
}

fn run(number: u32, version: u64) -> RunRecord {
    RunRecord {
        is_rollback: false,
        id: RunId::new(format!("run_{number:04}")),
        platform: "temps".into(),
        deployment: format!("dep_{number}").as_str().into(),
        key: Some(key()),
        app: "shop".to_owned(),
        environment: "production".to_owned(),
        commit_sha: Some("abc".to_owned()),
        started_at: START,
        ended_at: None,
        phase: "judging".to_owned(),
        verdict: None,
        action: None,
        reason: None,
        config_hash: "hash".to_owned(),
        state: "{}".to_owned(),
        version,
        deployed_at: None,
        fence: 1,
    }
}

fn commit(run: RunRecord) -> Commit {
    Commit {
        run,
        journal: Vec::new(),
        messages: Vec::new(),
        ledger: Vec::new(),
        delivery: None,
        agent: "agt_1".into(),
        only: false,
        hold: Hold::Release,
    }
}

/// The moment `minutes` after the start.
fn minute(minutes: u64) -> Timestamp {
    START.plus_ms(minutes * 60_000)
}

/// What a filter asks for, as `app=shop action=rolled+back since=4`; moments in minutes after the start.
struct Words(BTreeMap<String, String>);

impl Words {
    fn of(text: &str) -> Self {
        let pair = |word: &str| {
            let (name, value) = word.split_once('=').unwrap();
            (name.to_owned(), value.replace('+', " "))
        };
        Self(text.split_whitespace().map(pair).collect())
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    fn moment(&mut self, name: &str) -> Option<Timestamp> {
        self.take(name).map(|minutes| minute(minutes.parse().unwrap()))
    }

    /// So that a misspelt word is noticed.
    fn end(self) {
        assert!(self.0.is_empty(), "{:?}", self.0);
    }
}

fn runs_that(text: &str, limit: usize, before: Option<String>) -> RunFilter {
    let mut words = Words::of(text);
    let filter = RunFilter {
        app: words.take("app"),
        environment: words.take("environment"),
        verdict: words.take("verdict"),
        action: words.take("action"),
        since: words.moment("since"),
        until: words.moment("until"),
        before,
        limit,
    };
    words.end();
    filter
}

fn deliveries_that(text: &str, limit: usize, before: Option<String>) -> DeliveryFilter {
    let mut words = Words::of(text);
    let filter = DeliveryFilter {
        platform: words.take("platform"),
        app: words.take("app"),
        event: words.take("event"),
        since: words.moment("since"),
        until: words.moment("until"),
        before,
        limit,
    };
    words.end();
    filter
}

fn messages_that(text: &str, limit: usize, before: Option<String>) -> MessageFilter {
    let mut words = Words::of(text);
    let filter = MessageFilter {
        run: words.take("run"),
        endpoint: words.take("endpoint"),
        event: words.take("event"),
        state: words.take("state"),
        since: words.moment("since"),
        until: words.moment("until"),
        before: before.map(|before| MessagePlace::of_text(&before).unwrap()),
        limit,
    };
    words.end();
    filter
}

/// So many of any deliveries.
fn deliveries(limit: usize) -> DeliveryFilter {
    DeliveryFilter {
        limit,
        ..DeliveryFilter::default()
    }
}

/// So many of any messages.
fn messages(limit: usize) -> MessageFilter {
    MessageFilter {
        limit,
        ..MessageFilter::default()
    }
}

/// At most so many messages to anybody.
fn due_any(limit: usize) -> Due {
    Due {
        only: None,
        rooms: BTreeMap::new(),
        room: Room {
            any: limit,
            gravest: limit,
        },
        limit,
    }
}

/// Messages to anybody but this endpoint.
fn full(endpoint: &str) -> Due {
    let none = Room { any: 0, gravest: 0 };
    Due {
        rooms: [(endpoint.into(), none)].into(),
        ..due_any(10)
    }
}

fn message(number: u32, page: bool) -> NewMessage {
    NewMessage {
        id: MessageId::new(format!("whk_{number:04}")),
        endpoint: "ops".into(),
        run: Some(RunId::new("run_0001")),
        subject: None,
        seq: 0,
        gravity: if page { GRAVITY_MAX } else { 0 },
        event: OutcomeEvent::SmokeTestPassed,
        content_type: "application/json".to_owned(),
        body: format!("{{\"number\":{number}}}").into_bytes(),
        page,
        created_at: START.plus_ms(u64::from(number)),
    }
}

fn attempt(message: &MessageId) -> Attempt {
    Attempt {
        message: message.clone(),
        endpoint: "ops".into(),
        at: START,
        url_host: "ops.example".to_owned(),
        status: Some(500),
        error: None,
        response: "no".to_owned(),
        latency_ms: 12,
    }
}

fn intent(run: u32, deployment: &str, intents_seen: u64) -> LedgerWrite {
    LedgerWrite::Intent {
        key: key(),
        run: RunId::new(format!("run_{run:04}")),
        deployment: deployment.into(),
        target: "dep_0".into(),
        intents_seen,
        at: START,
    }
}
