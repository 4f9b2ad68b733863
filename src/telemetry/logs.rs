//! Logs: where they go, how they look, which ones are written.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The environment variable with the filter: `debug`, or `info,backstop::http=trace`.
pub const FILTER_VARIABLE: &str = "BACKSTOP_LOG";

/// What is written unless told otherwise.
const FILTER_DEFAULT: &str = "info";

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    Human,
    /// One JSON object a line, with the fields under `fields`.
    Json,
}

/// Starts logging to standard error. The filter comes from [`FILTER_VARIABLE`]; without it, or with one that cannot be
/// read, `info` and graver is written. Only the first call has an effect.
pub fn init(format: Format) {
    let asked = std::env::var(FILTER_VARIABLE)
        .ok()
        .filter(|text| !text.trim().is_empty());
    let (filter, misread) = filter(asked.as_deref());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match format {
        Format::Human => lines.with_target(false).with_ansi(coloured()).try_init(),
        Format::Json => lines.json().with_current_span(false).try_init(),
    };
    if let (Ok(()), Some(error)) = (started, misread) {
        tracing::warn!("{FILTER_VARIABLE} is not a filter ({error}); writing `{FILTER_DEFAULT}` and graver");
    }
}

/// The filter that `asked` describes, and what is wrong with it if it cannot be read.
fn filter(asked: Option<&str>) -> (EnvFilter, Option<String>) {
    match EnvFilter::try_new(asked.unwrap_or(FILTER_DEFAULT)) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(FILTER_DEFAULT), Some(error.to_string())),
    }
}

/// Colour is for terminals, and not for those who asked for none (<https://no-color.org>).
fn coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_info_and_is_said() {
        let (given, misread) = filter(Some("backstop=loud=er"));
        assert_eq!(given.to_string(), "info");
        assert!(misread.is_some());
    }

    #[test]
    fn a_filter_is_taken_as_written() {
        let (given, misread) = filter(Some("debug"));
        assert_eq!((given.to_string().as_str(), misread), ("debug", None));
        assert_eq!(filter(None).0.to_string(), "info");
    }
}
