//! What a person may type. Completions and the man page come from this same definition.

use std::path::PathBuf;

use clap::builder::TypedValueParser as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

/// Smoke-tests each new deployment and rolls a bad one back through the platform's API.
#[derive(Debug, Parser)]
#[command(
    name = "backstop",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 it worked or passed · 1 it failed · 2 the config or the command has problems · 3 `test` could not tell"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the agent until SIGTERM; a rollback call in flight is waited for.
    #[command(after_help = "Example: backstop serve --config /etc/backstop/checks.toml")]
    Serve(ServeArgs),
    /// Tell the whole story on this machine, with a pretend platform and app: nothing to configure.
    #[command(after_help = "Example: backstop demo --once")]
    Demo(DemoArgs),
    /// Name every problem in config files, with its place and what to write instead.
    #[command(after_help = "Example: backstop lint checks.toml\n         backstop lint --strict --format json")]
    Lint(LintArgs),
    /// Print the JSON Schema of config files, by which an editor completes and checks them.
    #[command(after_help = "Example: backstop schema > checks.schema.json")]
    Schema,
    /// Show a check after defaults, each value with its place, and say in words when it passes and fails.
    #[command(after_help = "Example: backstop explain orders --app shop")]
    Explain(ExplainArgs),
    /// Send each check once at an address and say what was seen; never rolls back.
    #[command(after_help = "Example: backstop test --url https://shop.example.com --app shop --env production")]
    Test(TestArgs),
    /// Sign and send a sample or own event to a receiver.
    #[command(
        after_help = "Example: BACKSTOP_SECRET=whsec_… backstop send deploy.live --to http://127.0.0.1:8700/webhooks/temps"
    )]
    Send(SendArgs),
    /// Make our webhook in each project that a policy or check covers, and say whether what it sends arrives.
    #[command(after_help = "Example: backstop subscribe temps --dry-run")]
    Subscribe(SubscribeArgs),
    /// Say whether a captured delivery's signature holds, and if not, exactly why.
    #[command(
        after_help = "Example: BACKSTOP_SECRET=whsec_… backstop verify --body delivery.json --header 'x-webhook-signature: …' --header 'x-webhook-timestamp: …'"
    )]
    Verify(VerifyArgs),
    /// Show what the configured policy does over a corpus of deployments: false rollbacks, misses, time to decide.
    #[command(after_help = "Example: backstop simulate --config checks.toml --deployments 30000 --peers")]
    Simulate(SimulateArgs),
    /// Judge the recorded probes of past runs again by a config, and say what would have changed.
    #[command(after_help = "Example: backstop backtest --config checks.toml --app shop")]
    Backtest(BacktestArgs),
    /// Ask a running agent whether it is ready; what a container's health check calls.
    #[command(after_help = "Example: backstop health")]
    Health(AgentArgs),
    /// List runs, show one with its story, or start one.
    #[command(
        after_help = "Example: backstop runs --app shop --action 'rolled back' --since 7d\n         backstop runs show run_01k…\n         backstop runs start shop --drill"
    )]
    Runs(RunsArgs),
    /// Say of each app what auto-rollback would have done, how often that was right, and whether it is ready.
    #[command(after_help = "Example: backstop trust label run_01k… wrong")]
    Trust(TrustArgs),
    /// List deliveries and outgoing messages, show one, or deliver a message again.
    #[command(
        after_help = "Example: backstop deliveries replay whk_01k…_2_0\n         backstop deliveries replay --endpoint ops --failed --since 2h"
    )]
    Deliveries(DeliveriesArgs),
    /// List the endpoints of outcomes with how they fare, send one a test, or switch it on again.
    #[command(after_help = "Example: backstop outcomes test ops\n         backstop outcomes enable ops")]
    Outcomes(OutcomesArgs),
    /// Withhold rollbacks of an app; it ends by itself.
    #[command(after_help = "Example: backstop pause shop --for 2h")]
    Pause(PauseArgs),
    /// End a pause.
    #[command(after_help = "Example: backstop resume shop")]
    Resume(AppArgs),
    /// Approve the rollback that a run waits for; the guards are asked again.
    #[command(after_help = "Example: backstop approve run_01k…")]
    Approve(RunArgs),
    /// Roll the deployment of a run back, whatever was concluded of it.
    #[command(after_help = "Example: backstop rollback run_01k…")]
    Rollback(RunArgs),
    /// End a run without a verdict.
    #[command(after_help = "Example: backstop cancel run_01k…")]
    Cancel(RunArgs),
    /// Print completions for a shell.
    #[command(after_help = "Example: backstop completions bash > /etc/bash_completion.d/backstop")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    #[command(after_help = "Example: backstop man > /usr/local/share/man/man1/backstop.1")]
    Man,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The config file.
    #[arg(long, env = "BACKSTOP_CONFIG", default_value = "checks.toml", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// How logs are written.
    #[arg(long, env = "BACKSTOP_LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    pub(super) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// End when the story is told, in place of keeping the dashboard up.
    #[arg(long)]
    pub(super) once: bool,
}

