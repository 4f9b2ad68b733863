//! Signatures of webhooks, in both directions: recipes are rows of data, and comparing takes constant time.
//!
//! Nothing here knows payloads or a web framework. What exactly is wrong with a delivery is a [`Refusal`], for logs on
//! this side and for `backstop verify`; its sender never learns which it was.

mod claim;
mod craft;
mod explain;
mod key;
mod message;
mod recipe;
mod reprint;
mod sign;
mod table;
#[cfg(test)]
mod tests;
mod verify;

pub use craft::{Letter, Signed, sign};
pub use explain::{Explanation, Named, explain};
pub use key::KeyError;
pub use recipe::{
    Algorithm, Dedup, Encoding, KeyForm, Layout, Part, Place, Recipe, Scheme, TOLERANCE_DEFAULT, Text, Time,
};
pub use sign::{
    MessageSignature, SecretKind, SignedRequest, secret_kind, sign_request, sign_standard, sign_standard_all,
    sign_timestamped,
};
pub use table::{built_in, built_in_recipes};
pub use verify::{Received, Refusal, VerifiedBy, verify};
