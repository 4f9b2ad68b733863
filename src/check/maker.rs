//! Who made a 502, 503 or 504: the app, or what stands before it.
//!
//! Until a check has passed they are taken for what a starting app looks like. After that, one is the app's own if
//! something in it says so, in this order:
//!
//! 1. It proves its version, as `expect` says how.
//! 2. It looks like none that was seen before the first pass, when nothing but a gateway could have answered, and either
//! 3. like an error that this app has certainly made: any other 5xx; or
//! 4. it carries a header that every good answer of the app has carried, and that gateways do not set by themselves.
//!
//! How an answer looks is its `server`, its media type, and which headers it has. In doubt the gateway made it: such an
//! answer weighs less, and a bad app gives many.

use std::collections::BTreeSet;

use http::header::{CONTENT_TYPE, SERVER};

use super::classify::is_gateway_error;
use crate::domain::{CheckName, Class, Observation};
use crate::step::Response;

/// How many different looks are remembered of each kind.
const LOOKS_MAX: usize = 16;

/// Headers that gateways and networks set by themselves on their own error pages, or that say nothing of a maker.
const ANYBODYS: &[&str] = &[
    "accept-ranges",
    "age",
    "alt-svc",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "expect-ct",
    "expires",
    "keep-alive",
    "last-modified",
    "nel",
    "pragma",
    "referrer-policy",
    "report-to",
    "retry-after",
    "server",
    "server-timing",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "via",
    "x-cache",
    "x-cache-hits",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
    "x-served-by",
    "x-timer",
    "x-xss-protection",
];
/// Beginnings of headers of well-known gateways and hosts.
const ANYBODYS_PREFIXES: &[&str] = &[
    "cf-",
    "fly-",
    "x-amz",
    "x-amzn",
    "x-azure",
    "x-envoy",
    "x-kong",
    "x-vercel",
    "x-nf-",
    "x-railway",
];

/// How an answer looks, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    server: String,
    media_type: String,
    headers: BTreeSet<String>,
}

impl Look {
    fn of(response: &Response) -> Self {
        let text = |name| {
            let value = response.headers.get(name);
            value
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .unwrap_or_default()
        };
        let content_type: String = text(CONTENT_TYPE);
        Self {
            server: text(SERVER),
            media_type: content_type
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
            headers: response.headers.keys().map(|name| name.as_str().to_owned()).collect(),
        }
    }

    /// Its headers that say something of its maker.
    fn telling(&self) -> BTreeSet<String> {
        let tells = |name: &&String| {
            !ANYBODYS.contains(&name.as_str()) && !ANYBODYS_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        };
        self.headers.iter().filter(tells).cloned().collect()
    }
}

/// What the answers of one run have looked like so far.
#[derive(Clone, Debug, Default)]
pub struct Makers {
    /// Of each check that has passed, the telling headers that all its good answers carried.
    good: Vec<(CheckName, BTreeSet<String>)>,
    /// Gateway errors seen before the first good answer of any check.
    gateway: BTreeSet<Look>,
    /// Errors that the app has certainly made.
    own_errors: BTreeSet<Look>,
}

impl Makers {
    /// Takes an answer of `check` into account, and says of a gateway error who made it.
    pub fn attribute(&mut self, check: &CheckName, response: &Response, seen: Observation) -> Observation {
        let look = Look::of(response);
        let has_passed = self.good.iter().any(|(known, _)| known == check);
        if !is_gateway_error(response.status) {
            self.learn(check, look, &seen);
            return seen;
        }
        if !has_passed {
            if self.good.is_empty() && !seen.app_made {
                remember(&mut self.gateway, look);
            }
            return seen;
        }
        // A placeholder, another version or a challenge is never the app's own, whatever it looks like.
        if seen.class != Class::Unready || seen.reason != crate::domain::Reason::Status {
            return seen;
        }
        if !seen.app_made && !self.looks_like_the_apps(check, &look) {
            return seen;
        }
        Observation {
            class: Class::Broken,
            app_made: true,
            ..seen
        }
    }

    fn learn(&mut self, check: &CheckName, look: Look, seen: &Observation) {
        match seen.class {
            Class::Pass | Class::Slow => {
                let telling = look.telling();
                match self.good.iter_mut().find(|(known, _)| known == check) {
                    Some((_, common)) => common.retain(|name| telling.contains(name)),
                    None => self.good.push((check.clone(), telling)),
                }
            }
            Class::Broken if seen.app_made => remember(&mut self.own_errors, look),
            Class::Broken | Class::Unready | Class::Unknown => {}
        }
    }

    fn looks_like_the_apps(&self, check: &CheckName, look: &Look) -> bool {
        if self.gateway.contains(look) {
            return false;
        }
        let telling = look.telling();
        let shares = |(known, common): &(CheckName, BTreeSet<String>)| known == check && !common.is_disjoint(&telling);
        self.own_errors.contains(look) || self.good.iter().any(shares)
    }
}

fn remember(looks: &mut BTreeSet<Look>, look: Look) {
    if looks.len() < LOOKS_MAX {
        looks.insert(look);
    }
}
