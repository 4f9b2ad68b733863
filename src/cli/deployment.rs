//! The deployment that commands without a platform speak of.

use crate::domain::{AppKey, Commit, Deployment, DeploymentState};

/// A live deployment of `app` in `env`, as far as a command line tells.
pub(super) fn named(app: &str, env: &str, commit_sha: Option<String>, url: Option<String>) -> Deployment {
    Deployment {
        key: AppKey {
            platform: "none".into(),
            project: app.into(),
            environment: env.into(),
        },
        id: "none".into(),
        app: app.to_owned(),
        environment: env.to_owned(),
        preview: false,
        state: DeploymentState::Good,
        state_word: String::new(),
        current: true,
        rollback: false,
        rolled_back_from: None,
        commit: Commit {
            sha: commit_sha,
            ..Commit::default()
        },
        url,
        own_url: None,
        created_at: None,
    }
}
