//! Signatures of webhooks, in both directions: recipes are rows of data, and comparing takes constant time.
//!
//! Nothing here knows payloads or a web framework. What exactly is wrong with a delivery is a [`Refusal`], for logs on
//! this side and for `backstop verify`; its sender never learns which it was.

mod recipe;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

pub use recipe::{Recipe, TOLERANCE_DEFAULT};
pub use sign::{sign_standard, sign_timestamped};
pub use verify::{Refusal, VerifiedBy, verify};
