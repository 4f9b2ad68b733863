//! HTTP Message Signatures (RFC 9421) and `Content-Digest` (RFC 9530), as far as webhooks need them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Uri;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::verify::Received;

/// One member of a `Signature-Input`: what is covered, and how it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) label: String,
    pub(super) components: Vec<String>,
    /// Names and values as they are written, in their order.
    params: Vec<(String, String)>,
}

impl Input {
    /// An input of our own.
    pub(super) fn new(label: &str, components: Vec<String>, params: Vec<(String, String)>) -> Self {
        Self {
            label: label.to_owned(),
            components,
            params,
        }
    }

    /// A parameter as it is written.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The inner list with its parameters, serialised as RFC 9421 §2.3 wants it.
    pub(super) fn serialised(&self) -> String {
        let components: Vec<String> = self.components.iter().map(|name| format!("\"{name}\"")).collect();
        let params = self.params.iter().map(|(name, value)| format!(";{name}={value}"));
        format!("({}){}", components.join(" "), params.collect::<String>())
    }

    /// The signature base (§2.5).
    ///
    /// # Errors
    /// What cannot be covered, as the rest of a sentence.
    pub(super) fn base(&self, received: &Received<'_>) -> Result<Vec<u8>, String> {
        let mut base = Vec::new();
        for name in &self.components {
            base.extend_from_slice(format!("\"{name}\": ").as_bytes());
            base.extend_from_slice(&component(name, received)?);
            base.push(b'\n');
        }
        base.extend_from_slice(format!("\"@signature-params\": {}", self.serialised()).as_bytes());
        Ok(base)
    }
}

fn component(name: &str, received: &Received<'_>) -> Result<Vec<u8>, String> {
    if name.starts_with('@') {
        return derived(name, received).map(String::into_bytes);
    }
    let values: Vec<&[u8]> = received
        .headers
        .get_all(name)
        .iter()
        .map(|value| value.as_bytes().trim_ascii())
        .collect();
    if values.is_empty() {
        return Err(format!("covers the header `{name}`, which is not there"));
    }
    Ok(values.join(&b", "[..]))
}

fn derived(name: &str, received: &Received<'_>) -> Result<String, String> {
    if name == "@method" {
        return Ok(received.method.to_owned());
    }
    let uri = received
        .url
        .ok_or("covers the address, which is not known here: give it")?;
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    let query = uri.query().map(|query| format!("?{query}"));
    Ok(match name {
        "@target-uri" => uri.to_string(),
        "@authority" => authority(uri),
        "@scheme" => uri.scheme_str().unwrap_or_default().to_ascii_lowercase(),
        "@request-target" => format!("{path}{}", query.unwrap_or_default()),
        "@path" => path.to_owned(),
        "@query" => query.unwrap_or_else(|| "?".to_owned()),
        other => return Err(format!("covers `{other}`, which is not understood here")),
    })
}

/// The host in lower case, with its port unless it is the scheme's own (§2.2.3).
fn authority(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let usual = match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    match uri.port_u16().filter(|port| Some(*port) != usual) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// Reads a `Signature-Input`.
///
/// # Errors
/// When it is not a dictionary of lists of component names (RFC 8941), or too large a one.
pub(super) fn inputs(text: &str, entries_max: usize) -> Result<Vec<Input>, &'static str> {
    let mut cursor = Cursor(text.trim_matches(' '));
    let mut inputs: Vec<Input> = Vec::new();
    loop {
        let label = cursor.key()?.to_owned();
        cursor.expect('=')?;
        let components = cursor.components(entries_max)?;
        let params = cursor.params(entries_max)?;
        if inputs.iter().any(|known| known.label == label) {
            return Err("has a label twice");
        }
        inputs.push(Input {
            label,
            components,
            params,
        });
        if inputs.len() > entries_max {
            return Err("has too many signatures");
        }
        if !cursor.next_member()? {
            return Ok(inputs);
        }
    }
}

