//! Puts the sections of all files together.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use url::Url;

use super::checks::RawCheck;
use super::doubts::Whole;
use super::graph::{Captures, Slots};
use super::platforms::PlatformFiles;
use super::read::Reader;
use super::scope::{Scope, ScopedCheck};
use super::secrets::Asker;
use super::settings::{Policy, Settings};
use super::{Config, Control};
use crate::check::{Check, Script};
use crate::document::{Document, Table};
use crate::domain::CheckName;

const TOP_ALIASES: &[(&str, &str)] = &[
    ("checks", "check"),
    ("platforms", "platform"),
    ("outcomes", "outcome"),
    ("webhook", "outcome"),
    ("notify", "outcome"),
    ("controls", "control"),
    ("policies", "policy"),
    ("warm_up", "warmup"),
    ("default", "defaults"),
    ("budget", "retry"),
    ("variables", "vars"),
    ("url", "base"),
    ("base_url", "base"),
    ("database", "store"),
    ("tracing", "telemetry"),
    ("traces", "telemetry"),
    ("otel", "telemetry"),
    ("opentelemetry", "telemetry"),
];

/// What only the main file has, for the help where an included one has it.
const MAIN_ONLY: &[(&str, &str)] = &[
    ("mode", MAIN_ONLY_HELP),
    ("include", "only the main file includes others"),
    ("server", MAIN_ONLY_HELP),
    ("store", MAIN_ONLY_HELP),
    ("platform", MAIN_ONLY_HELP),
    ("policy", MAIN_ONLY_HELP),
    ("warmup", MAIN_ONLY_HELP),
    ("retry", MAIN_ONLY_HELP),
    ("watch", MAIN_ONLY_HELP),
    ("rollback", MAIN_ONLY_HELP),
    ("control", MAIN_ONLY_HELP),
    ("network", MAIN_ONLY_HELP),
    ("outcome", MAIN_ONLY_HELP),
    ("heartbeat", MAIN_ONLY_HELP),
    ("telemetry", MAIN_ONLY_HELP),
    ("secrets", MAIN_ONLY_HELP),
    ("checks", "check"),
    ("default", "defaults"),
    ("variables", "vars"),
    ("url", "base"),
    ("base_url", "base"),
];
const MAIN_ONLY_HELP: &str = "it belongs in the main file; an included one has `when`, `base`, `[vars]`, `[env.X]`, `[defaults]` and `[check.X]`";

/// One file while it is read.
pub(super) struct FileChecks<'a> {
    pub(super) scope: Scope,
    pub(super) checks: Vec<RawCheck<'a>>,
}

