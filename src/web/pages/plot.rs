//! The geometry of a run's plot: every probe a mark on time and latency, and below it a line for the budget of each check.
//! What goes in is seen from the run's start in milliseconds; what comes out is in the units of the picture.

use std::fmt::Write as _;

/// The picture's width.
pub(super) const WIDTH: u32 = 960;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 30.0;
/// The height of the part with the marks.
const MARKS_HEIGHT: f64 = 200.0;
/// From the marks' axis to the first lane: the axis's own labels.
const AXIS_HEIGHT: f64 = 34.0;
/// A lane: its name, and its line below.
const LANE_HEIGHT: f64 = 42.0;
const LANE_NAME_HEIGHT: f64 = 16.0;
const LANE_LINE_HEIGHT: f64 = 20.0;

/// Marks at most; those that passed are left out first.
pub(super) const MARKS_MAX: usize = 400;
/// Lanes at most; those whose budget never fell are left out first.
pub(super) const LANES_MAX: usize = 12;
/// Corners of one lane's line.
const CORNERS_MAX: usize = 200;
/// Characters of a check's name on its lane.
const NAME_CHARS_MAX: usize = 60;
/// Labels on the axis of time.
const TIME_LABELS_MAX: u64 = 8;
/// The steps between them, in seconds.
const TIME_STEPS_S: [u64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400];

/// A probe as the plot needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Probe {
    /// When it was answered.
    pub(super) at_ms: u64,
    /// The check's name.
    pub(super) check: String,
    /// It belongs to a warm-up.
    pub(super) is_warm_up: bool,
    /// It looked at what was restored.
    pub(super) is_restored: bool,
    /// What it says about the deployment.
    pub(super) class: Shape,
    /// How long it took.
    pub(super) latency_ms: u64,
    /// The budget after it, in percent.
    pub(super) budget_percent: u64,
    /// In words.
    pub(super) text: String,
}

/// What a mark looks like: its class, not only in colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// A disc.
    Pass,
    /// A triangle.
    Slow,
    /// An empty square.
    Unready,
    /// A cross.
    Broken,
    /// An empty diamond.
    #[default]
    Unknown,
}

impl Shape {
    /// All of them, for the legend.
    pub(super) const ALL: [Self; 5] = [Self::Pass, Self::Slow, Self::Unready, Self::Broken, Self::Unknown];

    /// That of a class's word; any other word is not known.
    pub(super) fn of_word(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|shape| shape.as_str() == word);
        known.unwrap_or_default()
    }

    /// The class's word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Slow => "slow",
            Self::Unready => "unready",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }

    /// Its outline around a point.
    pub(super) fn path(self, x: f64, y: f64) -> String {
        match self {
            Self::Pass => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0-8 0", x - 4.0),
            Self::Slow => format!("M{x:.1} {:.1}l5 9h-10z", y - 5.0),
            Self::Unready => format!("M{:.1} {:.1}h8v8h-8z", x - 4.0, y - 4.0),
            Self::Broken => format!("M{:.1} {:.1}l8 8m0-8l-8 8", x - 4.0, y - 4.0),
            Self::Unknown => format!("M{x:.1} {:.1}l5 5-5 5-5-5z", y - 5.0),
        }
    }
}

/// A moment that matters: a decision, a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at_ms: u64,
    /// One word.
    pub(super) name: &'static str,
    /// What happened.
    pub(super) text: String,
}

/// A picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plot {
    pub(super) height: u32,
    /// Where the marks end and the lanes begin.
    pub(super) floor: String,
    pub(super) bottom: String,
    pub(super) right: String,
    /// Left edge and width of each warm-up.
    pub(super) shades: Vec<(String, String)>,
    pub(super) latencies: Vec<Label>,
    pub(super) times: Vec<Label>,
    pub(super) moments: Vec<Line>,
    pub(super) marks: Vec<Mark>,
    pub(super) lanes: Vec<Lane>,
    /// Probes without a mark.
    pub(super) marks_left_out: usize,
    /// Checks without a lane.
    pub(super) lanes_left_out: usize,
}

