//! The whole program, as its users run it: the real binary against a pretend Temps, over real sockets, in real time.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests"
)]

mod approve;
mod attacks;
mod backtest;
mod collector;
mod commands;
mod crafted;
mod crash;
mod faults;
#[path = "../support/soak.rs"]
mod load;
mod metrics;
mod protection;
mod safety;
mod scenarios;
mod secrets;
#[path = "../support/postgres.rs"]
mod server;
mod soak;
mod stage;
mod store;
mod subscribe;
mod traces;
mod trust;
