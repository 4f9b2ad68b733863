//! Bugs that are planted to show that the simulation would find them. None of them is in the program: each is put where the
//! simulation takes something's place, in the SQL on its way to the database or in what decides.

use crate::domain::{CallAnswer, Timestamp};
use crate::machine::{Advance, Effect, Event, Phase, Plan, RunState, advance};
use crate::runtime::Decide;
use crate::store::Error;
use crate::store::{Db, Row, Value};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// Former owners of a run may go on writing.
    SkipFence,
    /// Runs of agents that live are taken over.
    TakeFromTheLiving,
    /// Whoever takes a run over does not know of a call under way.
    IgnoreHold,
    /// Two runs for one deployment.
    TwoRuns,
    /// A delivery that comes twice is stored twice.
    ForgetDuplicates,
    /// What was decided is not told.
    ForgetToTell,
    /// What no delivery told of is not looked for.
    TrustDeliveries,
    /// A trouble is told of each time that it is seen.
    TellAgain,
    /// The call is made before its intent is durable.
    ActBeforeCommit,
    /// A call whose answer is not known is made again without looking.
    ResendWithoutLooking,
    /// A call that was under way when the agent died is made again without looking.
    ResendAfterRestart,
}

impl Bug {
    pub(super) const ALL: [Self; 11] = [
        Self::SkipFence,
        Self::TakeFromTheLiving,
        Self::IgnoreHold,
        Self::TwoRuns,
        Self::ForgetDuplicates,
        Self::ForgetToTell,
        Self::TrustDeliveries,
        Self::TellAgain,
        Self::ActBeforeCommit,
        Self::ResendWithoutLooking,
        Self::ResendAfterRestart,
    ];

    /// A history that showed it when it was last searched for, to begin with.
    pub(super) const fn witness(self) -> u64 {
        match self {
            Self::SkipFence => 1502,
            Self::TakeFromTheLiving => 1,
            Self::IgnoreHold | Self::ResendAfterRestart => 2,
            Self::ResendWithoutLooking => 341,
            Self::TwoRuns
            | Self::ForgetDuplicates
            | Self::ForgetToTell
            | Self::TrustDeliveries
            | Self::TellAgain
            | Self::ActBeforeCommit => 0,
        }
    }

    /// What it makes of a statement: each occurrence of the first text becomes the second.
    const fn rewrites(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::SkipFence => &[("AND fence = ?3", "AND fence + 1000 > ?3"), ("fence <> ", "0 <> ")],
            Self::TakeFromTheLiving => &[
                ("a.lease_until >= ?1", "a.lease_until > ?1 + 25000"),
                ("a.lease_until >= ?4", "a.lease_until > ?4 + 25000"),
            ],
            Self::IgnoreHold => &[(
                "hold_until = CASE WHEN CAST(?17 AS BIGINT) = 1 THEN hold_until ELSE ?18 END",
                "hold_until = CASE WHEN ?17 = 7 THEN ?18 END",
            )],
            Self::TwoRuns => &[
                ("CREATE UNIQUE INDEX runs_one", "CREATE INDEX runs_one"),
                ("AND (ended_at IS NULL OR coalesce(action, '') <> ?3)", "AND ?3 = 'x'"),
                ("AND note IS NULL", ""),
            ],
            Self::ForgetDuplicates => &[(
                "VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                "VALUES (?1, ?2, ?3, ?4) ON CONFLICT (platform, key) DO UPDATE SET at = excluded.at",
            )],
            Self::ForgetToTell => &[("'queued', 0, ?8,", "'dead', 0, ?8,")],
            Self::TrustDeliveries => &[("WHERE CAST(?1 AS TEXT) IS NULL OR app = ?1", "WHERE 1 = 0")],
            Self::TellAgain => &[(
                "INSERT INTO troubles (about, reason, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                "INSERT INTO troubles (about, reason, since) VALUES (?1, ?2, ?3)
                 ON CONFLICT (about) DO UPDATE SET reason = excluded.reason",
            )],
            Self::ActBeforeCommit | Self::ResendWithoutLooking | Self::ResendAfterRestart => &[],
        }
    }

    /// What it makes of the schema.
    pub(super) fn schema(self) -> Option<&'static str> {
        (self == Self::TwoRuns).then_some("DROP INDEX runs_one")
    }

    /// What it makes of the machine.
    pub(super) fn decide(self) -> Decide {
        match self {
            Self::ActBeforeCommit => act_before_commit,
            Self::ResendWithoutLooking => resend_without_looking,
            Self::ResendAfterRestart => resend_after_restart,
            _ => advance,
        }
    }
}

fn act_before_commit(plan: &Plan, state: RunState, event: Event, now: Timestamp) -> Advance {
    let mut decided = advance(plan, state, event, now);
    if decided
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::RollBack { .. }))
    {
        decided.commit_now = false;
    }
    decided
}

fn resend_without_looking(plan: &Plan, state: RunState, event: Event, now: Timestamp) -> Advance {
    let unknown = matches!(
        &event,
        Event::Called {
            answer: CallAnswer::Unknown { .. },
            ..
        }
    );
    let decided = advance(plan, state, event, now);
    if unknown { again(decided) } else { decided }
}

fn resend_after_restart(plan: &Plan, state: RunState, event: Event, now: Timestamp) -> Advance {
    let calling = state.act.as_ref().is_some_and(|act| act.seq.is_some());
    let resumed = calling && matches!(event, Event::Resumed { .. });
    let decided = advance(plan, state, event, now);
    if resumed { again(decided) } else { decided }
}

/// Calls again at once.
fn again(mut decided: Advance) -> Advance {
    let state = &mut decided.state;
    let (Some(act), Some(own)) = (&mut state.act, &state.deployment) else {
        return decided;
    };
    if state.phase != Phase::Calling {
        return decided;
    }
    state.seq += 1;
    act.seq = Some(state.seq);
    state.look = None;
    if let Some(target) = act.target().cloned() {
        decided.effects.retain(|effect| !matches!(effect, Effect::Look { .. }));
        decided.effects.push(Effect::RollBack {
            seq: state.seq,
            bad: own.id.clone(),
            target,
        });
    }
    decided.commit_now = true;
    decided
}

/// A database whose SQL a bug changes.
pub(super) struct Rewriting<'a> {
    pub(super) db: &'a dyn Db,
    pub(super) bug: Option<Bug>,
}

impl Rewriting<'_> {
    fn rewritten(&self, sql: &str) -> String {
        let rewrites = self.bug.map_or(&[][..], Bug::rewrites);
        rewrites
            .iter()
            .fold(sql.to_owned(), |sql, (from, to)| sql.replace(from, to))
    }
}

impl Db for Rewriting<'_> {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
        match self.bug {
            None => self.db.execute(sql, values),
            Some(_) => self.db.execute(&self.rewritten(sql), values),
        }
    }

    fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        match self.bug {
            None => self.db.rows(sql, values),
            Some(_) => self.db.rows(&self.rewritten(sql), values),
        }
    }

    fn now(&self) -> Result<Timestamp, Error> {
        self.db.now()
    }

    fn bytes(&self) -> Result<u64, Error> {
        self.db.bytes()
    }

    fn call(&self) -> Result<(), Error> {
        self.db.call()
    }
}
