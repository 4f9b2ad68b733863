//! Calling a platform's API by its file's steps.

use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use url::Url;

use super::budget::{Budget, Urgency};
use super::error::{Error, is_json, said};
use super::fields::Context;
use super::file::{Answer, Call, File};
use crate::clock::Clock;
use crate::domain::{AppKey, CallAnswer, Deployment, DeploymentId, Heard, PlatformName, ProjectId, Standing};
use crate::http::{Client, Failure, Trust};
use crate::step::{self, Request, Response, Step, Values};

/// It was asked too much (RFC 6585 §4).
const TOO_MANY_REQUESTS: u16 = 429;
/// Deployments of a listing that are read.
const LISTED_MAX: usize = 100;

/// A platform that can be asked.
pub struct Platform {
    pub(super) name: PlatformName,
    pub(super) file: File,
    url: Url,
    token: SecretString,
    client: Client,
    budget: Budget,
}

/// Where a platform's API is, what it asks for, and how much it may be asked.
#[derive(Clone, Debug)]
pub struct Account {
    /// The API's address.
    pub url: Url,
    /// Its token.
    pub token: SecretString,
    /// Requests a minute at most; only a rollback may borrow from the next minute.
    pub requests_per_minute: NonZeroU32,
}

/// What the steps of one call found.
#[derive(Default)]
struct Found {
    values: Values,
    deployment: Option<Json>,
    deployments: Vec<Json>,
}

impl Found {
    fn text(&self, name: &str) -> Option<String> {
        self.values
            .get(name)
            .and_then(step::Value::text)
            .filter(|text| !text.is_empty())
    }
}

impl Platform {
    /// The platform `name` of the config.
    pub fn new(name: PlatformName, file: File, account: Account, client: Client, clock: Clock) -> Self {
        let Account {
            url,
            token,
            requests_per_minute,
        } = account;
        Self {
            name,
            file,
            url,
            token,
            client,
            budget: Budget::new(requests_per_minute, clock),
        }
    }

    /// Its file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Asks what the deployment is that a delivery speaks of.
    ///
    /// # Errors
    /// When the platform cannot be asked, or does not know it.
    pub async fn identify(&self, heard: &Heard) -> Result<Deployment, Error> {
        let mut values = self.values();
        values.insert("deployment", heard.deployment.as_str(), false);
        for (name, value) in [
            ("project", heard.project.as_ref().map(ProjectId::as_str)),
            ("app", heard.app.as_deref()),
        ] {
            if let Some(value) = value {
                values.insert(name, value, false);
            }
        }
        let found = self.run(Urgency::Run, &self.file.identify, values).await?;
        let what = || format!("deployment {}", heard.deployment);
        let incomplete = |missing: &str| Error::Incomplete {
            what: what(),
            missing: missing.to_owned(),
        };
        let project = found
            .text("project")
            .ok_or_else(|| incomplete("its project is not known"))?;
        let app = found.text("app").ok_or_else(|| incomplete("its app is not known"))?;
        let context = Context {
            platform: &self.name,
            project: &ProjectId::new(project),
            app: &app,
        };
        let json = found
            .deployment
            .as_ref()
            .ok_or_else(|| incomplete("the platform did not show it"))?;
        let read = self.file.deployment(json, &context);
        let mut deployment = read.ok_or_else(|| incomplete("the answer has no id or environment"))?;
        if deployment.id != heard.deployment {
            return Err(incomplete("the platform showed another one"));
        }
        deployment.current = found.text("current").as_deref() == Some(deployment.id.as_str());
        deployment.preview = found
            .values
            .get("preview")
            .is_some_and(|value| value.json == Json::Bool(true));
        if let Some(name) = found.text("environment_name") {
            deployment.environment = name;
        }
        if deployment.commit.sha.is_none() {
            deployment.commit = heard.commit.clone();
        }
        Ok(deployment)
    }

