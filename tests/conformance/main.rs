//! The conformance corpus of the check language: each feature with a server that satisfies it and servers that do not.
//!
//! The cases are `cases/*.toml`; what they may say stands in `corpus.rs`. `CONFORMANCE_ONLY=words` runs the cases whose
//! file and name contain the words; `CONFORMANCE_PENDING=1` runs also those whose feature is not there yet.

#![expect(clippy::expect_used, reason = "these are tests")]

mod authority;
mod corpus;
mod example;
mod judge;
mod keys;
mod once;
mod run;
mod secrets;
mod servers;
mod wants;
