//! Markdown for a comment on a pull request. Text of the app under test may be anybody's: it stands in code, where it is
//! neither markup, nor a link, nor a mention.

use crate::cli::table::plain;
use crate::cli::test::report::{CheckReport, Report, Verdict};

pub(super) fn render(report: &Report) -> String {
    let mut page = format!("### {} {}\n\n", headline(report.verdict()), code(&report.url));
    if report.checks.is_empty() {
        page.push_str("No check matches this app and environment.\n");
        return page;
    }
    page.push_str(&format!("{}\n", report.summary()));
    let (good, other): (Vec<&CheckReport>, Vec<&CheckReport>) =
        report.checks.iter().partition(|check| check.result == Verdict::Pass);
    if !other.is_empty() {
        page.push_str("\n| result | check | what was seen |\n|---|---|---|\n");
        for check in &other {
            let (word, name, detail) = (check.result.as_str(), code(&check.check), code(&check.detail));
            page.push_str(&format!("| {word} | {name} | {detail} |\n"));
        }
    }
    for check in other.iter().filter(|check| check.curl.is_some()) {
        let curl = check.curl.as_deref().map(plain).unwrap_or_default();
        page.push_str(&format!("\nRepeat {}:\n\n    {curl}\n", code(&check.check)));
    }
    if !good.is_empty() {
        page.push_str(&format!("\n<details><summary>{} passed</summary>\n\n", good.len()));
        for check in &good {
            page.push_str(&format!(
                "- {} {} ms\n",
                code(&check.check),
                check.latency_ms.unwrap_or(0)
            ));
        }
        page.push_str("\n</details>\n");
    }
    page
}

const fn headline(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Passed:",
        Verdict::Degraded => "Passed, degraded:",
        Verdict::Flaky => "Passed, flaky:",
        Verdict::Fail => "Failed:",
        Verdict::Skipped | Verdict::Unknown => "Could not tell:",
    }
}

/// A span of code that also stands in a table: a fence that is longer than any in it, and no bare `|`.
fn code(text: &str) -> String {
    let text = plain(text).replace('|', "¦");
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {text} {fence}")
}
