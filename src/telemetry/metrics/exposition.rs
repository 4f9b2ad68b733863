//! The two text formats. What we count in is OpenMetrics; who does not ask for it gets Prometheus' own, 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::collections::BTreeMap;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Form {
    /// What a client with this `Accept` is given.
    pub fn asked(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// An OpenMetrics page in Prometheus' format: there, the name of a counter ends with `_total` in its description too, `info`
/// is a gauge, units stand in names alone, and nothing says that the page ends.
pub(super) fn prometheus(page: &str) -> String {
    let types: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let full_name = |name: &str| match types.get(name) {
        Some(&"counter") => format!("{name}_total"),
        Some(&"info") => format!("{name}_info"),
        _ => name.to_owned(),
    };
    let mut plain = String::with_capacity(page.len());
    for line in page.lines() {
        let said = line.strip_prefix("# ").and_then(|said| said.split_once(' '));
        match said {
            Some(("HELP", rest)) => {
                let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
                plain.push_str(&format!("# HELP {} {help}\n", full_name(name)));
            }
            Some(("TYPE", rest)) => {
                let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
                let kind = if kind == "info" { "gauge" } else { kind };
                plain.push_str(&format!("# TYPE {} {kind}\n", full_name(name)));
            }
            Some(("UNIT", _)) => {}
            _ if line == "# EOF" => {}
            _ => {
                plain.push_str(line);
                plain.push('\n');
            }
        }
    }
    plain
}
