//! From files to a [`Config`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::files::CheckFiles;
use super::platforms::PlatformFiles;
use super::read::Reader;
use super::secrets::Secrets;
use super::words::WORDS;
use super::{Config, Env};
use crate::document::{Document, Node, Problem, Problems, Source};
use crate::domain::Glob;

/// At most this many files are included.
pub const INCLUDED_FILES_MAX: usize = 500;

/// The warm-up of those who configure none.
const WARMUP_BUILT_IN: &str = "get = \"/\"\n";

/// Reads the config at `path`, with the files it includes and the platform files and secrets it names.
///
/// # Errors
/// Every problem there is, file by file in the order in which they are included, each in source order; among them is at
/// least one error, and warnings may be.
pub fn load(path: &Path, env: &dyn Env) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::new().knowing(WORDS);
    let sources = gather(path, env, &mut problems);
    build(&sources, path, env, problems)
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
    let document = main
        .text
        .contains("include")
        .then(|| Document::parse(main, &mut unseen))
        .flatten();
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
                problems.push(
                    item.place(),
                    format!("more than {INCLUDED_FILES_MAX} files are included"),
                );
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
            problems.push(
                item.place(),
                format!("cannot read the directory {}: {error}", folder.display()),
            );
            return Vec::new();
        }
    };
    let name_matches = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|n| glob.matches(n))
    };
    let mut found: Vec<PathBuf> = listed.into_iter().filter(name_matches).collect();
    found.sort();
    if found.is_empty() {
        problems.warn(
            item.place(),
            format!("no file matches `{pattern}`"),
            "a file that is not read checks nothing",
        );
    }
    found
}

fn build(sources: &[Source], main: &Path, env: &dyn Env, mut problems: Problems) -> Result<Config, Vec<Problem>> {
    let directory = main.parent().unwrap_or_else(|| Path::new(""));
    let built_in = Source::new("built in", WARMUP_BUILT_IN);
    let built_in = Document::parse(&built_in, &mut problems);
    let parsed = sources
        .iter()
        .filter_map(|source| Document::parse(source, &mut problems));
    let documents: Vec<Document<'_>> = parsed.collect();
    let mut reader = Reader {
        secrets: Secrets::new(env, directory),
        files: CheckFiles::new(env, main),
        plain_http: Vec::new(),
        problems,
    };
    let mut files = PlatformFiles {
        env,
        directory,
        sources: Vec::new(),
    };
    let (Some(built_in), Some((main, included))) = (&built_in, documents.split_first()) else {
        return Err(reader.problems.into_vec());
    };
    let built_in = built_in.table();
    let config = reader.config(main.table(), included, &built_in, &mut files);
    let Reader {
        secrets,
        problems,
        files: named,
        plain_http: _,
    } = reader;
    let failed = problems.has_errors();
    let mut found = problems.into_vec();
    found.sort_by_key(|problem| {
        let file = sources.iter().position(|source| source.path == problem.path);
        file.unwrap_or(sources.len())
    });
    match config {
        Some(mut config) if !failed => {
            config.sources = sources.iter().cloned().chain(files.sources).collect();
            config.hash = hash(&config.sources, &named.into_digests());
            config.secrets = secrets.into_known();
            config.warnings = found;
            Ok(config)
        }
        _ => Err(found),
    }
}

/// SHA-256 over names and texts, and over the files that steps name; the lengths keep two texts from running into each
/// other.
fn hash(sources: &[Source], named: &BTreeMap<PathBuf, [u8; 32]>) -> String {
    let mut hasher = Sha256::new();
    let mut add = |part: &[u8]| {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    };
    for source in sources {
        add(source.path.as_bytes());
        add(source.text.as_bytes());
    }
    for (path, digest) in named {
        add(path.as_os_str().as_encoded_bytes());
        add(digest);
    }
    hex::encode(hasher.finalize())
}
