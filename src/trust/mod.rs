//! Trust: how often an app's verdicts were right, and what is missing before a rollback may be left to them.
//!
//! Pure: it reads what runs concluded and what happened afterwards, and says so in words. Turning auto-rollback on stays
//! a person's act.

#[cfg(test)]
mod tests;
mod weeks;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{JudgedRun, Label, Share, Timestamp, Verdict, rfc3339};
pub use weeks::{WEEKS_MAX, Week};

/// Verdicts, healthy and unhealthy, that it takes to tell.
const JUDGED_MIN: usize = 20;
/// A newer deployment within this time after an alarm means that the old one was wanted gone.
const QUICKLY_MS: u64 = 60 * 60_000;
/// An alarm whose deployment lives on for this long was false, unless a person says otherwise.
const LIVED_ON_MS: u64 = 24 * 60 * 60_000;
/// A drill that went through counts for this long: 30 days.
const DRILL_MS: u64 = 30 * 24 * 60 * 60_000;
/// The action of a drill that went through.
const DRILLED: &str = crate::machine::DRILLED;

/// What became of a deployment that was found bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// A person said that it was bad.
    LabelledRight,
    /// A person said that it was not.
    LabelledWrong,
    /// We rolled it back.
    RolledBack,
    /// The platform or a person rolled it back.
    RolledBackByOthers,
    /// A newer deployment replaced it within the hour.
    ReplacedQuickly,
    /// It lived on.
    LivedOn,
    /// It is too early to say.
    Open,
}

impl Happened {
    /// Whether the alarm was right, as far as that is known.
    pub const fn was_right(self) -> Option<bool> {
        match self {
            Self::LabelledRight | Self::RolledBack | Self::RolledBackByOthers | Self::ReplacedQuickly => Some(true),
            Self::LabelledWrong | Self::LivedOn => Some(false),
            Self::Open => None,
        }
    }

    /// In words, for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LabelledRight => "a person says it was bad",
            Self::LabelledWrong => "a person says it was not bad",
            Self::RolledBack => "rolled back",
            Self::RolledBackByOthers => "rolled back by the platform or a person",
            Self::ReplacedQuickly => "replaced within the hour",
            Self::LivedOn => "lived on",
            Self::Open => "not known yet",
        }
    }
}

/// A deployment that was found bad.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Alarm {
    /// The run.
    pub run: String,
    /// The deployment.
    pub deployment: String,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What was done.
    pub action: String,
    /// Why.
    pub reason: String,
    /// What became of it.
    pub happened: Happened,
    /// The same in words.
    pub happened_in_words: &'static str,
    /// Whether that shows the alarm to be right.
    pub was_right: Option<bool>,
}

/// How far one app in one environment can be trusted to auto-rollback.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trust {
    /// Runs that ended healthy or degraded.
    pub healthy: usize,
    /// Deployments found bad, newest first.
    pub alarms: Vec<Alarm>,
    /// False alarms among healthy deployments, with the 95 % interval.
    pub false_alarms: Share,
    /// The last 12 weeks, oldest first, from the first one on that is known of.
    pub weeks: Vec<Week>,
    /// When the last drill went through.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub drilled_at: Option<Timestamp>,
    /// Whether auto-rollback may be turned on.
    pub ready: bool,
    /// That, or what is missing, in one sentence.
    pub sentence: String,
}

/// Looks at the `runs` of one app in one environment, newest first. `has_target` says whether there is a known-good
/// version to go back to; `app` is its name, for what a person is to type.
pub fn trust(app: &str, runs: &[JudgedRun], has_target: bool, now: Timestamp) -> Trust {
    let healthy = runs.iter().filter(|run| is_good(run)).count();
    let bad = runs
        .iter()
        .enumerate()
        .filter(|(_, run)| run.verdict == Some(Verdict::Unhealthy));
    let alarms: Vec<Alarm> = bad
        .map(|(index, run)| alarm(run, runs.get(..index).unwrap_or_default(), now))
        .collect();
    let wrong = alarms.iter().filter(|alarm| alarm.was_right == Some(false)).count();
    let drill = runs.iter().find(|run| run.action.as_deref() == Some(DRILLED));
    let drilled_at = drill.map(|run| run.ended_at).filter(|at| now.ms_since(*at) <= DRILL_MS);
    let missing = missing(app, healthy, &alarms, drilled_at.is_some(), has_target);
    Trust {
        healthy,
        false_alarms: Share::new(wrong, healthy + wrong),
        weeks: weeks::weeks(runs, &alarms, now),
        drilled_at,
        ready: missing.is_empty(),
        sentence: match missing.is_empty() {
            true => "ready for auto-rollback".to_owned(),
            false => format!("not ready: {}", missing.join("; ")),
        },
        alarms,
    }
}

/// Whether it ended healthy or degraded.
const fn is_good(run: &JudgedRun) -> bool {
    matches!(run.verdict, Some(Verdict::Healthy | Verdict::Degraded))
}

fn alarm(run: &JudgedRun, newer: &[JudgedRun], now: Timestamp) -> Alarm {
    let happened = happened(run, newer, now);
    Alarm {
        run: run.id.to_string(),
        deployment: run.deployment.to_string(),
        at: run.ended_at,
        action: run.action.clone().unwrap_or_default(),
        reason: run.reason.clone(),
        happened,
        happened_in_words: happened.as_str(),
        was_right: happened.was_right(),
    }
}

/// `newer` are the runs after it, newest first.
fn happened(run: &JudgedRun, newer: &[JudgedRun], now: Timestamp) -> Happened {
    match run.label {
        Some(Label::Right) => return Happened::LabelledRight,
        Some(Label::Wrong) => return Happened::LabelledWrong,
        None => {}
    }
    if run.action.as_deref() == Some("rolled back") {
        return Happened::RolledBack;
    }
    let next = newer.iter().rev().find(|next| next.deployment != run.deployment);
    match next {
        Some(next) if next.is_rollback => Happened::RolledBackByOthers,
        Some(next) if next.started_at.ms_since(run.started_at) <= QUICKLY_MS => Happened::ReplacedQuickly,
        Some(_) => Happened::LivedOn,
        None if now.ms_since(run.ended_at) >= LIVED_ON_MS => Happened::LivedOn,
        None => Happened::Open,
    }
}

fn missing(app: &str, healthy: usize, alarms: &[Alarm], drilled: bool, has_target: bool) -> Vec<String> {
    let count = |was_right: Option<bool>| alarms.iter().filter(|alarm| alarm.was_right == was_right).count();
    let (wrong, open) = (count(Some(false)), count(None));
    let judged = healthy + alarms.len() - open;
    let mut missing = Vec::new();
    if judged < JUDGED_MIN {
        missing.push(format!("{} more deployments to judge", JUDGED_MIN - judged));
    }
    if wrong > 0 {
        missing.push(format!(
            "{wrong} false alarms; look at each, mend the check, and label it if it was right after all"
        ));
    }
    if open > 0 {
        missing.push(format!(
            "{open} alarms of which nobody knows yet: `backstop trust label RUN right` or `wrong`"
        ));
    }
    if !has_target {
        missing.push("a known-good version to go back to".to_owned());
    }
    if !drilled {
        missing.push(format!("a drill: `backstop runs start {app} --drill`"));
    }
    missing
}