#[derive(Debug, Args)]
pub(super) struct LintArgs {
    /// The files; `checks.toml` unless told. What one of them includes is read with it.
    #[arg(value_name = "FILE", default_value = "checks.toml")]
    pub(super) files: Vec<PathBuf>,
    /// Warnings are problems, too.
    #[arg(long)]
    pub(super) strict: bool,
    /// How problems are written; as JSON, one object a line, for editors and build servers.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The check; all of them in short unless given.
    pub(super) check: Option<String>,
    /// The config file.
    #[arg(long, env = "BACKSTOP_CONFIG", default_value = "checks.toml", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// The app's name, for `when`.
    #[arg(long, default_value = "app")]
    pub(super) app: String,
    /// The environment's name, for `when`.
    #[arg(long, default_value = "production")]
    pub(super) env: String,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Where the deployment answers.
    #[arg(long)]
    pub(super) url: Url,
    /// The config file.
    #[arg(long, env = "BACKSTOP_CONFIG", default_value = "checks.toml", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// The app's name, for `when`.
    #[arg(long, default_value = "")]
    pub(super) app: String,
    /// The environment's name, for `when`.
    #[arg(long, default_value = "production")]
    pub(super) env: String,
    /// The commit that should answer, for `{{ deploy.commit }}`.
    #[arg(long)]
    pub(super) commit: Option<String>,
    /// Only checks of this name, in which `*` stands for anything, and those they need; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(super) only: Vec<String>,
    /// Fail also where a check is degraded or flaky.
    #[arg(long)]
    pub(super) strict: bool,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    pub(super) format: TestFormat,
    /// Write the result to this file, and the text format to the terminal.
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Test again whenever the config changes; for writing checks.
    #[arg(long)]
    pub(super) watch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TestFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// A line of JSON for each check.
    Jsonl,
    /// JUnit's XML, for CI systems.
    Junit,
    /// TAP, version 14.
    Tap,
    /// Markdown, for a comment on a pull request.
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// The config whose policy and number of checks are simulated; the defaults unless given.
    #[arg(long, value_name = "FILE", conflicts_with = "checks")]
    pub(super) config: Option<PathBuf>,
    /// The app's name, for `when`.
    #[arg(long, default_value = "app")]
    pub(super) app: String,
    /// The environment's name, for `when`.
    #[arg(long, default_value = "production")]
    pub(super) env: String,
    /// How many checks the defaults are simulated with.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(super) checks: u16,
    /// Deployments of each scenario.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(super) deployments: u32,
    /// Everything follows from it.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Only scenarios whose name contains this.
    #[arg(long, value_name = "PART")]
    pub(super) only: Option<String>,
    /// Well-known policies beside it, on the same deployments.
    #[arg(long)]
    pub(super) peers: bool,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = SimulateFormat::Text)]
    pub(super) format: SimulateFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SimulateFormat {
    /// A table for people.
    Text,
    /// For scripts.
    Json,
    /// A plot: false rollbacks against time to decide.
    Svg,
}

