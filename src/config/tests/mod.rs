mod checks;
mod effective;
mod errors;
mod example;
mod freeze;
mod outcomes;
mod secrets;
mod telemetry;
mod unwise;
mod when;

use std::path::Path;

use super::{Config, FixedEnv, load};
use crate::document::{Level, Problem};
use crate::domain::{AppKey, AppPlace, Commit, Deployment};

/// A main file and what it needs.
#[derive(Clone, Default)]
struct Given(FixedEnv);

impl Given {
    fn main(text: &str) -> Self {
        Self::default().file("checks.toml", text)
    }

    fn file(self, path: &str, text: &str) -> Self {
        Self(self.0.file(path, text))
    }

    fn var(self, name: &str, value: &str) -> Self {
        Self(self.0.var(name, value))
    }

    fn load(&self) -> Result<Config, Vec<Problem>> {
        load(Path::new("checks.toml"), &self.0)
    }

    /// The config, which must be good.
    fn config(&self) -> Config {
        self.load().unwrap_or_else(|problems| panic!("{}", shown(&problems)))
    }

    /// All that is wrong, as people see it; what is only doubtful is left out.
    fn problems(&self) -> String {
        match self.load() {
            Ok(config) => panic!("this is valid, with {} warnings", config.warnings.len()),
            Err(mut problems) => {
                problems.retain(|problem| problem.level == Level::Error);
                shown(&problems)
            }
        }
    }

    /// What is doubtful in a valid config, as people see it.
    fn warnings(&self) -> String {
        shown(&self.config().warnings)
    }
}

fn shown(problems: &[Problem]) -> String {
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    shown.join("\n\n")
}

/// A deployment of `app` in `environment` on the platform `temps`.
fn deployment(app: &str, environment: &str) -> Deployment {
    let place = AppPlace {
        key: AppKey {
            platform: "temps".into(),
            project: "7".into(),
            environment: "3".into(),
        },
        app: app.to_owned(),
        environment: environment.to_owned(),
    };
    Deployment {
        state_word: "completed".to_owned(),
        commit: Commit {
            sha: Some("f4c8e2a".to_owned()),
            branch: Some("main".to_owned()),
            ..Commit::default()
        },
        url: Some("https://shop.apps.example.com".to_owned()),
        ..Deployment::live("41", place)
    }
}

fn preview(app: &str, environment: &str) -> Deployment {
    Deployment {
        preview: true,
        ..deployment(app, environment)
    }
}
