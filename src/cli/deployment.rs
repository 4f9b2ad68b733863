//! The deployment that commands without a platform speak of.

use crate::domain::{AppKey, AppPlace, Commit, Deployment};

/// A live deployment of `app` in `env`, as far as a command line tells.
pub(super) fn named(app: &str, env: &str, commit_sha: Option<String>, url: Option<String>) -> Deployment {
    let place = AppPlace {
        key: AppKey {
            platform: "none".into(),
            project: app.into(),
            environment: env.into(),
        },
        app: app.to_owned(),
        environment: env.to_owned(),
    };
    Deployment {
        commit: Commit {
            sha: commit_sha,
            ..Commit::default()
        },
        url,
        ..Deployment::live("none", place)
    }
}
