//! JUnit's XML as CI systems read it: a case for each check, and for each step of those with several.

use crate::cli::test::report::{CheckReport, Report, Verdict};

pub(super) fn render(report: &Report) -> String {
    let mut cases = String::new();
    let mut counts = Counts::default();
    for check in &report.checks {
        cases.push_str(&case(check, &mut counts));
        for (number, step) in check.steps.iter().enumerate() {
            let name = format!("{} / {}: {}", check.check, number + 1, step.step);
            let seconds = seconds(step.latency_ms);
            counts.tests += 1;
            let inside = inside(step.result, "step", &step.detail, None, &mut counts);
            cases.push_str(&element(&name, &check.check, &seconds, &inside));
        }
    }
    let Counts {
        tests,
        failures,
        errors,
        skipped,
    } = counts;
    let time = format!("{:.3}", report.elapsed_ms as f64 / 1_000.0);
    let suite = attribute(&format!("backstop {}", report.url));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
         time=\"{time}\">\n  <testsuite name=\"{suite}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
         skipped=\"{skipped}\" time=\"{time}\">\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

fn case(check: &CheckReport, counts: &mut Counts) -> String {
    counts.tests += 1;
    let reason = check.reason.unwrap_or("skipped");
    let inside = inside(check.result, reason, &check.detail, check.curl.as_deref(), counts);
    element(
        &check.check,
        "backstop",
        &seconds(check.latency_ms.unwrap_or(0)),
        &inside,
    )
}

fn element(name: &str, class: &str, seconds: &str, inside: &str) -> String {
    let (name, class) = (attribute(name), attribute(class));
    format!("    <testcase name=\"{name}\" classname=\"{class}\" time=\"{seconds}\">{inside}</testcase>\n")
}

/// What a case came to. Flaky as Surefire writes it; degraded passes, and says so.
fn inside(verdict: Verdict, reason: &str, detail: &str, curl: Option<&str>, counts: &mut Counts) -> String {
    let (message, kind) = (attribute(detail), attribute(reason));
    let repeat = curl.map(content).unwrap_or_default();
    match verdict {
        Verdict::Pass => String::new(),
        Verdict::Degraded => format!("<system-out>{}</system-out>", content(&format!("degraded: {detail}"))),
        Verdict::Flaky => format!("<flakyFailure message=\"{message}\" type=\"{kind}\"></flakyFailure>"),
        Verdict::Skipped => {
            counts.skipped += 1;
            format!("<skipped message=\"{message}\"/>")
        }
        Verdict::Fail => {
            counts.failures += 1;
            format!("<failure message=\"{message}\" type=\"{kind}\">{repeat}</failure>")
        }
        Verdict::Unknown => {
            counts.errors += 1;
            format!("<error message=\"{message}\" type=\"{kind}\">{repeat}</error>")
        }
    }
}

fn seconds(ms: u32) -> String {
    format!("{:.3}", f64::from(ms) / 1_000.0)
}

/// Text between tags. What XML 1.0 §2.2 has no place for is replaced.
fn content(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => escaped.push(c),
            _ => escaped.push('\u{fffd}'),
        }
    }
    escaped
}

/// Text in double quotes.
fn attribute(text: &str) -> String {
    content(text)
        .replace('"', "&quot;")
        .replace('\n', "&#10;")
        .replace('\r', "&#13;")
        .replace('\t', "&#9;")
}