    /// Asks what is current in an environment, and what it has had.
    ///
    /// # Errors
    /// When the platform cannot be asked.
    pub async fn standing(&self, like: &Deployment, urgency: Urgency) -> Result<Standing, Error> {
        let values = self.values_of(&like.key);
        let found = self.run(urgency, &self.file.standing, values).await?;
        let context = Context {
            platform: &self.name,
            project: &like.key.project,
            app: &like.app,
        };
        let current = found.text("current").map(DeploymentId::new);
        let environment = found
            .text("environment_name")
            .unwrap_or_else(|| like.environment.clone());
        let listed = found.deployments.iter().take(LISTED_MAX);
        let read = listed.filter_map(|json| self.file.deployment(json, &context));
        // Some platforms list more than was asked for.
        let ours = read.filter(|deployment| deployment.key == like.key);
        let deployments = ours.map(|deployment| Deployment {
            current: current.as_ref() == Some(&deployment.id),
            preview: like.preview,
            environment: environment.clone(),
            ..deployment
        });
        Ok(Standing {
            deployments: deployments.collect(),
            current,
        })
    }

    /// Asks to go back from `bad` to `target`. What is current is read again just before: if that is not `bad`, the
    /// call is not made.
    pub async fn roll_back(&self, key: &AppKey, bad: &DeploymentId, target: &DeploymentId) -> CallAnswer {
        let mut values = self.values_of(key);
        match self.run(Urgency::Rollback, &self.file.current, values.clone()).await {
            Err(error) => return not_sent(format!("what is current could not be read again: {error}")),
            Ok(found) => match found.text("current") {
                Some(current) if current == bad.as_str() => {}
                Some(current) => return not_sent(format!("{current} is current now")),
                None => return not_sent("the platform says that nothing is current".to_owned()),
            },
        }
        values.insert("target", target.as_str(), false);
        values.insert("deployment", bad.as_str(), false);
        let mut made = None;
        for call in &self.file.roll_back {
            let (_, request) = match self.request(&call.step, &values) {
                Ok(ready) => ready,
                Err(error) => return not_sent(error.to_string()),
            };
            let response = match self.send(Urgency::Rollback, &request).await {
                Ok(response) => response,
                Err(failure) if failure.may_have_arrived() => return CallAnswer::Unknown { reason: failure.detail },
                Err(failure) => return not_sent(failure.detail),
            };
            match self.accepted(call, &response) {
                Ok(deployment) => made = deployment.or(made),
                Err(answer) => return answer,
            }
        }
        // A platform that makes the same deployment current again, or shows it as a stand-in, made none.
        CallAnswer::Accepted {
            made: made.filter(|made| made != target),
        }
    }

    /// The longest that [`Self::roll_back`] takes: as long as its steps may, with what is read before them.
    pub fn call_max(&self) -> Duration {
        let calls = self.file.current.iter().chain(&self.file.roll_back);
        calls.map(|call| call.step.send.timeout).sum()
    }

    /// The deployment that an accepted call made, or what the answer means instead.
    fn accepted(&self, call: &Call, response: &Response) -> Result<Option<DeploymentId>, CallAnswer> {
        let status = response.status;
        if is_json(response) && (200..300).contains(&status) {
            let json: Json = serde_json::from_slice(&response.body).unwrap_or_default();
            let deployment = call.deployment.as_ref().and_then(|paths| paths.find(&json));
            return Ok(deployment
                .and_then(|json| self.file.fields.id.text(json))
                .map(DeploymentId::new));
        }
        let reason = Error::of_answer(call.step.label(), response).to_string();
        let said = said(response);
        let is_one_of = |answers: &[Answer]| answers.iter().any(|answer| answer.is(status, &said));
        Err(if is_json(response) && is_one_of(&self.file.refusals) {
            CallAnswer::Refused { reason }
        } else if is_one_of(&self.file.denials) {
            not_sent(reason)
        } else {
            CallAnswer::Unknown { reason }
        })
    }

