//! Platforms as data: a file says how deliveries are read and which steps ask, list and roll back.
//!
//! A [`File`] is built in or a user's own. A [`Platform`] is a file with an address and a token; its calls are the same
//! steps that checks are made of. When to call is somebody else's decision.

mod api;
mod budget;
mod error;
mod fields;
mod file;
mod hear;
mod read;
mod recipe;
mod setup;
mod subscribe;
mod survey;
#[cfg(test)]
mod tests;

pub use api::{Account, Platform};
pub use budget::Urgency;
pub use error::Error;
pub use file::File;
pub use hear::Hearing;
pub use setup::Finding;
pub use subscribe::{Done, SUBSCRIBED_MAX, Subscribed, Wanted};
pub use survey::Surveyed;
