//! A report in each format.

mod junit;
mod markdown;
mod tap;
mod text;

use serde_json::json;

use super::report::Report;
use crate::cli::args::TestFormat;

/// The report in `format`, with a line end.
pub(super) fn render(report: &Report, format: TestFormat) -> String {
    match format {
        TestFormat::Text => text::render(report),
        TestFormat::Json => format!("{:#}\n", json!(report)),
        TestFormat::Jsonl => lines(report),
        TestFormat::Junit => junit::render(report),
        TestFormat::Tap => tap::render(report),
        TestFormat::Markdown => markdown::render(report),
    }
}

/// One JSON object per line: each check, then the summary.
fn lines(report: &Report) -> String {
    let mut lines = String::new();
    for check in &report.checks {
        lines.push_str(&format!("{}\n", json!(check)));
    }
    let summary = json!({
        "summary": report.summary(),
        "result": report.verdict(),
        "url": report.url,
        "app": report.app,
        "env": report.env,
        "elapsed_ms": report.elapsed_ms,
    });
    lines.push_str(&format!("{summary}\n"));
    lines
}
