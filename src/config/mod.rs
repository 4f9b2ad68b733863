//! `checks.toml`: from what people write to a [`Config`] that holds only what is valid.
//!
//! [`load`] reads the main file, the files it includes and the platform files it names, and reports every problem at
//! once, each with its place. Nothing here knows the network or the database; the environment and the file system are
//! reached through [`Env`], so that a test has its own.

mod assemble;
mod checks;
mod doubts;
mod effective;
mod env;
mod explain;
mod file;
mod files;
mod fleet;
mod freeze;
mod graph;
mod heartbeat;
mod load;
mod outcomes;
mod platforms;
mod read;
mod scope;
mod secrets;
mod server;
mod settings;
mod snapshot;
mod telemetry;
#[cfg(test)]
mod tests;
mod values;
mod when;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::check::Check;
use crate::document::Source;
use crate::domain::{CheckName, Deployment, Glob, Mode, PlatformName, Retention, Timestamp};
use crate::outcome::Endpoint;
use crate::step::Step;

pub use crate::document::{Level, Problem, closest};
pub use effective::{Change, Section};
pub use env::{Env, FixedEnv, SystemEnv};
pub use explain::{Explained, From};
pub use file::ConfigFile;
pub use freeze::{Freeze, FreezeError};
pub use heartbeat::Heartbeat;
pub use load::{INCLUDED_FILES_MAX, load};
pub use platforms::PlatformConfig;
use scope::Origin;
pub use scope::{Scope, ScopedCheck};
pub use server::Server;
pub use settings::{Limit, Policy, Retry, Rollback, Settings, WarmUp};
pub use telemetry::Telemetry;
pub use when::{Names, When};

/// Everything that is configured, valid as a whole.
#[derive(Debug)]
pub struct Config {
    /// What we listen on.
    pub server: Server,
    /// Where state is kept: `sqlite://` and a path.
    pub store_url: String,
    /// What is kept there of what has ended.
    pub retention: Retention,
    /// The platforms, by name.
    pub platforms: BTreeMap<PlatformName, PlatformConfig>,
    /// Loopback and private addresses that events may name.
    pub network_allow: Vec<IpNet>,
    /// Hosts that credentials may be sent to without TLS, besides this machine.
    pub plain_http: Vec<Glob>,
    /// Addresses known to be good, in source order.
    pub controls: Vec<Control>,
    /// A sign of life for somebody outside, if it is wanted.
    pub heartbeat: Option<Heartbeat>,
    /// Where traces go, if they are wanted.
    pub telemetry: Option<Telemetry>,
    /// The receivers of outcomes, in source order.
    pub endpoints: Vec<Endpoint>,
    /// The settings of the top level; [`Config::settings_for`] says what holds for a deployment.
    pub base_settings: Arc<Settings>,
    /// The policies, in source order: the first that matches holds.
    pub policies: Vec<Policy>,
    /// The files with checks; the main file is the first.
    pub scopes: Vec<Scope>,
    /// What it was read from: the main file, the included ones, then platform files.
    pub sources: Vec<Source>,
    /// SHA-256 of `sources` in hex. The values of secrets are not part of it.
    pub hash: String,
    /// What can be used but is likely not what was meant.
    pub warnings: Vec<Problem>,
    /// The values of all secrets that a step refers to.
    secrets: BTreeMap<String, SecretString>,
}

/// An address known to be good, to tell "the deployment is down" from "we are offline".
#[derive(Clone, Debug)]
pub struct Control {
    /// Its name: the `status` of `[control.status]`.
    pub name: String,
    /// What is asked, at an absolute address.
    pub step: Step,
}

impl Config {
    /// The settings for `deployment`: the first policy that matches, whose gaps the top level fills.
    ///
    /// `base` comes from the policy, else from the main file's `[env.X]`, else from its top level.
    pub fn settings_for(&self, deployment: &Deployment) -> Arc<Settings> {
        let policy = self.policy_for(deployment);
        let mut settings = Arc::clone(policy.map_or(&self.base_settings, |policy| &policy.settings));
        // Runs share them where nothing of their own is in them: there may be thousands at once.
        if settings.base.is_none()
            && let Some(base) = self.main_base(deployment)
        {
            Arc::make_mut(&mut settings).base = Some(base.clone());
        }
        settings
    }

    /// The checks that apply to `deployment`, in source order. None at all means that the run is inconclusive.
    ///
    /// A preview environment is judged only where a `when` names it: the check's, its file's, or the policy's.
    pub fn checks_for(&self, deployment: &Deployment) -> Vec<Arc<Check>> {
        let by_policy = self
            .policy_for(deployment)
            .is_some_and(|p| p.when.names_preview(deployment));
        let matching = |scope: &Scope| {
            let checks = scope.checks_for(deployment, by_policy);
            checks
                .map(|check| scope.check_at(check, deployment))
                .collect::<Vec<_>>()
        };
        self.scopes.iter().flat_map(matching).collect()
    }

