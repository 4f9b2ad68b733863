//! The geometry of a small picture: week by week, how many deployments were found good, and how many alarms there were, right and
//! false ones told apart by shape.

use crate::trust::{WEEKS_MAX, Week};

/// The picture's size.
pub(in crate::web) const WIDTH: u32 = 480;
pub(in crate::web) const HEIGHT: u32 = 132;
const LEFT: f64 = 84.0;
const SLOT: f64 = 33.0;
const BAR: f64 = 24.0;
/// The lines that bars stand on, and how high the highest is.
const ALARMS_Y: f64 = 52.0;
const HEALTHY_Y: f64 = 112.0;
const BAR_HEIGHT: f64 = 40.0;
/// What is there at all is seen.
const BAR_HEIGHT_MIN: f64 = 2.0;

/// A week's bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Bar {
    pub(in crate::web) class: &'static str,
    pub(in crate::web) path: String,
    /// What it says, in words.
    pub(in crate::web) text: String,
}

/// A week's name below its bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Label {
    pub(in crate::web) x: String,
    pub(in crate::web) text: String,
}

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::web) struct Picture {
    pub(in crate::web) bars: Vec<Bar>,
    pub(in crate::web) labels: Vec<Label>,
    /// What the highest bars stand for.
    pub(in crate::web) alarms_max: usize,
    pub(in crate::web) healthy_max: usize,
}

/// The picture of `weeks`, oldest first; the last one stands at the right.
pub(in crate::web) fn picture(weeks: &[Week]) -> Picture {
    let max = |count: fn(&Week) -> usize| weeks.iter().map(count).max().unwrap_or(0);
    let mut picture = Picture {
        alarms_max: max(|week| week.alarms),
        healthy_max: max(|week| week.healthy),
        ..Picture::default()
    };
    let free = WEEKS_MAX.saturating_sub(weeks.len());
    for (at, week) in weeks.iter().enumerate() {
        let x = LEFT + SLOT * (free + at) as f64;
        let day = day(week);
        let right = week.alarms.saturating_sub(week.false_alarms);
        let (of_right, of_wrong) = (
            high(right, picture.alarms_max),
            high(week.false_alarms, picture.alarms_max),
        );
        let stack = [
            (
                "good",
                week.healthy,
                HEALTHY_Y,
                high(week.healthy, picture.healthy_max),
                "healthy",
            ),
            ("bad", right, ALARMS_Y, of_right, "alarms that were not false"),
            (
                "false",
                week.false_alarms,
                ALARMS_Y - of_right,
                of_wrong,
                "false alarms",
            ),
        ];
        for (class, count, bottom, height, what) in stack.into_iter().filter(|(_, count, ..)| *count > 0) {
            picture.bars.push(Bar {
                class,
                path: format!("M{x:.0} {bottom:.1}v-{height:.1}h{BAR:.0}v{height:.1}z"),
                text: format!("week of {day}: {count} {what}"),
            });
        }
        // Every third, and the last: they would stand in each other.
        if (weeks.len() - 1 - at).is_multiple_of(3) {
            picture.labels.push(Label {
                x: format!("{:.0}", x + BAR / 2.0),
                text: day.get(5..).unwrap_or_default().to_owned(),
            });
        }
    }
    picture
}

/// The day a week began on.
pub(in crate::web) fn day(week: &Week) -> String {
    week.begins_at.to_string().chars().take(10).collect()
}

fn high(count: usize, max: usize) -> f64 {
    match (count, max) {
        (0, _) | (_, 0) => 0.0,
        (count, max) => (BAR_HEIGHT * count as f64 / max as f64).max(BAR_HEIGHT_MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn week(number: u64, healthy: usize, alarms: usize, false_alarms: usize) -> Week {
        Week {
            begins_at: Timestamp::from_millis(1_773_014_400_000).plus_ms(number * 7 * 86_400_000),
            healthy,
            alarms,
            false_alarms,
        }
    }

    #[test]
    fn bars_stand_on_each_other_and_end_at_the_right() {
        let picture = picture(&[week(0, 40, 4, 1), week(1, 0, 0, 0), week(2, 400, 1, 1)]);
        let bars: Vec<(&str, &str)> = picture.bars.iter().map(|bar| (bar.class, bar.path.as_str())).collect();
        assert_eq!(
            bars,
            [
                ("good", "M381 112.0v-4.0h24v4.0z"),
                ("bad", "M381 52.0v-30.0h24v30.0z"),
                ("false", "M381 22.0v-10.0h24v10.0z"),
                ("good", "M447 112.0v-40.0h24v40.0z"),
                ("false", "M447 52.0v-10.0h24v10.0z"),
            ]
        );
        assert_eq!(picture.bars[2].text, "week of 2026-03-09: 1 false alarms");
        let labels: Vec<(&str, &str)> = picture
            .labels
            .iter()
            .map(|label| (label.x.as_str(), label.text.as_str()))
            .collect();
        assert_eq!(labels, [("459", "03-23")]);
        assert_eq!((picture.alarms_max, picture.healthy_max), (4, 400));
        assert!(LEFT + SLOT * WEEKS_MAX as f64 <= f64::from(WIDTH) + SLOT - BAR);
    }

    #[test]
    fn one_among_thousands_is_seen() {
        let drawn = picture(&[week(0, 1, 0, 0), week(1, 9_999, 0, 0)]);
        assert!(drawn.bars[0].path.contains("v-2.0"), "{drawn:?}");
        assert_eq!(picture(&[]), Picture::default());
    }
}
