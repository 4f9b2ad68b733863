//! A pretend platform, the app on it, and a receiver of outcomes: real HTTP, real signatures, on loopback.
//!
//! `backstop demo` tells its story with them, and the tests of the whole program run against them. The platform keeps
//! state like the real one and differs by generation as the real one does.

mod app;
mod receiver;
mod server;
mod temps;

pub use app::{Behaviour, Cold, Release};
pub use receiver::{Received, Receiver};
pub use temps::{Generation, RollbackCall, RollbackFault, Temps};
