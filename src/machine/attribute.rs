//! Attribution: whether a failure is the deployment's doing. Each guard says why not in a sentence for a person.

use super::event::{Facts, Place};
use super::guard::WARM_UP;
use super::judge::Judge;
use super::plan::{CheckPlan, Limits, Plan};
use super::state::RunState;
use super::track::Track;
use crate::domain::{Before, Deployment, Reason, Severity, Timestamp};

/// What a check saw longer ago than this says nothing about now.
const BEFORE_MS_MAX: u64 = 2 * 3_600_000;
/// So many looks at the version before, all failing, show that it failed before.
const BEFORE_LOOKS_MIN: u32 = 3;
/// So many failures in a row of the last-good version, all the same as the bad one's, show that it fails too.
pub(super) const LAST_GOOD_LOOKS: u32 = 3;

/// Something that the app depends on is failing. Looked at through the app, that says so only as long as the app still
/// answers well elsewhere: of an app that fails everywhere, its dependency's check fails as well.
pub(super) fn dependency(plan: &Plan, state: &RunState) -> Option<String> {
    let judge = state.judge.as_ref()?;
    let judged = || plan.checks.iter().zip(&judge.checks);
    let stands = |(check, track): &(&CheckPlan, &Track)| {
        check.severity != Severity::Dependency && track.first_pass_at.is_some() && !track.is_failing()
    };
    let app_stands = judged().any(|checked| stands(&checked));
    let is_down =
        |track: &Track| track.is_failing() && (track.first_pass_at.is_none() || track.budget * 2 <= track.budget_max);
    let (check, track) = judged().find(|(check, track)| {
        check.severity == Severity::Dependency && is_down(track) && (check.elsewhere || app_stands)
    })?;
    let said = track.last_failure.as_ref().map_or("", |(_, detail)| detail.as_str());
    Some(format!(
        "`{}`, which the app depends on, is failing too: {said}. That is not for a rollback to mend",
        check.name
    ))
}

/// Every failing check failed in the same way on the version before, while this one was on its way.
pub(super) fn before(plan: &Plan, state: &RunState, facts: &Facts) -> Option<String> {
    let judge = state.judge.as_ref()?;
    let mut first = None;
    for place in &state.failing {
        let (name, form) = match place {
            Place::Gate => (WARM_UP, &plan.gate_form),
            Place::Check(index) => plan
                .checks
                .get(*index)
                .map(|check| (check.name.as_str(), &check.form))?,
        };
        let reason = reason(judge, *place)?;
        let is_same = |before: &&Before| {
            before.check.as_str() == name
                && before.form == *form
                && before.probes >= BEFORE_LOOKS_MIN
                && before.failed == before.probes
                && before.reason == Some(reason)
                && state.live_at.ms_since(before.at) <= BEFORE_MS_MAX
        };
        let found = facts.known.before.iter().find(is_same)?;
        first = first.or(Some(found));
    }
    let found = first?;
    Some(format!(
        "`{}` failed in the same way on the version before (`{}`, {} of {} looks, the last at {})",
        found.check,
        found.reason.map_or("-", Reason::as_str),
        found.failed,
        found.probes,
        found.at
    ))
}

/// So many apps fail together that it is no one deployment's fault.
pub(super) fn fleet(limits: &Limits, facts: &Facts, now: Timestamp) -> Option<String> {
    let brake = limits.fleet_brake?;
    let fleet = &facts.known.fleet;
    let failing = brake.within(&fleet.failing_at, now) + 1;
    let enrolled = fleet.enrolled.max(failing);
    brake.is_on(failing, enrolled).then(|| {
        format!(
            "{failing} of {enrolled} apps fail together within {} minutes: that is no one deployment's fault (`rollback.fleet_brake`)",
            brake.window_ms / 60_000
        )
    })
}

/// The version to go back to answers somewhere although it is not current, and fails the same checks in the same way.
pub(super) fn last_good(plan: &Plan, state: &RunState, target: &Deployment) -> Option<String> {
    let looked = state.last_good.as_ref().filter(|looked| looked.target == target.id)?;
    let judge = state.judge.as_ref()?;
    let failing = looked.places.iter().find(|look| {
        look.failed >= LAST_GOOD_LOOKS && look.reason.is_some() && look.reason == reason(judge, look.place)
    })?;
    let Place::Check(index) = failing.place else {
        return None;
    };
    Some(format!(
        "{}, which is known good, fails `{}` in the same way now: this is not the new version's doing",
        target.id,
        plan.checks.get(index)?.name
    ))
}

/// Why `place` failed last.
pub(super) fn reason(judge: &Judge, place: Place) -> Option<Reason> {
    judge.track(place)?.last_failure.as_ref().map(|(reason, _)| *reason)
}
