//! Space kept back on the disk, so that what was decided can still be written down and told when the disk is full.
//!
//! It is a file of real blocks beside the store's. When a commit finds the disk full, it is removed: what it held is for runs
//! under way and their messages, while new deliveries are refused, whose senders try again. It is made anew once there is space for
//! it twice: what it held itself must not look like space that somebody else freed.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::domain::Timestamp;

/// How much is kept back, in bytes: hundreds of decisions with their messages.
pub(super) const RESERVE_BYTES: usize = 4 * 1024 * 1024;

/// How often it is tried to keep space back again, in milliseconds.
const AGAIN_MS: u64 = 5_000;

/// The space that is kept back.
pub(super) struct Reserve {
    path: PathBuf,
    given_up: AtomicBool,
    /// When it was last given up or could not be kept back, in milliseconds since 1970.
    tried_at: AtomicI64,
}

impl Reserve {
    /// Keeps space back beside the file at `path`, if there is any.
    pub(super) fn new(path: &str) -> Self {
        let reserve = Self {
            path: format!("{path}.reserve").into(),
            given_up: AtomicBool::new(false),
            tried_at: AtomicI64::new(i64::MIN),
        };
        let is_there = reserve
            .path
            .metadata()
            .is_ok_and(|file| file.len() == RESERVE_BYTES as u64);
        if !is_there {
            reserve.keep_back();
        }
        reserve
    }

    /// Whether the disk is full: the space was given up and is not there again.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Gives the space up; whether there was any.
    pub(super) fn give_up(&self, now: Timestamp) -> bool {
        self.tried_at.store(now.as_millis(), Ordering::Relaxed);
        self.given_up.store(true, Ordering::Relaxed);
        std::fs::remove_file(&self.path).is_ok()
    }

    /// Keeps space back again, if it was given up, that is some seconds ago, and there is space.
    pub(super) fn restore(&self, now: Timestamp) {
        let tried_at = Timestamp::from_millis(self.tried_at.load(Ordering::Relaxed));
        if self.is_given_up() && now.ms_since(tried_at) >= AGAIN_MS {
            self.tried_at.store(now.as_millis(), Ordering::Relaxed);
            self.keep_back();
        }
    }

    /// Makes the file; it stays given up if there is no space.
    fn keep_back(&self) {
        let made = File::create(&self.path).and_then(|mut file| {
            let bytes = vec![0xB5; RESERVE_BYTES];
            file.write_all(&bytes)?;
            file.write_all(&bytes)?;
            file.set_len(RESERVE_BYTES as u64)?;
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
