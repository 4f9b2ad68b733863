//! What the config needs of the machine: environment variables and files.

use std::collections::BTreeMap;
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

    /// The bytes of a file that a step names.
    ///
    /// # Errors
    /// When it cannot be read, or is over [`SOURCE_BYTES_MAX`].
    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path).map(String::into_bytes)
    }

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
        let text = String::from_utf8(self.read_bytes(path)?);
        text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    }

    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // One byte over the limit, so that a file of just the limit is told from a longer one.
        let bytes_max = u64::try_from(SOURCE_BYTES_MAX).unwrap_or(u64::MAX);
        std::fs::File::open(path)?
            .take(bytes_max.saturating_add(1))
            .read_to_end(&mut bytes)?;
        if bytes.len() > SOURCE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("more than {SOURCE_BYTES_MAX} bytes"),
            ));
        }
        Ok(bytes)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        // A relative path of one part has the parent "", which stands for here.
        let here = directory.as_os_str().is_empty();
        let entries = std::fs::read_dir(if here { Path::new(".") } else { directory })?;
        entries.map(|entry| Ok(directory.join(entry?.file_name()))).collect()
    }
}

/// An environment that is all given: for the demonstration, and for tests.
#[derive(Clone, Debug, Default)]
pub struct FixedEnv {
    vars: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl FixedEnv {
    /// The same with this variable.
    #[must_use]
    pub fn var(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// The same with this file.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }
}

impl Env for FixedEnv {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.files.get(path).cloned();
        text.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let inside = |path: &&PathBuf| path.parent() == Some(directory);
        Ok(self.files.keys().filter(inside).cloned().collect())
    }
}
