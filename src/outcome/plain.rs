//! Our own format: one JSON object, its keys always in this order, what is not known left out.

use serde::Serialize;
use url::Url;

use super::text::cut;
use crate::domain::{CheckReport, Commit, MessageId, Notice, Outcome, Reason, RollbackReport, Timestamp, Verdict};

/// Bound of a text that others wrote, such as a commit message, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// Bound of a name, id or word that others chose, in bytes.
const NAME_BYTES_MAX: usize = 512;

/// Most checks in one message; what is wrong comes first, the rest is counted.
const CHECKS_MAX: usize = 200;

/// The message as JSON text.
pub(super) fn render(outcome: &Outcome, run_link: Option<&Url>, approve: Option<&Url>, message: &MessageId) -> String {
    // Strings, numbers and lists in structs always serialise; were that ever not so, the receiver gets valid JSON.
    serde_json::to_string(&body(outcome, run_link, approve, message)).unwrap_or_else(|_| "{}".to_owned())
}

/// The notice as JSON text.
pub(super) fn render_notice(notice: &Notice, message: &MessageId) -> String {
    let body = NoticeBody {
        event: notice.event.as_str(),
        timestamp: rfc3339_seconds(notice.at),
        delivery_id: message.as_str(),
        about: name(&notice.about),
        reason: text(&notice.reason),
    };
    serde_json::to_string(&body).unwrap_or_else(|_| "{}".to_owned())
}

#[derive(Serialize)]
struct NoticeBody<'a> {
    event: &'static str,
    timestamp: String,
    delivery_id: &'a str,
    about: String,
    reason: String,
}

#[derive(Serialize)]
struct Body<'a> {
    event: &'static str,
    timestamp: String,
    delivery_id: &'a str,
    run_id: &'a str,
    platform: String,
    app: String,
    environment: String,
    deployment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<CommitPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    triggered_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    reason: String,
    checks: Vec<CheckPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks_omitted: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<RollbackPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<ApprovalPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Links<'a>>,
}

#[derive(Serialize)]
struct CommitPart {
    #[serde(skip_serializing_if = "Option::is_none")]
    sha: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
}

#[derive(Serialize)]
struct CheckPart {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    probes: u32,
    failed: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize)]
struct RollbackPart {
    from: String,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<String>,
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_state: Option<String>,
}

#[derive(Serialize)]
struct ApprovalPart {
    from: String,
    to: String,
    expires_at: String,
}

#[derive(Serialize)]
struct Links<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approve: Option<&'a str>,
}

fn body<'a>(
    outcome: &'a Outcome,
    run_link: Option<&'a Url>,
    approve: Option<&'a Url>,
    message: &'a MessageId,
) -> Body<'a> {
    Body {
        event: outcome.event.as_str(),
        timestamp: rfc3339_seconds(outcome.at),
        delivery_id: message.as_str(),
        run_id: outcome.run.as_str(),
        platform: name(&outcome.platform),
        app: name(&outcome.app),
        environment: name(&outcome.environment),
        deployment_id: name(outcome.deployment.as_str()),
        commit: commit(&outcome.commit),
        triggered_by: outcome.triggered_by.as_deref().map(name),
        url: outcome.url.as_deref().map(text),
        mode: outcome.mode.as_str(),
        verdict: outcome.verdict.map(Verdict::as_str),
        reason: text(&outcome.reason),
        checks: checks(&outcome.checks),
        checks_omitted: outcome
            .checks
            .len()
            .checked_sub(CHECKS_MAX)
            .filter(|omitted| *omitted > 0),
        rollback: outcome.rollback.as_ref().map(rollback),
        approval: outcome.approval.as_ref().map(|approval| ApprovalPart {
            from: name(approval.from.as_str()),
            to: name(approval.to.as_str()),
            expires_at: rfc3339_seconds(approval.expires_at),
        }),
        links: (run_link.is_some() || approve.is_some()).then(|| Links {
            run: run_link.map(Url::as_str),
            approve: approve.map(Url::as_str),
        }),
    }
}

fn commit(commit: &Commit) -> Option<CommitPart> {
    (commit != &Commit::default()).then(|| CommitPart {
        sha: commit.sha.as_deref().map(name),
        message: commit.message.as_deref().map(text),
        author: commit.author.as_deref().map(name),
        branch: commit.branch.as_deref().map(name),
    })
}

/// The checks in their own order, unless there are too many: then those that failed come first.
fn checks(reports: &[CheckReport]) -> Vec<CheckPart> {
    let mut order: Vec<&CheckReport> = reports.iter().collect();
    if order.len() > CHECKS_MAX {
        order.sort_by_key(|report| report.failed == 0);
        order.truncate(CHECKS_MAX);
    }
    order
        .into_iter()
        .map(|report| CheckPart {
            name: name(report.name.as_str()),
            verdict: report.verdict.map(Verdict::as_str),
            probes: report.probes,
            failed: report.failed,
            reason: report.reason.map(Reason::as_str),
            detail: report.detail.as_deref().map(name),
        })
        .collect()
}

fn rollback(report: &RollbackReport) -> RollbackPart {
    RollbackPart {
        from: name(report.from.as_str()),
        to: name(report.to.as_str()),
        to_commit: report.to_commit.as_deref().map(name),
        requested_at: report.requested_at.map(rfc3339_seconds),
        confirmed_at: report.confirmed_at.map(rfc3339_seconds),
        verified: report.verified,
        platform_state: report.platform_state.as_deref().map(text),
    }
}

fn text(long: &str) -> String {
    cut(long, TEXT_BYTES_MAX)
}

fn name(short: &str) -> String {
    cut(short, NAME_BYTES_MAX)
}

/// RFC 3339 in UTC with whole seconds: `2026-03-12T14:31:07Z`.
pub(super) fn rfc3339_seconds(at: Timestamp) -> String {
    Timestamp::from_millis(at.as_secs().saturating_mul(1000))
        .to_string()
        .replace(".000Z", "Z")
}
