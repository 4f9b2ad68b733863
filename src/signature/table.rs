//! The recipes that are part of the program. What each platform does is documented by it; a row is all there is to one.

use std::borrow::Cow::Borrowed;

use super::recipe::{
    Algorithm, Dedup, Encoding, KeyForm, Layout, Part, Place, Recipe, Scheme, TOLERANCE_DEFAULT, Text, Time,
};

const fn scheme(prefix: &'static str, bare: bool, key: KeyForm, algorithm: Algorithm, mark: &'static str) -> Scheme {
    Scheme {
        prefix: Borrowed(prefix),
        bare,
        key,
        algorithm,
        mark: Borrowed(mark),
    }
}

fn header(name: &'static str) -> Place {
    Place::Header(Borrowed(name))
}

fn alone(prefixes: &'static [Text]) -> Layout {
    Layout::Whole(Borrowed(prefixes))
}

const SHA256: &[Scheme] = &[scheme("", true, KeyForm::Text, Algorithm::HmacSha256, "")];
const SHA1: &[Scheme] = &[scheme("", true, KeyForm::Text, Algorithm::HmacSha1, "")];
const SHOWN: &[Scheme] = &[scheme("", true, KeyForm::Text, Algorithm::Secret, "")];
/// A public key is `whpk_…`; every other secret is an HMAC's, with or without its prefix.
const STANDARD: &[Scheme] = &[
    scheme("whpk_", false, KeyForm::Base64, Algorithm::Ed25519, "v1a,"),
    scheme("whsec_", true, KeyForm::Base64, Algorithm::HmacSha256, "v1,"),
];
const STRIPE: &[Scheme] = &[scheme("", true, KeyForm::Text, Algorithm::HmacSha256, "v1=")];
const MESSAGE: &[Scheme] = &[
    scheme("whpk_", false, KeyForm::Base64, Algorithm::Ed25519, ""),
    scheme("whsec_", false, KeyForm::Base64, Algorithm::HmacSha256, ""),
    scheme("", true, KeyForm::Text, Algorithm::HmacSha256, ""),
];

const NOTHING: &[Part] = &[];
const BODY: &[Part] = &[Part::Body];
const TIME_BODY: &[Part] = &[Part::Timestamp, Part::Text(Borrowed(".")), Part::Body];
const ID_TIME_BODY: &[Part] = &[
    Part::Id,
    Part::Text(Borrowed(".")),
    Part::Timestamp,
    Part::Text(Borrowed(".")),
    Part::Body,
];
const SLACK: &[Part] = &[
    Part::Text(Borrowed("v0:")),
    Part::Timestamp,
    Part::Text(Borrowed(":")),
    Part::Body,
];

const BARE: &[Text] = &[Borrowed("")];
const SHA256_OR_BARE: &[Text] = &[Borrowed(""), Borrowed("sha256=")];
const V0: &[Text] = &[Borrowed("v0=")];
const COVERED: &[Text] = &[Borrowed("@method"), Borrowed("@target-uri"), Borrowed("content-digest")];
const SHA256_PREFIX: &[Text] = &[Borrowed("sha256=")];

/// The hex HMAC-SHA256 of the body, and nothing else: what most of the others are, but for what they say.
fn plain(name: &'static str, place: Place) -> Recipe {
    Recipe {
        name: Borrowed(name),
        place,
        layout: alone(BARE),
        signed: Borrowed(BODY),
        schemes: Borrowed(SHA256),
        encoding: Encoding::Hex,
        timestamp: None,
        id: None,
        tolerance: TOLERANCE_DEFAULT,
        dedup: Dedup::Body,
    }
}

/// Standard Webhooks 1.0.0, with these headers.
fn standard(name: &'static str, id: &'static str, time: &'static str, signature: &'static str) -> Recipe {
    Recipe {
        layout: Layout::List(' '),
        signed: Borrowed(ID_TIME_BODY),
        schemes: Borrowed(STANDARD),
        encoding: Encoding::Base64,
        timestamp: Some(Time::Header(Borrowed(time))),
        id: Some(Borrowed(id)),
        dedup: Dedup::SignedId,
        ..plain(name, header(signature))
    }
}

fn timed(name: &'static str, signature: &'static str, time: &'static str) -> Recipe {
    Recipe {
        layout: alone(SHA256_OR_BARE),
        signed: Borrowed(TIME_BODY),
        timestamp: Some(Time::Header(Borrowed(time))),
        ..plain(name, header(signature))
    }
}

fn shown(name: &'static str, place: Place) -> Recipe {
    Recipe {
        signed: Borrowed(NOTHING),
        schemes: Borrowed(SHOWN),
        encoding: Encoding::Plain,
        ..plain(name, place)
    }
}

/// All of them.
pub fn built_in_recipes() -> Vec<Recipe> {
    vec![
        // The code of Temps writes `sha256=`, its guide bare digits under other names.
        timed("temps", "x-webhook-signature", "x-webhook-timestamp"),
        timed("temps-guide", "x-temps-signature", "x-temps-timestamp"),
        standard(
            "standard-webhooks",
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
        ),
        standard("svix", "svix-id", "svix-timestamp", "svix-signature"),
        standard("render", "webhook-id", "webhook-timestamp", "webhook-signature"),
        standard("gitlab", "webhook-id", "webhook-timestamp", "webhook-signature"),
        shown("gitlab-token", header("x-gitlab-token")),
        Recipe {
            layout: Layout::List(','),
            signed: Borrowed(TIME_BODY),
            schemes: Borrowed(STRIPE),
            timestamp: Some(Time::Entry(Borrowed("t="))),
            dedup: Dedup::Json(Borrowed("/id")),
            ..plain("stripe", header("stripe-signature"))
        },
        // Its older SHA-1 header is not looked at, so that nobody can fall back to it.
        Recipe {
            layout: alone(SHA256_PREFIX),
            ..plain("github", header("x-hub-signature-256"))
        },
        Recipe {
            layout: alone(V0),
            signed: Borrowed(SLACK),
            timestamp: Some(Time::Header(Borrowed("x-slack-request-timestamp"))),
            dedup: Dedup::Json(Borrowed("/event_id")),
            ..plain("slack", header("x-slack-signature"))
        },
        Recipe {
            schemes: Borrowed(SHA1),
            dedup: Dedup::Json(Borrowed("/id")),
            ..plain("vercel", header("x-vercel-signature"))
        },
        Recipe {
            layout: Layout::Jws {
                issuer: Borrowed("netlify"),
                digest: Borrowed("sha256"),
            },
            encoding: Encoding::Base64,
            ..plain("netlify", header("x-webhook-signature"))
        },
        Recipe {
            encoding: Encoding::Base64,
            dedup: Dedup::Json(Borrowed("/id")),
            ..plain("heroku", header("heroku-webhook-hmac-sha256"))
        },
        Recipe {
            layout: alone(SHA256_PREFIX),
            ..plain("bitbucket", header("x-hub-signature"))
        },
        shown("secret-header", header("x-webhook-secret")),
        shown("secret-path", Place::Path),
        Recipe {
            layout: Layout::Message(Borrowed(COVERED)),
            schemes: Borrowed(MESSAGE),
            encoding: Encoding::Base64,
            ..plain("rfc9421", header("signature"))
        },
    ]
}

/// The recipe of this name.
pub fn built_in(name: &str) -> Option<Recipe> {
    built_in_recipes().into_iter().find(|recipe| recipe.name == name)
}