/// A place on an axis, and what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) at: String,
    pub(super) text: String,
}

/// A line from top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) x: String,
    /// Where its name stands beside it: `start`, or `end` where it would leave the picture.
    pub(super) anchor: &'static str,
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// A probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) class: &'static str,
    pub(super) path: String,
    pub(super) text: String,
}

/// A check's budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) name_y: String,
    /// Where the budget is full, and where it is used up.
    pub(super) full_y: String,
    pub(super) empty_y: String,
    pub(super) path: String,
    /// The least that was left, in percent.
    pub(super) least_percent: u64,
    pub(super) least_y: String,
}

/// Which probes to show, in their order, if not all can be: those that did not pass before those that did, and of either
/// evenly many from everywhere.
pub(super) fn chosen(probes: &[Probe], max: usize) -> Vec<&Probe> {
    if probes.len() <= max {
        return probes.iter().collect();
    }
    let (passed, failed): (Vec<usize>, Vec<usize>) =
        (0..probes.len()).partition(|at| probes.get(*at).is_some_and(|probe| probe.class == Shape::Pass));
    let mut kept = evenly(&failed, max);
    kept.extend(evenly(&passed, max - kept.len()));
    kept.sort_unstable();
    kept.iter().filter_map(|at| probes.get(*at)).collect()
}

fn evenly(all: &[usize], max: usize) -> Vec<usize> {
    if all.len() <= max {
        return all.to_vec();
    }
    (0..max).filter_map(|n| all.get(n * all.len() / max)).copied().collect()
}

/// The picture of `probes` and `moments`, up to `end_ms`.
pub(super) fn plot(probes: &[Probe], moments: &[Moment], end_ms: u64) -> Plot {
    let latest = probes
        .iter()
        .map(|probe| probe.at_ms)
        .chain(moments.iter().map(|moment| moment.at_ms));
    let scale = Scale::new(
        latest.max().unwrap_or(0).max(end_ms).max(1_000),
        probes.iter().map(|probe| probe.latency_ms).max().unwrap_or(0),
    );
    let (lanes, lanes_left_out) = lanes(probes, &scale);
    let shown = chosen(probes, MARKS_MAX);
    let floor = TOP + MARKS_HEIGHT;
    let bottom = floor + AXIS_HEIGHT + LANE_HEIGHT * lanes.len() as f64;
    Plot {
        height: bottom.ceil() as u32 + 4,
        floor: short(floor),
        bottom: short(bottom),
        right: short(f64::from(WIDTH) - RIGHT),
        shades: shades(probes, &scale),
        latencies: scale.latency_labels(),
        times: scale.time_labels(),
        moments: moments
            .iter()
            .map(|moment| Line {
                x: short(scale.x(moment.at_ms)),
                anchor: if scale.x(moment.at_ms) < f64::from(WIDTH) * 0.9 {
                    "start"
                } else {
                    "end"
                },
                name: moment.name,
                text: moment.text.clone(),
            })
            .collect(),
        marks_left_out: probes.len() - shown.len(),
        marks: shown.into_iter().map(|probe| mark(probe, &scale)).collect(),
        lanes,
        lanes_left_out,
    }
}

fn mark(probe: &Probe, scale: &Scale) -> Mark {
    Mark {
        class: probe.class.as_str(),
        path: probe.class.path(scale.x(probe.at_ms), scale.y(probe.latency_ms)),
        text: format!(
            "{} s: {}: {}, {} ms",
            seconds(probe.at_ms),
            probe.check,
            probe.class.as_str(),
            probe.latency_ms
        ),
    }
}

