//! A study as a table for people.

use super::scenario::Truth;
use super::study::{Row, Study};

/// The table of one policy.
pub fn text(study: &Study) -> String {
    let width = study
        .rows
        .iter()
        .map(|row| row.scenario.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = vec![
        study.policy.clone(),
        format!(
            "  {:<width$}  {:>10}  {:>20}  {:>9}  {:>8}  {:>8}",
            "scenario", "wrong", "95 % interval", "untold", "median", "p95"
        ),
    ];
    for (truth, head) in [
        (Truth::Healthy, "healthy: wrong is a false rollback; time to the pass"),
        (Truth::Broken, "broken: wrong is a miss; time to the rollback"),
    ] {
        lines.push(format!("  -- {head}"));
        lines.extend(
            study
                .rows
                .iter()
                .filter(|row| row.truth == truth)
                .map(|row| line(row, width)),
        );
    }
    lines.join("\n")
}

fn line(row: &Row, width: usize) -> String {
    let seconds = |ms: u64| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100);
    let (median, p95) = match row.decided_ms {
        Some((median, p95)) => (seconds(median), seconds(p95)),
        None => ("-".to_owned(), "-".to_owned()),
    };
    let interval = format!("{} .. {}", percent(row.wrong.low), percent(row.wrong.high));
    let mark = if row.chosen_by { " *" } else { "" };
    format!(
        "  {:<width$}  {:>10}  {interval:>20}  {:>9}  {median:>8}  {p95:>8}{mark}",
        row.scenario,
        percent(row.wrong.value()),
        percent(row.inconclusive.value()),
    )
}

/// A share in percent, with as many digits as it has to show.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        p if p < 0.1 => format!("{p:.4} %"),
        p if p < 10.0 => format!("{p:.2} %"),
        p => format!("{p:.1} %"),
    }
}
