//! The guards: rules that can withhold a rollback. Each says why in a sentence for a person.

use serde::{Deserialize, Serialize};

use super::attribute;
use super::event::{Controls, Facts, Place};
use super::plan::{Limits, Plan};
use super::state::RunState;
use crate::domain::{CheckName, Deployment, DeploymentId, DeploymentState, Mode, Timestamp};

/// A newer deployment that has been under way for longer than this is stuck, and no reason to wait.
const UNDER_WAY_MS_MAX: u64 = 15 * 60_000;
/// A known-good version older than this is no target: its image, its data and its neighbours have moved on.
const TARGET_AGE_MS_MAX: u64 = 30 * 24 * 3_600_000;
/// Targets tried for one deployment.
const TARGETS_MAX: usize = 3;
/// The gate's name in the ledger of passed checks.
pub const WARM_UP: &str = "warm-up";

/// What is said where the controls do not answer.
pub const OFFLINE: &str = "most controls do not answer: this agent may be offline";

macro_rules! guards {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// What can hold a rollback back, in the words that are counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Guard { $($(#[$doc])* $name,)+ }

        impl Guard {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

guards! {
    /// The platform has not said what the deployment is.
    Unidentified = "unidentified",
    /// Another run has begun to roll it back.
    OtherRun = "other_run",
    /// The mode is alert-only.
    Mode = "mode",
    /// A person paused the app.
    Pause = "pause",
    /// A freeze is on.
    Freeze = "freeze",
    /// The deployment is itself a rollback.
    OwnRollback = "own_rollback",
    /// A newer deployment is under way.
    NewerUnderWay = "newer_under_way",
    /// No failing check has ever passed.
    NeverPassed = "never_passed",
    /// Health came back.
    CameBack = "came_back",
    /// Something that the app depends on fails.
    Dependency = "dependency",
    /// It failed in the same way before.
    FailedBefore = "failed_before",
    /// Many apps fail together.
    FleetBrake = "fleet_brake",
    /// There is nothing to go back to.
    NoTarget = "no_target",
    /// A commit says that there is no way back.
    Irreversible = "irreversible",
    /// It has been live for too long.
    ActWithin = "act_within",
    /// There were enough rollbacks in this hour.
    MaxPerHour = "max_per_hour",
    /// The last rollback is not long ago.
    Cooldown = "cooldown",
    /// The known-good version fails, too.
    LastGoodFails = "last_good_fails",
    /// The platform could not be asked.
    PlatformSilent = "platform_silent",
    /// Most controls do not answer.
    Controls = "controls",
    /// Nobody approved it.
    NotApproved = "not_approved",
}

/// Why not, and who says so.
type No = Option<(Guard, String)>;

fn by(guard: Guard, reason: Option<String>) -> No {
    reason.map(|reason| (guard, reason))
}

/// What the guards say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// Go back, to the best of these.
    Allowed(Vec<DeploymentId>),
    /// Perhaps: first this version, which would be gone back to, is to be looked at.
    Compare(Box<Deployment>),
    /// Not: the deployment stays live, and a person is told why.
    Withheld(Guard, String),
    /// Another deployment is current: this one is no longer anybody's concern.
    Superseded(String),
    /// We ourselves are in trouble, so the verdict does not hold.
    CannotTell(String),
}

/// Asks every guard, in an order that gives the most useful reason first.
pub(super) fn rule(plan: &Plan, state: &RunState, facts: &Facts, now: Timestamp) -> Ruling {
    let Some(own) = &state.deployment else {
        return Ruling::Withheld(
            Guard::Unidentified,
            "the platform has not said what this deployment is".to_owned(),
        );
    };
    if facts.standing.current.as_ref() != Some(&own.id) {
        return Ruling::Superseded(superseded_by(facts.standing.current.as_ref()));
    }
    if facts.controls == Controls::Down {
        return Ruling::CannotTell(OFFLINE.to_owned());
    }
    if let Some(other) = facts.known.intents_of.get(&own.id).filter(|run| **run != state.id) {
        return Ruling::Withheld(Guard::OtherRun, format!("{other} has begun to roll it back"));
    }
    let limits = plan.limits.stricter(&facts.limits);
    let targets = targets(own, facts, now);
    let harmful = || {
        by(Guard::NewerUnderWay, newer_under_way(own, facts, now))
            .or_else(|| by(Guard::NoTarget, no_target(&targets, own, facts, now)))
            .or_else(|| {
                let reason = irreversible(&limits.irreversible, own, targets.first(), facts);
                by(Guard::Irreversible, reason)
            })
    };
    if state.ordered {
        return match harmful() {
            Some((guard, reason)) => Ruling::Withheld(guard, reason),
            None => Ruling::Allowed(targets.iter().take(TARGETS_MAX).map(|d| d.id.clone()).collect()),
        };
    }
    if state.drill {
        // What is said of the failing check and of the mode is about a real one.
        let first_no = held(facts)
            .or_else(|| by(Guard::OwnRollback, origin(own, facts)))
            .or_else(harmful)
            .or_else(|| by(Guard::FleetBrake, attribute::fleet(&limits, facts, now)));
        return match first_no {
            Some((guard, reason)) => Ruling::Withheld(guard, reason),
            None => Ruling::Allowed(targets.iter().take(1).map(|d| d.id.clone()).collect()),
        };
    }
    let first_no = permission(plan, facts)
        .or_else(|| by(Guard::OwnRollback, origin(own, facts)))
        .or_else(|| by(Guard::NewerUnderWay, newer_under_way(own, facts, now)))
        .or_else(|| by(Guard::NeverPassed, never_passed(plan, state, facts)))
        .or_else(|| by(Guard::CameBack, came_back(plan, state)))
        .or_else(|| by(Guard::Dependency, attribute::dependency(plan, state)))
        .or_else(|| by(Guard::FailedBefore, attribute::before(plan, state, facts)))
        .or_else(|| by(Guard::FleetBrake, attribute::fleet(&limits, facts, now)))
        .or_else(harmful)
        .or_else(|| limited(&limits, state, facts, now));
    let compared = |target: &Deployment| {
        state
            .last_good
            .as_ref()
            .is_some_and(|looked| looked.target == target.id)
    };
    let first_no = first_no.or_else(|| {
        targets
            .first()
            .and_then(|target| by(Guard::LastGoodFails, attribute::last_good(plan, state, target)))
    });
    match (first_no, targets.first()) {
        (Some((guard, reason)), _) => Ruling::Withheld(guard, reason),
        (None, Some(target)) if state.act.is_none() && answers_itself(target, own) && !compared(target) => {
            Ruling::Compare(Box::new(Deployment::clone(target)))
        }
        (None, _) => Ruling::Allowed(targets.iter().take(TARGETS_MAX).map(|d| d.id.clone()).collect()),
    }
}

/// Whether `target` can be asked although `own` is current.
fn answers_itself(target: &Deployment, own: &Deployment) -> bool {
    target.own_url.is_some() && target.own_url != own.url && target.own_url != target.url
}

pub(super) fn superseded_by(current: Option<&DeploymentId>) -> String {
    match current {
        Some(id) => format!("the platform says that {id} is current"),
        None => "the platform says that no deployment is current".to_owned(),
    }
}

fn permission(plan: &Plan, facts: &Facts) -> No {
    if plan.mode.min(facts.mode) == Mode::AlertOnly {
        return by(Guard::Mode, Some("the mode is alert-only".to_owned()));
    }
    held(facts)
}

/// A person or the calendar holds rollbacks back.
fn held(facts: &Facts) -> No {
    if let Some(until) = facts.paused_until {
        return by(Guard::Pause, Some(format!("a person paused this app until {until}")));
    }
    let window = facts.frozen.as_ref();
    by(
        Guard::Freeze,
        window.map(|window| format!("the freeze `{window}` is on")),
    )
}

fn origin(own: &Deployment, facts: &Facts) -> Option<String> {
    (own.rollback || facts.known.made.contains(&own.id))
        .then(|| "this deployment is itself a rollback; a rollback is never rolled back".to_owned())
}

fn newer_under_way(own: &Deployment, facts: &Facts, now: Timestamp) -> Option<String> {
    let newer = facts.standing.deployments.iter().take_while(|d| d.id != own.id);
    let under_way = newer.into_iter().find(|d| {
        let fresh = d.created_at.is_none_or(|at| now.ms_since(at) <= UNDER_WAY_MS_MAX);
        d.state == DeploymentState::UnderWay && fresh
    })?;
    Some(format!("a newer deployment, {}, is under way", under_way.id))
}

fn never_passed(plan: &Plan, state: &RunState, facts: &Facts) -> Option<String> {
    let known = |place: &Place| match place {
        Place::Gate => facts
            .known
            .passed
            .contains(&(CheckName::new(WARM_UP), plan.gate_form.clone())),
        Place::Check(index) => plan
            .checks
            .get(*index)
            .is_some_and(|check| facts.known.passed.contains(&(check.name.clone(), check.form.clone()))),
    };
    (!state.failing.iter().any(known)).then(|| {
        "no failing check has ever passed, in its present form, on this app and environment: the check may be wrong"
            .to_owned()
    })
}

fn came_back(plan: &Plan, state: &RunState) -> Option<String> {
    let judge = state.judge.as_ref()?;
    judge
        .came_back(plan, &state.failing)
        .then(|| "health came back: what failed has passed in full since".to_owned())
}

/// The deployments to go back to, best first: known good, older than `own`, still there, and not the same version.
fn targets<'a>(own: &Deployment, facts: &'a Facts, now: Timestamp) -> Vec<&'a Deployment> {
    let older = facts.standing.deployments.iter().skip_while(|d| d.id != own.id).skip(1);
    let same_version = |d: &Deployment| d.commit.sha.is_some() && d.commit.sha == own.commit.sha;
    older
        .filter(|d| d.state == DeploymentState::Good && !facts.known.bad.contains(&d.id) && !same_version(d))
        .filter(|d| d.created_at.is_none_or(|at| now.ms_since(at) <= TARGET_AGE_MS_MAX))
        .filter(|d| {
            facts
                .known
                .good
                .iter()
                .any(|(id, _)| id == &d.id || d.rolled_back_from.as_ref() == Some(id))
        })
        .collect()
}

