//! Taking secrets out of text that people and logs see.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::values::Values;

/// What stands for a secret.
pub const REDACTED: &str = "[redacted]";
/// A shorter secret is not looked for, in bytes: it would be found everywhere and protect nothing.
pub const SECRET_BYTES_MIN: usize = 4;

/// Knows the secrets of a run and removes them from text, in every form that an answer or a request may give them: as they
/// are, percent-encoded, with JSON escapes or those of HTML, in hex, and in base64, alone or inside of something longer such as
/// `user:password`. Of one that starts with `whsec_`, the key that it encodes is a secret too.
///
/// Redact before cutting: of a secret that was cut, the rest is not recognised.
#[derive(Clone, Default)]
pub struct Redactor {
    /// What to look for, by its first byte.
    needles: BTreeMap<u8, Vec<Needle>>,
    longest: usize,
}

#[derive(Clone, PartialEq, Eq)]
struct Needle {
    bytes: Vec<u8>,
    /// It is the middle of a base64 text, so the letters around it belong to the secret too.
    base64: bool,
}

impl Redactor {
    /// Knows `secrets`; those shorter than [`SECRET_BYTES_MIN`] are left out.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets {
            redactor.add(&secret);
        }
        redactor
    }

    /// Knows the secret ones of `values`.
    pub fn of(values: &Values) -> Self {
        Self::new(values.secrets())
    }

    /// Knows one more secret.
    pub fn add(&mut self, secret: &str) {
        for secret in [secret, secret.trim()] {
            if secret.len() < SECRET_BYTES_MIN {
                continue;
            }
            self.add_needle(secret.as_bytes().to_vec(), false);
            for middle in base64_middles(secret.as_bytes()) {
                self.add_needle(middle.into_bytes(), true);
            }
            self.add_hex(secret.as_bytes());
            let key = secret.strip_prefix("whsec_").unwrap_or_default();
            if key.len() >= SECRET_BYTES_MIN {
                self.add_needle(key.as_bytes().to_vec(), false);
                let decoded = STANDARD.decode(key).unwrap_or_default();
                if decoded.len() >= SECRET_BYTES_MIN {
                    self.add_hex(&decoded);
                    self.add_needle(decoded, false);
                }
            }
        }
    }

    /// `text` without the secrets.
    pub fn redact(&self, text: &str) -> String {
        self.redact_start(text, text.len())
    }

    /// What the first `bytes` of `text` are without the secrets. A secret that begins there is removed whole, and one that
    /// the redaction moves there is not seen in part.
    pub fn redact_start(&self, text: &str, bytes: usize) -> String {
        // A secret takes at most six bytes for one: `\u0041`, `&quot;`.
        let window = bytes.saturating_add(self.longest.saturating_mul(6));
        let text = text.get(..floor(text, window)).unwrap_or_default();
        let end = floor(text, bytes);
        if self.needles.is_empty() {
            return text.get(..end).unwrap_or_default().to_owned();
        }
        let mut found = Vec::new();
        for view in [
            plain(text),
            percent_decoded(text, false),
            percent_decoded(text, true),
            json_unescaped(text),
            html_unescaped(text),
        ] {
            self.find(&view, &mut found);
        }
        replace(text, end, found)
    }

    fn add_hex(&mut self, secret: &[u8]) {
        self.add_needle(hex::encode(secret).into_bytes(), false);
        self.add_needle(hex::encode_upper(secret).into_bytes(), false);
    }

    fn add_needle(&mut self, bytes: Vec<u8>, base64: bool) {
        let Some(first) = bytes.first() else {
            return;
        };
        self.longest = self.longest.max(bytes.len());
        let of_byte = self.needles.entry(*first).or_default();
        let needle = Needle { bytes, base64 };
        if !of_byte.contains(&needle) {
            of_byte.push(needle);
        }
    }

    /// Adds the places in the original text where a needle stands in `view`.
    fn find(&self, view: &View, found: &mut Vec<(usize, usize)>) {
        for at in 0..view.bytes.len() {
            let rest = view.bytes.get(at..).unwrap_or_default();
            let Some(needles) = rest.first().and_then(|first| self.needles.get(first)) else {
                continue;
            };
            for needle in needles.iter().filter(|needle| rest.starts_with(&needle.bytes)) {
                let (mut from, mut to) = (at, at + needle.bytes.len());
                if needle.base64 {
                    from -= run(view.bytes.get(..from).unwrap_or_default().iter().rev());
                    to += run(view.bytes.get(to..).unwrap_or_default().iter());
                }
                if let (Some(from), Some(to)) = (view.places.get(from), view.places.get(to)) {
                    found.push((*from, *to));
                }
            }
        }
    }
}

/// How many base64 letters `bytes` starts with; more than a secret could be part of are not taken.
fn run<'b>(bytes: impl Iterator<Item = &'b u8>) -> usize {
    const RUN_BYTES_MAX: usize = 4096;
    let letter = |b: &&u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(b);
    bytes.take(RUN_BYTES_MAX).take_while(letter).count()
}

