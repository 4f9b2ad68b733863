//! Rules of the house that no lint knows: who may use whom, what may stand where, how long a file may be.
#![expect(clippy::expect_used, reason = "these are tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use, besides `domain` and itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("check", &["step"]),
    (
        "cli",
        &[
            "clock",
            "config",
            "document",
            "http",
            "ingest",
            "lab",
            "machine",
            "platform",
            "pretend",
            "runtime",
            "signature",
            "step",
            "store",
            "telemetry",
            "web",
        ],
    ),
    ("clock", &[]),
    (
        "config",
        &["check", "document", "ingest", "outcome", "platform", "step"],
    ),
    ("document", &[]),
    ("domain", &[]),
    ("http", &["step"]),
    ("ingest", &["platform", "signature"]),
    ("lab", &["document", "machine"]),
    ("machine", &[]),
    ("outcome", &["document", "http", "signature", "step"]),
    ("platform", &["check", "clock", "document", "http", "signature", "step"]),
    ("pretend", &["clock", "http", "signature", "step"]),
    (
        "runtime",
        &[
            "check",
            "clock",
            "config",
            "http",
            "machine",
            "outcome",
            "platform",
            "step",
            "store",
            "telemetry",
        ],
    ),
    ("signature", &[]),
    ("step", &["document"]),
    ("store", &["clock"]),
    ("telemetry", &[]),
    ("trust", &["machine"]),
    (
        "web",
        &["clock", "config", "ingest", "runtime", "store", "telemetry", "trust"],
    ),
];

/// Words that may stand only in these modules.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("SELECT ", &["store"]),
    ("INSERT ", &["store"]),
    ("rusqlite::", &["store"]),
    ("postgres::", &["store"]),
    ("reqwest::", &["http"]),
    ("axum::", &["web", "pretend"]),
    ("askama::", &["web"]),
    ("clap::", &["cli"]),
    ("anyhow::", &["cli"]),
    ("println!", &["cli"]),
    ("tokio::spawn", &["runtime", "web", "cli", "pretend"]),
    ("select!", &["runtime", "web", "cli"]),
    ("std::fs::", &["store", "config", "cli"]),
    ("std::env::", &["config", "cli", "telemetry"]),
    ("Instant::now", &["clock", "http"]),
    ("SystemTime::now", &["clock"]),
    (" rand::", &["clock"]),
    ("jiff::", &["domain", "config"]),
];

/// Words that the pure modules do not have at all.
const IMPURE: &[&str] = &[
    "tokio",
    "async ",
    ".await",
    "std::fs",
    "std::net::Tcp",
    "std::thread",
    "std::time::Instant",
    "tracing::",
];
const PURE: &[&str] = &[
    "check",
    "document",
    "domain",
    "ingest",
    "machine",
    "signature",
    "step",
    "trust",
];

/// Lines of a file, tests aside. A longer one holds more than one idea.
const LINES_MAX: usize = 500;

struct Source {
    path: PathBuf,
    module: String,
    /// The code without its comments.
    code: String,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file that is not a test.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    found.sort();
    let is_test = |path: &Path| path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
    let sources = found.into_iter().filter(|path| !is_test(path)).map(|path| {
        let below = path.strip_prefix(&root).expect("below src");
        let first = below.components().next().expect("a name").as_os_str();
        let module = Path::new(first)
            .file_stem()
            .expect("a stem")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&path).expect("text");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join("\n");
        Source { path, module, code }
    });
    sources
        .filter(|source| !["lib", "main"].contains(&source.module.as_str()))
        .collect()
}

fn complain(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn modules_use_only_what_they_may() {
    let rules: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(allowed) = rules.get(source.module.as_str()) else {
            wrong.push(format!(
                "{}: module `{}` is not in the table",
                source.path.display(),
                source.module
            ));
            continue;
        };
        for part in source.code.split("crate::").skip(1) {
            let used: String = part
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            let free = used == "domain" || used == source.module || used.is_empty();
            if !free && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: `{}` uses `{used}`", source.path.display(), source.module));
            }
        }
    }
    complain(&wrong);
}

