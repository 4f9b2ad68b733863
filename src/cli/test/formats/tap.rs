//! TAP, version 14, with diagnostics in YAML.

use serde_json::json;

use crate::cli::table::plain;
use crate::cli::test::report::{CheckReport, Report, Verdict};

pub(super) fn render(report: &Report) -> String {
    let mut tap = format!("TAP version 14\n1..{}\n", report.checks.len());
    if report.checks.is_empty() {
        tap.push_str("Bail out! no check matches this app and environment\n");
    }
    for (number, check) in report.checks.iter().enumerate() {
        tap.push_str(&point(number + 1, check));
    }
    tap
}

fn point(number: usize, check: &CheckReport) -> String {
    let ok = match check.result {
        Verdict::Fail | Verdict::Unknown => "not ok",
        Verdict::Pass | Verdict::Degraded | Verdict::Flaky | Verdict::Skipped => "ok",
    };
    let directive = match check.result {
        Verdict::Skipped => " # SKIP what it needs did not pass",
        _ => "",
    };
    let name = escaped(&check.check);
    let mut point = format!("{ok} {number} - {name}{directive}\n");
    if check.result == Verdict::Pass {
        return point;
    }
    point.push_str("  ---\n");
    let step = check.steps.iter().find(|step| step.result != Verdict::Pass);
    let facts = [
        ("result", Some(check.result.as_str())),
        ("reason", check.reason),
        ("detail", Some(check.detail.as_str())),
        ("step", step.map(|step| step.step.as_str())),
        ("repeat", check.curl.as_deref()),
    ];
    for (key, value) in facts {
        if let Some(value) = value {
            // A JSON string is one of YAML's.
            point.push_str(&format!("  {key}: {}\n", json!(plain(value))));
        }
    }
    point.push_str("  ...\n");
    point
}

/// In descriptions `#` begins a directive, and a backslash escapes.
fn escaped(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('#', "\\#")
}