/// The letters of `secret` in base64 that are the same whatever stands before and after it, for each of the three ways in
/// which it can be aligned (RFC 4648 §4), in both alphabets.
fn base64_middles(secret: &[u8]) -> Vec<String> {
    let mut middles = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret);
        let first = (8 * before).div_ceil(6);
        let last = 8 * bytes.len() / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            middles.extend(engine.encode(&bytes).get(first..last).map(str::to_owned));
        }
    }
    middles
}

/// Text as one way of reading it gives it; `places` has for each byte, and for the end, where it starts in the original.
struct View {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl View {
    fn with_room(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            places: Vec::with_capacity(bytes + 1),
        }
    }

    fn push(&mut self, byte: u8, place: usize) {
        self.bytes.push(byte);
        self.places.push(place);
    }

    fn end(mut self, place: usize) -> Self {
        self.places.push(place);
        self
    }
}

fn plain(text: &str) -> View {
    View {
        bytes: text.as_bytes().to_vec(),
        places: (0..=text.len()).collect(),
    }
}

/// Any byte may be encoded, in either case; `plus` is a space in forms.
fn percent_decoded(text: &str, plus_is_space: bool) -> View {
    let bytes = text.as_bytes();
    let mut view = View::with_room(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let coded = bytes.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(hex);
        match coded.and_then(|code| u8::try_from(code).ok()) {
            Some(code) => {
                view.push(code, at);
                at += 3;
            }
            None => {
                view.push(if plus_is_space && byte == b'+' { b' ' } else { byte }, at);
                at += 1;
            }
        }
    }
    view.end(bytes.len())
}

/// The escapes of RFC 8259 §7, whether the text is JSON or only holds some.
fn json_unescaped(text: &str) -> View {
    let bytes = text.as_bytes();
    let mut view = View::with_room(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = bytes.get(at + 1).filter(|_| byte == b'\\');
        let simple = escape.and_then(|code| match code {
            b'"' | b'\\' | b'/' => Some(*code),
            b'b' => Some(8),
            b'f' => Some(12),
            b'n' => Some(b'\n'),
            b'r' => Some(b'\r'),
            b't' => Some(b'\t'),
            _ => None,
        });
        if let Some(code) = simple {
            view.push(code, at);
            at += 2;
        } else if let Some((c, length)) = escape
            .filter(|code| **code == b'u')
            .and_then(|_| unicode_escape(bytes, at))
        {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                view.push(byte, at);
            }
            at += length;
        } else {
            view.push(byte, at);
            at += 1;
        }
    }
    view.end(bytes.len())
}

/// The character of `\uXXXX`, or of two of them that are a surrogate pair, and how many bytes they take.
fn unicode_escape(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| {
        bytes
            .get(at..at + 2)
            .filter(|b| *b == b"\\u")
            .and(bytes.get(at + 2..at + 6))
            .and_then(hex)
    };
    let first = unit(at)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let units = [u16::try_from(first).ok()?, u16::try_from(unit(at + 6)?).ok()?];
    let c = char::decode_utf16(units).next()?.ok()?;
    Some((c, 12))
}

/// The character references of HTML, as an error page has them that shows what it was sent.
fn html_unescaped(text: &str) -> View {
    let bytes = text.as_bytes();
    let mut view = View::with_room(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let reference = (byte == b'&').then(|| character_reference(text, at)).flatten();
        if let Some((character, length)) = reference {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                view.push(byte, at);
            }
            at += length;
        } else {
            view.push(byte, at);
            at += 1;
        }
    }
    view.end(bytes.len())
}

/// The character that the reference at `at` stands for, and the reference's length: a number, or one of the names that escapers
/// write. None takes more than six bytes for one.
fn character_reference(text: &str, at: usize) -> Option<(char, usize)> {
    const NAME_BYTES_MAX: usize = 22;
    let mut behind = text.as_bytes().iter().skip(at + 1).take(NAME_BYTES_MAX + 1);
    let length = behind.position(|byte| *byte == b';')?;
    let name = text.get(at + 1..at + 1 + length)?;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    let length = length + 2;
    (length <= 6 * character.len_utf8()).then_some((character, length))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

/// The last place at or before `at` where a character starts.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// What stands before `end`, with a mark for each place found.
fn replace(text: &str, end: usize, mut found: Vec<(usize, usize)>) -> String {
    found.sort_unstable();
    let mut clean = String::with_capacity(end);
    let mut done = 0;
    let mut marked = false;
    for (from, to) in found.into_iter().filter(|(from, _)| *from < end) {
        // Needles start and end where characters do; if one did not, more is taken and not less.
        let from = floor(text, from);
        let to = (to..=text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(text.len());
        // One mark for what overlaps or adjoins.
        if from > done || !marked {
            clean.push_str(text.get(done..from).unwrap_or_default());
            clean.push_str(REDACTED);
        }
        marked = true;
        done = done.max(to);
    }
    clean.push_str(text.get(done..end).unwrap_or_default());
    clean
}
