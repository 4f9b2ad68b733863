//! A plot of policies: false rollbacks against time to decide.

use std::fmt::Write as _;

use super::scenario::Truth;
use super::study::Study;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 520.0;
const MARGIN: f64 = 60.0;
/// The smallest share that the axis shows; less is drawn there.
const SHARE_MIN: f64 = 1e-5;
/// The longest time that the axis shows.
const SECONDS_MAX: f64 = 400.0;

/// One point for each policy as SVG: mean false rollbacks over the healthy scenarios (logarithmic) against the mean
/// time in which broken ones were seen; how many were missed stands beside it. The first policy is marked.
pub fn plot(studies: &[Study]) -> String {
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>
<text x="{}" y="{}" text-anchor="middle">mean time to see a broken deployment, seconds</text>
<text x="16" y="{}" transform="rotate(-90 16 {})" text-anchor="middle">mean false rollbacks of healthy deployments</text>
"#,
        WIDTH / 2.0,
        HEIGHT - 16.0,
        HEIGHT / 2.0,
        HEIGHT / 2.0
    );
    for exponent in -5..=0 {
        let share = 10_f64.powi(exponent);
        let y = y_of(share);
        let label = super::report::percent(share);
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            r##"<path d="M{MARGIN} {y:.1}H{}" stroke="#ddd"/><text x="24" y="{:.1}">{label}</text>"##,
            WIDTH - 20.0,
            y + 4.0
        );
    }
    for (index, study) in studies.iter().enumerate() {
        let point = Point::of(study);
        let (x, y) = (x_of(point.seconds), y_of(point.false_share));
        let colour = if index == 0 { "#b42318" } else { "#555" };
        let missed = super::report::percent(point.missed);
        let _ = writeln!(
            svg,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="5" fill="{colour}"/><text x="{:.1}" y="{:.1}" fill="{colour}">{} (missed {missed})</text>"#,
            x + 8.0,
            y + 4.0,
            escape(&study.policy)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

struct Point {
    false_share: f64,
    missed: f64,
    seconds: f64,
}

impl Point {
    #[expect(clippy::cast_precision_loss, reason = "seconds, and a few dozen scenarios")]
    fn of(study: &Study) -> Self {
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let wrong = |truth: Truth| {
            study
                .rows
                .iter()
                .filter(|row| row.truth == truth)
                .map(|row| row.wrong.value())
                .collect()
        };
        let broken = study.rows.iter().filter(|row| row.truth == Truth::Broken);
        let times = broken
            .filter_map(|row| row.decided_ms)
            .map(|(median, _)| median as f64 / 1_000.0);
        Self {
            false_share: mean(wrong(Truth::Healthy)),
            missed: mean(wrong(Truth::Broken)),
            seconds: mean(times.collect()),
        }
    }
}

fn x_of(seconds: f64) -> f64 {
    MARGIN + seconds.min(SECONDS_MAX) / SECONDS_MAX * (WIDTH - 2.0 * MARGIN - 200.0)
}

fn y_of(share: f64) -> f64 {
    let decades = (share.max(SHARE_MIN) / SHARE_MIN).log10() / (1.0 / SHARE_MIN).log10();
    HEIGHT - MARGIN - decades * (HEIGHT - 2.0 * MARGIN)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
