//! From files to a [`Config`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use url::Url;

use super::checks::{CHECKS_MAX, RawCheck};
use super::graph::{Captures, Slots};
use super::platforms::PlatformFiles;
use super::read::Reader;
use super::scope::{Origin, Scope, ScopedCheck};
use super::secrets::Secrets;
use super::settings::{Policy, Settings};
use super::when::Glob;
use super::{Config, Control, Env};
use crate::check::Check;
use crate::document::{Document, Level, Node, Problem, Problems, Source, Table};
use crate::domain::{CheckName, Severity};
use crate::step::Step;

/// At most this many files are included.
pub const INCLUDED_FILES_MAX: usize = 500;

/// The warm-up of those who configure none.
const WARMUP_BUILT_IN: &str = "get = \"/\"\n";

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
    ("secrets", MAIN_ONLY_HELP),
    ("checks", "check"),
    ("default", "defaults"),
    ("variables", "vars"),
    ("url", "base"),
    ("base_url", "base"),
];
const MAIN_ONLY_HELP: &str =
    "it belongs in the main file; an included one has `when`, `base`, `[vars]`, `[env.X]`, `[defaults]` and `[check.X]`";

/// Reads the config at `path`, with the files it includes and the platform files and secrets it names.
///
/// # Errors
/// Every problem there is, by file and place.
pub fn load(path: &Path, env: &dyn Env) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::new();
    let sources = gather(path, env, &mut problems);
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    build(&sources, directory, env, problems)
}

/// The main file and the files it includes.
fn gather(path: &Path, env: &dyn Env, problems: &mut Problems) -> Vec<Source> {
    let name = path.display().to_string();
    let main = match env.read(path) {
        Ok(text) => Source::new(name, text),
        Err(error) => {
            let source = Source::new(name, "");
            let help = "name another with `--config`, or see it all without one: `backstop demo`";
            problems.push_help(source.start(), format!("cannot read this file: {error}"), help);
            return vec![source];
        }
    };
    let included = included(&main, path, env, problems);
    std::iter::once(main).chain(included).collect()
}

fn included(main: &Source, path: &Path, env: &dyn Env, problems: &mut Problems) -> Vec<Source> {
    // Its syntax errors are reported when it is read as a whole.
    let mut unseen = Problems::new();
    let document = main.text.contains("include").then(|| Document::parse(main, &mut unseen)).flatten();
    let Some(node) = document.as_ref().and_then(|document| document.table().peek("include")) else {
        return Vec::new();
    };
    let directory = path.parent().unwrap_or_else(|| Path::new(""));
    let mut files: Vec<Source> = Vec::new();
    for (item, pattern) in node.strings(problems).unwrap_or_default() {
        for found in expand(&item, pattern, directory, env, problems) {
            let name = found.display().to_string();
            if found == path || files.iter().any(|file| file.path == name) {
                continue;
            }
            if files.len() >= INCLUDED_FILES_MAX {
                problems.push(item.place(), format!("more than {INCLUDED_FILES_MAX} files are included"));
                return files;
            }
            match env.read(&found) {
                Ok(text) => files.push(Source::new(name, text)),
                Err(error) => problems.push(item.place(), format!("cannot read {name}: {error}")),
            }
        }
    }
    files
}

/// The files that a pattern stands for, sorted. Only its last part may have a `*`.
fn expand(item: &Node<'_>, pattern: &str, directory: &Path, env: &dyn Env, problems: &mut Problems) -> Vec<PathBuf> {
    let (folder, file) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    if folder.contains('*') {
        let help = "only the file's name can have a `*`: `checks.d/*.toml`";
        problems.push_help(item.place(), format!("`{pattern}` has a `*` in a directory"), help);
        return Vec::new();
    }
    if !file.contains('*') {
        return vec![directory.join(pattern)];
    }
    let folder = directory.join(folder);
    let glob = Glob::new(file);
    let listed = match env.list(&folder) {
        Ok(listed) => listed,
        Err(error) => {
            problems.push(item.place(), format!("cannot read the directory {}: {error}", folder.display()));
            return Vec::new();
        }
    };
    let name_matches = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|n| glob.matches(n));
    let mut found: Vec<PathBuf> = listed.into_iter().filter(name_matches).collect();
    found.sort();
    if found.is_empty() {
        problems.warn(item.place(), format!("no file matches `{pattern}`"), "a file that is not read checks nothing");
    }
    found
}

