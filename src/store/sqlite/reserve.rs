//! Space kept back on the disk, so that what was decided can still be written down and told when the disk is full.
//!
//! It is a file of real blocks beside the store's. When a commit finds the disk full, it is removed: what it held is for runs
//! under way and their messages, while new deliveries are refused, whose senders try again. Once there is space it is made anew.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// How much is kept back, in bytes: hundreds of decisions with their messages.
pub(super) const RESERVE_BYTES: usize = 4 * 1024 * 1024;

/// The space that is kept back.
pub(super) struct Reserve {
    path: PathBuf,
    given_up: AtomicBool,
}

impl Reserve {
    /// Keeps space back beside the file at `path`, if there is any.
    pub(super) fn new(path: &str) -> Self {
        let reserve = Self {
            path: format!("{path}.reserve").into(),
            given_up: AtomicBool::new(false),
        };
        let is_there = reserve
            .path
            .metadata()
            .is_ok_and(|file| file.len() == RESERVE_BYTES as u64);
        if !is_there {
            reserve.restore();
        }
        reserve
    }

    /// Whether the disk is full: the space was given up and is not there again.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Gives the space up; whether there was any.
    pub(super) fn give_up(&self) -> bool {
        self.given_up.store(true, Ordering::Relaxed);
        std::fs::remove_file(&self.path).is_ok()
    }

    /// Keeps space back again; it stays given up if there is none.
    pub(super) fn restore(&self) {
        let made = File::create(&self.path).and_then(|mut file| {
            file.write_all(&vec![0xB5; RESERVE_BYTES])?;
            file.sync_all()
        });
        if made.is_err() {
            // A part of it would only be in the way.
            let _ = std::fs::remove_file(&self.path);
        }
        let was = self.given_up.swap(made.is_err(), Ordering::Relaxed);
        match made {
            Err(error) if !was => tracing::error!(error = %error, "no space can be kept back: the disk is nearly full"),
            Ok(()) if was => tracing::info!("there is space on the disk again"),
            _ => {}
        }
    }
}
