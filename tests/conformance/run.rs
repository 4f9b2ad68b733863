//! One run of the real `backstop test` against servers that answer as they are told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

use super::authority::Authority;
use super::corpus::Answer;
use super::servers::{Bound, Server, Setup};

/// What is run, and against what.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The config.
    pub checks: String,
    /// Files beside it.
    pub files: BTreeMap<String, String>,
    pub env: BTreeMap<String, String>,
    /// Further arguments.
    pub args: Vec<String>,
    pub setup: Setup,
    /// The address that is tested is `https`.
    pub https: bool,
    pub answers: Vec<Answer>,
    /// What a second server answers.
    pub other: Vec<Answer>,
    pub other_setup: Setup,
}

/// What one check came to.
#[derive(Clone, Debug)]
pub struct Row {
    pub result: String,
    pub reason: String,
    pub detail: String,
}

/// What came of a run.
pub struct Outcome {
    pub code: Option<i32>,
    pub rows: BTreeMap<String, Row>,
    pub stderr: String,
    servers: [Server; 2],
}

impl Outcome {
    /// How many requests came for a method and path, to both servers.
    pub fn hits(&self, on: &str) -> usize {
        self.servers.iter().map(|server| server.hits(on)).sum()
    }

    /// Everything there is to know, for whoever looks into a failure.
    pub fn story(&self) -> String {
        let mut story = format!("    exit code {:?}\n", self.code);
        for (name, row) in &self.rows {
            let _ = writeln!(story, "    {name}: {} ({}): {}", row.result, row.reason, row.detail);
        }
        for line in self.servers.iter().flat_map(Server::heard) {
            let _ = writeln!(story, "    asked {line}");
        }
        for line in self.stderr.lines() {
            let _ = writeln!(story, "    | {line}");
        }
        story
    }
}

impl Run {
    /// Starts the servers, runs the binary, and reads what it says.
    pub async fn perform(self, authority: &Authority) -> Outcome {
        let folder = TempDir::new().expect("a folder");
        let bound = [Bound::new(), Bound::new()];
        let [address, other] = [bound[0].address, bound[1].address];
        let scheme = if self.https { "https" } else { "http" };
        let words = [
            ("@ADDR@", address.to_string()),
            ("@OTHER@", other.to_string()),
            ("@PORT@", address.port().to_string()),
            ("@CA@", authority.file("ca.pem").display().to_string()),
            ("@CERT@", authority.file("cert.pem").display().to_string()),
            ("@KEY@", authority.file("key.pem").display().to_string()),
            ("@DIR@", folder.path().display().to_string()),
        ];
        let fill = |text: &str| {
            words
                .iter()
                .fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
        };
        let fill_answers = |answers: &[Answer]| -> Vec<Answer> {
            let text = serde_json::to_string(answers).expect("JSON");
            serde_json::from_str(&fill(&text)).expect("the same")
        };
        for (name, text) in &self.files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, fill(text)).expect("a file");
        }
        let config = folder.path().join("checks.toml");
        std::fs::write(&config, fill(&self.checks)).expect("a config");
        let [first, second] = bound;
        let servers = [
            Server::start(first, &self.setup, fill_answers(&self.answers), authority),
            Server::start(second, &self.other_setup, fill_answers(&self.other), authority),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
        command
            .env_clear()
            // The machine's own authorities are nobody's here.
            .env("SSL_CERT_FILE", authority.file("unknown.pem"))
            .envs(self.env.iter().map(|(name, value)| (name, fill(value))))
            .args(["test", "--format", "json", "--url"])
            .arg(format!("{scheme}://{address}"))
            .arg("--config")
            .arg(config)
            .args(self.args.iter().map(|arg| fill(arg)))
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .expect("no panic")
            .expect("the binary runs");
        let unfill = |name: String| {
            let hosts = words.iter().take(2);
            hosts.fold(name, |name, (word, value)| name.replace(value, word))
        };
        Outcome::of(&output, servers, unfill)
    }
}

impl Outcome {
    /// `unfill` makes names of checks that have an address in them the same in each run.
    fn of(output: &Output, servers: [Server; 2], unfill: impl Fn(String) -> String) -> Self {
        let json: Json = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text = |row: &Json, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let rows = json["checks"].as_array().into_iter().flatten().map(|row| {
            let read = Row {
                result: text(row, "result"),
                reason: text(row, "reason"),
                detail: text(row, "detail"),
            };
            (unfill(text(row, "check")), read)
        });
        Self {
            code: output.status.code(),
            rows: rows.collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            servers,
        }
    }
}
