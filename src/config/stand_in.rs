//! Stands in for `platform::File` and `ingest::SecretSet` until they are merged.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::document::{Problem, Source};

/// A platform file.
#[derive(Clone, Debug)]
pub struct File;

impl File {
    /// The built-in file of this name.
    pub fn built_in(name: &str) -> Option<Self> {
        (name == "temps").then_some(Self)
    }

    /// A file of the user's own.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(_source: &Source) -> Result<Self, Vec<Problem>> {
        Ok(Self)
    }
}

/// What may have signed deliveries.
#[derive(Clone, Debug)]
pub enum SecretSet {
    /// Each opens every app.
    Any(Vec<SecretString>),
    /// Each opens its app.
    PerApp(BTreeMap<String, Vec<SecretString>>),
}
