//! Reading a platform file; all problems at once.

use std::collections::BTreeMap;

use http::{HeaderName, StatusCode};
use regex::Regex;

use super::file::{Answer, Call, CommitFields, Environments, Fields, File, List, Paths, Setup, Shape};
use super::subscribe::{Deliveries, Subscribing};
use crate::check::{Meaning, Placeholder};
use crate::document::{Document, Node, Problem, Problems, Source, Table};
use crate::domain::{DeploymentState, HeardEvent};
use crate::step::{NoFiles, Path, Step, read_step};

const EVENTS: &[(&str, HeardEvent)] = &[
    ("started", HeardEvent::Started),
    ("built", HeardEvent::Built),
    ("ready", HeardEvent::Ready),
    ("live", HeardEvent::Live),
    ("failed", HeardEvent::Failed),
    ("cancelled", HeardEvent::Cancelled),
    ("rolled_back", HeardEvent::RolledBack),
];
const STATES: &[(&str, DeploymentState)] = &[
    ("under_way", DeploymentState::UnderWay),
    ("good", DeploymentState::Good),
    ("dead", DeploymentState::Dead),
];
const MEANINGS: &[(&str, Meaning)] = &[("not serving", Meaning::NotServing), ("challenge", Meaning::Challenge)];

pub(super) fn read(source: &Source) -> Result<File, Vec<Problem>> {
    let mut problems = Problems::new();
    let document = Document::parse(source, &mut problems);
    let file = document.as_ref().and_then(|document| {
        Reader {
            problems: &mut problems,
        }
        .file(document.table())
    });
    match file {
        Some(file) if !problems.has_errors() => Ok(file),
        _ => Err(problems.into_vec()),
    }
}

pub(super) struct Reader<'p> {
    pub(super) problems: &'p mut Problems,
}