/// One file while it is read.
struct FileChecks<'a> {
    scope: Scope,
    checks: Vec<RawCheck<'a>>,
}

fn build(sources: &[Source], directory: &Path, env: &dyn Env, mut problems: Problems) -> Result<Config, Vec<Problem>> {
    let built_in = Source::new("built in", WARMUP_BUILT_IN);
    let built_in = Document::parse(&built_in, &mut problems).map(BuiltIn);
    let parsed = sources.iter().filter_map(|source| Document::parse(source, &mut problems));
    let documents: Vec<Document<'_>> = parsed.collect();
    let mut reader = Reader {
        secrets: Secrets::new(env, directory),
        problems,
    };
    let mut files = PlatformFiles {
        env,
        directory,
        sources: Vec::new(),
    };
    let (Some(BuiltIn(built_in)), Some((main, included))) = (&built_in, documents.split_first()) else {
        return Err(reader.problems.into_vec());
    };
    let built_in = built_in.table();
    let config = reader.config(main.table(), included, &built_in, &mut files);
    let Reader { secrets, problems } = reader;
    let failed = problems.has_errors();
    let found = problems.into_vec();
    match config {
        Some(mut config) if !failed => {
            config.sources = sources.iter().cloned().chain(files.sources).collect();
            config.hash = hash(&config.sources);
            config.secrets = secrets.into_known();
            config.warnings = found;
            Ok(config)
        }
        _ => Err(found.into_iter().filter(|problem| problem.level == Level::Error).collect()),
    }
}

struct BuiltIn<'a>(Document<'a>);

