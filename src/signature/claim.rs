//! What a request claims: the signatures that it carries by a recipe, and the bytes that each is said to cover.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::HeaderMap;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::key::Key;
use super::message;
use super::recipe::{Encoding, Layout, Part, Place, Recipe, Scheme, Time};
use super::verify::{Received, Refusal};
use crate::domain::Timestamp;

/// Digits of a timestamp at most; Unix seconds have ten until the year 2286.
const TIMESTAMP_DIGITS_MAX: usize = 12;
/// Entries of a list of signatures.
const ENTRIES_MAX: usize = 16;
/// Bytes of a header that is read here.
const HEADER_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a signed id.
const ID_BYTES_MAX: usize = 256;
/// What a path's secret is called where a header's name would stand.
const PATH: &str = "the path";

/// The signatures by one recipe.
pub(super) struct Claim<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) id: Option<&'a str>,
    offers: Vec<Offer<'a>>,
}

/// Some signatures of the same bytes.
struct Offer<'a> {
    message: Vec<Cow<'a, [u8]>>,
    /// Each with the scheme whose keys may have made it.
    signatures: Vec<(usize, Vec<u8>)>,
    then: Then<'a>,
}

/// What must be true besides, once a signature holds.
enum Then<'a> {
    Nothing,
    /// The token is HS256 of this issuer and of the body.
    Token {
        header: &'a [u8],
        claims: &'a [u8],
        issuer: &'a str,
        digest: &'a str,
    },
    /// The `Content-Digest`, which was signed, is the body's.
    Digest(&'a [u8]),
}

impl<'a> Claim<'a> {
    /// The claim by `recipe`, if there is anything in the place of its signature.
    pub(super) fn read(
        recipe: &'a Recipe,
        received: &Received<'a>,
        tolerance: Duration,
        wall: Timestamp,
    ) -> Result<Option<Self>, Refusal> {
        let signature = match &recipe.place {
            Place::Header(name) => only(received.headers, name)?,
            Place::Path => received.path_secret.map(str::as_bytes),
        };
        let Some(signature) = signature else {
            return Ok(None);
        };
        if signature.len() > HEADER_BYTES_MAX {
            return Err(malformed(
                recipe,
                format!("has more than {HEADER_BYTES_MAX} bytes for its signature"),
            ));
        }
        let id = recipe
            .id
            .as_deref()
            .map(|name| id(received.headers, name))
            .transpose()?;
        let entries = Entries::read(recipe, signature)?;
        let time = time(recipe, received.headers, &entries)?;
        if let Some((name, text)) = time {
            let seconds = seconds(text).ok_or_else(|| Refusal::BadTimestamp(name.to_owned()))?;
            fresh(seconds, tolerance, wall)?;
        }
        let offers = match &recipe.layout {
            Layout::Whole(_) | Layout::List(_) => vec![Offer {
                message: signed(recipe, id, time.map(|(_, text)| text), received.body),
                signatures: entries.signatures(recipe)?,
                then: Then::Nothing,
            }],
            Layout::Jws { issuer, digest } => vec![token(recipe, signature, issuer, digest)?],
            Layout::Message(required) => messages(recipe, signature, required, received, tolerance, wall)?,
        };
        Ok(Some(Self { recipe, id, offers }))
    }

    /// Whether `key` made one of the signatures, and what was signed says so too.
    pub(super) fn opened_by(&self, key: &Key, body: &[u8]) -> bool {
        let opens = |offer: &Offer<'_>| {
            let of_key = offer.signatures.iter().filter(|(scheme, _)| *scheme == key.scheme);
            let signatures: Vec<&[u8]> = of_key.map(|(_, bytes)| bytes.as_slice()).collect();
            let parts: Vec<&[u8]> = offer.message.iter().map(|part| &**part).collect();
            key.opens(&parts, &signatures) && offer.then.holds(body)
        };
        self.offers.iter().filter(|offer| opens(offer)).count() > 0
    }
}