fn no_target(targets: &[&Deployment], own: &Deployment, facts: &Facts, now: Timestamp) -> Option<String> {
    if !targets.is_empty() {
        return None;
    }
    if facts.standing.find(&own.id).is_none() {
        return Some(
            "the platform's list does not show this deployment, so what came before it is not known".to_owned(),
        );
    }
    if facts.known.good.is_empty() {
        return Some("there is no known-good version to go back to yet".to_owned());
    }
    let too_old = facts
        .known
        .good
        .iter()
        .filter_map(|(id, _)| facts.standing.find(id))
        .any(|d| d.created_at.is_some_and(|at| now.ms_since(at) > TARGET_AGE_MS_MAX));
    Some(if too_old {
        "the known-good versions are older than 30 days".to_owned()
    } else {
        "no known-good version is left on the platform that differs from this one".to_owned()
    })
}

/// A forbidden word in any commit that the rollback would take back.
fn irreversible(words: &[String], own: &Deployment, target: Option<&&Deployment>, facts: &Facts) -> Option<String> {
    let listed = facts.standing.deployments.iter().skip_while(|d| d.id != own.id);
    let taken_back = listed
        .take_while(|d| target.is_none_or(|target| d.id != target.id))
        .chain([own]);
    for deployment in taken_back {
        let message = deployment.commit.message.as_deref().unwrap_or("");
        if let Some(word) = words
            .iter()
            .find(|word| !word.is_empty() && message.contains(word.as_str()))
        {
            return Some(format!("the commit message of {} says `{word}`", deployment.id));
        }
    }
    None
}

