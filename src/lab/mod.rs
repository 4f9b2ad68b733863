//! The laboratory: what a policy does over a corpus of deployments, on a simulated clock.
//!
//! The machine is the one that serves, driven by [`play`]: only its world is made up. A [`Scenario`] is a row of a file
//! that states how a deployment behaves, whether it is healthy in truth, and by when a broken one should be seen; a
//! [`World`] is one deployment drawn from it. Well-known policies look at the same worlds. Everything follows from one
//! seed, whatever the number of threads. [`replay`] feeds the same machine with what a run recorded.

mod peers;
mod play;
mod plot;
mod replay;
mod report;
mod scenario;
mod study;
#[cfg(test)]
mod tests;
mod world;

pub use peers::{PEERS, Peer};
pub use play::{End, Played, play};
pub use plot::plot;
pub use replay::{Moment, Recording, Replayed, replay};
pub use report::text;
pub use scenario::{Scenario, Truth, corpus};
pub use study::{Policy, Row, Study, study};
pub use world::World;
