//! For people: one line per check, the steps of those that have some, and how to repeat what failed.

use crate::cli::table::plain;
use crate::cli::test::report::{CheckReport, Report, Verdict};

/// Names are cut to this width, so that one long one does not move all lines.
const NAME_WIDTH_MAX: usize = 40;

pub(super) fn render(report: &Report) -> String {
    if report.checks.is_empty() {
        return "no check matches this app and environment; look at `when`\n".to_owned();
    }
    let width = report.checks.iter().map(|check| check.check.chars().count()).max();
    let width = width.unwrap_or(0).min(NAME_WIDTH_MAX);
    let mut text = String::new();
    for check in &report.checks {
        text.push_str(&line(check, width));
        for step in &check.steps {
            let word = step.result.as_str();
            text.push_str(&format!(
                "            {word:<8}  {}  ({} ms)\n",
                plain(&step.detail),
                step.latency_ms
            ));
        }
        if let Some(curl) = &check.curl {
            text.push_str(&format!("            {}\n", plain(curl)));
        }
    }
    text.push_str(&format!("\n{}\n", report.summary()));
    text
}

/// `fail      search  GET /api/search: $.hits has 0 items, expected at least 1  (2 looks, 184 ms, 10.0.3.17, HTTP/2.0)`
fn line(check: &CheckReport, width: usize) -> String {
    let mut facts = Vec::new();
    if check.looks > 1 {
        facts.push(format!("{} looks", check.looks));
    }
    facts.extend(check.latency_ms.map(|ms| format!("{ms} ms")));
    facts.extend(check.address.clone());
    facts.extend(check.http_version.clone());
    let facts = if facts.is_empty() {
        String::new()
    } else {
        format!("  ({})", facts.join(", "))
    };
    let title = check.title.as_ref().filter(|_| check.result == Verdict::Fail);
    let title = title.map_or(String::new(), |title| format!("{}: ", plain(title)));
    let (word, name) = (check.result.as_str(), plain(&check.check));
    format!("{word:<8}  {name:<width$}  {title}{}{facts}\n", plain(&check.detail))
}
