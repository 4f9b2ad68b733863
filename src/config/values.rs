//! What the placeholders of a run stand for.

use secrecy::ExposeSecret;

use super::{Config, Scope};
use crate::domain::{CheckName, Deployment, RunId};
use crate::step::Values;

/// The placeholders of a deployment.
pub(super) const DEPLOY_VALUES: [&str; 10] = [
    "deploy.id",
    "deploy.commit",
    "deploy.branch",
    "deploy.message",
    "deploy.author",
    "deploy.app",
    "deploy.env",
    "deploy.project",
    "deploy.platform",
    "deploy.url",
];

impl Config {
    /// What `{{ deploy.X }}`, `{{ secret.X }}`, `{{ vars.X }}` and `{{ run.id }}` stand for in `check`; without a check,
    /// in the warm-up. What is not known of the deployment is left out. `vars` are those of the check's file.
    pub fn values_for(&self, deployment: &Deployment, run: &RunId, check: Option<&CheckName>) -> Values {
        let mut values = self.secret_values();
        let commit = &deployment.commit;
        let known = [
            Some(deployment.id.as_str()),
            commit.sha.as_deref(),
            commit.branch.as_deref(),
            commit.message.as_deref(),
            commit.author.as_deref(),
            Some(deployment.app.as_str()),
            Some(deployment.environment.as_str()),
            Some(deployment.key.project.as_str()),
            Some(deployment.key.platform.as_str()),
            deployment.url.as_deref(),
        ];
        for (name, value) in DEPLOY_VALUES.iter().zip(known) {
            // An empty commit is an unknown one; it must not match every answer.
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                values.insert(*name, value, false);
            }
        }
        values.insert("run.id", run.as_str(), false);
        let scope = match check {
            Some(name) => self.find(name).map(|(scope, _)| scope),
            None => self.scopes.first(),
        };
        for (name, value) in scope
            .map(|scope| Scope::vars_for(scope, deployment))
            .unwrap_or_default()
        {
            values.insert(format!("vars.{name}"), value, false);
        }
        values
    }

    /// What `{{ secret.X }}` and `{{ vars.X }}` stand for in a control.
    pub fn control_values(&self) -> Values {
        let mut values = self.secret_values();
        for (name, value) in self.scopes.first().map(|scope| &scope.vars).into_iter().flatten() {
            values.insert(format!("vars.{name}"), value.clone(), false);
        }
        values
    }

    fn secret_values(&self) -> Values {
        let mut values = Values::new();
        for (name, secret) in &self.secrets {
            values.insert(format!("secret.{name}"), secret.expose_secret(), true);
        }
        values
    }
}
