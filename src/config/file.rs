//! The file that a config came from, to be read again.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Config, Env, load};
use crate::document::Problem;

/// The main file on disk, and what its secrets and included files are read from. Cheap to clone.
#[derive(Clone)]
pub struct ConfigFile {
    path: Arc<Path>,
    env: Arc<dyn Env + Send + Sync>,
}

impl ConfigFile {
    /// The file at `path`.
    pub fn new(path: impl Into<PathBuf>, env: Arc<dyn Env + Send + Sync>) -> Self {
        Self {
            path: path.into().into(),
            env,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it, and what it names. Blocks.
    ///
    /// # Errors
    /// Every problem in it.
    pub fn read(&self) -> Result<Config, Vec<Problem>> {
        load(&self.path, self.env.as_ref())
    }
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConfigFile").field(&self.path).finish()
    }
}