impl Reader<'_> {
    fn file(&mut self, mut root: Table<'_>) -> Option<File> {
        let name = self.text(&mut root, "name");
        let recipes = self.recipes(&mut root);
        let shapes = self.each(&mut root, "delivery", Self::shape);
        let placeholders = self.each(&mut root, "placeholder", Self::placeholder);
        let defaults = root.take("defaults").and_then(|node| node.table(self.problems));
        let fields = self.table(&mut root, "deployment").map(|table| self.fields(table));
        let states = self.table(&mut root, "states").map(|table| self.states(table));
        let mut calls = |key: &'static str| {
            self.each(&mut root, key, |reader, table| {
                let table = match &defaults {
                    Some(defaults) => table.over(defaults, &[]),
                    None => table,
                };
                reader.call(table)
            })
        };
        let (identify, standing) = (calls("identify"), calls("standing"));
        let (current, roll_back) = (calls("current"), calls("roll_back"));
        let refusals = self.each(&mut root, "refusal", Self::answer);
        let denials = self.each(&mut root, "denial", Self::answer);
        let setup = root.take("setup").and_then(|node| node.table(self.problems));
        let setup = setup.and_then(|table| self.setup(table, defaults.as_ref()));
        for key in ["signature", "delivery", "identify", "standing", "current", "roll_back"] {
            if !root.has(key) {
                let message = format!("a platform file needs at least one [[{key}]]");
                self.problems
                    .push_missing(root.place(), message, "the built-in file for Temps shows each");
            }
        }
        root.finish(self.problems, &[]);
        Some(File {
            name: name?,
            recipes,
            shapes,
            placeholders,
            fields: fields?,
            states: states?,
            identify,
            standing,
            current,
            roll_back,
            refusals,
            denials,
            setup,
        })
    }

    fn shape(&mut self, mut table: Table<'_>) -> Option<Shape> {
        let shape = Shape {
            event: self.required_paths(&mut table, "event"),
            id: self.paths(&mut table, "id"),
            deployment: self.required_paths(&mut table, "deployment"),
            project: self.paths(&mut table, "project"),
            app: self.paths(&mut table, "app"),
            environment: self.paths(&mut table, "environment"),
            url: self.paths(&mut table, "url"),
            triggered_by: self.paths(&mut table, "triggered_by"),
            commit: self.commit(&mut table),
            events: self.events(&mut table),
        };
        table.finish(self.problems, &[]);
        Some(shape)
    }

    fn events(&mut self, table: &mut Table<'_>) -> BTreeMap<String, HeardEvent> {
        let mut events = BTreeMap::new();
        let Some(mut words) = self.table(table, "events") else {
            return events;
        };
        for (key, node) in words.take_all() {
            if let Some(event) = self.choice(&node, EVENTS) {
                events.insert(key.name.to_owned(), event);
            }
        }
        events
    }

    fn fields(&mut self, mut table: Table<'_>) -> Fields {
        let fields = Fields {
            id: self.required_paths(&mut table, "id"),
            environment: self.required_paths(&mut table, "environment"),
            environment_name: self.paths(&mut table, "environment_name"),
            state: self.required_paths(&mut table, "state"),
            url: self.paths(&mut table, "url"),
            rollback: self.paths(&mut table, "rollback"),
            rolled_back_from: self.paths(&mut table, "rolled_back_from"),
            own_url: self.paths(&mut table, "own_url"),
            created_at: self.paths(&mut table, "created_at"),
            commit: self.commit(&mut table),
        };
        table.finish(self.problems, &[]);
        fields
    }

    fn commit(&mut self, table: &mut Table<'_>) -> CommitFields {
        let Some(mut table) = table.table("commit", self.problems) else {
            return CommitFields::default();
        };
        let fields = CommitFields {
            sha: self.paths(&mut table, "sha"),
            message: self.paths(&mut table, "message"),
            author: self.paths(&mut table, "author"),
            branch: self.paths(&mut table, "branch"),
        };
        table.finish(self.problems, &[]);
        fields
    }

    fn states(&mut self, mut table: Table<'_>) -> BTreeMap<String, DeploymentState> {
        let mut states = BTreeMap::new();
        for (key, state) in STATES {
            for word in self.texts(&mut table, key) {
                states.insert(word.to_ascii_lowercase(), *state);
            }
        }
        table.finish(self.problems, &[]);
        states
    }

    fn call(&mut self, mut table: Table<'_>) -> Option<Call> {
        let unless = table.string("unless", self.problems).map(str::to_owned);
        let read = table.table("read", self.problems).map(|mut read| {
            let entries = read.take_all();
            entries
                .iter()
                .map(|(key, node)| (key.name.to_owned(), self.paths_of(node)))
                .collect()
        });
        let deployment = table.take("deployment").map(|node| self.paths_of(&node));
        let deployments = table.take("deployments").map(|node| self.paths_of(&node));
        let step = read_step(&mut table, &NoFiles, self.problems);
        table.finish(self.problems, &[]);
        Some(Call {
            step: step?,
            unless,
            read: read.unwrap_or_default(),
            deployment,
            deployments,
        })
    }

    fn answer(&mut self, mut table: Table<'_>) -> Option<Answer> {
        let node = table.required("status", "write `status = 400`, or a list", self.problems);
        let nodes = node.map_or_else(Vec::new, |node| node.as_array().unwrap_or_else(|| vec![node]));
        let status = nodes.iter().filter_map(|node| self.status(node)).collect();
        let matches = table.take("matches").and_then(|node| self.regex(&node));
        table.finish(self.problems, &[]);
        Some(Answer { status, matches })
    }

    fn placeholder(&mut self, mut table: Table<'_>) -> Option<Placeholder> {
        let means = table.required("means", "write `not serving` or `challenge`", self.problems);
        let means = means.and_then(|node| self.choice(&node, MEANINGS));
        let status = table.take("status").and_then(|node| self.status(&node));
        let title_matches = table.take("title").and_then(|node| self.regex(&node));
        let header = table.table("header", self.problems).and_then(|mut header| {
            let name = self.header(&mut header, "name");
            let contains = self.text(&mut header, "contains");
            header.finish(self.problems, &[]);
            Some((name?, contains?))
        });
        table.finish(self.problems, &[]);
        Some(Placeholder {
            means: means?,
            status: status.map(|status| status.as_u16()),
            header,
            title_matches,
        })
    }

    fn setup<'a>(&mut self, mut table: Table<'a>, defaults: Option<&Table<'a>>) -> Option<Setup> {
        let events = self.texts(&mut table, "events");
        let token_help = self.text(&mut table, "token_help");
        let webhook_help = self.text(&mut table, "webhook_help");
        let under = |table: Table<'a>| match defaults {
            Some(defaults) => table.over(defaults, &[]),
            None => table,
        };
        let mut projects = under(self.table(&mut table, "projects")?);
        let (project_id, project_name) = (
            self.required_paths(&mut projects, "id"),
            self.paths(&mut projects, "name"),
        );
        let projects = self.list(projects);
        let mut webhooks = under(self.table(&mut table, "webhooks")?);
        let webhook_url = self.required_paths(&mut webhooks, "url");
        let webhook_events = self.required_paths(&mut webhooks, "events");
        let webhook_enabled = self.paths(&mut webhooks, "enabled");
        let (webhook_id, webhook_updated_at) =
            (self.paths(&mut webhooks, "id"), self.paths(&mut webhooks, "updated_at"));
        let wants = self.regexes(&mut webhooks, "wants");
        let webhooks = self.list(webhooks);
        let environments = table.take("environments").and_then(|node| node.table(self.problems));
        let environments = environments.and_then(|table| self.environments(under(table)));
        let mut lone = |key: &'static str| {
            let step = table.table(key, self.problems)?;
            self.lone(under(step))
        };
        let (create, update) = (lone("create"), lone("update"));
        let deliveries = table.table("deliveries", self.problems);
        let deliveries = deliveries.and_then(|deliveries| self.deliveries(under(deliveries)));
        let subscribing = create.zip(update).map(|(create, update)| Subscribing {
            create,
            update,
            wants,
            webhook_id,
            webhook_updated_at,
            deliveries,
        });
        table.finish(self.problems, &[]);
        Some(Setup {
            projects: projects?,
            project_id,
            project_name,
            webhooks: webhooks?,
            webhook_url,
            webhook_events,
            webhook_enabled,
            events,
            token_help: token_help?,
            webhook_help: webhook_help?,
            environments,
            subscribing,
        })
    }

    fn environments(&mut self, mut table: Table<'_>) -> Option<Environments> {
        let id = self.required_paths(&mut table, "id");
        let (name, preview) = (self.paths(&mut table, "name"), self.paths(&mut table, "preview"));
        let list = self.list(table)?;
        Some(Environments {
            list,
            id,
            name,
            preview,
        })
    }

    fn lone(&mut self, mut table: Table<'_>) -> Option<Step> {
        let step = read_step(&mut table, &NoFiles, self.problems);
        table.finish(self.problems, &[]);
        step
    }

    fn deliveries(&mut self, mut table: Table<'_>) -> Option<Deliveries> {
        let (at, success) = (
            self.required_paths(&mut table, "at"),
            self.required_paths(&mut table, "success"),
        );
        let (status, error) = (self.paths(&mut table, "status"), self.paths(&mut table, "error"));
        Some(Deliveries {
            list: self.list(table)?,
            at,
            success,
            status,
            error,
        })
    }

    fn list(&mut self, mut table: Table<'_>) -> Option<List> {
        let items = self.required_paths(&mut table, "items");
        let step = read_step(&mut table, &NoFiles, self.problems);
        table.finish(self.problems, &[]);
        Some(List { step: step?, items })
    }

    // Values.

    pub(super) fn each<'a, T>(
        &mut self,
        root: &mut Table<'a>,
        key: &'static str,
        mut read: impl FnMut(&mut Self, Table<'a>) -> Option<T>,
    ) -> Vec<T> {
        let nodes = root.array(key, self.problems).unwrap_or_default();
        let mut items = Vec::new();
        for node in nodes {
            if let Some(table) = node.table(self.problems) {
                items.extend(read(self, table.labelled(format!("[[{key}]]"))));
            }
        }
        items
    }

    pub(super) fn table<'a>(&mut self, root: &mut Table<'a>, key: &'static str) -> Option<Table<'a>> {
        let help = format!("the built-in file for Temps has a `{key}`");
        root.required(key, &help, self.problems)?.table(self.problems)
    }

    pub(super) fn text(&mut self, table: &mut Table<'_>, key: &'static str) -> Option<String> {
        let node = table.required(key, "it is a text", self.problems)?;
        node.string(self.problems).map(str::to_owned)
    }

    pub(super) fn texts(&mut self, table: &mut Table<'_>, key: &'static str) -> Vec<String> {
        let texts = table.take(key).and_then(|node| node.strings(self.problems));
        texts
            .unwrap_or_default()
            .into_iter()
            .map(|(_, text)| text.to_owned())
            .collect()
    }

    fn regexes(&mut self, table: &mut Table<'_>, key: &'static str) -> Vec<Regex> {
        let items = table.take(key).and_then(|node| node.strings(self.problems));
        let nodes = items.unwrap_or_default().into_iter().map(|(node, _)| node);
        nodes.filter_map(|node| self.regex(&node)).collect()
    }

    pub(super) fn header(&mut self, table: &mut Table<'_>, key: &'static str) -> Option<HeaderName> {
        let node = table.required(key, "it is the name of a header", self.problems)?;
        let name = node.string(self.problems)?.parse().ok();
        if name.is_none() {
            self.problems
                .push(node.place(), format!("{} is not the name of a header", node.label()));
        }
        name
    }

    fn required_paths(&mut self, table: &mut Table<'_>, key: &'static str) -> Paths {
        match table.required(key, "it is a JSON path: `$.id`", self.problems) {
            Some(node) => self.paths_of(&node),
            None => Paths::default(),
        }
    }

    fn paths(&mut self, table: &mut Table<'_>, key: &'static str) -> Paths {
        table.take(key).map(|node| self.paths_of(&node)).unwrap_or_default()
    }

    fn paths_of(&mut self, node: &Node<'_>) -> Paths {
        let mut paths = Vec::new();
        for (item, text) in node.strings(self.problems).unwrap_or_default() {
            match Path::parse(text) {
                Ok(path) => paths.push(path),
                Err(error) => self.problems.push(item.place(), error.to_string()),
            }
        }
        Paths(paths)
    }

    pub(super) fn choice<T: Copy>(&mut self, node: &Node<'_>, choices: &[(&str, T)]) -> Option<T> {
        let word = node.string(self.problems)?;
        let found = choices
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            let help = format!("write one of {}", known.join(", "));
            self.problems
                .push_help(node.place(), format!("`{word}` is not known here"), help);
        }
        found
    }

    fn status(&mut self, node: &Node<'_>) -> Option<StatusCode> {
        let number = node.integer(self.problems)?;
        let status = u16::try_from(number)
            .ok()
            .and_then(|number| StatusCode::from_u16(number).ok());
        if status.is_none() {
            self.problems
                .push(node.place(), format!("{number} is not an HTTP status"));
        }
        status
    }

    fn regex(&mut self, node: &Node<'_>) -> Option<Regex> {
        match Regex::new(node.string(self.problems)?) {
            Ok(regex) => Some(regex),
            Err(error) => {
                self.problems.push(
                    node.place(),
                    format!("{} is not a regular expression: {error}", node.label()),
                );
                None
            }
        }
    }
}
