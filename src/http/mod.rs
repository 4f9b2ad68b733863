//! One request over the network, resolved, vetted, pinned and bounded.
//!
//! Whatever is called may be hostile. A name is resolved once per connection, every address it has is vetted, and what
//! was vetted is what is dialled. Redirects are followed only inside the same origin, and each is a new request that is
//! vetted again. Time, body and connections are bounded. Nothing here retries or judges.

mod client;
mod failure;
mod resolve;
#[cfg(test)]
mod tests;
mod timing;
mod vet;

pub use client::{Client, Error, Network};
pub use failure::Failure;
pub use vet::{Trust, vet};
