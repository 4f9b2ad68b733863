//! A config: it is read or its problems are told, each of them printable. What is valid can be written down and read back.
#![no_main]

use std::path::Path;

use backstop::config::{FixedEnv, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let env = FixedEnv::default()
        .var("TEMPS_API_TOKEN", "tk_fuzz-fuzz")
        .var("TEMPS_WEBHOOK_SECRET", "whsec_fuzz-fuzz")
        .file("/checks.toml", text);
    match load(Path::new("/checks.toml"), &env) {
        Ok(config) => assert!(!config.hash.is_empty() && !config.snapshot().is_empty()),
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| !problem.to_string().is_empty()));
        }
    }
});
