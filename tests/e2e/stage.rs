//! What a test of the whole program stands on: the binary with a config and a store of its own, a pretend Temps, a
//! receiver of outcomes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use backstop::http::{Client, Network, Trust};
use backstop::pretend::{Behaviour, Generation, Received, Receiver, Release, Temps};
use backstop::step::{Request, Response};
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value as Json;
use tempfile::TempDir;

pub const TOKEN: &str = "tk_pretend-token-0123456789";
pub const SECRET: &str = "whsec_cHJldGVuZC1zZWNyZXQtb2YtdGhlLXRlc3Rz";
pub const OUTCOME_SECRET: &str = "whsec_b3V0Y29tZS1zZWNyZXQtb2YtdGhlLXRlc3Rz";
pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests";
pub const READ_TOKEN: &str = "read-token-of-the-tests";

/// The longest that anything in a scenario may take.
pub const SOON: Duration = Duration::from_secs(90);

/// What differs between scenarios.
#[derive(Clone, Debug)]
pub struct Setup {
    pub mode: &'static str,
    pub warmup: &'static str,
    pub server: &'static str,
    pub platform: &'static str,
    /// The store's address; a file beside the config unless told.
    pub store: Option<String>,
    pub more: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: "auto-rollback",
            warmup: "45s",
            server: "",
            platform: "",
            store: None,
            more: String::new(),
        }
    }
}

/// A running agent. It is killed when dropped.
pub struct Agent {
    child: Child,
    pub url: String,
    log: Arc<Mutex<String>>,
}

impl Agent {
    pub fn start(folder: &TempDir) -> Self {
        Self::start_by(backstop(), folder)
    }

    /// Starts it by a command that ends with the program's name.
    pub fn start_by(mut command: Command, folder: &TempDir) -> Self {
        let mut child = command
            .args(["serve", "--log-format", "json", "--config"])
            .arg(folder.path().join("checks.toml"))
            .env("TEMPS_API_TOKEN", TOKEN)
            .env("TEMPS_WEBHOOK_SECRET", SECRET)
            .env("OUTCOME_SECRET", OUTCOME_SECRET)
            .env("BACKSTOP_ADMIN_TOKEN", ADMIN_TOKEN)
            .env("BACKSTOP_READ_TOKEN", READ_TOKEN)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut address = None;
        while address.is_none() {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("no address: {}", log.lock().unwrap()))
                .expect("text");
            let json: Json = serde_json::from_str(&line).unwrap_or_default();
            address = json["fields"]["listen"].as_str().map(str::to_owned);
            log.lock().unwrap().push_str(&(line + "\n"));
        }
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        Self {
            child,
            url: format!("http://{}", address.expect("found")),
            log,
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
    }

    /// Ends it as a power cut would.
    pub fn kill_9(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .expect("kill")
                .success()
        );
        // What it still waits for may be served by this very runtime.
        tokio::task::block_in_place(|| self.child.wait()).expect("ended")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // A test that failed leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary under test, without the caller's own configuration. A proxy that the environment names is nobody's affair:
/// this one does not answer.
pub fn backstop() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BACKSTOP_") {
            command.env_remove(name);
        }
    }
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    command
}

/// Everything around one scenario.
pub struct Stage {
    pub temps: Temps,
    pub receiver: Receiver,
    pub agent: Agent,
    pub folder: TempDir,
    setup: Setup,
}

impl Stage {
    pub async fn new(generation: Generation, setup: Setup) -> Self {
        Self::with(generation, setup, Agent::start).await
    }

    /// A stage whose agent is started by `start`.
    pub async fn with(generation: Generation, setup: Setup, start: impl FnOnce(&TempDir) -> Agent) -> Self {
        let temps = Temps::start(generation, TOKEN).await.expect("temps");
        let receiver = Receiver::start(OUTCOME_SECRET).await.expect("receiver");
        let folder = tempfile::tempdir().expect("folder");
        write_config(&folder, &temps, &receiver, &setup);
        let agent = start(&folder);
        let stage = Self {
            temps,
            receiver,
            agent,
            folder,
            setup,
        };
        stage.connect();
        stage
    }

