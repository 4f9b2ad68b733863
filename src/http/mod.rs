//! One request over the network, resolved, vetted, pinned and bounded.
//!
//! Whatever is called may be hostile. A name is resolved once per connection, every address it has is vetted, and what
//! was vetted is what is dialled. Redirects are followed only inside the same origin, and each is a new request that is
//! vetted again. Time, body and connections are bounded. Nothing here retries or judges.

mod attend;
mod body;
mod client;
mod failure;
mod jar;
mod resolve;
#[cfg(test)]
mod tests;
mod timing;
mod tls;
mod transport;
mod vet;

pub use client::{Client, Error, Network, Wire};
pub use failure::Failure;
pub use jar::Jar;
pub use tls::TlsError;
pub use vet::{Trust, vet};
