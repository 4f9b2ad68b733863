//! Freezes: times of the week in which nothing is rolled back.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::domain::Timestamp;

const MINUTES_PER_DAY: u32 = 24 * 60;
const MINUTES_PER_WEEK: u32 = 7 * MINUTES_PER_DAY;

/// A span that comes again every week or every day, in the civil time of a zone: `Sat 00:00-Mon 06:00 Europe/Berlin`,
/// `Fri 16:00-20:00 UTC` (the same day), `22:00-06:00 UTC` (every day). The end is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    text: String,
    /// Minutes from the start of the period.
    from: u32,
    /// Minutes from the start of the period; not after `from` if the span crosses the period's end.
    to: u32,
    /// A day or a week, in minutes.
    period: u32,
    zone: TimeZone,
}

/// Why a text is not a freeze.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FreezeError {
    /// It does not have the form.
    #[error("this is not a span of the week")]
    Form,
    /// The zone is missing, or is not one of the IANA database.
    #[error("`{0}` is not a time zone")]
    Zone(String),
    /// A day or time of day that does not exist.
    #[error("`{0}` is not a time")]
    Time(String),
    /// Start and end are the same.
    #[error("a freeze that ends where it starts is empty")]
    Empty,
}

impl Freeze {
    /// Reads a freeze.
    ///
    /// # Errors
    /// When the form, the zone or a time is wrong, or the span is empty.
    pub fn parse(text: &str) -> Result<Self, FreezeError> {
        let (span, zone) = text.trim().rsplit_once(' ').ok_or(FreezeError::Form)?;
        let (from, to) = span.split_once('-').ok_or(FreezeError::Form)?;
        let zone = TimeZone::get(zone).map_err(|_| FreezeError::Zone(zone.to_owned()))?;
        let (from_day, from_minute) = moment(from)?;
        let (to_day, to_minute) = moment(to)?;
        let (from, to, period) = match (from_day, to_day) {
            (None, None) => (from_minute, to_minute % MINUTES_PER_DAY, MINUTES_PER_DAY),
            (Some(day), end) => {
                let start = day * MINUTES_PER_DAY + from_minute;
                // Without a day of its own the end is the next time that the clock shows it.
                let over_midnight = u32::from(to_minute <= from_minute);
                let end = end.unwrap_or(day + over_midnight) * MINUTES_PER_DAY + to_minute;
                (start, end % MINUTES_PER_WEEK, MINUTES_PER_WEEK)
            }
            (None, Some(_)) => return Err(FreezeError::Form),
        };
        if from == to && !(from == 0 && to_minute == MINUTES_PER_DAY) {
            return Err(FreezeError::Empty);
        }
        Ok(Self {
            text: text.trim().to_owned(),
            from,
            to,
            period,
            zone,
        })
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `wall` falls into it. A moment that no calendar holds does not.
    pub fn holds_at(&self, wall: Timestamp) -> bool {
        let Ok(at) = jiff::Timestamp::from_millisecond(wall.as_millis()) else {
            return false;
        };
        let civil = self.zone.to_datetime(at);
        let time = civil.time();
        let minute_of_day = minutes(time.hour(), time.minute());
        let now = if self.period == MINUTES_PER_DAY {
            minute_of_day
        } else {
            day_number(civil.date().weekday()) * MINUTES_PER_DAY + minute_of_day
        };
        if self.from < self.to {
            (self.from..self.to).contains(&now)
        } else {
            now >= self.from || now < self.to
        }
    }
}

/// `Sat 00:00` or `00:00`: the day, if there is one, and minutes of the day.
fn moment(text: &str) -> Result<(Option<u32>, u32), FreezeError> {
    let wrong = || FreezeError::Time(text.trim().to_owned());
    let (day, time) = match text.trim().split_once(' ') {
        Some((day, time)) => (Some(weekday(day).ok_or_else(wrong)?), time.trim()),
        None => (None, text.trim()),
    };
    let (hour, minute) = time.split_once(':').ok_or_else(wrong)?;
    let two_digits = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<u32>().ok().filter(|_| digits).ok_or_else(wrong)
    };
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    let of_day = hour * 60 + minute;
    if minute > 59 || of_day > MINUTES_PER_DAY {
        return Err(wrong());
    }
    Ok((day, of_day))
}

fn weekday(word: &str) -> Option<u32> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let word = word.to_ascii_lowercase();
    (0..7).zip(DAYS).find(|(_, day)| *day == word).map(|(number, _)| number)
}

fn day_number(day: Weekday) -> u32 {
    u32::from(day.to_monday_zero_offset().unsigned_abs())
}

fn minutes(hour: i8, minute: i8) -> u32 {
    u32::from(hour.unsigned_abs()) * 60 + u32::from(minute.unsigned_abs())
}
