//! `fleet_brake = "30% in 5m"`: when so many apps fail together that it is no one deployment's fault.

use std::time::Duration;

use super::read::Reader;
use crate::document::Table;
use crate::domain::FleetBrake;

/// The longest time within which failures count as together.
const WINDOW_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The shortest.
const WINDOW_MIN: Duration = Duration::from_secs(60);
/// What holds if nothing is said: `30% in 5m`.
pub(super) const DEFAULT: FleetBrake = FleetBrake {
    share_percent: 30,
    window_ms: 5 * 60_000,
};

impl Reader<'_> {
    /// Reads `fleet_brake`; none where it is `off`.
    pub(super) fn fleet_brake(&mut self, table: &mut Table<'_>, default: Option<FleetBrake>) -> Option<FleetBrake> {
        let Some(node) = table.take("fleet_brake") else {
            return default;
        };
        let text = node.string(&mut self.problems)?;
        if text == "off" {
            return None;
        }
        let parsed = parse(text);
        if parsed.is_none() {
            let message = format!("{} cannot be read", node.label());
            let help = "write the share of the apps and the time, from 1% to 100% and from 1m to 24h: \"30% in 5m\"; or \"off\"";
            self.problems.push_help(node.place(), message, help);
        }
        parsed.or(default)
    }
}

fn parse(text: &str) -> Option<FleetBrake> {
    let (share, window) = text.split_once(" in ")?;
    let share_percent: u32 = share.trim().strip_suffix('%')?.trim().parse().ok()?;
    let window = humantime::parse_duration(window.trim()).ok()?;
    let fits = (1..=100).contains(&share_percent) && (WINDOW_MIN..=WINDOW_MAX).contains(&window);
    fits.then(|| FleetBrake {
        share_percent,
        window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_and_a_time() {
        let read = |text: &str| parse(text).map(|brake| (brake.share_percent, brake.window_ms));
        assert_eq!(read("30% in 5m"), Some((30, 300_000)));
        assert_eq!(read("100 % in 24h"), Some((100, 86_400_000)));
        for bad in [
            "30 in 5m",
            "0% in 5m",
            "101% in 5m",
            "30% in 5",
            "30% in 25h",
            "30% in 10s",
            "30%",
            "-1% in 5m",
            "",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
