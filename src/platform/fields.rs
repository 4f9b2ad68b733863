//! A deployment in the API's JSON, in our words.

use serde_json::Value as Json;

use super::file::File;
use crate::domain::{AppKey, Deployment, DeploymentState, PlatformName, ProjectId, Timestamp};

/// What is known from elsewhere when a deployment is read.
pub(super) struct Context<'a> {
    pub(super) platform: &'a PlatformName,
    pub(super) project: &'a ProjectId,
    pub(super) app: &'a str,
}

impl File {
    /// Reads one deployment; `None` if it has no id or environment. Whether it is current is the caller's to say.
    pub(super) fn deployment(&self, json: &Json, context: &Context<'_>) -> Option<Deployment> {
        let fields = &self.fields;
        let environment = fields.environment.text(json)?;
        let state_word = fields.state.text(json).unwrap_or_default();
        let state = self.states.get(&state_word.to_ascii_lowercase()).copied();
        Some(Deployment {
            key: AppKey {
                platform: context.platform.clone(),
                project: context.project.clone(),
                environment: environment.as_str().into(),
            },
            id: fields.id.text(json)?.as_str().into(),
            app: context.app.to_owned(),
            environment: fields.environment_name.text(json).unwrap_or(environment),
            preview: false,
            state: state.unwrap_or(DeploymentState::Other),
            state_word,
            current: false,
            rollback: fields.rollback.is_true(json),
            rolled_back_from: fields.rolled_back_from.text(json).map(|id| id.as_str().into()),
            commit: fields.commit.read(json),
            url: fields.url.text(json),
            own_url: fields.own_url.text(json),
            created_at: fields.created_at.find(json).and_then(moment),
        })
    }
}

/// Milliseconds since the epoch, or RFC 3339.
fn moment(json: &Json) -> Option<Timestamp> {
    match json {
        Json::Number(number) => number.as_i64().map(Timestamp::from_millis),
        Json::String(text) => Timestamp::parse_rfc3339(text),
        _ => None,
    }
}