/// Reads a dictionary of byte sequences: a `Signature`, or a `Content-Digest`.
///
/// # Errors
/// When it is none, or too large a one.
pub(super) fn bytes(text: &str, entries_max: usize) -> Result<Vec<(String, Vec<u8>)>, &'static str> {
    let mut cursor = Cursor(text.trim_matches(' '));
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    loop {
        let label = cursor.key()?.to_owned();
        cursor.expect('=')?;
        cursor.expect(':')?;
        let encoded = cursor.until(':')?;
        cursor.params(entries_max)?;
        let decoded = BASE64_STANDARD
            .decode(encoded)
            .map_err(|_| "has something that is not Base64")?;
        if members.iter().any(|(known, _)| *known == label) {
            return Err("has a label twice");
        }
        members.push((label, decoded));
        if members.len() > entries_max {
            return Err("has too many entries");
        }
        if !cursor.next_member()? {
            return Ok(members);
        }
    }
}

/// Whether a `Content-Digest` is that of `body`: at least one digest that is known here, and all of those.
pub(super) fn digest_holds(value: &[u8], body: &[u8], entries_max: usize) -> bool {
    let members = std::str::from_utf8(value)
        .ok()
        .and_then(|text| bytes(text, entries_max).ok());
    let same = |(name, claimed): &(String, Vec<u8>)| match name.as_str() {
        "sha-256" => Some(bool::from(Sha256::digest(body).as_slice().ct_eq(claimed))),
        "sha-512" => Some(bool::from(Sha512::digest(body).as_slice().ct_eq(claimed))),
        _ => None,
    };
    let known: Vec<bool> = members.unwrap_or_default().iter().filter_map(same).collect();
    !known.is_empty() && known.into_iter().all(|held| held)
}

/// The `Content-Digest` of `body`.
pub(super) fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64_STANDARD.encode(Sha256::digest(body)))
}

/// What is left to read.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !fits(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn expect(&mut self, wanted: char) -> Result<(), &'static str> {
        self.0 = self.0.strip_prefix(wanted).ok_or("is not a structured field")?;
        Ok(())
    }

    fn until(&mut self, end: char) -> Result<&'a str, &'static str> {
        let (taken, rest) = self.0.split_once(end).ok_or("is not a structured field")?;
        self.0 = rest;
        Ok(taken)
    }

    fn key(&mut self) -> Result<&'a str, &'static str> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.*".contains(c);
        let key = self.take(fits);
        let begins = key.starts_with(|c: char| c.is_ascii_lowercase() || c == '*');
        begins.then_some(key).ok_or("is not a structured field")
    }

    fn components(&mut self, entries_max: usize) -> Result<Vec<String>, &'static str> {
        self.expect('(')?;
        let mut names: Vec<String> = Vec::new();
        loop {
            self.take(|c| c == ' ');
            if self.0.starts_with(')') {
                self.expect(')')?;
                return Ok(names);
            }
            self.expect('"')?;
            let name = self.until('"')?;
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "@-_".contains(c);
            if name.is_empty() || !name.chars().all(fits) {
                return Err("covers something that is no component");
            }
            if names.iter().any(|known| known == name) {
                return Err("covers a component twice");
            }
            // `;sf`, `;key`, `;req` and their like would change what is covered.
            if !self.0.starts_with([' ', ')']) {
                return Err("covers a component with parameters, which are not understood here");
            }
            names.push(name.to_owned());
            if names.len() > entries_max {
                return Err("covers too many components");
            }
        }
    }

    fn params(&mut self, entries_max: usize) -> Result<Vec<(String, String)>, &'static str> {
        let mut params: Vec<(String, String)> = Vec::new();
        while self.0.starts_with(';') {
            self.expect(';')?;
            self.take(|c| c == ' ');
            let name = self.key()?.to_owned();
            self.expect('=')?;
            let value = if self.0.starts_with('"') {
                self.expect('"')?;
                let text = self.until('"')?;
                // An escape would move the end of the text.
                if text.contains('\\') || !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
                    return Err("has a parameter with escapes");
                }
                format!("\"{text}\"")
            } else {
                let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:/*?".contains(c);
                self.take(fits).to_owned()
            };
            if value.is_empty() || params.iter().any(|(known, _)| *known == name) || params.len() >= entries_max {
                return Err("has parameters that are empty, doubled or too many");
            }
            params.push((name, value));
        }
        Ok(params)
    }

    /// Goes on to the next member of a dictionary, if there is one.
    fn next_member(&mut self) -> Result<bool, &'static str> {
        self.take(|c| c == ' ' || c == '\t');
        if self.0.is_empty() {
            return Ok(false);
        }
        self.expect(',')?;
        self.take(|c| c == ' ' || c == '\t');
        Ok(true)
    }
}
