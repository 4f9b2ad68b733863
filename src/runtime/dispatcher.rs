//! The dispatcher: owns every run under way, one turn at a time.
//!
//! A turn is: event → machine → commit → effects. While a run's commit is under way its further events wait, so that
//! no effect is performed, and nothing decided, on a state that is not yet durable where it must be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Ids};
use crate::domain::{AppKey, Deployment, DeploymentId, RunId, Timestamp};
use crate::machine::{Event, Phase, advance};
use crate::outcome::ApprovalKey;
use crate::store::{self, Hold};
use crate::telemetry::Metrics;

use super::agent::Decide;
use super::before::Baseline;
use super::count;
use super::handle::{CancelError, Command};
use super::input::{Answer, Input, Reply};
use super::intake::RUNS_MAX;
use super::live::Live;
use super::perform::Performer;
use super::plan::RunPlan;
use super::probe::Prober;
use super::record::{self, Hand};
use super::recovery::{Recovered, Recovery};
use super::start::drill_plan;

/// The store is looked at this often, also when nobody said that a delivery arrived.
const INTAKE_EVERY: Duration = Duration::from_secs(5);
/// Probe results are committed at least this often.
const CHECKPOINT_MS: u64 = 5_000;
/// A commit that failed is tried again after this.
const COMMIT_AGAIN: Duration = Duration::from_secs(1);
/// How long a shutdown waits for a call in flight.
const CALL_MAX: Duration = Duration::from_secs(11 * 60);

/// Owns the runs.
pub(super) struct Dispatcher {
    pub(super) decide: Decide,
    pub(super) recovery: Recovery,
    pub(super) performer: Performer,
    pub(super) prober: Prober,
    pub(super) baseline: Baseline,
    pub(super) clock: Clock,
    pub(super) approvals: ApprovalKey,
    pub(super) ids: Ids,
    pub(super) metrics: Metrics,
    pub(super) outbox: Arc<Notify>,
    pub(super) stop: CancellationToken,
    pub(super) inputs: mpsc::UnboundedSender<Input>,
    pub(super) runs: BTreeMap<RunId, Live>,
    timers: BTreeSet<(Timestamp, RunId)>,
    /// A page of deliveries was all taken by runs whose first commit is under way; more wait behind it.
    pub(super) backlog: bool,
    pub(super) tasks: TaskTracker,
    pub(super) calls: TaskTracker,
}

impl Dispatcher {
    pub(super) fn new(
        recovery: Recovery,
        prober: Prober,
        approvals: ApprovalKey,
        ids: Ids,
        metrics: Metrics,
        outbox: Arc<Notify>,
        stop: CancellationToken,
    ) -> (Self, mpsc::UnboundedReceiver<Input>) {
        // Each waiting input belongs to one effect in flight, and those are bounded per run.
        let (inputs, inbox) = mpsc::unbounded_channel();
        let performer = recovery.performer.clone();
        let clock = performer.clock.clone();
        let baseline = Baseline::new(performer.clone(), prober.clone());
        let dispatcher = Self {
            decide: advance,
            recovery,
            baseline,
            performer,
            prober,
            clock,
            approvals,
            ids,
            metrics,
            outbox,
            stop,
            inputs,
            runs: BTreeMap::new(),
            timers: BTreeSet::new(),
            backlog: false,
            tasks: TaskTracker::new(),
            calls: TaskTracker::new(),
        };
        (dispatcher, inbox)
    }