impl Then<'_> {
    fn holds(&self, body: &[u8]) -> bool {
        let (header, claims, issuer, digest) = match self {
            Self::Nothing => return true,
            Self::Digest(value) => return message::digest_holds(value, body, ENTRIES_MAX),
            Self::Token {
                header,
                claims,
                issuer,
                digest,
            } => (header, claims, issuer, digest),
        };
        let json = |text: &[u8]| -> Option<Value> {
            let decoded = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
            serde_json::from_slice(&decoded).ok()
        };
        let is = |json: &Value, name: &str, wanted: &str| json.get(name).and_then(Value::as_str) == Some(wanted);
        let body = hex::encode(Sha256::digest(body));
        json(header).is_some_and(|header| is(&header, "alg", "HS256"))
            && json(claims).is_some_and(|claims| is(&claims, "iss", issuer) && is(&claims, digest, &body))
    }
}

/// The pieces of a header with several, or the one of a header with one.
struct Entries<'a>(Vec<&'a [u8]>);

impl<'a> Entries<'a> {
    fn read(recipe: &Recipe, value: &'a [u8]) -> Result<Self, Refusal> {
        let Layout::List(separator) = recipe.layout else {
            return Ok(Self(vec![value]));
        };
        let entries: Vec<&[u8]> = value
            .split(|byte| char::from(*byte) == separator)
            .take(ENTRIES_MAX + 1)
            .collect();
        if entries.len() > ENTRIES_MAX {
            return Err(malformed(recipe, format!("has more than {ENTRIES_MAX} entries")));
        }
        Ok(Self(entries))
    }

    /// The one entry behind `mark`.
    fn only(&self, recipe: &Recipe, mark: &str) -> Result<&'a [u8], Refusal> {
        let mut found = self.0.iter().filter_map(|entry| entry.strip_prefix(mark.as_bytes()));
        match (found.next(), found.next()) {
            (Some(value), None) => Ok(value),
            (None, _) => Err(malformed(recipe, format!("has no entry that begins with `{mark}`"))),
            (Some(_), Some(_)) => Err(malformed(
                recipe,
                format!("has more than one entry that begins with `{mark}`"),
            )),
        }
    }

    /// The signatures of the recipe's schemes. Entries that no scheme knows are for others; one that is cut or does not
    /// decode is none, and if there is no other, that is why.
    fn signatures(&self, recipe: &Recipe) -> Result<Vec<(usize, Vec<u8>)>, Refusal> {
        let (mut signatures, mut wrong) = (Vec::new(), None);
        for (index, scheme) in recipe.schemes.iter().enumerate() {
            for entry in &self.0 {
                let Some(written) = behind(recipe, scheme, entry) else {
                    continue;
                };
                match decode(recipe.encoding, scheme, written) {
                    Ok(bytes) => signatures.push((index, bytes)),
                    Err(why) => wrong = Some(why),
                }
            }
        }
        if signatures.is_empty() {
            return Err(malformed(recipe, wrong.unwrap_or_else(|| does_not_begin(recipe))));
        }
        Ok(signatures)
    }
}

/// What stands behind a signature's prefix or mark.
fn behind<'e>(recipe: &Recipe, scheme: &Scheme, entry: &'e [u8]) -> Option<&'e [u8]> {
    match &recipe.layout {
        // The shortest rest is what stands behind the longest prefix that fits.
        Layout::Whole(prefixes) => prefixes
            .iter()
            .filter_map(|prefix| entry.strip_prefix(prefix.as_bytes()))
            .min_by_key(|rest| rest.len()),
        _ => entry.strip_prefix(scheme.mark.as_bytes()),
    }
}

fn does_not_begin(recipe: &Recipe) -> String {
    match &recipe.layout {
        Layout::Whole(prefixes) => format!("does not begin with `{}`", prefixes.join("` or `")),
        _ => {
            let marks: Vec<&str> = recipe.schemes.iter().map(|scheme| &*scheme.mark).collect();
            format!("has no entry that begins with `{}`", marks.join("` or `"))
        }
    }
}

/// The bytes of a signature: all of them, so that the start of a right signature is not one.
fn decode(encoding: Encoding, scheme: &Scheme, written: &[u8]) -> Result<Vec<u8>, String> {
    let wanted = scheme.algorithm.signature_bytes();
    let bytes = match encoding {
        Encoding::Plain => return Ok(written.to_vec()),
        Encoding::Hex => {
            let digits = wanted.map_or(written.len(), |bytes| bytes * 2);
            if written.len() != digits {
                return Err(format!(
                    "has {} characters for its signature, not {digits}",
                    written.len()
                ));
            }
            if written.iter().any(u8::is_ascii_uppercase) {
                return Err("has capital hex digits; signatures are lower-case".to_owned());
            }
            hex::decode(written).map_err(|_| "has characters that are not hex digits".to_owned())?
        }
        Encoding::Base64 => BASE64_STANDARD
            .decode(written)
            .map_err(|_| "has something that is not Base64 for its signature".to_owned())?,
    };
    match wanted {
        Some(wanted) if bytes.len() != wanted => Err(format!(
            "has {} bytes for its signature, not {wanted}; it may have been cut",
            bytes.len()
        )),
        _ => Ok(bytes),
    }
}