impl Reader<'_> {
    /// Reads everything. `None` only after an error was reported.
    pub(super) fn config<'a>(
        &mut self,
        mut root: Table<'a>,
        included: &'a [Document<'a>],
        built_in: &Table<'_>,
        files: &mut PlatformFiles<'_>,
    ) -> Option<Config> {
        root.take("include");
        self.secrets.read_table(&mut root, &mut self.problems);
        self.secrets.asked_by(Asker::Agent);
        let server = self.server(&mut root);
        let (store_url, retention) = self.store(&mut root);
        let network_allow = self.network_allow(&mut root);
        let platforms = self.platforms(&mut root, files);
        let endpoints = self.endpoints(&mut root);
        let heartbeat = self.heartbeat(&mut root);
        let telemetry = self.telemetry(&mut root);
        self.secrets.asked_by(Asker::Main);
        let settings = self.settings(&mut root, None, built_in);
        let policies = settings.as_ref().map(|top| self.policies(&mut root, top, built_in));
        let controls = self.controls(&mut root);
        let base = settings.as_ref().and_then(|settings| settings.base.clone());
        let mut read = vec![self.file(&mut root, base, true)];
        root.clone().finish(&mut self.problems, TOP_ALIASES);
        self.secrets.asked_by(Asker::Included);
        for document in included {
            let mut table = document.table();
            let base = self.base(&mut table);
            read.push(self.file(&mut table, base, false));
            table.finish(&mut self.problems, MAIN_ONLY);
        }
        let mut base_settings = settings?;
        // The first scope has it, below what `[env.X]` says.
        base_settings.base = None;
        let policies = policies?;
        self.subscribers(&root, &platforms, &server);
        self.approvals(&root, &base_settings, &policies, &server, &endpoints);
        self.run_slots(&root, &read, &base_settings, &policies, &controls);
        let whole = Whole {
            main: &root,
            included,
            settings: &base_settings,
            policies: &policies,
            platforms: &platforms,
        };
        let scopes = self.scopes(read, &whole);
        Some(Config {
            server,
            store_url,
            retention,
            platforms,
            network_allow,
            plain_http: std::mem::take(&mut self.plain_http),
            controls,
            endpoints,
            heartbeat,
            telemetry,
            base_settings: Arc::new(base_settings),
            policies,
            scopes,
            sources: Vec::new(),
            hash: String::new(),
            warnings: Vec::new(),
            secrets: BTreeMap::new(),
        })
    }

    fn file<'a>(&mut self, root: &mut Table<'a>, base: Option<Url>, main: bool) -> FileChecks<'a> {
        let scope = self.scope(root, base, main);
        let checks = self.checks(root, scope.base.as_ref());
        FileChecks { scope, checks }
    }

    /// The placeholders of warm-ups and controls.
    fn run_slots(
        &mut self,
        root: &Table<'_>,
        files: &[FileChecks<'_>],
        settings: &Settings,
        policies: &[Policy],
        controls: &[Control],
    ) {
        let Some(main) = files.first() else { return };
        let captures = Captures::of(files.iter().flat_map(|file| &file.checks));
        let slots = Slots::WarmUp(&main.scope);
        let top = root.child("warmup");
        if let Some(table) = &top {
            self.slots(&settings.warmup.step, table, &slots, &captures);
        }
        let items = root.peek("policy").and_then(|node| node.as_array()).unwrap_or_default();
        // A policy that could not be read is not among them, and then nobody knows which is which.
        let known = items.len() == policies.len();
        for (policy, item) in policies.iter().zip(items).filter(|_| known) {
            if let Some(mut table) = item.as_table().and_then(|table| table.child("warmup")) {
                table = top.iter().fold(table, |table, top| table.over(top, &[]));
                self.slots(&policy.settings.warmup.step, &table, &slots, &captures);
            }
        }
        for control in controls {
            if let Some(table) = root.child("control").and_then(|table| table.child(&control.name)) {
                self.slots(&control.step, &table, &Slots::Control(&main.scope), &captures);
            }
        }
    }

    /// The files with their checks, which now know of each other.
    fn scopes<'a>(&mut self, files: Vec<FileChecks<'a>>, whole: &Whole<'_, 'a>) -> Vec<Scope> {
        let all = || files.iter().flat_map(|file| &file.checks);
        self.unique_names(all());
        let captures = Captures::of(all());
        let mut needs: BTreeMap<String, Vec<CheckName>> = BTreeMap::new();
        for file in &files {
            for check in &file.checks {
                let slots = Slots::Check(&file.scope, check);
                let mut needed = self.script_slots(check, &slots, &captures);
                needed.extend(self.explicit_needs(check, &captures));
                needed.sort();
                needed.dedup();
                needs.insert(check.name.clone(), needed);
            }
        }
        self.cycles(all(), &needs);
        // What is wrong comes first: a value that is misspelt would be doubted a second time.
        let good = !self.problems.has_errors();
        for file in files.iter().filter(|_| good) {
            for check in &file.checks {
                self.credentials(&file.scope, check, whole.policies);
                let needed = needs.get(&check.name).map(Vec::as_slice).unwrap_or_default();
                self.narrower_needs(file, check, needed, &files);
            }
        }
        self.doubts(whole, &files);
        let finish = |mut file: FileChecks<'_>| {
            for raw in file.checks {
                let needs = needs.get(&raw.name).cloned().unwrap_or_default();
                file.scope.checks.push(scoped(raw, needs));
            }
            file.scope
        };
        files.into_iter().map(finish).collect()
    }
}

fn scoped(raw: RawCheck<'_>, needs: Vec<CheckName>) -> ScopedCheck {
    ScopedCheck {
        check: Arc::new(Check {
            name: CheckName::new(raw.name),
            title: raw.title,
            form: form(&raw.script, raw.base.as_ref()),
            script: raw.script,
            severity: raw.severity,
            repeat: raw.repeat,
            needs,
            base: raw.base,
        }),
        when: raw.when,
    }
}

/// SHA-256 in hex of what a check sends and expects: the same as long as it checks the same.
fn form(script: &Script, base: Option<&Url>) -> String {
    let mut hasher = Sha256::new();
    hasher.update(script.form());
    // The canonical text has no line feed of its own, so the two parts cannot run into each other.
    hasher.update("\n");
    hasher.update(base.map_or("", Url::as_str));
    hex::encode(hasher.finalize())
}
