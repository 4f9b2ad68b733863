//! The shell: loads a run, lets the machine decide, commits, performs, feeds back.

mod handle;

pub use handle::{CancelError, Handle};