/// The warm-ups, of the deployment and of what was restored: from the first of its probes to the first of a check.
fn shades(probes: &[Probe], scale: &Scale) -> Vec<(String, String)> {
    let of = |is_restored: bool| {
        let mut own = probes.iter().filter(move |probe| probe.is_restored == is_restored);
        let warm_up = own.clone().filter(|probe| probe.is_warm_up);
        let (first, last) = (
            warm_up.clone().map(|probe| probe.at_ms).min()?,
            warm_up.map(|probe| probe.at_ms).max()?,
        );
        let first = if is_restored { first } else { 0 };
        let until = own.find(|probe| !probe.is_warm_up).map_or(last, |probe| probe.at_ms);
        let (left, right) = (scale.x(first), scale.x(until.max(last)));
        Some((short(left), short(right - left)))
    };
    [false, true].into_iter().filter_map(of).collect()
}

/// One check of one version, as its budget went.
struct Course<'a> {
    check: &'a str,
    is_restored: bool,
    points: Vec<(u64, u64)>,
    least: u64,
}

fn lanes(probes: &[Probe], scale: &Scale) -> (Vec<Lane>, usize) {
    let mut courses: Vec<Course<'_>> = Vec::new();
    for probe in probes.iter().filter(|probe| !probe.is_warm_up) {
        let known = courses
            .iter()
            .position(|course| course.check == probe.check && course.is_restored == probe.is_restored);
        let at = known.unwrap_or_else(|| {
            courses.push(Course {
                check: &probe.check,
                is_restored: probe.is_restored,
                points: Vec::new(),
                least: 100,
            });
            courses.len() - 1
        });
        if let Some(course) = courses.get_mut(at) {
            let percent = probe.budget_percent.min(100);
            course.points.push((probe.at_ms, percent));
            course.least = course.least.min(percent);
        }
    }
    let left_out = courses.len().saturating_sub(LANES_MAX);
    let (fell, full): (Vec<_>, Vec<_>) = courses.into_iter().partition(|course| course.least < 100);
    let shown = fell.iter().chain(&full).take(LANES_MAX).enumerate();
    (
        shown.map(|(number, course)| lane(number, course, scale)).collect(),
        left_out,
    )
}

fn lane(number: usize, course: &Course<'_>, scale: &Scale) -> Lane {
    let top = TOP + MARKS_HEIGHT + AXIS_HEIGHT + LANE_HEIGHT * number as f64;
    let full = top + LANE_NAME_HEIGHT;
    let y = |percent: u64| full + LANE_LINE_HEIGHT * (100 - percent.min(100)) as f64 / 100.0;
    let mut path = String::new();
    let mut last = 100;
    let start = course.points.first().map_or(0, |(at, _)| *at);
    let _ = write!(path, "M{:.1} {:.1}", scale.x(start), y(last));
    let corners: Vec<(u64, u64)> = course
        .points
        .iter()
        .copied()
        .filter(|(_, percent)| std::mem::replace(&mut last, *percent) != *percent)
        .collect();
    let kept: Vec<usize> = evenly(&(0..corners.len()).collect::<Vec<_>>(), CORNERS_MAX);
    for (at, percent) in kept.iter().filter_map(|at| corners.get(*at)) {
        let _ = write!(path, "H{:.1}V{:.1}", scale.x(*at), y(*percent));
    }
    let end = course.points.last().map_or(start, |(at, _)| *at);
    let _ = write!(path, "H{:.1}", scale.x(end));
    let of_what = if course.is_restored { " (restored)" } else { "" };
    Lane {
        name: format!("{}{of_what}", clipped(course.check)),
        name_y: short(top + LANE_NAME_HEIGHT - 5.0),
        full_y: short(full),
        empty_y: short(full + LANE_LINE_HEIGHT),
        path,
        least_percent: course.least,
        least_y: short(y(course.least)),
    }
}

/// A name that fits beside what is said of it.
fn clipped(name: &str) -> String {
    let mut clipped: String = name.chars().take(NAME_CHARS_MAX).collect();
    if clipped.len() < name.len() {
        clipped.push('…');
    }
    clipped
}

/// From milliseconds to places.
struct Scale {
    time_max_ms: u64,
    /// A power of ten, at least 100 ms.
    latency_digits: u32,
}