#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
    /// The config to judge by.
    #[arg(long, env = "BACKSTOP_CONFIG", default_value = "checks.toml", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Only runs of this app.
    #[arg(long)]
    pub(super) app: Option<String>,
    /// The newest so many runs that ended with a verdict.
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u16).range(1..=1000).map(usize::from))]
    pub(super) runs: usize,
    /// List also the runs that would be judged the same.
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// The event: `deploy.live` and the other words of a Temps deployment.
    #[arg(value_name = "EVENT", default_value = "deploy.live")]
    pub(super) event: String,
    /// Where to send it.
    #[arg(long, value_name = "URL")]
    pub(super) to: Url,
    /// A body of your own, in place of the sample.
    #[arg(long, value_name = "FILE")]
    pub(super) body: Option<PathBuf>,
    /// The app named in the sample.
    #[arg(long, default_value = "shop")]
    pub(super) app: String,
    /// Sign by this recipe, in place of that of our own outcomes: `stripe`, `github`, `standard-webhooks`, …
    #[arg(long, value_name = "NAME")]
    pub(super) recipe: Option<String>,
    /// The deployment named in the sample.
    #[arg(long, default_value = "dep_sample")]
    pub(super) deployment: String,
    /// The environment variable that holds the secret.
    #[arg(long, default_value = "BACKSTOP_SECRET", value_name = "NAME")]
    pub(super) secret_env: String,
}

#[derive(Debug, Args)]
pub(super) struct SubscribeArgs {
    /// The platform's name in the config; all of them unless given.
    #[arg(value_name = "PLATFORM")]
    pub(super) platform: Option<String>,
    /// Change nothing, and say what would be.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// The config file.
    #[arg(long, env = "BACKSTOP_CONFIG", default_value = "checks.toml", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The body, byte for byte as it was received.
    #[arg(long, value_name = "FILE")]
    pub(super) body: PathBuf,
    /// A header as it was received, `name: value`; may be given several times.
    #[arg(long = "header", short = 'H', value_name = "HEADER", required = true)]
    pub(super) headers: Vec<String>,
    /// The platform whose recipes are used: the name of a built-in one, or the path of a platform file.
    #[arg(long, default_value = "temps", value_name = "NAME|FILE")]
    pub(super) platform: String,
    /// A recipe, in place of a platform's: `stripe`, `github`, `standard-webhooks`, …
    #[arg(long, value_name = "NAME", conflicts_with = "platform")]
    pub(super) recipe: Option<String>,
    /// The environment variable that holds the secret; may be given several times, as while rotating.
    #[arg(long, default_value = "BACKSTOP_SECRET", value_name = "NAME")]
    pub(super) secret_env: Vec<String>,
    /// The whole address that the sender used, where the signature covers it.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<http::Uri>,
    /// The method, where the signature covers it.
    #[arg(long, default_value = "POST")]
    pub(super) method: http::Method,
    /// Judge the timestamp as of this moment (RFC 3339), in place of now.
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
}

/// How a running agent is reached.
#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// The agent's address.
    #[arg(
        long,
        env = "BACKSTOP_URL",
        default_value = "http://127.0.0.1:8700",
        value_name = "URL"
    )]
    pub(super) agent: Url,
    /// The environment variable that holds the admin token.
    #[arg(long, default_value = "BACKSTOP_ADMIN_TOKEN", value_name = "NAME")]
    pub(super) token_env: String,
    /// How the answer is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    pub(super) command: Option<RunsCommand>,
    #[command(flatten)]
    pub(super) wanted: RunsWanted,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

/// Which runs are listed.
#[derive(Debug, Args)]
pub(super) struct RunsWanted {
    /// Only of this app.
    #[arg(long)]
    pub(super) app: Option<String>,
    /// Only in this environment.
    #[arg(long)]
    pub(super) env: Option<String>,
    /// Only with this verdict: `healthy`, `degraded`, `unhealthy` or `inconclusive`.
    #[arg(long)]
    pub(super) verdict: Option<String>,
    /// Only where this was done: `rolled back`, `withheld`, `none`, …
    #[arg(long)]
    pub(super) action: Option<String>,
    /// Only those that began then or later: how long ago (`2h`), a day, or a moment (RFC 3339).
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Only those that began before.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<String>,
    /// Go on where the last list ended, as it said.
    #[arg(long, value_name = "PLACE")]
    pub(super) before: Option<String>,
}

