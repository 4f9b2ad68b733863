//! What a platform's signatures look like, as data.

use std::borrow::Cow;
use std::time::Duration;

/// How far a timestamp may be from now, unless a recipe says otherwise: what every reference library of Standard
/// Webhooks uses.
pub const TOLERANCE_DEFAULT: Duration = Duration::from_secs(300);

/// A text that stands in the program or was read from a file.
pub type Text = Cow<'static, str>;

/// One way to sign: where the signature stands, what it covers, and by what it is made.
///
/// The algorithm follows from the recipe and the form of the secret, and is never taken from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// What it is called.
    pub name: Text,
    /// Where the signature stands.
    pub place: Place,
    /// How it stands there.
    pub layout: Layout,
    /// What it covers, one after the other. Unused where the layout says what is covered itself.
    pub signed: Cow<'static, [Part]>,
    /// What secrets there are; a secret is of the first scheme that takes it.
    pub schemes: Cow<'static, [Scheme]>,
    /// How the bytes of a signature are written.
    pub encoding: Encoding,
    /// Where the time of signing stands: whole Unix seconds in ASCII digits.
    pub timestamp: Option<Time>,
    /// The header of the delivery's id, where the signature covers it.
    pub id: Option<Text>,
    /// How far the time of signing may be from now, in either direction.
    pub tolerance: Duration,
    /// What makes two deliveries one.
    pub dedup: Dedup,
}

/// Where a signature stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this header.
    Header(Text),
    /// Behind the platform's name in the path: `/webhooks/{platform}/{secret}`.
    Path,
}

/// How a signature stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Alone, behind one of these; an empty one stands for nothing.
    Whole(Cow<'static, [Text]>),
    /// In a list with this between its entries; a scheme's mark says which entries are its own.
    List(char),
    /// A JSON Web Signature in its compact form (RFC 7515), made with HS256: its issuer, and the claim that holds the
    /// body's SHA-256 in hex.
    Jws {
        /// What `iss` must be.
        issuer: Text,
        /// The name of the claim.
        digest: Text,
    },
    /// HTTP Message Signatures (RFC 9421), with at least these components; a covered `content-digest` (RFC 9530) is held
    /// against the body.
    Message(Cow<'static, [Text]>),
}

/// A piece of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These characters.
    Text(Text),
    /// The id, as its header has it.
    Id,
    /// The time of signing, as it is written in the request.
    Timestamp,
    /// The body, byte for byte.
    Body,
}

/// Where the time of signing stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Time {
    /// In a header of its own.
    Header(Text),
    /// In the signature's list, in the one entry that begins with this.
    Entry(Text),
}

/// How a signature is made with one form of secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// What secrets of this form begin with; it is no part of a decoded key.
    pub prefix: Text,
    /// Whether a secret without the prefix is taken too.
    pub bare: bool,
    /// How the key follows from the secret.
    pub key: KeyForm,
    /// By what a signature is made.
    pub algorithm: Algorithm,
    /// What its entries in a list begin with.
    pub mark: Text,
}

/// How a key follows from a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// It is the whole secret in UTF-8, prefix and all.
    Text,
    /// It is what the Base64 behind the prefix stands for.
    Base64,
}

/// By what a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA256 (RFC 2104).
    HmacSha256,
    /// HMAC-SHA1, where a platform has nothing better.
    HmacSha1,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// By nothing: the secret itself is shown.
    Secret,
}

/// How the bytes of a signature are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hex digits.
    Hex,
    /// Base64 with padding (RFC 4648 §4).
    Base64,
    /// As they are.
    Plain,
}

/// What makes two deliveries one. Never a header that is not signed: whoever replays a delivery chooses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dedup {
    /// The signed id in [`Recipe::id`].
    SignedId,
    /// What stands in the signed body at this JSON pointer (RFC 6901); else the id of the platform file, else the body.
    Json(Text),
    /// The id that the platform file finds in the signed body, else the body.
    Body,
}

impl Algorithm {
    /// Its name in RFC 9421 §6.2.2, if it has one.
    pub(super) fn registered_name(self) -> Option<&'static str> {
        match self {
            Self::HmacSha256 => Some("hmac-sha256"),
            Self::Ed25519 => Some("ed25519"),
            Self::HmacSha1 | Self::Secret => None,
        }
    }

    /// The bytes of a signature; `None` for those of any length.
    pub(super) fn signature_bytes(self) -> Option<usize> {
        match self {
            Self::HmacSha256 => Some(32),
            Self::HmacSha1 => Some(20),
            Self::Ed25519 => Some(64),
            Self::Secret => None,
        }
    }
}

impl Recipe {
    /// The header that its signature stands in, unless that is the path.
    pub fn signature_header(&self) -> Option<&str> {
        match &self.place {
            Place::Header(name) => Some(name),
            Place::Path => None,
        }
    }

    /// What is wrong with a recipe that somebody wrote, as the rest of a sentence that begins with its name.
    pub fn fault(&self) -> Option<&'static str> {
        let has = |part: &Part| self.signed.contains(part);
        let shows_itself = self.schemes.iter().any(|scheme| scheme.algorithm == Algorithm::Secret);
        let by_template = matches!(self.layout, Layout::Whole(_) | Layout::List(_));
        if by_template && !shows_itself && !has(&Part::Body) {
            return Some("does not sign the body: put `{body}` into `signed`");
        }
        if by_template && self.timestamp.is_some() != has(&Part::Timestamp) {
            return Some("must have both `timestamp` and `{timestamp}` in `signed`, or neither");
        }
        if by_template && self.id.is_some() != has(&Part::Id) {
            return Some("must have both `id` and `{id}` in `signed`, or neither");
        }
        if self.dedup == Dedup::SignedId && self.id.is_none() {
            return Some("deduplicates by an id that it does not sign");
        }
        if matches!(self.timestamp, Some(Time::Entry(_))) && !matches!(self.layout, Layout::List(_)) {
            return Some("has its time in a list, but no `separator`");
        }
        None
    }
}
