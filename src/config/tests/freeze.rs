use crate::config::Freeze;
use crate::domain::Timestamp;

#[track_caller]
fn check(freeze: &str, at: &str, frozen: bool) {
    let wall = Timestamp::parse_rfc3339(at).unwrap();
    assert_eq!(
        Freeze::parse(freeze).unwrap().holds_at(wall),
        frozen,
        "{freeze} at {at}"
    );
}

#[test]
fn a_weekend_is_frozen_in_its_own_zone() {
    // 2026-03-14 is a Saturday; Berlin is one hour ahead of UTC, and from 2026-03-29 two.
    let weekend = "Sat 00:00-Mon 06:00 Europe/Berlin";
    check(weekend, "2026-03-13T22:59:59Z", false);
    check(weekend, "2026-03-13T23:00:00Z", true);
    check(weekend, "2026-03-15T12:00:00Z", true);
    check(weekend, "2026-03-16T04:59:59Z", true);
    check(weekend, "2026-03-16T05:00:00Z", false);
    check(weekend, "2026-03-30T03:59:59Z", true);
    check(weekend, "2026-03-30T04:00:00Z", false);
    check(weekend, "2026-03-11T12:00:00Z", false);
}

#[test]
fn a_night_is_frozen_every_day() {
    let night = "22:00-06:00 UTC";
    check(night, "2026-03-11T21:59:00Z", false);
    check(night, "2026-03-11T22:00:00Z", true);
    check(night, "2026-03-12T05:59:00Z", true);
    check(night, "2026-03-12T06:00:00Z", false);
    check("00:00-24:00 UTC", "2026-03-12T06:00:00Z", true);
    check("08:00-24:00 UTC", "2026-03-12T07:59:00Z", false);
    check("08:00-24:00 UTC", "2026-03-12T23:59:00Z", true);
}

#[test]
fn the_second_day_may_be_left_out() {
    // 2026-03-13 is a Friday.
    check("Fri 16:00-20:00 UTC", "2026-03-13T17:00:00Z", true);
    check("Fri 16:00-20:00 UTC", "2026-03-13T20:00:00Z", false);
    check("Fri 22:00-02:00 UTC", "2026-03-14T01:00:00Z", true);
    check("Fri 22:00-02:00 UTC", "2026-03-14T02:00:00Z", false);
    check("Fri 22:00-02:00 UTC", "2026-03-13T01:00:00Z", false);
    check("sun 20:00-04:00 UTC", "2026-03-16T03:00:00Z", true);
    check("Mon 00:00-Sun 24:00 UTC", "2026-03-16T03:00:00Z", true);
}

#[test]
fn what_is_no_freeze_is_refused_with_its_reason() {
    let why = |text: &str| Freeze::parse(text).map(|_| ()).unwrap_err().to_string();
    let texts = [
        "",
        "weekends",
        "Sat 00:00-Mon 06:00",
        "Sat 00:00-Mon 06:00 Europe/Berln",
        "Sat 25:00-Mon 06:00 UTC",
        "Sat 0:00-Mon 06:00 UTC",
        "Sat +1:00-Mon 06:00 UTC",
        "Samstag 00:00-Mon 06:00 UTC",
        "06:00-06:00 UTC",
        "06:00-Mon 07:00 UTC",
    ];
    let shown: Vec<String> = texts.iter().map(|text| format!("{text:?}: {}", why(text))).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    "": this is not a span of the week
    "weekends": this is not a span of the week
    "Sat 00:00-Mon 06:00": `06:00` is not a time zone
    "Sat 00:00-Mon 06:00 Europe/Berln": `Europe/Berln` is not a time zone
    "Sat 25:00-Mon 06:00 UTC": `Sat 25:00` is not a time
    "Sat 0:00-Mon 06:00 UTC": `Sat 0:00` is not a time
    "Sat +1:00-Mon 06:00 UTC": `Sat +1:00` is not a time
    "Samstag 00:00-Mon 06:00 UTC": `Samstag 00:00` is not a time
    "06:00-06:00 UTC": a freeze that ends where it starts is empty
    "06:00-Mon 07:00 UTC": this is not a span of the week
    "#);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[A-Za-z0-9 :/+-]{0,40}") {
        if let Ok(freeze) = Freeze::parse(&text) {
            freeze.holds_at(Timestamp::from_millis(i64::MAX));
            freeze.holds_at(Timestamp::from_millis(0));
        }
    }
}