    /// Whether the request of `check` to `target` may carry credentials to `deployment`: its address is configured, or a
    /// `when` names the app exactly, so that the address which the platform confirms is this app's. Without a check, the
    /// same for the warm-up.
    pub fn may_carry_credentials(&self, deployment: &Deployment, check: Option<&CheckName>, target: &str) -> bool {
        let policy = self.policy_for(deployment);
        let run = self.settings_for(deployment);
        let (scope, when) = match check {
            None => (self.scopes.first(), None),
            Some(name) => match self.find(name) {
                Some((scope, check)) => (Some(scope), Some(&check.when)),
                None => return false,
            },
        };
        match Origin::of(target) {
            Origin::Configured => true,
            Origin::Templated => false,
            Origin::Base => {
                let own = check
                    .and_then(|name| self.check(name))
                    .is_some_and(|check| check.base.is_some());
                let of_file = scope.is_some_and(|scope| scope.base_for(deployment).is_some());
                let whens = [when, scope.map(|scope| &scope.when), policy.map(|policy| &policy.when)];
                let named = whens.into_iter().flatten().any(|when| when.names_app(&deployment.app));
                own || of_file || run.base.is_some() || named
            }
        }
    }

    /// Whether anything may be rolled back at all, perhaps after a person's approval.
    pub fn may_roll_back(&self) -> bool {
        let policies = self.policies.iter().map(|policy| &policy.settings);
        let mut all = std::iter::once(&self.base_settings).chain(policies);
        all.any(|settings| settings.mode != Mode::AlertOnly)
    }

    /// Whether `other` says the same, down to the values of secrets.
    pub fn is_same(&self, other: &Self) -> bool {
        let exposed = |config: &Self| -> Vec<(String, String)> {
            let secrets = config.secrets.iter();
            secrets
                .map(|(name, secret)| (name.clone(), secret.expose_secret().to_owned()))
                .collect()
        };
        self.hash == other.hash && exposed(self) == exposed(other)
    }

    /// The settings in which `other` differs and that are read only at start.
    pub fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let changed = [
            ("server.listen", self.server.listen != other.server.listen),
            (
                "server.admin_listen",
                self.server.admin_listen != other.server.admin_listen,
            ),
            ("store.url", self.store_url != other.store_url),
            ("network.allow", self.network_allow != other.network_allow),
        ];
        changed
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(name, _)| name)
            .collect()
    }

    /// Whether a deployment of `app` on `platform` is anybody's affair here: a policy or a check names it. Where no `when`
    /// names apps, all of them are.
    pub fn covers(&self, platform: &PlatformName, app: &str) -> bool {
        // What must hold together: a policy's `when`, or a check's with its file's.
        let of_policies = self.policies.iter().map(|policy| [&policy.when, &policy.when]);
        let of_checks = self.scopes.iter().flat_map(|scope| {
            let checks = scope.checks.iter();
            checks.map(|check| [&scope.when, &check.when])
        });
        let mut naming = of_policies
            .chain(of_checks)
            .filter(|whens| whens.iter().any(|when| when.names_apps()))
            .peekable();
        let covers = |when: &&When| when.app.matches(app) && when.platform.matches(platform.as_str());
        naming.peek().is_none() || naming.any(|whens| whens.iter().all(covers))
    }

    /// The freeze that `wall` falls into for `deployment`, as it is written in the config.
    pub fn freeze_now(&self, deployment: &Deployment, wall: Timestamp) -> Option<String> {
        let policy = self.policy_for(deployment);
        let settings = policy.map_or(&self.base_settings, |policy| &policy.settings);
        settings.rollback.freeze_at(wall).map(str::to_owned)
    }

    /// The check of this name, whatever it applies to.
    pub fn check(&self, name: &CheckName) -> Option<&Arc<Check>> {
        self.find(name).map(|(_, check)| &check.check)
    }

    /// All checks, in source order.
    pub fn checks(&self) -> impl Iterator<Item = &Arc<Check>> {
        self.scopes
            .iter()
            .flat_map(|scope| &scope.checks)
            .map(|check| &check.check)
    }

    fn find(&self, name: &CheckName) -> Option<(&Scope, &ScopedCheck)> {
        let in_scope = |scope| Some((scope, Scope::find(scope, name)?));
        self.scopes.iter().find_map(in_scope)
    }

    /// Whether the policy of `deployment` names apps, so that an operator's words hold those that there are.
    pub fn policy_names(&self, deployment: &Deployment) -> bool {
        self.policy_for(deployment)
            .is_some_and(|policy| policy.when.names_apps())
    }

    fn policy_for(&self, deployment: &Deployment) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.when.matches(deployment))
    }

    fn main_base(&self, deployment: &Deployment) -> Option<&Url> {
        self.scopes.first().and_then(|scope| scope.base_for(deployment))
    }
}
