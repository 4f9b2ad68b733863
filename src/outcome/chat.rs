//! What a message for people says, before a chat format lays it out: what happened, to what, why, and what to do next.
//!
//! All texts here are as others wrote them; a format cleans, cuts and escapes each when it places it.

use url::Url;

use super::text::first_line;
use super::words::{self, Severity};
use crate::domain::{CheckReport, Commit, Notice, Outcome, RollbackReport, Timestamp, Verdict};

/// Most failing checks that are listed; the rest is counted.
const CHECKS_MAX: usize = 8;

/// Digits of a commit's hash that people read.
const SHA_DIGITS: usize = 7;

/// A message for people.
pub(super) struct Message {
    /// What happened, to what.
    pub(super) title: String,
    /// How loud it is.
    pub(super) severity: Severity,
    /// A sign that says the same as the colour.
    pub(super) sign: &'static str,
    /// Why.
    pub(super) reason: String,
    /// What it is about: labels, which are ours, and values, which are not.
    pub(super) facts: Vec<(&'static str, String)>,
    /// A line for each check that failed, at most [`CHECKS_MAX`], and one for the rest.
    pub(super) checks: Vec<String>,
    /// What to do.
    pub(super) next: &'static str,
    /// Where to click: our words, and the address.
    pub(super) links: Vec<(&'static str, Url)>,
    /// When it was decided.
    pub(super) at: Timestamp,
    /// Where it comes from: the event's name, and our run's id.
    pub(super) origin: String,
}

impl Message {
    /// What people are to be told of `outcome`.
    pub(super) fn of(outcome: &Outcome, run: Option<Url>, approve: Option<&Url>) -> Self {
        let words = words::of(outcome.event);
        let severity = if outcome.page {
            Severity::Critical
        } else {
            words.severity
        };
        Self {
            title: format!("{}: {} in {}", words.title, outcome.app, outcome.environment),
            severity,
            sign: if outcome.page {
                words::PAGE_SIGN
            } else {
                severity.sign()
            },
            reason: outcome.reason.clone(),
            facts: facts(outcome),
            checks: checks(&outcome.checks),
            next: words.next,
            links: approve
                .map(|approve| ("Look and approve", approve.clone()))
                .into_iter()
                .chain(run.map(|run| ("Open the run", run)))
                .collect(),
            at: outcome.at,
            origin: format!("{} · {}", outcome.event.as_str(), outcome.run),
        }
    }

    /// What people are to be told of `notice`.
    pub(super) fn of_notice(notice: &Notice) -> Self {
        let words = words::of(notice.event);
        Self {
            title: format!("{}: {}", words.title, notice.about),
            severity: words.severity,
            sign: words.severity.sign(),
            reason: notice.reason.clone(),
            facts: vec![("About", notice.about.clone())],
            checks: Vec::new(),
            next: words.next,
            links: Vec::new(),
            at: notice.at,
            origin: notice.event.as_str().to_owned(),
        }
    }
}

fn facts(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let deployment = format!("{} on {}", outcome.deployment, outcome.platform);
    let known = [
        ("Deployment", Some(deployment)),
        ("Commit", commit(&outcome.commit)),
        ("Verdict", outcome.verdict.map(|verdict| verdict.as_str().to_owned())),
        ("Mode", Some(outcome.mode.as_str().to_owned())),
        ("Rollback", outcome.rollback.as_ref().map(rollback)),
        (
            "Platform left as",
            outcome
                .rollback
                .as_ref()
                .and_then(|report| report.platform_state.clone()),
        ),
    ];
    known
        .into_iter()
        .filter_map(|(label, value)| Some((label, value?)))
        .collect()
}

/// `f4c8e2a “Speed up orders” by Ada on main`, as far as it is known.
fn commit(commit: &Commit) -> Option<String> {
    let subject = commit
        .message
        .as_deref()
        .map(first_line)
        .filter(|subject| !subject.is_empty());
    let parts = [
        commit.sha.as_deref().map(short_sha),
        subject.map(|subject| format!("“{subject}”")),
        commit.author.as_deref().map(|author| format!("by {author}")),
        commit.branch.as_deref().map(|branch| format!("on {branch}")),
    ];
    let known: Vec<String> = parts.into_iter().flatten().collect();
    (!known.is_empty()).then(|| known.join(" "))
}

/// `dep_b → dep_a (0be11d2), verified`.
fn rollback(report: &RollbackReport) -> String {
    let commit = report.to_commit.as_deref().map(|sha| format!(" ({})", short_sha(sha)));
    let standing = match (report.verified, report.confirmed_at, report.requested_at) {
        (true, _, _) => "verified",
        (false, Some(_), _) => "made, not verified",
        (false, None, Some(_)) => "asked for, not confirmed",
        (false, None, None) => "not asked for",
    };
    format!(
        "{} → {}{}, {standing}",
        report.from,
        report.to,
        commit.unwrap_or_default()
    )
}

fn checks(reports: &[CheckReport]) -> Vec<String> {
    let bad: Vec<&CheckReport> = reports.iter().filter(|report| is_bad(report)).collect();
    let mut lines: Vec<String> = bad.iter().take(CHECKS_MAX).map(|report| check(report)).collect();
    if bad.len() > CHECKS_MAX {
        lines.push(format!("and {} more", bad.len() - CHECKS_MAX));
    }
    lines
}

fn is_bad(report: &CheckReport) -> bool {
    report.failed > 0 || report.verdict.is_some_and(|verdict| verdict != Verdict::Healthy)
}

/// `orders: unhealthy, 11 of 13 probes failed: 500, expected 2xx`.
fn check(report: &CheckReport) -> String {
    let verdict = report.verdict.map_or("undecided", Verdict::as_str);
    let detail = report.detail.as_deref().or(report.reason.map(|reason| reason.as_str()));
    let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    format!(
        "{}: {verdict}, {} of {} probes failed{detail}",
        report.name, report.failed, report.probes
    )
}

fn short_sha(sha: &str) -> String {
    sha.chars().take(SHA_DIGITS).collect()
}
