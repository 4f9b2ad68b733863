//! What became of alarms, and what is missing.

use super::*;
use crate::domain::RunId;

const NOW: Timestamp = Timestamp::from_millis(1_773_325_867_000);

/// A run `minutes` ago.
fn run(minutes: u64, verdict: Verdict) -> JudgedRun {
    let at = Timestamp::from_millis(NOW.as_millis() - i64::try_from(minutes * 60_000).unwrap());
    JudgedRun {
        id: RunId::new(format!("run_{minutes}")),
        deployment: format!("dep_{minutes}").as_str().into(),
        is_rollback: false,
        verdict: Some(verdict),
        action: Some(
            if verdict == Verdict::Unhealthy {
                "withheld"
            } else {
                "none"
            }
            .to_owned(),
        ),
        reason: "why".to_owned(),
        started_at: at,
        ended_at: at,
        label: None,
    }
}

fn drill(minutes: u64) -> JudgedRun {
    JudgedRun {
        verdict: None,
        action: Some(DRILLED.to_owned()),
        ..run(minutes, Verdict::Healthy)
    }
}

fn healthy(count: u64) -> Vec<JudgedRun> {
    (1..=count)
        .map(|number| run(10_000 + number * 100, Verdict::Healthy))
        .collect()
}

#[test]
fn what_happened_after_an_alarm_says_whether_it_was_right() {
    let bad = |minutes| run(minutes, Verdict::Unhealthy);
    let after = |next: Vec<JudgedRun>, bad: JudgedRun| {
        let runs = [next, vec![bad]].concat();
        trust("shop", &runs, true, NOW).alarms.last().unwrap().happened
    };
    let day = 24 * 60;
    let rollback = JudgedRun {
        is_rollback: true,
        ..run(100, Verdict::Healthy)
    };
    assert_eq!(after(vec![rollback], bad(200)), Happened::RolledBackByOthers);
    assert_eq!(
        after(vec![run(150, Verdict::Healthy)], bad(200)),
        Happened::ReplacedQuickly
    );
    assert_eq!(after(vec![run(10, Verdict::Healthy)], bad(200)), Happened::LivedOn);
    assert_eq!(after(vec![], bad(200)), Happened::Open);
    assert_eq!(after(vec![], bad(day + 1)), Happened::LivedOn);
    // The next one counts, not the newest.
    let both = vec![run(10, Verdict::Healthy), run(190, Verdict::Healthy)];
    assert_eq!(after(both, bad(200)), Happened::ReplacedQuickly);
    // Judging the same deployment again is no replacement.
    let again = JudgedRun {
        deployment: "dep_200".into(),
        ..run(190, Verdict::Healthy)
    };
    assert_eq!(after(vec![again], bad(200)), Happened::Open);
    let rolled = JudgedRun {
        action: Some("rolled back".to_owned()),
        ..bad(200)
    };
    assert_eq!(after(vec![], rolled), Happened::RolledBack);
    let labelled = |label| JudgedRun {
        label: Some(label),
        ..bad(2 * day)
    };
    assert_eq!(after(vec![], labelled(Label::Right)), Happened::LabelledRight);
    assert_eq!(after(vec![], labelled(Label::Wrong)), Happened::LabelledWrong);
}

#[test]
fn ready_is_said_only_when_nothing_is_missing() {
    let all = |runs: Vec<JudgedRun>, has_target| trust("shop", &runs, has_target, NOW);
    let enough = [vec![drill(5)], healthy(20)].concat();
    let ready = all(enough.clone(), true);
    assert!(ready.ready, "{}", ready.sentence);
    assert_eq!(ready.sentence, "ready for auto-rollback");
    assert_eq!((ready.false_alarms.count, ready.false_alarms.of), (0, 20));

    let lacks = |runs, has_target, expected: &str| {
        let found = all(runs, has_target);
        assert!(!found.ready && found.sentence.contains(expected), "{}", found.sentence);
    };
    lacks(healthy(20), true, "a drill: `backstop runs start shop --drill`");
    lacks([vec![drill(31 * 24 * 60)], healthy(20)].concat(), true, "a drill");
    lacks([vec![drill(5)], healthy(13)].concat(), true, "7 more deployments");
    lacks(enough.clone(), false, "a known-good version");
    let open = [vec![run(30, Verdict::Unhealthy)], enough.clone()].concat();
    lacks(open, true, "1 alarms of which nobody knows");
    let wrong = JudgedRun {
        label: Some(Label::Wrong),
        ..run(30, Verdict::Unhealthy)
    };
    let one_wrong = [vec![wrong], enough.clone()].concat();
    lacks(one_wrong.clone(), true, "1 false alarms");
    let found = all(one_wrong, true).false_alarms;
    assert!((found.count, found.of) == (1, 21) && found.high > 0.2, "{found:?}");
    let right = JudgedRun {
        label: Some(Label::Right),
        ..run(30, Verdict::Unhealthy)
    };
    assert!(
        all([vec![right], enough].concat(), true).ready,
        "an alarm that was right is no fault"
    );
}

/// 2026-03-12 is a Thursday.
#[test]
fn weeks_begin_on_monday_and_count_what_ended_in_them() {
    let day = 24 * 60;
    let false_alarm = JudgedRun {
        label: Some(Label::Wrong),
        ..run(10 * day, Verdict::Unhealthy)
    };
    let runs = [
        run(day, Verdict::Healthy),
        run(3 * day, Verdict::Degraded),
        JudgedRun {
            label: Some(Label::Right),
            ..run(4 * day, Verdict::Unhealthy)
        },
        false_alarm,
        run(11 * day, Verdict::Inconclusive),
        run(40 * day, Verdict::Healthy),
        run(400 * day, Verdict::Healthy),
    ];
    let counted = |runs: &[JudgedRun]| -> Vec<(String, usize, usize, usize)> {
        let weeks = trust("shop", runs, true, NOW).weeks;
        let of = |week: &Week| {
            let day = week.begins_at.to_string()[..10].to_owned();
            (day, week.healthy, week.alarms, week.false_alarms)
        };
        weeks.iter().map(of).collect()
    };
    let all = counted(&runs);
    assert_eq!(all.len(), WEEKS_MAX);
    let of = |day: &str, healthy, alarms, wrong| (day.to_owned(), healthy, alarms, wrong);
    assert_eq!(
        all[6..],
        [
            of("2026-02-02", 0, 0, 0),
            of("2026-02-09", 0, 0, 0),
            of("2026-02-16", 0, 0, 0),
            of("2026-02-23", 0, 0, 0),
            of("2026-03-02", 0, 2, 1),
            of("2026-03-09", 2, 0, 0),
        ]
    );
    assert_eq!(all[5], of("2026-01-26", 1, 0, 0));
    // What is not known of is not shown as nothing.
    assert_eq!(counted(&runs[..3]).len(), 2);
    assert!(counted(&[]).is_empty());
}