/// What a recipe's template says is signed.
fn signed<'a>(recipe: &'a Recipe, id: Option<&'a str>, time: Option<&'a [u8]>, body: &'a [u8]) -> Vec<Cow<'a, [u8]>> {
    let part = |part: &'a Part| match part {
        Part::Text(text) => text.as_bytes(),
        Part::Id => id.unwrap_or_default().as_bytes(),
        Part::Timestamp => time.unwrap_or_default(),
        Part::Body => body,
    };
    recipe.signed.iter().map(|each| Cow::Borrowed(part(each))).collect()
}

/// A JSON Web Signature. It is not parsed here: what it says counts once it is known who said it.
fn token<'a>(recipe: &Recipe, value: &'a [u8], issuer: &'a str, digest: &'a str) -> Result<Offer<'a>, Refusal> {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b'.').take(4).collect();
    let [header, claims, signature] = parts[..] else {
        return Err(malformed(recipe, "is not a token of three parts".to_owned()));
    };
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| malformed(recipe, "has something that is not Base64 for its signature".to_owned()))?;
    let covered = &value[..header.len() + 1 + claims.len()];
    Ok(Offer {
        message: vec![Cow::Borrowed(covered)],
        signatures: (0..recipe.schemes.len())
            .map(|scheme| (scheme, bytes.clone()))
            .collect(),
        then: Then::Token {
            header,
            claims,
            issuer,
            digest,
        },
    })
}

/// The HTTP Message Signatures that cover what they must and are fresh; a label is not signed, so none is preferred.
fn messages<'a>(
    recipe: &Recipe,
    signature: &[u8],
    required: &[super::recipe::Text],
    received: &Received<'a>,
    tolerance: Duration,
    wall: Timestamp,
) -> Result<Vec<Offer<'a>>, Refusal> {
    const INPUT: &str = "signature-input";
    let wrong = |header: &str, why: String| Refusal::Malformed {
        header: header.to_owned(),
        why,
    };
    let input = only(received.headers, INPUT)?.ok_or_else(|| Refusal::Missing(INPUT.to_owned()))?;
    let text = |name: &str, value: &[u8]| {
        let text = std::str::from_utf8(value)
            .ok()
            .filter(|text| text.len() <= HEADER_BYTES_MAX);
        text.map(str::to_owned)
            .ok_or_else(|| wrong(name, format!("is not text of at most {HEADER_BYTES_MAX} bytes")))
    };
    let (input, signature) = (text(INPUT, input)?, text("signature", signature)?);
    let inputs = message::inputs(&input, ENTRIES_MAX).map_err(|why| wrong(INPUT, why.to_owned()))?;
    let signatures = message::bytes(&signature, ENTRIES_MAX).map_err(|why| wrong("signature", why.to_owned()))?;
    let (mut offers, mut refused) = (Vec::new(), Vec::new());
    for input in &inputs {
        let Some((_, bytes)) = signatures.iter().find(|(label, _)| *label == input.label) else {
            continue;
        };
        match offer(recipe, input, bytes, required, received, (tolerance, wall)) {
            Ok(offer) => offers.push(offer),
            Err(refusal) => refused.push(refusal),
        }
    }
    if offers.is_empty() {
        let none = wrong(INPUT, "has no label that `signature` has too".to_owned());
        return Err(refused.into_iter().next().unwrap_or(none));
    }
    Ok(offers)
}

