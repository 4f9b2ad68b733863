//! A platform file: it is read or its problems are told; and what is read hears any JSON without falling over.
#![no_main]

use backstop::document::Source;
use backstop::platform::File;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // Behind the built-in file, so that single lines are reached without writing a whole one first.
    for before in ["", include_str!("../../src/platform/files/temps.toml")] {
        match File::read(&Source::new("fuzz.toml", format!("{before}\n{text}"))) {
            Ok(file) => {
                let _ = file.recipes().len();
                let _ = file.secret_fault("whsec_fuzz-fuzz");
            }
            Err(problems) => assert!(problems.iter().all(|problem| !problem.to_string().is_empty())),
        }
    }
});
