//! Registering ourselves: each project has a webhook that delivers here, and what it delivers arrives.

use regex::Regex;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;
use url::Url;

use super::file::{List, Paths, Setup};
use super::setup::same_address;
use super::{Platform, Urgency};
use crate::domain::Timestamp;
use crate::step::{Step, Values};

/// Projects that are looked at.
pub const SUBSCRIBED_MAX: usize = 1_000;

/// What we answer to a delivery whose signature does not hold.
const UNSIGNED: &str = "401";

/// How webhooks are made, by the platform file.
#[derive(Clone, Debug)]
pub(super) struct Subscribing {
    /// Makes one.
    pub(super) create: Step,
    /// Makes one that is there be as it should.
    pub(super) update: Step,
    /// Each must match one of a webhook's events.
    pub(super) wants: Vec<Regex>,
    pub(super) webhook_id: Paths,
    /// When a webhook was changed last.
    pub(super) webhook_updated_at: Paths,
    pub(super) deliveries: Option<Deliveries>,
}

/// What the platform says of its own deliveries, newest first.
#[derive(Clone, Debug)]
pub(super) struct Deliveries {
    pub(super) list: List,
    pub(super) at: Paths,
    pub(super) success: Paths,
    pub(super) status: Paths,
    pub(super) error: Paths,
}

/// What is wanted of a platform.
pub struct Wanted<'w> {
    /// Our own public address for this platform's deliveries: the one thing by which a webhook is known to be ours.
    pub receiver: &'w Url,
    /// Whether a project is covered, by its name.
    pub covers: &'w (dyn Fn(&str) -> bool + Sync),
    /// What signs the deliveries of a project.
    pub secret: &'w (dyn Fn(&str) -> Option<&'w SecretString> + Sync),
    /// Nothing is changed; what would be is said.
    pub dry_run: bool,
}

/// What was done about a project's webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// There was none; there is now.
    Created,
    /// There was one that was not as it should be.
    Updated,
    /// There is one as it should be.
    Nothing,
    /// It is not as it should be.
    Failed,
}

impl Done {
    /// The word for it, in text and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Nothing => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// How one project stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The project's name; none where the platform as a whole could not be asked.
    pub project: Option<String>,
    /// What was done, or in a dry run, what would be.
    pub done: Done,
    /// Whether deliveries arrive, as far as the platform says; none if it was never asked or has sent none.
    pub arrives: Option<bool>,
    /// In words, with what to do.
    pub text: String,
}

impl Subscribed {
    /// Whether it is as it should be.
    pub fn is_good(&self) -> bool {
        self.done != Done::Failed && self.arrives != Some(false)
    }

    fn failed(project: Option<&str>, text: impl Into<String>) -> Self {
        Self {
            project: project.map(str::to_owned),
            done: Done::Failed,
            arrives: None,
            text: text.into(),
        }
    }
}

/// One project, and what its steps may use.
struct Project<'p> {
    setup: &'p Setup,
    how: &'p Subscribing,
    name: String,
    values: Values,
}

impl Platform {
    /// Sees to it that every project that is covered has a webhook to us, as the platform file says it must be. Doing it
    /// again changes nothing; other webhooks and other projects are never touched.
    pub async fn subscribe(&self, wanted: &Wanted<'_>) -> Vec<Subscribed> {
        let Some((setup, how)) = self
            .file
            .setup
            .as_ref()
            .and_then(|setup| Some((setup, setup.subscribing.as_ref()?)))
        else {
            let text = format!("the platform file of `{}` has no steps to make a webhook by", self.name);
            return vec![Subscribed::failed(None, text)];
        };
        let projects = match self.list(&setup.projects, &self.values()).await {
            Ok(projects) => projects,
            Err(error) => {
                let text = format!(
                    "the projects cannot be read: {error}. If it is the token: {}",
                    setup.token_help
                );
                return vec![Subscribed::failed(None, text)];
            }
        };
        let mut found = Vec::new();
        for project in projects.iter().take(SUBSCRIBED_MAX) {
            let Some(id) = setup.project_id.text(project) else {
                continue;
            };
            let name = setup.project_name.text(project).unwrap_or_else(|| id.clone());
            if !(wanted.covers)(&name) {
                continue;
            }
            let mut values = self.values();
            values.insert("project", id, false);
            values.insert("receiver", wanted.receiver.as_str(), false);
            let project = Project {
                setup,
                how,
                name,
                values,
            };
            found.push(self.subscribe_project(project, wanted).await);
        }
        if projects.len() > SUBSCRIBED_MAX {
            let text =
                format!("the platform has more than {SUBSCRIBED_MAX} projects; those behind them were not looked at");
            found.push(Subscribed::failed(None, text));
        } else if found.is_empty() {
            let text = "no project of the platform is covered by a policy or a check";
            found.push(Subscribed::failed(None, text));
        }
        found
    }