impl Scale {
    fn new(time_max_ms: u64, latency_max_ms: u64) -> Self {
        let digits = (2..7).find(|digits| 10_u64.pow(*digits) >= latency_max_ms).unwrap_or(7);
        Self {
            time_max_ms,
            latency_digits: digits,
        }
    }

    fn x(&self, at_ms: u64) -> f64 {
        let share = at_ms.min(self.time_max_ms) as f64 / self.time_max_ms as f64;
        LEFT + share * (f64::from(WIDTH) - LEFT - RIGHT)
    }

    /// By its logarithm: what takes 20 ms and what takes 10 s are on one picture.
    fn y(&self, latency_ms: u64) -> f64 {
        let share = (latency_ms.max(1) as f64).log10() / f64::from(self.latency_digits);
        TOP + MARKS_HEIGHT * (1.0 - share.min(1.0))
    }

    fn latency_labels(&self) -> Vec<Label> {
        let label = |digits: u32| {
            let ms = 10_u64.pow(digits);
            Label {
                at: short(self.y(ms)),
                text: if ms < 1_000 {
                    format!("{ms} ms")
                } else {
                    format!("{} s", ms / 1_000)
                },
            }
        };
        (0..=self.latency_digits).map(label).collect()
    }

    fn time_labels(&self) -> Vec<Label> {
        let fits = |step: &&u64| self.time_max_ms / 1_000 / **step < TIME_LABELS_MAX;
        let longest = self.time_max_ms / 1_000;
        let step = TIME_STEPS_S
            .iter()
            .find(fits)
            .copied()
            .unwrap_or(longest.div_ceil(TIME_LABELS_MAX));
        let label = |at_s: u64| Label {
            at: short(self.x(at_s * 1_000)),
            text: match at_s {
                0 => "0".to_owned(),
                s if s % 3_600 == 0 => format!("{} h", s / 3_600),
                s if s % 60 == 0 => format!("{} min", s / 60),
                s => format!("{s} s"),
            },
        };
        (0..=longest / step.max(1)).map(|n| label(n * step)).collect()
    }
}

/// Seconds with a tenth.
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

