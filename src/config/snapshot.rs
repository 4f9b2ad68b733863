//! A config as one text, so that a run can be taken up again with the config it started with.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Config, Env, load};
use crate::document::{Problem, Source};

/// A kept source.
#[derive(Serialize, Deserialize)]
struct Kept {
    path: String,
    text: String,
}

impl Config {
    /// All sources as one JSON text; secrets are not in it, only their names.
    pub fn snapshot(&self) -> String {
        let keep = |source: &Source| Kept {
            path: source.path.clone(),
            text: source.text.clone(),
        };
        let kept: Vec<Kept> = self.sources.iter().map(keep).collect();
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// The config of a [`Config::snapshot`]. Secrets are looked up again in `env`.
    ///
    /// # Errors
    /// When the text is no snapshot, or the config is not valid any more: a secret is gone.
    pub fn from_snapshot(text: &str, env: &dyn Env) -> Result<Self, Vec<Problem>> {
        let kept: Vec<Kept> = serde_json::from_str(text).unwrap_or_default();
        let main = kept.first().map(|kept| PathBuf::from(&kept.path)).unwrap_or_default();
        load(&main, &SnapshotEnv { kept, env })
    }
}

/// The kept files in place of those on disk; everything else is asked of `env`.
struct SnapshotEnv<'e> {
    kept: Vec<Kept>,
    env: &'e dyn Env,
}

impl Env for SnapshotEnv<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.env.var(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let kept = self.kept.iter().find(|kept| Path::new(&kept.path) == path);
        kept.map_or_else(|| self.env.read(path), |kept| Ok(kept.text.clone()))
    }

    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let kept = self.kept.iter().find(|kept| Path::new(&kept.path) == path);
        kept.map_or_else(|| self.env.read_bytes(path), |kept| Ok(kept.text.clone().into_bytes()))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let paths = self.kept.iter().map(|kept| PathBuf::from(&kept.path));
        Ok(paths.filter(|path| path.parent() == Some(directory)).collect())
    }
}
