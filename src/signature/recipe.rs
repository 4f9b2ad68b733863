//! What a platform's signatures look like.

use std::time::Duration;

use http::HeaderName;

/// How far a timestamp may be from now, unless a recipe says otherwise: what every reference library of Standard
/// Webhooks uses.
pub const TOLERANCE_DEFAULT: Duration = Duration::from_secs(300);

/// One way to sign: the lower-case hex HMAC-SHA256 of `{timestamp}.{raw body}` under the whole secret, in a header of
/// its own beside the timestamp's.
///
/// The algorithm stands here and is never taken from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Where the signature stands.
    pub signature_header: HeaderName,
    /// Where the timestamp stands: whole Unix seconds in ASCII digits.
    pub timestamp_header: HeaderName,
    /// What may stand before the hex digits, such as `sha256=`; one of these must. Empty for nothing.
    pub prefixes: Vec<String>,
    /// How far the timestamp may be from now, in either direction.
    pub tolerance: Duration,
}

impl Recipe {
    /// A recipe with bare hex digits and the default tolerance.
    pub fn new(signature_header: HeaderName, timestamp_header: HeaderName) -> Self {
        Self {
            signature_header,
            timestamp_header,
            prefixes: vec![String::new()],
            tolerance: TOLERANCE_DEFAULT,
        }
    }
}
