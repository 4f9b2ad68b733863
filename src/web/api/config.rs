//! `/api/v1/config`: what is in force and where each value comes from, and what the file on disk would change.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::App;
use super::super::problem::Problem;
use super::{AGAIN_S, Answer};
use crate::config::{self, Change, Config, ConfigFile, Explained, From, Level, Section};

/// Problems shown of one file.
const PROBLEMS_MAX: usize = 100;
/// Changes shown.
const CHANGES_MAX: usize = 200;

/// The config.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct ConfigAnswer {
    /// Names what is in force: another config has another.
    pub(in crate::web) hash: String,
    /// What is in force.
    pub(in crate::web) sections: Vec<SectionView>,
    /// What is legal in it, but unwise.
    pub(in crate::web) warnings: Vec<ProblemView>,
    /// The file on disk; none if the config did not come from one.
    pub(in crate::web) file: Option<FileView>,
}

/// A part of it.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigSection)]
pub(in crate::web) struct SectionView {
    /// Its name, as `outcome.ops`; of what stands above all tables it is empty.
    pub(in crate::web) name: String,
    /// Its values.
    pub(in crate::web) values: Vec<ValueView>,
}

/// One value.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigValue)]
pub(in crate::web) struct ValueView {
    /// What it sets.
    pub(in crate::web) key: String,
    /// As it is written; what may be a secret is not shown.
    pub(in crate::web) value: String,
    /// `path:line`; none for what holds if nothing is said.
    pub(in crate::web) from: Option<String>,
}

/// The file on disk.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigOnDisk)]
pub(in crate::web) struct FileView {
    /// Where it is.
    pub(in crate::web) path: String,
    /// Whether it is in force.
    pub(in crate::web) state: FileState,
    /// What is wrong with it; at most 100.
    pub(in crate::web) problems: Vec<ProblemView>,
    /// What it would change; at most 200.
    pub(in crate::web) changes: Vec<ChangeView>,
    /// What it changes and is read at start only.
    pub(in crate::web) needs_restart: Vec<&'static str>,
}

/// How the file on disk and what is in force go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConfigFileState)]
pub(in crate::web) enum FileState {
    /// It is in force.
    InForce,
    /// It says something else, which comes into force within seconds.
    Changed,
    /// It cannot be used; what was before stays in force.
    Refused,
}

/// A problem in a file.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigProblem)]
pub(in crate::web) struct ProblemView {
    /// Whether it forbids the use of the file.
    pub(in crate::web) is_error: bool,
    /// `path:line:column`.
    pub(in crate::web) at: String,
    /// What is wrong.
    pub(in crate::web) message: String,
    /// What to do about it.
    pub(in crate::web) help: Option<String>,
}

/// What changes.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigChange)]
pub(in crate::web) struct ChangeView {
    /// The value: `outcome.ops.events`.
    pub(in crate::web) key: String,
    /// What it is now; none if it is not there.
    pub(in crate::web) from: Option<String>,
    /// What it would be; none if it goes.
    pub(in crate::web) to: Option<String>,
}

/// The config in force, and how the file on disk compares.
#[utoipa::path(get, path = "/api/v1/config", operation_id = "get_config", tag = "config",
    responses((status = 200, description = "Both", body = ConfigAnswer)))]
pub(in crate::web) async fn show(State(app): State<Arc<App>>) -> Answer<ConfigAnswer> {
    look(&app).await.map(Json)
}

/// Reads the file and compares.
///
/// # Errors
/// When the agent is stopping.
pub(in crate::web) async fn look(app: &App) -> Result<ConfigAnswer, Problem> {
    let config = app.config.load_full();
    let file = app.config_file.clone();
    // Reading files blocks, and what is explained is parsed anew.
    let looked = tokio::task::spawn_blocking(move || ConfigAnswer {
        hash: config.hash.clone(),
        sections: config.effective().into_iter().map(SectionView::of).collect(),
        warnings: problems(&config.warnings),
        file: file.map(|file| FileView::of(&file, &config)),
    });
    looked
        .await
        .map_err(|_| Problem::unavailable("the config could not be looked at; the log says why", AGAIN_S))
}

impl SectionView {
    fn of(section: Section) -> Self {
        Self {
            name: section.name,
            values: section.values.into_iter().map(ValueView::of).collect(),
        }
    }

    /// The check that it is about, if it is about one.
    pub(in crate::web) fn check(&self) -> Option<&str> {
        self.name.strip_prefix("check.")
    }
}

impl ValueView {
    fn of(value: Explained) -> Self {
        Self {
            key: value.key,
            value: value.value,
            from: match value.from {
                From::Place(place) => Some(place),
                From::BuiltIn => None,
            },
        }
    }
}

impl FileView {
    fn of(file: &ConfigFile, in_force: &Config) -> Self {
        let path = file.path().display().to_string();
        match file.read() {
            Err(found) => Self {
                path,
                state: FileState::Refused,
                problems: problems(&found),
                changes: Vec::new(),
                needs_restart: Vec::new(),
            },
            Ok(config) if config.is_same(in_force) => Self {
                path,
                state: FileState::InForce,
                problems: problems(&config.warnings),
                changes: Vec::new(),
                needs_restart: Vec::new(),
            },
            Ok(config) => Self {
                path,
                state: FileState::Changed,
                problems: problems(&config.warnings),
                changes: changes(in_force.changes_to(&config)),
                needs_restart: in_force.needs_restart(&config),
            },
        }
    }
}

fn problems(found: &[config::Problem]) -> Vec<ProblemView> {
    let shown = found.iter().take(PROBLEMS_MAX);
    shown
        .map(|problem| ProblemView {
            is_error: problem.level == Level::Error,
            at: format!("{}:{}:{}", problem.path, problem.line, problem.column),
            message: problem.message.clone(),
            help: problem.help.clone(),
        })
        .collect()
}

fn changes(found: Vec<Change>) -> Vec<ChangeView> {
    let shown = found.into_iter().take(CHANGES_MAX);
    shown
        .map(|Change { key, from, to }| ChangeView { key, from, to })
        .collect()
}
