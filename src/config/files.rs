//! Files that checks name: bodies, schemas, certificates.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Env;
use crate::step::Files;

/// Reads files beside the config file that names them.
pub(super) struct CheckFiles<'e> {
    env: &'e dyn Env,
    /// The main file, which may name any file. An included one may name only what lies beside or below it: it is often
    /// written by others, and must not be able to send this machine's files away.
    main: PathBuf,
    /// What was read: each file's path and the digest of its content.
    digests: RefCell<BTreeMap<PathBuf, [u8; 32]>>,
}

impl<'e> CheckFiles<'e> {
    pub(super) fn new(env: &'e dyn Env, main: &Path) -> Self {
        Self {
            env,
            main: main.to_owned(),
            digests: RefCell::default(),
        }
    }

    /// The digests of all files that were read, by their paths.
    pub(super) fn into_digests(self) -> BTreeMap<PathBuf, [u8; 32]> {
        self.digests.into_inner()
    }
}

impl Files for CheckFiles<'_> {
    fn read(&self, path: &str, source: &str) -> Result<Vec<u8>, String> {
        let (path, source) = (Path::new(path), Path::new(source));
        let below = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if source != self.main && !below {
            return Err("an included file can name only files beside or below it".to_owned());
        }
        let directory = source.parent().unwrap_or_else(|| Path::new(""));
        let path = directory.join(path);
        let bytes = self.env.read_bytes(&path).map_err(|error| error.to_string())?;
        self.digests.borrow_mut().insert(path, Sha256::digest(&bytes).into());
        Ok(bytes)
    }
}