    /// The same stage with another agent on the same store.
    fn resumed(temps: Temps, receiver: Receiver, agent: Agent, folder: TempDir) -> Self {
        let stage = Self {
            temps,
            receiver,
            agent,
            folder,
            setup: Setup::default(),
        };
        stage.connect();
        stage
    }

    /// The same stage after its agent ended by `end` and was started again.
    pub fn restarted(self, end: impl FnOnce(Agent, &Temps)) -> Self {
        let Self {
            temps,
            receiver,
            agent,
            folder,
            ..
        } = self;
        end(agent, &temps);
        let agent = Agent::start(&folder);
        Self::resumed(temps, receiver, agent, folder)
    }

    /// Has the platform deliver to the agent that runs now.
    fn connect(&self) {
        self.temps
            .deliver_to(&format!("{}/webhooks/temps", self.agent.url), SECRET);
    }

    /// Ends the agent with SIGTERM and starts it again, with more in its config.
    pub fn restart_with(mut self, more: &str) -> Self {
        self.setup.more.push_str(more);
        write_config(&self.folder, &self.temps, &self.receiver, &self.setup);
        let Self {
            temps,
            receiver,
            agent,
            folder,
            setup,
        } = self;
        assert!(agent.stop().success(), "a stop that drained is exit code 0");
        let stage = Self {
            agent: Agent::start(&folder),
            temps,
            receiver,
            folder,
            setup,
        };
        stage.connect();
        stage
    }

    /// Deploys a release that works, and waits until it is known to be good.
    pub async fn known_good(&self, commit: &str) -> String {
        let id = self.temps.deploy(Release::new(commit, Behaviour::Healthy)).await;
        self.must_hear("smoke_test.passed", &id).await;
        let run = self.ended_run(&id).await;
        assert_eq!(run["verdict"], "healthy", "{run:#}");
        id
    }

    /// The outcome `event` of `deployment`.
    pub async fn must_hear(&self, event: &str, deployment: &str) -> Received {
        let wanted = |message: &Received| message.event() == event && message.deployment() == deployment;
        match self.receiver.wait_for(SOON, wanted).await {
            Some(message) => {
                assert!(message.signed, "unsigned: {:#}", message.body);
                message
            }
            None => panic!(
                "no {event} of {deployment}; heard {:?}\n{}",
                self.heard(),
                self.agent.log()
            ),
        }
    }

