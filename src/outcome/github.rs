//! A GitHub deployment status (<https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status>): what the
//! steps of `files/github.toml` say of the deployment of a commit in an environment.

use serde_json::json;
use url::Url;

use super::text::{line, verbatim};
use super::{Rendered, Said, words};
use crate::domain::OutcomeEvent;

/// GitHub's bound of a description.
const DESCRIPTION_UNITS_MAX: usize = 140;
/// Bound of any other text.
const TEXT_UNITS_MAX: usize = 255;

/// Where the API is, unless the config names a server of one's own.
pub const ADDRESS_DEFAULT: &str = "https://api.github.com";

/// The state of each outcome that says how a deployment stands. A deployment that was rolled back has failed: GitHub's
/// `inactive` would only say that another took its place.
const STATES: &[(OutcomeEvent, &str)] = &[
    (OutcomeEvent::SmokeTestStarted, "in_progress"),
    (OutcomeEvent::SmokeTestPassed, "success"),
    (OutcomeEvent::SmokeTestDegraded, "success"),
    (OutcomeEvent::SmokeTestSuspect, "in_progress"),
    (OutcomeEvent::SmokeTestFailed, "failure"),
    (OutcomeEvent::SmokeTestInconclusive, "error"),
    (OutcomeEvent::ApprovalRequested, "failure"),
    (OutcomeEvent::RollbackStarted, "failure"),
    (OutcomeEvent::RollbackSucceeded, "failure"),
    (OutcomeEvent::RollbackUnconfirmed, "failure"),
    (OutcomeEvent::RollbackFailed, "failure"),
    (OutcomeEvent::RollbackWithheld, "failure"),
    (OutcomeEvent::RunSuperseded, "inactive"),
];

/// The message; `None` where no state says it, or the commit is not known.
pub(super) fn render(said: Said<'_>, run: Option<&Url>) -> Option<Rendered> {
    let Said::Outcome(outcome) = said else {
        return None;
    };
    let (_, state) = STATES.iter().find(|(event, _)| *event == outcome.event)?;
    let sha = outcome.commit.sha.as_deref()?;
    let description = format!("{}: {}", words::of(outcome.event).title, outcome.reason);
    let message = json!({
        "sha": line(sha, TEXT_UNITS_MAX, verbatim),
        "environment": line(&outcome.environment, TEXT_UNITS_MAX, verbatim),
        "state": state,
        "description": line(&description, DESCRIPTION_UNITS_MAX, verbatim),
        "log_url": run.map_or("", Url::as_str),
    });
    Some(Rendered::json(message.to_string()))
}
