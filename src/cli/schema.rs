//! `backstop schema`: the JSON Schema of `checks.toml`, for editors.

use super::Exit;

/// The schema, written by hand; `tests/schema.rs` holds it to what the reader knows.
const SCHEMA: &str = include_str!("../../checks.schema.json");

/// Prints it.
pub(super) fn run() -> Exit {
    print!("{SCHEMA}");
    Exit::Ok
}
