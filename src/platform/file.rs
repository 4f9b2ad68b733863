//! What a platform file holds.

use std::collections::BTreeMap;

use http::StatusCode;
use regex::Regex;

use super::subscribe::Subscribing;
use crate::check::Placeholder;
use crate::document::{Problem, Source};
use crate::domain::{DeploymentState, HeardEvent};
use crate::signature::{Place, Recipe};
use crate::step::{Path, Step};

/// The files that are part of the program, by the word that `kind` names them with.
const BUILT_IN: &[(&str, &str)] = &[("temps", include_str!("files/temps.toml"))];

/// A platform, as far as it is the same for everybody who uses it.
#[derive(Clone, Debug)]
pub struct File {
    pub(super) name: String,
    pub(super) recipes: Vec<Recipe>,
    pub(super) shapes: Vec<Shape>,
    pub(super) placeholders: Vec<Placeholder>,
    pub(super) fields: Fields,
    pub(super) states: BTreeMap<String, DeploymentState>,
    pub(super) identify: Vec<Call>,
    pub(super) standing: Vec<Call>,
    pub(super) current: Vec<Call>,
    pub(super) roll_back: Vec<Call>,
    pub(super) refusals: Vec<Answer>,
    pub(super) denials: Vec<Answer>,
    pub(super) setup: Option<Setup>,
}

/// One shape of deliveries; a delivery has the first one whose event it has.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) event: Paths,
    pub(super) id: Paths,
    pub(super) deployment: Paths,
    pub(super) project: Paths,
    pub(super) app: Paths,
    pub(super) environment: Paths,
    pub(super) url: Paths,
    pub(super) triggered_by: Paths,
    pub(super) commit: CommitFields,
    pub(super) events: BTreeMap<String, HeardEvent>,
}

/// Where a deployment's fields stand in the API's JSON.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) id: Paths,
    pub(super) environment: Paths,
    pub(super) environment_name: Paths,
    pub(super) state: Paths,
    pub(super) url: Paths,
    pub(super) rollback: Paths,
    pub(super) rolled_back_from: Paths,
    pub(super) own_url: Paths,
    pub(super) created_at: Paths,
    pub(super) commit: CommitFields,
}

#[derive(Clone, Debug, Default)]
pub(super) struct CommitFields {
    pub(super) sha: Paths,
    pub(super) message: Paths,
    pub(super) author: Paths,
    pub(super) branch: Paths,
}

/// Where a value may stand: the first path that finds something but null says it.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths(pub(super) Vec<Path>);

impl Paths {
    /// The first of the paths that finds a list.
    pub(super) fn array(&self, json: &serde_json::Value) -> Option<Vec<serde_json::Value>> {
        let found = self.0.iter().flat_map(|path| path.find(json));
        found.filter_map(serde_json::Value::as_array).next().cloned()
    }

    pub(super) fn find<'j>(&self, json: &'j serde_json::Value) -> Option<&'j serde_json::Value> {
        self.0
            .iter()
            .flat_map(|path| path.find(json))
            .find(|found| !found.is_null())
    }

    /// The text or number found, as text; empty text is nothing.
    pub(super) fn text(&self, json: &serde_json::Value) -> Option<String> {
        let text = match self.find(json)? {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn is_true(&self, json: &serde_json::Value) -> bool {
        self.find(json).and_then(serde_json::Value::as_bool) == Some(true)
    }
}

/// One step of a call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) step: Step,
    /// Left out if this value is known already.
    pub(super) unless: Option<String>,
    /// Values that the answer may hold.
    pub(super) read: Vec<(String, Paths)>,
    /// Where in the answer a deployment stands.
    pub(super) deployment: Option<Paths>,
    /// Where in the answer a list of them stands.
    pub(super) deployments: Option<Paths>,
}

/// Answers to a rollback call that say something definite.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: Vec<StatusCode>,
    /// Must be found in the title or detail.
    pub(super) matches: Option<Regex>,
}

/// What is looked at when the agent starts.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) projects: List,
    pub(super) project_id: Paths,
    pub(super) project_name: Paths,
    pub(super) webhooks: List,
    pub(super) webhook_url: Paths,
    pub(super) webhook_events: Paths,
    pub(super) webhook_enabled: Paths,
    /// One of these must be among a webhook's events.
    pub(super) events: Vec<String>,
    pub(super) token_help: String,
    pub(super) webhook_help: String,
    /// Where something may be live.
    pub(super) environments: Option<Environments>,
    /// How a webhook is made, where the file says it.
    pub(super) subscribing: Option<Subscribing>,
}

/// The environments of a project.
#[derive(Clone, Debug)]
pub(super) struct Environments {
    pub(super) list: List,
    pub(super) id: Paths,
    pub(super) name: Paths,
    pub(super) preview: Paths,
}

/// A call that lists something.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) step: Step,
    pub(super) items: Paths,
}

impl File {
    /// The built-in file of this name.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        // Built-in files are read in a test, each; one that could not be would be missing, and say so.
        Self::read(&Source::new(format!("{name}.toml"), *text)).ok()
    }

    /// The names of all built-in files.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Reads a platform file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(source: &Source) -> Result<Self, Vec<Problem>> {
        super::read::read(source)
    }

    /// The platform's own word for itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its deliveries are signed.
    pub fn recipes(&self) -> &[Recipe] {
        &self.recipes
    }

    /// Whether a delivery's secret may stand in its path.
    pub fn has_path_secret(&self) -> bool {
        self.recipes.iter().any(|recipe| recipe.place == Place::Path)
    }

    /// Why `secret` could open no delivery, if that is so. Says nothing of the secret but its form.
    pub fn secret_fault(&self, secret: &str) -> Option<String> {
        let mut fault = None;
        for recipe in &self.recipes {
            match recipe.accepts(secret) {
                Ok(()) => return None,
                Err(error) => fault = fault.or(Some(format!("by the recipe `{}`, {error}", recipe.name))),
            }
        }
        fault
    }

    /// Its pages that may answer in an app's place.
    pub fn placeholders(&self) -> &[Placeholder] {
        &self.placeholders
    }
}
