//! When to try again, and when to stop: the schedule of retries, and what an answer means for it.

use std::time::Duration;

use super::attempt::Attempted;
use crate::domain::Timestamp;

/// Most attempts at one message; after the last it is dead-lettered, and stays visible.
pub const ATTEMPTS_MAX: u32 = 6;

/// Most that a `Retry-After` may postpone the next attempt.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait before each attempt, and how much jitter may lengthen it, both in seconds.
const WAITS_S: [(u64, u64); ATTEMPTS_MAX as usize] = [(0, 0), (10, 5), (30, 10), (120, 30), (600, 60), (3600, 0)];

/// Answers that find fault with the message itself, which never changes: malformed, too large, an address or header too long, a
/// type or content that is not taken. 401, 403, 404 and 405 are tried again, because a receiver that is being deployed or whose
/// secret is being changed answers so for a while.
const DETERMINISTIC_REFUSALS: &[u16] = &[400, 413, 414, 415, 422, 431];

/// What follows an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the endpoint has it.
    Delivered,
    /// Another attempt after this long.
    Retry(Duration),
    /// No attempt by itself any more; a person may replay it. The reason is for them.
    Dead(String),
    /// The endpoint wants nothing any more (410 Gone): it is to be switched off, and this message is dead.
    EndpointOff,
}

/// An endpoint that failed so often in a row, and for so long, is told of.
const FAILING_ATTEMPTS_MIN: u32 = 4;
const FAILING_FOR_MIN: Duration = Duration::from_secs(2 * 60);
/// An endpoint that failed so often in a row, and for so long, is switched off.
const OFF_ATTEMPTS_MIN: u32 = 20;
const OFF_FOR_MIN: Duration = Duration::from_secs(24 * 60 * 60);

/// What becomes of an endpoint that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet: attempts fail now and then.
    Shaky,
    /// Others are told.
    Failing,
    /// It is switched off.
    Off,
}

/// What becomes of an endpoint whose attempts failed `failures` times in a row, the first of them at `since`. It takes both
/// a number and a time, so that neither one busy minute nor one message a day decides.
pub fn judge_endpoint(failures: u32, since: Timestamp, now: Timestamp) -> Standing {
    let lasted = |least: Duration| since.plus(least) <= now;
    if failures >= OFF_ATTEMPTS_MIN && lasted(OFF_FOR_MIN) {
        Standing::Off
    } else if failures >= FAILING_ATTEMPTS_MIN && lasted(FAILING_FOR_MIN) {
        Standing::Failing
    } else {
        Standing::Shaky
    }
}

/// How long to wait after `number` attempts were made: at once, 10 s + 0-5 s, 30 s + 0-10 s, 2 min + 0-30 s,
/// 10 min + 0-60 s, 1 h. `None` when no attempt is left.
///
/// `seed` makes the jitter: the same seed and number give the same wait. What the endpoint asked for by `retry_after`
/// is the least that is waited, up to [`RETRY_AFTER_MAX`].
pub fn next_try(number: u32, seed: u64, retry_after: Option<Duration>) -> Option<Duration> {
    let (wait_s, jitter_s) = *WAITS_S.get(usize::try_from(number).ok()?)?;
    let jitter_ms = scatter(seed ^ u64::from(number)) % (jitter_s * 1000 + 1);
    let scheduled = Duration::from_secs(wait_s) + Duration::from_millis(jitter_ms);
    Some(scheduled.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX)))
}

/// What follows `attempted`, which was attempt `number` (the first is 1) at its message.
///
/// Only 2xx is success. What would be refused again the same way is not tried again.
pub fn judge_attempt(attempted: &Attempted, number: u32, seed: u64) -> Next {
    match attempted.status {
        Some(200..=299) => return Next::Delivered,
        Some(410) => return Next::EndpointOff,
        Some(status) if DETERMINISTIC_REFUSALS.contains(&status) => {
            return Next::Dead(format!("the endpoint answered {status}, and would answer so again"));
        }
        _ => {}
    }
    let failure = failure(attempted);
    if !attempted.retryable {
        return Next::Dead(failure);
    }
    match next_try(number, seed, attempted.retry_after) {
        Some(wait) => Next::Retry(wait),
        None => Next::Dead(format!("{number} attempts failed; the last: {failure}")),
    }
}

/// Why an attempt failed, in words.
fn failure(attempted: &Attempted) -> String {
    match (attempted.status, &attempted.error) {
        (_, Some(error)) => error.clone(),
        (Some(status), None) => format!("the endpoint answered {status}, expected 2xx"),
        (None, None) => "no answer".to_owned(),
    }
}

/// What `Retry-After` asks for (RFC 9110 §10.2.3): a number of seconds, also with a fraction as some chats send it, or
/// an HTTP date, which is compared with `wall`. At most [`RETRY_AFTER_MAX`]; `None` if it is neither, or past.
pub(super) fn retry_after(value: &str, wall: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = seconds(value).or_else(|| until(value, wall))?;
    (!wait.is_zero()).then(|| wait.min(RETRY_AFTER_MAX))
}

fn seconds(value: &str) -> Option<Duration> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // More digits than a number holds is longer than the bound, not nonsense.
    let whole_s = whole.parse().unwrap_or(RETRY_AFTER_MAX.as_secs());
    // Part of a second is rounded up, so that the next attempt never comes early.
    let rounded_up_s = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    Some(Duration::from_secs(
        whole_s.min(RETRY_AFTER_MAX.as_secs()).saturating_add(rounded_up_s),
    ))
}

fn until(value: &str, wall: Timestamp) -> Option<Duration> {
    let date = httpdate::parse_http_date(value).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let at = Timestamp::from_millis(0).plus(since_epoch);
    Some(Duration::from_millis(at.ms_since(wall)))
}

/// Spreads a seed over all numbers (`SplitMix64`'s last step), so that like seeds give unlike jitter.
const fn scatter(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