    async fn subscribe_project(&self, mut project: Project<'_>, wanted: &Wanted<'_>) -> Subscribed {
        let name = project.name.clone();
        let failed = |text: String| Subscribed::failed(Some(&name), text);
        let Some(secret) = (wanted.secret)(&name) else {
            return failed(format!(
                "the config has no secret for `{name}`: make one with `openssl rand -hex 32`, and add it to `secret` in [platform.{}]: `{name} = \"{{{{ secret.NAME }}}}\"`",
                self.name
            ));
        };
        project.values.insert("secret", secret.expose_secret(), true);
        let found = match self.webhook(&mut project, wanted.receiver).await {
            Ok(found) => found,
            Err(text) => return failed(text),
        };
        let (step, done, what) = match &found {
            None => (&project.how.create, Done::Created, "made".to_owned()),
            Some(webhook) => match self.amiss(&project, webhook).await {
                None => return self.arrival(&project, webhook, Done::Nothing).await,
                Some(what) => (&project.how.update, Done::Updated, what),
            },
        };
        if wanted.dry_run {
            let text = format!("a webhook to {} would be {}: {what}", wanted.receiver, done.as_str());
            return Subscribed {
                project: Some(name),
                done,
                arrives: None,
                text,
            };
        }
        if let Err(error) = self.ask(Urgency::Background, step, &project.values).await {
            return failed(format!(
                "the webhook of `{name}` cannot be {}: {error}. If it is the token: {}",
                done.as_str(),
                project.setup.token_help
            ));
        }
        // Platforms leave out what they do not know without a word, so it is looked at once more.
        match self.webhook(&mut project, wanted.receiver).await {
            Err(text) => failed(text),
            Ok(None) => failed(format!(
                "the webhook of `{name}` was {}, and is not there",
                done.as_str()
            )),
            Ok(Some(webhook)) => match is_wrong(&project, &webhook) {
                Some(still) => failed(format!(
                    "the webhook of `{name}` was {}, and still {still}",
                    done.as_str()
                )),
                None => self.arrival(&project, &webhook, done).await,
            },
        }
    }

    /// Our webhook in this project; its id is among the values from then on.
    async fn webhook(&self, project: &mut Project<'_>, receiver: &Url) -> Result<Option<Json>, String> {
        let listed = self.list(&project.setup.webhooks, &project.values).await;
        let listed = listed.map_err(|error| {
            format!(
                "the webhooks of `{}` cannot be read: {error}. If it is the token: {}",
                project.name, project.setup.token_help
            )
        })?;
        let ours = |webhook: &&Json| same_address(&project.setup.webhook_url, webhook, receiver);
        let found = listed.iter().find(ours).cloned();
        if let Some(id) = found.as_ref().and_then(|webhook| project.how.webhook_id.text(webhook)) {
            project.values.insert("webhook", id, false);
        }
        Ok(found)
    }

    /// What is wrong with our webhook, if anything is: what it shows, or that since it was changed last we could not verify
    /// what it sent, so that its secret, which no platform shows, must be another.
    async fn amiss(&self, project: &Project<'_>, webhook: &Json) -> Option<String> {
        if let Some(wrong) = is_wrong(project, webhook) {
            return Some(format!("it {wrong}"));
        }
        let deliveries = project.how.deliveries.as_ref()?;
        let newest = self.newest(deliveries, &project.values).await.ok()??;
        let time = |paths: &Paths, json: &Json| paths.text(json).and_then(|text| Timestamp::parse_rfc3339(&text));
        let (sent, changed) = (
            time(&deliveries.at, &newest)?,
            time(&project.how.webhook_updated_at, webhook)?,
        );
        let refused = deliveries.status.text(&newest)? == UNSIGNED;
        (refused && sent > changed).then(|| "its secret is not the config's".to_owned())
    }

    async fn newest(&self, deliveries: &Deliveries, values: &Values) -> Result<Option<Json>, super::Error> {
        Ok(self.list(&deliveries.list, values).await?.into_iter().next())
    }

    /// Whether what the webhook sent last arrived.
    async fn arrival(&self, project: &Project<'_>, webhook: &Json, done: Done) -> Subscribed {
        let newest = match &project.how.deliveries {
            Some(deliveries) => self
                .newest(deliveries, &project.values)
                .await
                .map(|newest| newest.map(|newest| (deliveries, newest))),
            None => Ok(None),
        };
        let changed = project.how.webhook_updated_at.text(webhook);
        let changed = changed.and_then(|text| Timestamp::parse_rfc3339(&text));
        let (arrives, text) = match newest {
            Err(error) => (None, format!("whether what it sends arrives cannot be read: {error}")),
            Ok(None) => (
                None,
                "nothing was sent yet; the next deployment shows whether it arrives".to_owned(),
            ),
            Ok(Some((deliveries, newest))) => {
                let at = deliveries
                    .at
                    .text(&newest)
                    .unwrap_or_else(|| "an unknown time".to_owned());
                let sent = Timestamp::parse_rfc3339(&at);
                if deliveries.success.is_true(&newest) {
                    (Some(true), format!("what it sent at {at} arrived"))
                } else if sent.zip(changed).is_some_and(|(sent, changed)| sent <= changed) {
                    (
                        None,
                        "nothing was sent since it was changed; the next deployment shows whether it arrives"
                            .to_owned(),
                    )
                } else {
                    let status = deliveries
                        .status
                        .text(&newest)
                        .map(|status| format!("it was answered {status}"));
                    let why = status.or_else(|| deliveries.error.text(&newest));
                    let why = why.unwrap_or_else(|| "it says not why".to_owned());
                    (
                        Some(false),
                        format!("what it sent at {at} did not arrive: {}", crate::step::cut(&why, 200)),
                    )
                }
            }
        };
        Subscribed {
            project: Some(project.name.clone()),
            done,
            arrives,
            text,
        }
    }
}

/// What is wrong with what a webhook shows of itself.
fn is_wrong(project: &Project<'_>, webhook: &Json) -> Option<String> {
    if project.setup.webhook_enabled.find(webhook).and_then(Json::as_bool) == Some(false) {
        return Some("is disabled".to_owned());
    }
    let events = project.setup.webhook_events.array(webhook).unwrap_or_default();
    let sends = |wanted: &Regex| {
        events
            .iter()
            .filter_map(Json::as_str)
            .any(|event| wanted.is_match(event))
    };
    let lacking: Vec<&str> = project
        .how
        .wants
        .iter()
        .filter(|wanted| !sends(wanted))
        .map(Regex::as_str)
        .collect();
    (!lacking.is_empty()).then(|| format!("does not send {}", lacking.join(", ")))
}