    /// The first so many messages that tell `event` of `deployment`.
    pub async fn must_hear_all(&self, event: &str, deployment: &str, count: usize) -> Vec<Received> {
        self.must_hear(event, deployment).await;
        let found = async {
            loop {
                let all = self.receiver.all().into_iter();
                let wanted = all.filter(|message| message.event() == event && message.deployment() == deployment);
                let wanted: Vec<Received> = wanted.collect();
                if wanted.len() >= count {
                    return wanted;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON, found).await.expect("all of them")
    }

    /// Every outcome so far, as `event deployment`.
    pub fn heard(&self) -> Vec<String> {
        let all = self.receiver.all();
        all.iter()
            .map(|message| format!("{} {}", message.event(), message.deployment()))
            .collect()
    }

    /// The targets that the platform was asked to go back to.
    pub fn targets(&self) -> Vec<String> {
        self.temps
            .rollback_calls()
            .into_iter()
            .map(|call| call.target)
            .collect()
    }

    /// The newest run of `deployment`, once it has ended.
    pub async fn ended_run(&self, deployment: &str) -> Json {
        let ended = |run: &Json| run["deployment"] == deployment && !run["ended_at"].is_null();
        let found = async {
            loop {
                let runs = self.api("/api/v1/runs?limit=200").await;
                if let Some(run) = runs["items"]
                    .as_array()
                    .and_then(|runs| runs.iter().find(|run| ended(run)))
                {
                    return run.clone();
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        match tokio::time::timeout(SOON, found).await {
            Ok(run) => run,
            Err(_) => panic!("no ended run of {deployment}\n{}", self.agent.log()),
        }
    }

    /// What the API answers at `path`.
    pub async fn api(&self, path: &str) -> Json {
        let bearer = format!("Bearer {ADMIN_TOKEN}");
        let response = send(
            Method::GET,
            &format!("{}{path}", self.agent.url),
            &[("authorization", &bearer)],
            b"",
        )
        .await;
        assert_eq!(
            response.status,
            200,
            "{path}: {}",
            String::from_utf8_lossy(&response.body)
        );
        serde_json::from_slice(&response.body).expect("JSON")
    }
}

pub fn write_config(folder: &TempDir, temps: &Temps, receiver: &Receiver, setup: &Setup) {
    let text = format!(
        r#"
mode = "{mode}"

[server]
listen = "127.0.0.1:0"
admin_token = "{{{{ secret.BACKSTOP_ADMIN_TOKEN }}}}"
rate_limit = "off"
{server}
[store]
url = "{store}"

[platform.temps]
kind = "{kind}"
url = "{temps}"
token = "{{{{ secret.TEMPS_API_TOKEN }}}}"
secret = "{{{{ secret.TEMPS_WEBHOOK_SECRET }}}}"
{platform}

[network]
allow = ["127.0.0.0/8"]

[warmup]
get = "/version"
for = "{warmup}"
expect.json.commit = "{{{{ deploy.commit }}}}"

[retry]
every = "250ms"
failures = 2
passes = 4

[watch]
for = "1s"

[rollback]
cooldown = "0s"
max_per_hour = 60

[check.home]
get = "/"
expect.body.contains = "Welcome"

[check.health]
get = "/healthz"
expect.json.status = "ok"

[check.orders]
get = "/api/orders"
expect.json."$.orders" = {{ count = {{ min = 1 }} }}

[outcome.tests]
url = "{receiver}"
secret = "{{{{ secret.OUTCOME_SECRET }}}}"
{more}"#,
        mode = setup.mode,
        store = setup
            .store
            .clone()
            .unwrap_or_else(|| format!("sqlite://{}", folder.path().join("backstop.db").display())),
        kind = kind(folder),
        temps = temps.url(),
        warmup = setup.warmup,
        receiver = receiver.url(),
        server = setup.server,
        platform = setup.platform,
        more = setup.more.replace("RECEIVER", &receiver.url()),
    );
    std::fs::write(folder.path().join("checks.toml"), text).expect("config");
}

/// The built-in platform file, or the one that a test has put beside the config.
fn kind(folder: &TempDir) -> String {
    let own = folder.path().join("temps.toml");
    if own.is_file() {
        own.display().to_string()
    } else {
        "temps".to_owned()
    }
}

/// One for all tests: each that is set up reads every certificate of the system, which a hundred at once would wait for longer
/// than a server waits for a request.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let network = Network {
        per_host_max: 200,
        ..Network::default()
    };
    Client::new(network).expect("a client")
});

/// Sends one request as it is.
pub async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    try_send(method, url, headers, body).await.expect("an answer")
}

/// Sends one request as it is; `None` if there was no answer.
pub async fn try_send(method: Method, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Response> {
    let header = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().expect("a header's name");
        (name, HeaderValue::from_str(value).expect("a header's value"))
    };
    let request = Request {
        headers: headers.iter().map(header).collect(),
        body: Some(body.to_vec()),
        ..Request::new(method, url.parse().expect("an address"), Duration::from_secs(30))
    };
    CLIENT.send(&request, Trust::Configured).await.ok()
}