    /// Runs until stopped, then ends what must not be cut.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Input>,
        mut commands: mpsc::Receiver<Command>,
    ) {
        self.intake().await;
        let mut intake = tokio::time::interval(INTAKE_EVERY);
        loop {
            let sleep = self.until_next_timer();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(input) = inbox.recv() => {
                    self.take(input);
                    if self.backlog && self.runs.values().all(|live| live.delivery.is_none()) {
                        self.intake().await;
                    }
                }
                Some(command) = commands.recv() => self.obey(command).await,
                () = tokio::time::sleep(sleep) => self.wake_due(),
                _ = intake.tick() => {
                    self.take_over();
                    self.intake().await;
                }
            }
        }
        self.drain(inbox).await;
    }

    fn until_next_timer(&self) -> Duration {
        let next = self
            .timers
            .first()
            .map(|(at, _)| Duration::from_millis(at.ms_since(self.clock.now())));
        next.unwrap_or(INTAKE_EVERY)
    }

    fn wake_due(&mut self) {
        let now = self.clock.now();
        while let Some((at, run)) = self.timers.first().cloned() {
            if at > now {
                break;
            }
            self.timers.remove(&(at, run.clone()));
            if let Some(live) = self.runs.get_mut(&run) {
                live.timer = None;
            }
            self.turn(&run, Event::Woke);
        }
    }

    /// What was due before an answer came is done before it, however late the timer is: the same answers at the same
    /// moments are to lead to the same decisions.
    fn wake_first(&mut self, run: &RunId) {
        let due = self.runs.get(run).and_then(|live| live.timer);
        if let Some(at) = due.filter(|at| *at <= self.clock.now()) {
            self.timers.remove(&(at, run.clone()));
            if let Some(live) = self.runs.get_mut(run) {
                live.timer = None;
            }
            self.turn(run, Event::Woke);
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Of { run, fence, what } => {
                if self.runs.get(&run).is_some_and(|live| live.fence == fence) {
                    self.answered(&run, what);
                }
            }
            Input::Ours(runs) => {
                let missing = runs.into_iter().filter(|run| !self.runs.contains_key(run));
                missing.for_each(|run| self.take_again(&run));
            }
            Input::Recovered(recovered) => recovered.into_iter().for_each(|recovered| self.resume(recovered)),
        }
    }

    fn answered(&mut self, run: &RunId, what: Answer) {
        match what {
            Answer::Result(event) => {
                self.wake_first(run);
                self.turn(run, event);
            }
            Answer::Identified { seq, answer } => self.identified(run, seq, answer),
            Answer::Committed(result) => self.committed(run, result),
            Answer::CommitAgain => self.commit(run),
        }
    }

    /// Where what a task finds for `run` is to be sent.
    pub(super) fn reply(&self, run: &RunId, live: &Live) -> Reply {
        Reply {
            inputs: self.inputs.clone(),
            run: run.clone(),
            fence: live.fence,
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::DeliveriesArrived => self.intake().await,
            Command::OthersCalled => {
                self.take_over();
                self.intake().await;
                self.outbox.notify_one();
            }
            Command::OutboxChanged => self.outbox.notify_one(),
            Command::Cancel { run, reply } => self.cancel(&run, reply),
            Command::Approval { run, by, act, reply } => {
                // The asker may have gone away; what was decided holds all the same.
                let _ = reply.send(self.approval(&run, &by, act));
            }
            Command::Start {
                app,
                environment,
                drill,
                reply,
            } => {
                let _ = reply.send(self.start(&app, environment.as_deref(), drill).await);
            }
            Command::Alive { reply } => drop(reply.send(())),
            Command::Missed(live) => self.missed(&live).await,
            Command::Tell(notice) => self.tell(&notice).await,
            Command::Order { run, reply } => {
                let _ = reply.send(self.order(&run).await);
            }
        }
    }

    fn cancel(&mut self, run: &RunId, reply: oneshot::Sender<Result<(), CancelError>>) {
        let answer = match self.runs.get(run) {
            None => Err(CancelError::NotUnderWay(run.clone())),
            Some(live) if !live.state.may_cancel() => Err(CancelError::CallInFlight(run.clone())),
            Some(_) => Ok(()),
        };
        if answer.is_ok() {
            self.turn(run, Event::Cancelled);
        }
        // The asker may have gone away; the run ends all the same.
        let _ = reply.send(answer);
    }

    // Turns.

    /// Lets the machine decide on one event; commits and performs what it decided.
    pub(super) fn turn(&mut self, run: &RunId, event: Event) {
        let now = self.clock.now();
        self.metrics.set_runs_under_way(self.runs.len());
        let Some(live) = self.runs.get_mut(run) else { return };
        if live.committing {
            live.waiting.push_back(event);
            return;
        }
        let mut decided = (self.decide)(&live.plan.plan, live.state.clone(), event, now);
        count::turned(&self.metrics, &self.performer.tracer, live, &decided, now);
        live.pending.add(&mut decided);
        live.state = decided.state;
        live.effects.extend(decided.effects);
        let checkpoint = now.ms_since(live.committed_at) >= CHECKPOINT_MS;
        let commit = decided.commit_now || checkpoint;
        if let Some(at) = live.timer.take() {
            self.timers.remove(&(at, run.clone()));
        }
        if let Some((at, _)) = decided.wake_at {
            live.timer = Some(at);
            self.timers.insert((at, run.clone()));
        }
        if commit { self.commit(run) } else { self.perform(run) }
    }

    fn commit(&mut self, run: &RunId) {
        let Some(live) = self.runs.get_mut(run) else { return };
        live.committing = true;
        let longest = self.performer.call_held(&live.state.platform);
        let hold = live.hold(longest);
        if matches!(hold, Hold::For(_)) {
            // Counted from before the store counts, so that ours is never the later end.
            live.held_until = self.clock.now().plus(longest);
        }
        let hand = Hand {
            agent: self.recovery.agent.clone(),
            version: live.version + 1,
            fence: live.fence,
            hold,
            delivery: live.delivery.clone(),
        };
        let built = record::commit(&live.state, &live.plan, &live.pending, hand, &self.approvals);
        let commit = match built {
            Ok(commit) => commit,
            Err(error) => {
                tracing::error!(run.id = %run, error = %error, "the run's state could not be written down; the run is dropped");
                self.forget(run);
                return;
            }
        };
        let store = self.performer.store.clone();
        let reply = Reply {
            inputs: self.inputs.clone(),
            run: run.clone(),
            fence: live.fence,
        };
        self.tasks.spawn(async move {
            let result = store.commit(commit).await;
            reply.send(Answer::Committed(result));
        });
    }

    fn committed(&mut self, run: &RunId, result: Result<(), store::Error>) {
        let Some(live) = self.runs.get_mut(run) else { return };
        match result {
            Ok(()) => {
                let told = !live.pending.outcomes.is_empty();
                live.version += 1;
                self.performer.tracer.take(std::mem::take(&mut live.pending).spans);
                live.delivery = None;
                live.committing = false;
                live.committed_at = self.clock.now();
                if told {
                    self.outbox.notify_one();
                }
                self.perform(run);
                self.go_on(run);
            }
            Err(error) if error.is_conflict() => {
                self.metrics.decision_refused();
                tracing::warn!(run.id = %run, error = %error, "a decision does not hold: somebody else decided first");
                self.forget(run);
                self.take_again(run);
            }
            Err(error) => {
                tracing::warn!(run.id = %run, error = %error, "a decision could not be committed; trying again");
                let reply = Reply {
                    inputs: self.inputs.clone(),
                    run: run.clone(),
                    fence: live.fence,
                };
                self.tasks.spawn(async move {
                    tokio::time::sleep(COMMIT_AGAIN).await;
                    reply.send(Answer::CommitAgain);
                });
            }
        }
    }

    /// After a commit: the events that waited, one turn each, until one of them commits again.
    fn go_on(&mut self, run: &RunId) {
        while let Some(live) = self.runs.get_mut(run) {
            if live.committing {
                return;
            }
            if live.state.phase == Phase::Done {
                return self.ended(run);
            }
            let Some(event) = live.waiting.pop_front() else { return };
            self.turn(run, event);
        }
    }

    pub(super) fn forget(&mut self, run: &RunId) {
        self.metrics.run_gone(run);
        if let Some(at) = self.runs.remove(run).and_then(|live| live.timer) {
            self.timers.remove(&(at, run.clone()));
        }
        self.metrics.set_runs_under_way(self.runs.len());
    }

    fn identified(&mut self, run: &RunId, seq: u32, answer: Result<(Box<Deployment>, Vec<u64>), String>) {
        let Some(live) = self.runs.get_mut(run) else { return };
        let answer = answer.map(|(deployment, warm_ups_ms)| {
            if live.state.deployment.is_none() {
                // The config that the run began with, also if it was reloaded since.
                let config = Arc::clone(&live.plan.config);
                let plan = RunPlan::of(config, &deployment, &warm_ups_ms);
                live.plan = Arc::new(if live.state.drill { drill_plan(plan) } else { plan });
            }
            deployment
        });
        let current = answer
            .as_ref()
            .ok()
            .filter(|d| d.current)
            .map(|d| (d.key.clone(), d.id.clone()));
        self.turn(run, Event::Identified { seq, answer });
        if let Some((key, id)) = current {
            self.nudge_older(&key, &id);
        }
    }

    /// A deployment is live: runs of others in the same place should look whether theirs is still current.
    fn nudge_older(&mut self, key: &AppKey, current: &DeploymentId) {
        let is_older = |live: &Live| {
            live.state
                .deployment
                .as_ref()
                .is_some_and(|d| d.key == *key && d.id != *current)
        };
        let older: Vec<RunId> = self
            .runs
            .iter()
            .filter(|(_, live)| is_older(live))
            .map(|(run, _)| run.clone())
            .collect();
        for run in older {
            let why = format!("{current} is live too");
            self.turn(&run, Event::Nudged { why });
        }
    }

    // Reading back.

    /// Takes over what no living agent owns, in the background. Where it is not known whether that went through, what the store
    /// says is ours is looked at next.
    fn take_over(&self) {
        if self.runs.len() >= RUNS_MAX {
            return;
        }
        let (recovery, inputs, metrics) = (self.recovery.clone(), self.inputs.clone(), self.metrics.clone());
        self.tasks.spawn(async move {
            match recovery.ours_if_unsure().await {
                Ok(runs) => drop(runs.map(|runs| inputs.send(Input::Ours(runs)))),
                Err(error) => return tracing::warn!(error = %error, "our runs could not be read; trying again"),
            }
            match recovery.take_over().await {
                Ok(recovered) if recovered.is_empty() => {}
                Ok(recovered) => {
                    metrics.runs_taken_over(recovered.len());
                    drop(inputs.send(Input::Recovered(recovered)));
                }
                Err(error) => tracing::warn!(error = %error, "unfinished runs could not be taken over; trying again"),
            }
        });
    }

    /// Takes up our own run as it is stored, if it is still ours.
    fn take_again(&self, run: &RunId) {
        let (recovery, inputs, run) = (self.recovery.clone(), self.inputs.clone(), run.clone());
        self.tasks.spawn(async move {
            loop {
                match recovery.take_again(&run).await {
                    Ok(recovered) => break drop(inputs.send(Input::Recovered(recovered.into_iter().collect()))),
                    Err(error) => {
                        tracing::warn!(run.id = %run, error = %error, "a run could not be read back; trying again")
                    }
                }
                tokio::time::sleep(COMMIT_AGAIN).await;
            }
        });
    }

    pub(super) fn resume(&mut self, recovered: Recovered) {
        let Recovered { run, live, hold_ms } = recovered;
        // What was read back has a newer fence than what is in memory, which the store would refuse.
        self.forget(&run);
        self.runs.insert(run.clone(), live);
        self.turn(&run, Event::Resumed { hold_ms });
    }

    // Stopping.

    /// Waits for rollback calls in flight and for commits, and checkpoints every run. Nothing new is begun.
    async fn drain(mut self, mut inbox: mpsc::UnboundedReceiver<Input>) {
        self.calls.close();
        let calls = self.calls.clone();
        let all_ended = tokio::time::timeout(CALL_MAX, calls.wait());
        tokio::pin!(all_ended);
        let mut calls_over = false;
        let mut checkpointed = false;
        loop {
            let settled = self.runs.values().all(|live| !live.committing);
            if calls_over && inbox.is_empty() && settled {
                if checkpointed {
                    return;
                }
                checkpointed = true;
                let runs: Vec<RunId> = self.runs.keys().cloned().collect();
                for run in runs {
                    self.commit(&run);
                }
                continue;
            }
            tokio::select! {
                biased;
                Some(input) = inbox.recv() => self.take(input),
                _ = &mut all_ended, if !calls_over => calls_over = true,
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
    }
}
