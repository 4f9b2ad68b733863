//! Backstop hears that a deployment went live, smoke-tests it, and rolls a bad one back.
//!
//! How the parts fit together, and what each may know of the others, is in `ARCHITECTURE.md`.

pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod document;
pub mod domain;
pub mod http;
pub mod ingest;
pub mod lab;
pub mod machine;
pub mod outcome;
pub mod platform;
pub mod pretend;
pub mod runtime;
pub mod signature;
pub mod step;
pub mod store;
pub mod telemetry;
pub mod trust;
pub mod web;
