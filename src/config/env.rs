//! What the config needs of the machine: environment variables and files.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::document::SOURCE_BYTES_MAX;

/// Environment variables and files; a test has its own.
pub trait Env {
    /// The environment variable `name`, if it is set and is UTF-8.
    fn var(&self, name: &str) -> Option<String>;

    /// The text of a file.
    ///
    /// # Errors
    /// When it cannot be read, is not UTF-8, or is over [`SOURCE_BYTES_MAX`].
    fn read(&self, path: &Path) -> io::Result<String>;

    /// The files in a directory, for `include`.
    ///
    /// # Errors
    /// When it cannot be read, or this environment has no directories.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let message = format!("no directory {} here", directory.display());
        Err(io::Error::new(io::ErrorKind::Unsupported, message))
    }
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEnv;

impl Env for SystemEnv {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        // One byte over the limit, so that a file of just the limit is told from a longer one.
        let bytes_max = u64::try_from(SOURCE_BYTES_MAX).unwrap_or(u64::MAX);
        std::fs::File::open(path)?.take(bytes_max.saturating_add(1)).read_to_string(&mut text)?;
        if text.len() > SOURCE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {SOURCE_BYTES_MAX} bytes")));
        }
        Ok(text)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        // A relative path of one part has the parent "", which stands for here.
        let here = directory.as_os_str().is_empty();
        let entries = std::fs::read_dir(if here { Path::new(".") } else { directory })?;
        entries.map(|entry| Ok(directory.join(entry?.file_name()))).collect()
    }
}
