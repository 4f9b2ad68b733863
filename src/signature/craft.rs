//! Signing by a recipe: the other direction of the same table.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::message::{self, Input};
use super::recipe::{Encoding, Layout, Part, Place, Recipe, Time};
use super::verify::Received;

/// The label of a signature by RFC 9421.
const LABEL: &str = "sig1";

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The whole address that it is sent to.
    pub url: &'a Uri,
    /// Its id, for recipes that sign one.
    pub id: &'a str,
    /// When it is signed, in Unix seconds.
    pub timestamp_s: i64,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// The headers of a signed request.
pub type Signed = Vec<(HeaderName, HeaderValue)>;

/// Signs `letter` by `recipe`; the headers that a request needs besides its own. A secret that is shown in the path is no
/// header. `None` if the secret does not sign by this recipe: it is too short, or a public key.
pub fn sign(recipe: &Recipe, secret: &str, letter: &Letter<'_>) -> Option<Signed> {
    match &recipe.layout {
        Layout::Whole(_) | Layout::List(_) => by_template(recipe, secret, letter),
        Layout::Jws { issuer, digest } => token(recipe, secret, letter, (issuer, digest)),
        Layout::Message(components) => by_message(recipe, secret, letter, components),
    }
}

fn by_template(recipe: &Recipe, secret: &str, letter: &Letter<'_>) -> Option<Signed> {
    let time = letter.timestamp_s.to_string();
    let part = |part: &Part| match part {
        Part::Text(text) => text.as_bytes().to_vec(),
        Part::Id => letter.id.as_bytes().to_vec(),
        Part::Timestamp => time.as_bytes().to_vec(),
        Part::Body => letter.body.to_vec(),
    };
    let parts: Vec<Vec<u8>> = recipe.signed.iter().map(part).collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let (scheme, signature) = recipe.signed(secret, &parts)?;
    let written = match recipe.encoding {
        Encoding::Hex => hex::encode(signature),
        Encoding::Base64 => BASE64_STANDARD.encode(signature),
        Encoding::Plain => String::from_utf8(signature).ok()?,
    };
    let mut headers = Vec::new();
    let mut value = match &recipe.layout {
        // The longest prefix is the one that says the most.
        Layout::Whole(prefixes) => {
            let prefix = prefixes.iter().max_by_key(|prefix| prefix.len());
            format!("{}{written}", prefix.map_or("", |prefix| prefix))
        }
        _ => format!("{}{written}", scheme.mark),
    };
    match (&recipe.timestamp, &recipe.layout) {
        (Some(Time::Header(name)), _) => headers.push(header(name, &time)?),
        (Some(Time::Entry(mark)), Layout::List(separator)) => value = format!("{mark}{time}{separator}{value}"),
        _ => {}
    }
    if let Some(name) = &recipe.id {
        headers.push(header(name, letter.id)?);
    }
    if let Place::Header(name) = &recipe.place {
        headers.push(header(name, &value)?);
    }
    Some(headers)
}

fn token(recipe: &Recipe, secret: &str, letter: &Letter<'_>, (issuer, digest): (&str, &str)) -> Option<Signed> {
    let encode = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let header_part = encode(json!({ "alg": "HS256", "typ": "JWT" }));
    let claims = encode(json!({ "iss": issuer, digest: hex::encode(Sha256::digest(letter.body)) }));
    let text = format!("{header_part}.{claims}");
    let (_, signature) = recipe.signed(secret, &[text.as_bytes()])?;
    let Place::Header(name) = &recipe.place else {
        return None;
    };
    let value = format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
    Some(vec![header(name, &value)?])
}

fn by_message(
    recipe: &Recipe,
    secret: &str,
    letter: &Letter<'_>,
    components: &[super::recipe::Text],
) -> Option<Signed> {
    let mut signed = vec![header("content-digest", &message::digest(letter.body))?];
    let covered: HeaderMap = signed.iter().cloned().collect();
    let components = components.iter().map(|name| name.clone().into_owned()).collect();
    let created = ("created".to_owned(), letter.timestamp_s.to_string());
    let input = Input::new(LABEL, components, vec![created]);
    let base = input.base(&Received {
        method: letter.method,
        url: Some(letter.url),
        headers: &covered,
        path_secret: None,
        body: letter.body,
    });
    let (_, signature) = recipe.signed(secret, &[&base.ok()?])?;
    let written = format!("{LABEL}=:{}:", BASE64_STANDARD.encode(signature));
    signed.push(header("signature-input", &format!("{LABEL}={}", input.serialised()))?);
    signed.push(header("signature", &written)?);
    Some(signed)
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((
        HeaderName::from_bytes(name.as_bytes()).ok()?,
        HeaderValue::from_str(value).ok()?,
    ))
}