    /// Runs steps one after the other; what one finds, the next may use.
    async fn run(&self, urgency: Urgency, calls: &[Call], values: Values) -> Result<Found, Error> {
        let mut found = Found {
            values,
            ..Found::default()
        };
        for call in calls {
            if call
                .unless
                .as_ref()
                .is_some_and(|name| found.values.get(name).is_some())
            {
                continue;
            }
            let (json, captured) = self.ask(urgency, &call.step, &found.values).await?;
            found.values.extend(captured);
            for (name, paths) in &call.read {
                if let Some(value) = paths.find(&json) {
                    found.values.insert(name.clone(), value.clone(), false);
                }
            }
            if let Some(deployment) = call.deployment.as_ref().and_then(|paths| paths.find(&json)) {
                if let Some(environment) = self.file.fields.environment.text(deployment) {
                    found.values.insert("environment", environment, false);
                }
                found.deployment = Some(deployment.clone());
            }
            if let Some(paths) = &call.deployments {
                let listed = paths
                    .find(&json)
                    .and_then(Json::as_array)
                    .ok_or_else(|| Error::Incomplete {
                        what: call.step.label(),
                        missing: "the answer has no list of deployments".to_owned(),
                    })?;
                found.deployments.extend(listed.iter().take(LISTED_MAX).cloned());
            }
        }
        Ok(found)
    }

    /// Sends one step; its answer must be JSON and hold what the step expects.
    pub(super) async fn ask(
        &self,
        urgency: Urgency,
        step: &Step,
        values: &Values,
    ) -> Result<(Json, Vec<(String, step::Value)>), Error> {
        let (what, request) = self.request(step, values)?;
        let response = match self.send(urgency, &request).await {
            Ok(response) => response,
            Err(failure) => {
                return Err(Error::Unreachable {
                    what,
                    failure: Box::new(failure),
                });
            }
        };
        if !is_json(&response) || !(200..300).contains(&response.status) {
            return Err(Error::of_answer(what, &response));
        }
        let json = serde_json::from_slice(&response.body).map_err(|_| Error::NotTheApi {
            what: what.clone(),
            status: response.status,
            found: "a body that is not JSON".to_owned(),
        })?;
        let assessed = step::assess(step, &response, values);
        match assessed.failures.into_iter().next() {
            None => Ok((json, assessed.captured)),
            Some(miss) => Err(Error::Incomplete {
                what,
                missing: miss.detail,
            }),
        }
    }

    /// Sends a request when the budget has room for it.
    async fn send(&self, urgency: Urgency, request: &Request) -> Result<Response, Failure> {
        self.budget.take(urgency).await;
        let response = self.client.send(request, Trust::Configured).await?;
        if response.status == TOO_MANY_REQUESTS {
            self.budget.spent();
        }
        Ok(response)
    }

    fn request(&self, step: &Step, values: &Values) -> Result<(String, Request), Error> {
        let what = step.label();
        match step::render(step, Some(&self.url), values) {
            Ok(request) => Ok((what, request)),
            Err(why) => Err(Error::NotAsked { what, why }),
        }
    }

    pub(super) fn values(&self) -> Values {
        let mut values = Values::new();
        values.insert("token", self.token.expose_secret(), true);
        values
    }

    fn values_of(&self, key: &AppKey) -> Values {
        let mut values = self.values();
        values.insert("project", key.project.as_str(), false);
        values.insert("environment", key.environment.as_str(), false);
        values
    }
}

impl Answer {
    fn is(&self, status: u16, said: &str) -> bool {
        let same = self.status.iter().any(|known| known.as_u16() == status);
        same && self.matches.as_ref().is_none_or(|regex| regex.is_match(said))
    }
}

fn not_sent(reason: String) -> CallAnswer {
    CallAnswer::NotSent { reason }
}