#[test]
fn words_stand_only_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, modules) in ONLY_IN {
            if source.code.contains(word) && !modules.contains(&source.module.as_str()) {
                wrong.push(format!("{}: `{word}` belongs into {modules:?}", source.path.display()));
            }
        }
        if PURE.contains(&source.module.as_str()) {
            let impure = IMPURE.iter().filter(|word| source.code.contains(**word));
            wrong.extend(impure.map(|word| format!("{}: `{word}` in a pure module", source.path.display())));
        }
    }
    complain(&wrong);
}

#[test]
fn a_file_is_one_idea() {
    let long = sources().into_iter().filter_map(|source| {
        let lines = source.code.lines().count();
        (lines > LINES_MAX).then(|| format!("{} has {lines} lines, more than {LINES_MAX}", source.path.display()))
    });
    complain(&long.collect::<Vec<_>>());
}

#[test]
fn every_module_and_dependency_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("text");
    let manifest: toml::Table = fs::read_to_string(root.join("Cargo.toml"))
        .expect("text")
        .parse()
        .expect("TOML");
    let table = architecture.split("## Dependencies").nth(1).expect("a section");
    let words: Vec<&str> = table
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .collect();
    let mut wrong = Vec::new();
    for section in ["dependencies", "dev-dependencies"] {
        for name in manifest[section].as_table().expect("a table").keys() {
            if !words.contains(&name.as_str()) {
                wrong.push(format!("`{name}` has no line in ARCHITECTURE.md"));
            }
        }
    }
    for (module, _) in MAY_USE {
        if !architecture.contains(&format!("| `{module}` |")) {
            wrong.push(format!("module `{module}` has no line in ARCHITECTURE.md"));
        }
    }
    complain(&wrong);
}

#[test]
fn what_the_readme_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
    ] {
        let text = fs::read_to_string(root.join(page)).expect("text");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let outside = link.starts_with("http") || link.starts_with("mailto:") || file.is_empty();
            assert!(outside || root.join(file).exists(), "{page} links to {link}");
        }
    }
}

/// Lines that compare a signature, MAC, digest or secret with `==` or `!=`, whose time tells how much of it was right.
/// Lengths may be compared so.
fn compares_in_the_open(code: &str) -> Vec<&str> {
    const WORDS: &[&str] = &["mac", "signature", "digest", "secret", "tag", "key", "hmac"];
    let is_open = |line: &&str| {
        let compares = line.contains(" == ") || line.contains(" != ");
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
        let about = words.any(|word| WORDS.contains(&word.to_ascii_lowercase().trim_end_matches('s')));
        // What kind of thing it is, what it is called, where it stands and how long it is are no secrets.
        let harmless = [
            ".len()",
            "Algorithm::",
            "Place::",
            "Dedup::",
            "scheme == key.scheme",
            "label == ",
            "name == \"",
            "c == '",
        ];
        compares && about && !harmless.iter().any(|word| line.contains(word))
    };
    code.lines().filter(is_open).collect()
}

#[test]
fn nothing_secret_is_compared_with_an_operator() {
    for open in [
        "if signature == expected {",
        "mac.finalize().into_bytes()[..] != shown",
        "secrets[0] == given",
    ] {
        assert_eq!(compares_in_the_open(open), [open]);
    }
    assert!(compares_in_the_open("if signature.len() != 64 {").is_empty());
    let mut wrong = Vec::new();
    for source in sources() {
        if !["signature", "ingest", "web"].contains(&source.module.as_str()) {
            continue;
        }
        let found = compares_in_the_open(&source.code).into_iter();
        wrong.extend(found.map(|line| {
            format!(
                "{}: compare it in constant time: {}",
                source.path.display(),
                line.trim()
            )
        }));
    }
    complain(&wrong);
}

#[test]
fn the_tests_that_the_security_page_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).expect("text");
    let table = page.split("## Attacks on deliveries").nth(1).expect("a section");
    let named: Vec<(&str, &str)> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(".rs::"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter_map(|words| words.split_once(".rs::"))
        .collect();
    assert!(named.len() >= 16, "{named:?}");
    for (file, test) in named {
        let text = fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
        assert!(
            text.contains(&format!("fn {test}(")),
            "there is no test `{test}` in {file}.rs"
        );
    }
}