/// The run's own intent does not count against it when a call is made again.
fn limited(limits: &Limits, state: &RunState, facts: &Facts, now: Timestamp) -> No {
    let own_intent = state.act.as_ref().map(|act| act.since);
    let others = || facts.known.rollbacks_at.iter().filter(|at| Some(**at) != own_intent);
    let within = |ms: u64| others().filter(|at| now.ms_since(**at) < ms).count();
    if state.act.is_none() && now.ms_since(state.live_at) > limits.act_within_ms {
        let minutes = limits.act_within_ms / 60_000;
        let reason = format!("it has been live for more than {minutes} minutes (`rollback.act_within`)");
        return by(Guard::ActWithin, Some(reason));
    }
    if within(3_600_000) >= usize::try_from(limits.per_hour_max).unwrap_or(usize::MAX) {
        let reason = format!(
            "{} rollbacks in an hour are the limit (`rollback.max_per_hour`)",
            limits.per_hour_max
        );
        return by(Guard::MaxPerHour, Some(reason));
    }
    let recent = (within(limits.cooldown_ms) > 0).then(|| {
        format!(
            "the last rollback is less than {} minutes ago (`rollback.cooldown`)",
            limits.cooldown_ms / 60_000
        )
    });
    by(Guard::Cooldown, recent)
}
