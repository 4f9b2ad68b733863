//! The command line: what a person types, what they read, and the exit code a script gets.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to its terminal"
)]

mod agent;
mod args;
mod ask;
mod backtest;
pub mod demo;
mod deployment;
mod explain;
mod lint;
mod outcomes;
mod schema;
mod send;
mod serve;
mod simulate;
mod subscribe;
mod table;
mod test;
mod trust;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command};

/// How a command ended, as an exit code: `backstop --help` has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It worked; for `test`, everything passed.
    Ok,
    /// It did not; for `test`, a check failed.
    Failed,
    /// The config has problems, or the command was not understood.
    Config,
    /// `test` could not tell.
    Inconclusive,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Config => 2,
            Exit::Inconclusive => 3,
        })
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Failed.into()
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Lint(args) => return Ok(lint::run(&args)),
        Command::Schema => return Ok(schema::run()),
        Command::Explain(args) => return explain::run(&args),
        Command::Verify(args) => return verify::run(&args),
        Command::Simulate(args) => return simulate::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "backstop", &mut std::io::stdout());
            return Ok(Exit::Ok);
        }
        Command::Man => {
            clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
            return Ok(Exit::Ok);
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::run(&args).await,
            Command::Demo(args) => demo::run(&args).await,
            Command::Test(args) => test::run(&args).await,
            Command::Send(args) => send::run(&args).await,
            Command::Subscribe(args) => subscribe::run(&args).await,
            Command::Backtest(args) => backtest::run(&args).await,
            Command::Health(args) => ask::health(&args).await,
            Command::Runs(args) => ask::runs(&args).await,
            Command::Trust(args) => trust::run(&args).await,
            Command::Deliveries(args) => ask::deliveries(&args).await,
            Command::Outcomes(args) => outcomes::run(&args).await,
            Command::Pause(args) => ask::pause(&args).await,
            Command::Resume(args) => ask::resume(&args).await,
            Command::Approve(args) => ask::approve(&args).await,
            Command::Rollback(args) => ask::rollback(&args).await,
            Command::Cancel(args) => ask::cancel(&args).await,
            Command::Lint(_)
            | Command::Schema
            | Command::Explain(_)
            | Command::Verify(_)
            | Command::Simulate(_)
            | Command::Completions { .. }
            | Command::Man => Ok(Exit::Ok),
        }
    })
}
