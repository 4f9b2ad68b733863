//! Start-up: does the token work, and does the platform send us deliveries?

use serde_json::Value as Json;
use url::Url;

use super::Platform;
use super::file::{Paths, Setup};

/// Projects whose webhooks are looked at.
const PROJECTS_MAX: usize = 50;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found, and what to do about it.
    pub text: String,
}

impl Finding {
    fn new(ok: bool, text: impl Into<String>) -> Self {
        Self { ok, text: text.into() }
    }
}

impl Platform {
    /// Tries the token, and looks in each project for a webhook that delivers to `receiver`, our own public address
    /// for this platform's deliveries. Nothing is changed.
    pub async fn check_setup(&self, receiver: Option<&Url>) -> Vec<Finding> {
        let Some(setup) = self.file.setup.clone() else {
            return vec![Finding::new(true, "the platform file has no start-up checks")];
        };
        let projects = match self.list(&setup.projects, &self.values()).await {
            Ok(projects) => projects,
            Err(error) => {
                let text = format!(
                    "the API cannot be used: {error}. If it is the token: {}",
                    setup.token_help
                );
                return vec![Finding::new(false, text)];
            }
        };
        let mut findings = vec![Finding::new(
            true,
            format!("the token works: it shows {} projects", projects.len()),
        )];
        let Some(receiver) = receiver else {
            let text = "`server.public_url` is not set, so it cannot be checked that the platform delivers here";
            findings.push(Finding::new(false, text));
            return findings;
        };
        for project in projects.iter().take(PROJECTS_MAX) {
            findings.extend(self.check_project(&setup, project, receiver).await);
        }
        findings
    }

    async fn check_project(&self, setup: &Setup, project: &Json, receiver: &Url) -> Option<Finding> {
        let id = setup.project_id.text(project)?;
        let name = setup.project_name.text(project).unwrap_or_else(|| id.clone());
        let mut values = self.values();
        values.insert("project", id, false);
        Some(match self.list(&setup.webhooks, &values).await {
            Err(error) => Finding::new(false, format!("the webhooks of `{name}` cannot be read: {error}")),
            Ok(webhooks) => judge(setup, &name, &webhooks, receiver),
        })
    }
}

/// Whether a webhook's address is `receiver`.
pub(super) fn same_address(paths: &Paths, webhook: &Json, receiver: &Url) -> bool {
    let url = paths.text(webhook).and_then(|url| Url::parse(&url).ok());
    url.is_some_and(|url| url.as_str().trim_end_matches('/') == receiver.as_str().trim_end_matches('/'))
}

fn judge(setup: &Setup, project: &str, webhooks: &[Json], receiver: &Url) -> Finding {
    let ours = |webhook: &&Json| same_address(&setup.webhook_url, webhook, receiver);
    let Some(webhook) = webhooks.iter().find(ours) else {
        let text = format!("`{project}` has no webhook to {receiver}: {}", setup.webhook_help);
        return Finding::new(false, text);
    };
    if setup.webhook_enabled.find(webhook).and_then(Json::as_bool) == Some(false) {
        return Finding::new(
            false,
            format!("the webhook of `{project}` to {receiver} is disabled: enable it"),
        );
    }
    let events = setup.webhook_events.array(webhook).unwrap_or_default();
    let wanted = events
        .iter()
        .filter_map(Json::as_str)
        .any(|event| setup.events.iter().any(|e| e == event));
    if wanted {
        Finding::new(true, format!("`{project}` has a webhook to {receiver}"))
    } else {
        let text = format!(
            "the webhook of `{project}` to {receiver} does not send that a deployment is live: {}",
            setup.webhook_help
        );
        Finding::new(false, text)
    }
}