impl Reader<'_> {
    /// Reads everything. `None` only after an error was reported.
    fn config<'a>(
        &mut self,
        mut root: Table<'a>,
        included: &'a [Document<'a>],
        built_in: &Table<'_>,
        files: &mut PlatformFiles<'_>,
    ) -> Option<Config> {
        root.take("include");
        self.secrets.read_table(&mut root, &mut self.problems);
        let settings = self.settings(&mut root, None, built_in);
        let policies = settings.as_ref().map(|top| self.policies(&mut root, top, built_in));
        let server = self.server(&mut root);
        let store_url = self.store_url(&mut root);
        let platforms = self.platforms(&mut root, files);
        let network_allow = self.network_allow(&mut root);
        let controls = self.controls(&mut root);
        let endpoints = self.endpoints(&mut root);
        let base = settings.as_ref().and_then(|settings| settings.base.clone());
        let mut read = vec![self.file(&mut root, base, true)];
        root.clone().finish(&mut self.problems, TOP_ALIASES);
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
        self.run_slots(&root, &read, &base_settings, &policies, &controls);
        let scopes = self.scopes(read, &policies);
        Some(Config {
            server,
            store_url,
            platforms,
            network_allow,
            controls,
            endpoints,
            base_settings,
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
        if let Some(table) = root.child("warmup") {
            self.slots(&settings.warmup.step, &table, &slots, &captures);
        }
        let items = root.peek("policy").and_then(|node| node.as_array()).unwrap_or_default();
        for (policy, item) in policies.iter().zip(items) {
            if let Some(table) = item.as_table().and_then(|table| table.child("warmup")) {
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
    fn scopes(&mut self, files: Vec<FileChecks<'_>>, policies: &[Policy]) -> Vec<Scope> {
        let all = || files.iter().flat_map(|file| &file.checks);
        self.unique_names(all());
        let captures = Captures::of(all());
        let mut needs: BTreeMap<String, Vec<CheckName>> = BTreeMap::new();
        for file in &files {
            for check in &file.checks {
                let slots = Slots::Check(&file.scope, check);
                let mut needed = self.slots(&check.step, &check.table, &slots, &captures);
                needed.extend(self.explicit_needs(check, &captures));
                needed.sort();
                needed.dedup();
                needs.insert(check.name.clone(), needed);
            }
        }
        self.cycles(all(), &needs);
        for file in &files {
            for check in &file.checks {
                self.credentials(&file.scope, check, policies);
            }
        }
        self.too_few(&files);
        let finish = |mut file: FileChecks<'_>| {
            for raw in file.checks {
                let needs = needs.get(&raw.name).cloned().unwrap_or_default();
                file.scope.checks.push(scoped(raw, needs));
            }
            file.scope
        };
        files.into_iter().map(finish).collect()
    }

    fn unique_names<'c, 'a: 'c>(&mut self, checks: impl Iterator<Item = &'c RawCheck<'a>>) {
        let mut seen: BTreeMap<&str, &RawCheck<'a>> = BTreeMap::new();
        for (number, check) in checks.enumerate() {
            if number == CHECKS_MAX {
                self.problems.push(check.place.clone(), format!("there are more than {CHECKS_MAX} checks"));
                return;
            }
            if let Some(first) = seen.get(check.name.as_str()) {
                let message = format!("check \"{}\" is also at {}", check.name, first.place.line_label());
                let help = "names are unique over all files: results and history are kept by them";
                self.problems.push_help(check.place.clone(), message, help);
            } else {
                seen.insert(&check.name, check);
            }
        }
    }

    /// Warns of credentials that may never be sent: nobody says whose address they go to.
    fn credentials(&mut self, scope: &Scope, check: &RawCheck<'_>, policies: &[Policy]) {
        let origin = Origin::of(check.step.send.target.source());
        let configured = match origin {
            Origin::Configured => true,
            Origin::Templated => false,
            Origin::Base => {
                let named = check.when.names_apps_exactly() || scope.when.names_apps_exactly();
                let by_policy = |policy: &Policy| policy.settings.base.is_some() || policy.when.names_apps_exactly();
                let based = check.base.is_some() || scope.base.is_some() || scope.envs.iter().any(|env| env.base.is_some());
                named || based || policies.iter().any(by_policy)
            }
        };
        if !configured && carries_credentials(&check.step) {
            let message = format!("check \"{}\" carries credentials, and nothing says whose address gets them", check.name);
            let help = match origin {
                Origin::Templated => "write the host without placeholders; until then it is not sent",
                _ => "set `base`, or name the app exactly: `when.app = \"shop\"`; until then it is not sent",
            };
            self.problems.warn(check.place.clone(), message, help);
        }
    }

    /// Warns of a config that judges nothing, or can never roll back.
    fn too_few(&mut self, files: &[FileChecks<'_>]) {
        let all: Vec<&RawCheck<'_>> = files.iter().flat_map(|file| &file.checks).collect();
        let critical: Vec<&&RawCheck<'_>> = all.iter().filter(|check| check.severity == Severity::Critical).collect();
        if let ([], Some(path)) = (all.as_slice(), files.first().map(|file| file.scope.path.clone())) {
            let source = Source::new(path, "");
            let help = "add one: `[check.home]` with `get = \"/\"`; a run without checks is inconclusive";
            self.problems.warn(source.start(), "there are no checks", help);
        } else if let [only] = critical.as_slice()
            && !only.repeat
        {
            let message = format!("the only critical check, \"{}\", cannot roll back on its own", only.name);
            let help = "add a check that reads, or `repeat = true` if it is safe to send again";
            self.problems.warn(only.place.clone(), message, help);
        }
    }
}

fn scoped(raw: RawCheck<'_>, needs: Vec<CheckName>) -> ScopedCheck {
    let origin = Origin::of(raw.step.send.target.source());
    let form = hex::encode(Sha256::digest(raw.step.form()));
    ScopedCheck {
        when: raw.when,
        origin,
        check: Arc::new(Check {
            name: CheckName::new(raw.name),
            step: raw.step,
            severity: raw.severity,
            repeat: raw.repeat,
            needs,
            base: raw.base,
            form,
        }),
    }
}

/// Whether a step sends a secret or a value of another check, which is taken for one.
fn carries_credentials(step: &Step) -> bool {
    let is_secret = |slot: &String| {
        let space = slot.split_once('.').map(|(space, _)| space);
        !matches!(space, None | Some("deploy" | "vars" | "run"))
    };
    step.send.bearer.is_some() || step.slots().iter().any(is_secret)
}

/// SHA-256 over names and texts; the lengths keep two texts from running into each other.
fn hash(sources: &[Source]) -> String {
    let mut hasher = Sha256::new();
    for part in sources.iter().flat_map(|source| [&source.path, &source.text]) {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}