/// Which deliveries and messages are listed.
#[derive(Debug, Args)]
pub(super) struct DeliveriesWanted {
    /// Only deliveries from this platform.
    #[arg(long)]
    pub(super) platform: Option<String>,
    /// Only deliveries about this app.
    #[arg(long)]
    pub(super) app: Option<String>,
    /// Only messages to this endpoint.
    #[arg(long, conflicts_with_all = ["platform", "app"])]
    pub(super) endpoint: Option<String>,
    /// Only messages that stand so: `queued`, `delivered` or `dead`.
    #[arg(long, conflicts_with_all = ["platform", "app"])]
    pub(super) state: Option<String>,
    /// Only messages of this run.
    #[arg(long, conflicts_with_all = ["platform", "app"])]
    pub(super) run: Option<String>,
    /// Only of this event.
    #[arg(long)]
    pub(super) event: Option<String>,
    /// Only since then: how long ago (`2h`), a day, or a moment (RFC 3339).
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Only before then.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<String>,
    /// Go on where the last list of either ended, as it said.
    #[arg(long, value_name = "PLACE")]
    pub(super) before: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// Judge what is live of an app now; or drill, up to the rollback call, which is not made.
    Start {
        /// The app.
        app: String,
        /// The environment, where the app has more than one.
        #[arg(long)]
        env: Option<String>,
        /// Act out a failure, to see whether the way to a rollback works.
        #[arg(long)]
        drill: bool,
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Show one run with its story.
    Show {
        /// The run.
        id: String,
        #[command(flatten)]
        agent: AgentArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    #[command(subcommand)]
    pub(super) command: Option<TrustCommand>,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum TrustCommand {
    /// Say of a run that found its deployment bad whether that was so.
    Label {
        /// The run.
        id: String,
        /// Whether the alarm was right.
        label: TrustLabel,
        #[command(flatten)]
        agent: AgentArgs,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum TrustLabel {
    /// The deployment was bad.
    Right,
    /// It was not.
    Wrong,
}

#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    #[command(subcommand)]
    pub(super) command: Option<DeliveriesCommand>,
    /// Those that were refused, and why; the agent keeps the last 50 of each platform until it stops.
    #[arg(long)]
    pub(super) refused: bool,
    #[command(flatten)]
    pub(super) wanted: DeliveriesWanted,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum DeliveriesCommand {
    /// Show one delivery (`dlv_…`) or outgoing message (`whk_…`).
    Show {
        /// Its id.
        id: String,
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Deliver outgoing messages again: the same bytes, the same id, signed anew.
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["ids", "endpoint", "failed"]))]
pub(super) struct ReplayArgs {
    /// The messages.
    #[arg(value_name = "ID", conflicts_with_all = ["endpoint", "failed", "since", "until"])]
    pub(super) ids: Vec<String>,
    /// Every message to this endpoint.
    #[arg(long, value_name = "NAME")]
    pub(super) endpoint: Option<String>,
    /// Only those that were given up.
    #[arg(long)]
    pub(super) failed: bool,
    /// Only those of the last so long.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) since: Option<std::time::Duration>,
    /// Only those that are older than this.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) until: Option<std::time::Duration>,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

#[derive(Debug, Args)]
pub(super) struct OutcomesArgs {
    #[command(subcommand)]
    pub(super) command: Option<OutcomesCommand>,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum OutcomesCommand {
    /// Send a signed test message, and say what the endpoint answered.
    Test {
        /// The endpoint: `ops` for [outcome.ops].
        name: String,
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Switch an endpoint on that was switched off; what waits for it is delivered.
    Enable {
        /// The endpoint.
        name: String,
        #[command(flatten)]
        agent: AgentArgs,
    },
    /// Switch an endpoint off until it is switched on again; what waits for it is kept.
    Disable {
        /// The endpoint.
        name: String,
        #[command(flatten)]
        agent: AgentArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    /// The app.
    pub(super) app: String,
    /// For how long.
    #[arg(long = "for", default_value = "2h", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) for_: std::time::Duration,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

#[derive(Debug, Args)]
pub(super) struct AppArgs {
    /// The app.
    pub(super) app: String,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The run.
    pub(super) id: String,
    #[command(flatten)]
    pub(super) agent: AgentArgs,
}
