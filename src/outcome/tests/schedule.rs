//! When a message is tried again, and when no more.

use std::time::Duration;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::at;
use crate::outcome::schedule::retry_after;
use crate::outcome::{ATTEMPTS_MAX, Attempted, Next, RETRY_AFTER_MAX, judge_attempt, next_try};

fn answered(status: u16) -> Attempted {
    Attempted {
        status: Some(status),
        error: None,
        retryable: true,
        response_excerpt: String::new(),
        latency_ms: 12,
        retry_after: None,
    }
}

fn failed(error: &str, retryable: bool) -> Attempted {
    Attempted {
        status: None,
        error: Some(error.to_owned()),
        retryable,
        ..answered(0)
    }
}

#[test]
fn each_wait_lies_within_its_bounds_and_the_last_attempt_is_the_last() {
    let bounds_s = [(0, 0), (10, 15), (30, 40), (120, 150), (600, 660), (3600, 3600)];
    for seed in 0..500 {
        for (number, (least_s, most_s)) in (0_u32..).zip(bounds_s) {
            let wait = next_try(number, seed, None).unwrap();
            assert!(wait >= Duration::from_secs(least_s), "{number}: {wait:?}");
            assert!(wait <= Duration::from_secs(most_s), "{number}: {wait:?}");
        }
        assert_eq!(next_try(ATTEMPTS_MAX, seed, None), None);
        assert_eq!(next_try(u32::MAX, seed, None), None);
    }
}

#[test]
fn jitter_comes_from_the_seed_alone_and_reaches_all_of_its_span() {
    let waits: Vec<Duration> = (0..500).filter_map(|seed| next_try(1, seed, None)).collect();
    assert_eq!(
        waits,
        (0..500).filter_map(|seed| next_try(1, seed, None)).collect::<Vec<_>>()
    );
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(
        *least < Duration::from_millis(10_100) && *most > Duration::from_millis(14_900),
        "{least:?} {most:?}"
    );
}

#[test]
fn retry_after_is_the_least_that_is_waited_up_to_a_day() {
    let hour = Duration::from_secs(3600);
    assert_eq!(next_try(1, 7, Some(hour)), Some(hour));
    assert_eq!(next_try(1, 7, Some(Duration::from_secs(1))), next_try(1, 7, None));
    assert_eq!(next_try(1, 7, Some(hour * 1000)), Some(RETRY_AFTER_MAX));
    assert_eq!(next_try(ATTEMPTS_MAX, 7, Some(hour)), None);
}

#[test]
fn retry_after_is_read_as_seconds_or_as_a_date() {
    let wall = at("2026-03-12T14:31:07Z");
    let seconds = |s| Some(Duration::from_secs(s));
    for (value, expected) in [
        ("120", seconds(120)),
        (" 120 ", seconds(120)),
        ("0.25", seconds(1)),
        ("1.0", seconds(1)),
        ("1.337", seconds(2)),
        ("Thu, 12 Mar 2026 14:33:07 GMT", seconds(120)),
        ("Thursday, 12-Mar-26 14:33:07 GMT", seconds(120)),
        ("Thu, 12 Mar 2026 14:31:07 GMT", None),
        ("Thu, 12 Mar 2020 14:33:07 GMT", None),
        ("Thu, 12 Mar 2099 14:33:07 GMT", Some(RETRY_AFTER_MAX)),
        ("99999999", Some(RETRY_AFTER_MAX)),
        ("99999999999999999999999999", Some(RETRY_AFTER_MAX)),
        ("0", None),
        ("", None),
        ("-5", None),
        ("+5", None),
        ("5s", None),
        ("1.", None),
        (".5", None),
        ("1e3", None),
        ("soon", None),
    ] {
        assert_eq!(retry_after(value, wall), expected, "{value:?}");
    }
}

#[test]
fn what_follows_each_answer() {
    let shown: Vec<String> = [
        (answered(200), 1),
        (answered(204), 6),
        (answered(302), 6),
        (answered(400), 1),
        (answered(410), 1),
        (answered(413), 1),
        (answered(415), 1),
        (answered(422), 1),
        (answered(503), 6),
        (failed("refused: nothing listens there", true), 6),
        (failed("the address may not be called", false), 1),
    ]
    .iter()
    .map(|(attempted, number)| format!("{:?}", judge_attempt(attempted, *number, 1)))
    .collect();
    assert_snapshot!(shown.join("\n"), @r#"
    Delivered
    Delivered
    Dead("6 attempts failed; the last: the endpoint answered 302, expected 2xx")
    Dead("the endpoint answered 400, and would answer so again")
    EndpointOff
    Dead("the endpoint answered 413, and would answer so again")
    Dead("the endpoint answered 415, and would answer so again")
    Dead("the endpoint answered 422, and would answer so again")
    Dead("6 attempts failed; the last: the endpoint answered 503, expected 2xx")
    Dead("6 attempts failed; the last: refused: nothing listens there")
    Dead("the address may not be called")
    "#);
}

#[test]
fn other_failures_are_tried_again() {
    for status in [
        100, 301, 304, 401, 403, 404, 405, 408, 409, 425, 429, 500, 502, 503, 504,
    ] {
        assert!(
            matches!(judge_attempt(&answered(status), 1, 1), Next::Retry(_)),
            "{status}"
        );
    }
    assert!(matches!(judge_attempt(&failed("timeout", true), 1, 1), Next::Retry(_)));
}

#[test]
fn an_answer_that_asks_for_patience_gets_it() {
    let attempted = Attempted {
        retry_after: Some(Duration::from_secs(900)),
        ..answered(429)
    };
    assert_eq!(judge_attempt(&attempted, 1, 1), Next::Retry(Duration::from_secs(900)));
}

proptest! {
    #[test]
    fn no_retry_after_is_beyond_the_bound(value in ".*") {
        prop_assert!(retry_after(&value, at("2026-03-12T14:31:07Z")).is_none_or(|wait| wait <= RETRY_AFTER_MAX));
    }
}
