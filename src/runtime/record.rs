//! What the machine decided, in the store's words.

use crate::domain::{AgentId, DeliveryId, Deployment, MessageId, Outcome, RunId};
use crate::machine::{Advance, Began, Entry, Known, Phase, Record, RunState};
use crate::outcome::{self, ApprovalKey};
use crate::store::{Commit, History, Hold, JournalEntry, LedgerWrite, NewMessage, RunRecord};

use super::plan::RunPlan;
use crate::telemetry::traces::Span;

/// Whose decision it is, and how it follows on what is stored.
pub(super) struct Hand {
    pub(super) agent: AgentId,
    /// The run's next version.
    pub(super) version: u64,
    pub(super) fence: u64,
    pub(super) hold: Hold,
    /// The delivery that the run takes with it.
    pub(super) delivery: Option<DeliveryId>,
}

/// The commit of one decision.
pub(super) fn commit(
    state: &RunState,
    run_plan: &RunPlan,
    decided: &Decided,
    hand: Hand,
    approvals: &ApprovalKey,
) -> Result<Commit, serde_json::Error> {
    let config = &run_plan.config;
    let messages = decided
        .outcomes
        .iter()
        .flat_map(|said| messages(said, config, approvals))
        .collect();
    Ok(Commit {
        run: run_record(state, &config.hash, &hand)?,
        journal: decided.journal.iter().map(journal_entry).collect(),
        messages,
        ledger: decided
            .records
            .iter()
            .cloned()
            .map(|record| ledger_write(record, &state.id))
            .collect(),
        only: state.began != Began::ByHand,
        delivery: hand.delivery,
        agent: hand.agent,
        hold: hand.hold,
    })
}

/// What is to be committed of one or more decisions.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) journal: Vec<Entry>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) records: Vec<Record>,
    /// What is told of it to whoever keeps traces, once it is committed.
    pub(super) spans: Vec<Span>,
}

impl Decided {
    /// Takes over what one more decision adds.
    pub(super) fn add(&mut self, advance: &mut Advance) {
        self.journal.append(&mut advance.journal);
        self.outcomes.append(&mut advance.outcomes);
        self.records.append(&mut advance.records);
    }
}

fn run_record(state: &RunState, config_hash: &str, hand: &Hand) -> Result<RunRecord, serde_json::Error> {
    let deployment: Option<&Deployment> = state.deployment.as_ref();
    let heard = &state.heard;
    let commit = deployment.map_or(&heard.commit, |d| &d.commit);
    Ok(RunRecord {
        id: state.id.clone(),
        platform: state.platform.clone(),
        deployment: heard.deployment.clone(),
        key: deployment.map(|d| d.key.clone()),
        app: deployment
            .map(|d| d.app.clone())
            .or_else(|| heard.app.clone())
            .unwrap_or_default(),
        environment: deployment
            .map(|d| d.environment.clone())
            .or_else(|| heard.environment.clone())
            .unwrap_or_default(),
        commit_sha: commit.sha.clone(),
        is_rollback: deployment.is_some_and(|d| d.rollback),
        started_at: state.started_at,
        ended_at: state.ended_at,
        phase: state.phase.as_str().to_owned(),
        verdict: state.verdict,
        action: state.action.clone(),
        reason: state.reason.clone(),
        config_hash: config_hash.to_owned(),
        state: serde_json::to_string(&without_bodies(state))?,
        version: hand.version,
        deployed_at: deployment.and_then(|d| d.created_at),
        fence: hand.fence,
    })
}

/// What an ended run's next decision needs is nothing; its evidence is in the journal.
fn without_bodies(state: &RunState) -> RunState {
    let mut state = state.clone();
    if state.phase == Phase::Done {
        state.judge = None;
        state.verify = None;
    }
    state
}

fn journal_entry(entry: &Entry) -> JournalEntry {
    JournalEntry {
        at: entry.at,
        kind: entry.kind.as_str().to_owned(),
        text: entry.text.clone(),
        data: entry.probe.as_ref().and_then(|probe| serde_json::to_string(probe).ok()),
    }
}

fn ledger_write(record: Record, run: &RunId) -> LedgerWrite {
    let run = run.clone();
    match record {
        Record::KnownGood {
            key,
            deployment,
            commit_sha,
            at,
        } => LedgerWrite::KnownGood {
            key,
            deployment,
            commit_sha,
            at,
        },
        Record::Bad { key, deployment, at } => LedgerWrite::Bad { key, deployment, at },
        Record::CheckPassed { key, check, form, at } => LedgerWrite::CheckPassed { key, check, form, at },
        Record::Times {
            key,
            deployment,
            times,
            at,
        } => LedgerWrite::Times {
            key,
            deployment,
            times,
            at,
        },
        Record::WarmUp { key, ms, at } => LedgerWrite::WarmUp { key, ms, at },
        Record::Intent {
            key,
            deployment,
            target,
            intents_seen,
            at,
        } => LedgerWrite::Intent {
            key,
            run,
            deployment,
            target,
            intents_seen,
            at,
        },
        Record::Made { key, deployment, at } => LedgerWrite::Made {
            key,
            deployment,
            run,
            at,
        },
    }
}

/// One message for each endpoint that wants the outcome. Its bytes are made now and never change.
fn messages(said: &Outcome, config: &crate::config::Config, approvals: &ApprovalKey) -> Vec<NewMessage> {
    let wanting = config
        .endpoints
        .iter()
        .filter(|endpoint| outcome::wants(endpoint, said));
    wanting
        .enumerate()
        .filter_map(|(index, endpoint)| {
            let id = MessageId::new(format!(
                "whk_{}_{}_{index}",
                said.run.as_str().trim_start_matches("run_"),
                said.seq
            ));
            let public_url = config.server.public_url.as_ref();
            // The link is a capability: nobody gets it but whom the config names.
            let asked = said.approval.as_ref().filter(|_| endpoint.approve);
            let approve = asked
                .zip(public_url)
                .and_then(|(asked, base)| approvals.link(base, &said.run, asked));
            let rendered = outcome::render(said, endpoint, public_url, approve.as_ref(), &id)?;
            Some(NewMessage {
                id,
                endpoint: endpoint.name.clone(),
                run: Some(said.run.clone()),
                subject: rendered.subject,
                seq: said.seq,
                gravity: rendered.gravity,
                event: said.event,
                content_type: rendered.content_type,
                body: rendered.body,
                page: said.page,
                created_at: said.at,
            })
        })
        .collect()
}

/// What the store knows of an app, as the guards take it.
pub(super) fn known(history: History) -> Known {
    Known {
        good: history
            .known_good
            .into_iter()
            .map(|good| (good.deployment, good.at))
            .collect(),
        bad: history.bad,
        rollbacks_at: history.rollbacks_at,
        intents: history.intents,
        intents_of: history.intents_of,
        passed: history.passed_checks,
        made: history.made,
        before: history.before,
        fleet: history.fleet,
        times: history.times,
    }
}