fn offer<'a>(
    recipe: &Recipe,
    input: &message::Input,
    signature: &[u8],
    required: &[super::recipe::Text],
    received: &Received<'a>,
    (tolerance, wall): (Duration, Timestamp),
) -> Result<Offer<'a>, Refusal> {
    let wrong = |why: String| Refusal::Malformed {
        header: "signature-input".to_owned(),
        why,
    };
    if let Some(missing) = required
        .iter()
        .find(|name| !input.components.contains(&name.to_string()))
    {
        return Err(wrong(format!("does not cover `{missing}`")));
    }
    let created = input
        .param("created")
        .ok_or_else(|| wrong("has no `created`".to_owned()))?;
    let of = |name: &str, value: &str| {
        seconds(value.as_bytes()).ok_or_else(|| wrong(format!("has a `{name}` that is no time in Unix seconds")))
    };
    fresh(of("created", created)?, tolerance, wall)?;
    if let Some(expires) = input.param("expires") {
        let late_s = wall.as_secs().saturating_sub(of("expires", expires)?);
        if late_s > 0 && tolerance != Duration::MAX {
            let late_s = late_s.unsigned_abs();
            return Err(Refusal::Expired { late_s });
        }
    }
    // The key fixes the algorithm; what the request says of it may only agree.
    let named = input.param("alg").map(|alg| alg.trim_matches('"'));
    let agrees = |scheme: &&(usize, &Scheme)| named.is_none() || scheme.1.algorithm.registered_name() == named;
    let schemes: Vec<usize> = recipe
        .schemes
        .iter()
        .enumerate()
        .collect::<Vec<_>>()
        .iter()
        .filter(agrees)
        .map(|(index, _)| *index)
        .collect();
    if schemes.is_empty() {
        return Err(wrong("names an algorithm that no secret here is for".to_owned()));
    }
    let covers_digest = input.components.iter().any(|name| name == "content-digest");
    let then = match only(received.headers, "content-digest")?.filter(|_| covers_digest) {
        Some(value) => Then::Digest(value),
        None => Then::Nothing,
    };
    Ok(Offer {
        message: vec![Cow::Owned(input.base(received).map_err(wrong)?)],
        signatures: schemes.into_iter().map(|scheme| (scheme, signature.to_vec())).collect(),
        then,
    })
}

fn malformed(recipe: &Recipe, why: String) -> Refusal {
    let header = match &recipe.place {
        Place::Header(name) => name.clone().into_owned(),
        Place::Path => PATH.to_owned(),
    };
    Refusal::Malformed { header, why }
}

/// The one value of a header; `None` if it is not there.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Refusal::Doubled(name.to_owned())),
        (value, None) => Ok(value.map(http::HeaderValue::as_bytes)),
    }
}

/// The signed id. A full stop in it could move the border between it and what follows.
fn id<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let value = only(headers, name)?.ok_or_else(|| Refusal::Missing(name.to_owned()))?;
    let good = |text: &&str| {
        (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
    };
    let id = std::str::from_utf8(value).ok().filter(good);
    id.ok_or_else(|| Refusal::Malformed {
        header: name.to_owned(),
        why: format!("is not an id of 1 to {ID_BYTES_MAX} visible characters without a full stop"),
    })
}

/// Where the time of signing stands, and its text.
fn time<'a>(
    recipe: &'a Recipe,
    headers: &'a HeaderMap,
    entries: &Entries<'a>,
) -> Result<Option<(&'a str, &'a [u8])>, Refusal> {
    let name: &str = match (&recipe.timestamp, &recipe.place) {
        (None, _) => return Ok(None),
        (Some(Time::Header(name)), _) => name,
        (Some(Time::Entry(mark)), Place::Header(name)) => return Ok(Some((name, entries.only(recipe, mark)?))),
        (Some(Time::Entry(mark)), Place::Path) => return Ok(Some((PATH, entries.only(recipe, mark)?))),
    };
    let text = only(headers, name)?.ok_or_else(|| Refusal::Missing(name.to_owned()))?;
    Ok(Some((name, text)))
}

fn seconds(text: &[u8]) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= TIMESTAMP_DIGITS_MAX && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    // The same time has one spelling.
    text.parse().ok().filter(|_| text == "0" || !text.starts_with('0'))
}

fn fresh(seconds: i64, tolerance: Duration, wall: Timestamp) -> Result<(), Refusal> {
    let off_s = wall.as_secs().abs_diff(seconds);
    if off_s <= tolerance.as_secs() {
        return Ok(());
    }
    let direction = if seconds < wall.as_secs() {
        "in the past"
    } else {
        "in the future"
    };
    Err(Refusal::Stale {
        off_s,
        direction,
        tolerance,
    })
}