/// A place, to a tenth of the picture's unit.
fn short(place: f64) -> String {
    format!("{place:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(at_ms: u64, check: &str, class: &str, latency_ms: u64, budget_percent: u64) -> Probe {
        Probe {
            at_ms,
            check: check.to_owned(),
            is_warm_up: check == "warm-up",
            class: Shape::of_word(class),
            latency_ms,
            budget_percent,
            ..Probe::default()
        }
    }

    #[test]
    fn latency_goes_up_by_its_logarithm() {
        for (latency, longest, expected) in [
            (1, 100, TOP + MARKS_HEIGHT),
            (0, 100, TOP + MARKS_HEIGHT),
            (10, 100, TOP + MARKS_HEIGHT / 2.0),
            (100, 100, TOP),
            (100, 101, TOP + MARKS_HEIGHT / 3.0),
            (10_000, 10_000, TOP),
            (u64::MAX, u64::MAX, TOP),
        ] {
            let y = Scale::new(1_000, longest).y(latency);
            assert!(
                (y - expected).abs() < 0.001,
                "{latency} of {longest}: {y}, not {expected}"
            );
        }
    }

    #[test]
    fn time_goes_from_edge_to_edge_with_few_labels() {
        for (longest_ms, labels) in [
            (1_000, "0 1 s"),
            (7_900, "0 1 s 2 s 3 s 4 s 5 s 6 s 7 s"),
            (8_000, "0 2 s 4 s 6 s 8 s"),
            (45_000, "0 10 s 20 s 30 s 40 s"),
            (600_000, "0 2 min 4 min 6 min 8 min 10 min"),
            (7_200_000, "0 30 min 1 h 90 min 2 h"),
        ] {
            let scale = Scale::new(longest_ms, 0);
            let shown: Vec<String> = scale.time_labels().into_iter().map(|label| label.text).collect();
            assert_eq!(shown.join(" "), labels);
            assert_eq!(short(scale.x(0)), "72.0");
            assert_eq!(short(scale.x(longest_ms)), "936.0");
        }
        let days = Scale::new(u64::MAX, 0).time_labels();
        assert!(days.len() <= 9, "{}", days.len());
    }

    #[test]
    fn too_many_probes_are_thinned_and_the_failing_stay() {
        let mut probes: Vec<Probe> = (0..1_000).map(|n| probe(n, "home", "pass", 5, 100)).collect();
        for at in [3, 500, 999] {
            probes[at].class = Shape::Broken;
        }
        let shown = chosen(&probes, 100);
        assert_eq!(shown.len(), 100);
        assert_eq!(shown.iter().filter(|probe| probe.class == Shape::Broken).count(), 3);
        assert!(shown.is_sorted_by_key(|probe| probe.at_ms));
        let all_failed: Vec<Probe> = (0..1_000).map(|n| probe(n, "home", "broken", 5, 0)).collect();
        assert_eq!(chosen(&all_failed, 100).len(), 100);
        assert_eq!(chosen(&probes[..100], 100).len(), 100);
        let drawn = plot(&probes, &[], 0);
        assert_eq!((drawn.marks.len(), drawn.marks_left_out), (MARKS_MAX, 600));
    }

    #[test]
    fn the_budgets_that_fell_have_their_lanes_first() {
        let mut probes: Vec<Probe> = (0..20)
            .map(|n| probe(n, &format!("check-{n}"), "pass", 5, 100))
            .collect();
        probes.push(probe(30, "check-19", "broken", 5, 50));
        let drawn = plot(&probes, &[], 0);
        assert_eq!(drawn.lanes.len(), LANES_MAX);
        assert_eq!(drawn.lanes_left_out, 8);
        assert_eq!(
            (drawn.lanes[0].name.as_str(), drawn.lanes[0].least_percent),
            ("check-19", 50)
        );
        assert_eq!(drawn.lanes[1].name, "check-0");
    }

    #[test]
    fn a_run_without_probes_is_an_empty_picture() {
        let drawn = plot(&[], &[], 0);
        assert!(drawn.marks.is_empty() && drawn.lanes.is_empty() && drawn.shades.is_empty());
        assert_eq!(drawn.times.len(), 2);
    }

    #[test]
    fn a_run_that_goes_wrong() {
        let mut probes = vec![
            probe(500, "warm-up", "unready", 3, 100),
            probe(1_500, "warm-up", "pass", 40, 100),
            probe(2_000, "home", "pass", 12, 100),
            probe(2_000, "orders", "broken", 800, 50),
            probe(2_400, "orders", "broken", 900, 0),
        ];
        let mut restored = probe(6_000, "orders", "slow", 2_000, 100);
        restored.is_restored = true;
        probes.push(restored);
        let moments = [
            Moment {
                at_ms: 2_400,
                name: "verdict",
                text: "unhealthy".to_owned(),
            },
            Moment {
                at_ms: 2_600,
                name: "call",
                text: "asked to go back".to_owned(),
            },
        ];
        insta::assert_debug_snapshot!(plot(&probes, &moments, 8_000));
    }

    proptest::proptest! {
        #[test]
        fn nothing_leaves_the_picture(rows in proptest::collection::vec((0..100_000_u64, 0..5_usize, 0..u64::MAX, 0..200_u64), 0..60)) {
            let probes: Vec<Probe> = rows
                .iter()
                .map(|(at, class, latency, percent)| probe(*at, "home", Shape::ALL[*class].as_str(), *latency, *percent))
                .collect();
            let drawn = plot(&probes, &[], 0);
            let scale = Scale::new(100_000, u64::MAX);
            for probe in &probes {
                let (x, y) = (scale.x(probe.at_ms), scale.y(probe.latency_ms));
                proptest::prop_assert!((LEFT..=f64::from(WIDTH) - RIGHT).contains(&x));
                proptest::prop_assert!((TOP..=TOP + MARKS_HEIGHT).contains(&y));
            }
            proptest::prop_assert_eq!(drawn.marks.len(), probes.len());
        }
    }
}
