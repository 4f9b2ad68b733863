//! Why a refused delivery was refused, as far as trying can tell. For our own side only: none of it may be answered.
//!
//! What is tried are other readings of the same request: another clock, another form of the secret, another recipe of the
//! table, the body as it may have been before somebody parsed and printed it. Nothing is parsed, and all of it is bounded.

use std::borrow::Cow;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::recipe::{Algorithm, KeyForm, Recipe, Scheme, Text};
use super::reprint::reprints;
use super::table::built_in_recipes;
use super::verify::{Received, Refusal, place, verify_within};
use crate::domain::Timestamp;

/// Bodies larger than this are not tried in other shapes.
const REPRINT_BYTES_MAX: usize = 64 * 1024;
/// Secrets that are tried, besides as they are.
const SECRETS_MAX: usize = 16;

/// What was found out about a refused delivery. None of it is a secret or a right signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Sentences, the most telling first; none if nothing that was tried would have held.
    pub findings: Vec<String>,
    /// Whether the signature holds, and only its time is too far from now: whoever made it had the secret.
    pub only_late: bool,
}

/// A secret with the name by which it may be spoken of.
pub type Named<'a> = (&'a str, &'a SecretString);

/// Tries what else would have held of a request that `verify` refused: another time always, since that costs no more than
/// the refusal did, and the rest if `try_all`.
pub fn explain(
    recipes: &[Recipe],
    received: &Received<'_>,
    secrets: &[Named<'_>],
    wall: Timestamp,
    refusal: &Refusal,
    try_all: bool,
) -> Explanation {
    let trial = Trial {
        received,
        secrets: &secrets[..secrets.len().min(SECRETS_MAX)],
        wall,
    };
    let mut explanation = Explanation::default();
    let mut say = |finding: Option<String>| explanation.findings.extend(finding);
    let may_be_late = matches!(refusal, Refusal::Stale { .. } | Refusal::Expired { .. });
    if let Some(name) = Some(recipes).filter(|_| may_be_late).and_then(|all| trial.opened(all)) {
        say(Some(format!(
            "the signature holds by {name}: only its time is too far from this clock's"
        )));
        explanation.only_late = true;
        return explanation;
    }
    if !try_all {
        return explanation;
    }
    say(trial.unusable(recipes));
    if let Refusal::Mismatch { .. } = refusal {
        say(trial.other_body(recipes));
        say(trial.other_key(recipes));
        say(trial.mixed(recipes));
    }
    say(trial.other_recipe(recipes));
    explanation
}

struct Trial<'a> {
    received: &'a Received<'a>,
    secrets: &'a [Named<'a>],
    wall: Timestamp,
}

impl Trial<'_> {
    /// The name of the secret that opens the request by `recipes`, whatever its time.
    fn opened(&self, recipes: &[Recipe]) -> Option<&str> {
        self.opened_with(recipes, self.received, |secret| Some(secret.to_owned()))
    }

    fn opened_with(
        &self,
        recipes: &[Recipe],
        received: &Received<'_>,
        change: impl Fn(&str) -> Option<String>,
    ) -> Option<&str> {
        self.secrets.iter().find_map(|(name, secret)| {
            let secret = SecretString::from(change(secret.expose_secret())?);
            let verified = verify_within(recipes, received, &[secret], self.wall, Some(Duration::MAX));
            verified.ok().map(|_| *name)
        })
    }

    /// Secrets that are no keys of any of the recipes.
    fn unusable(&self, recipes: &[Recipe]) -> Option<String> {
        self.secrets.iter().find_map(|(name, secret)| {
            let mut errors = recipes.iter().map(|recipe| recipe.accepts(secret.expose_secret()));
            let first = errors.next()?.err()?;
            errors
                .all(|other| other.is_err())
                .then(|| format!("{name} opens nothing: {first}"))
        })
    }

    fn other_body(&self, recipes: &[Recipe]) -> Option<String> {
        if self.received.body.len() > REPRINT_BYTES_MAX {
            return None;
        }
        reprints(self.received.body).into_iter().find_map(|(what, body)| {
            let received = Received {
                body: &body,
                ..*self.received
            };
            let name = self.opened_with(recipes, &received, |secret| Some(secret.to_owned()))?;
            Some(format!(
                "the signature holds by {name} if the body is {what}: somebody between changed its bytes, as parsing and \
                 printing again does; pass the body on as it came"
            ))
        })
    }

    fn other_key(&self, recipes: &[Recipe]) -> Option<String> {
        let with_key = |key: KeyForm| -> Vec<Recipe> {
            let change = |recipe: &Recipe| {
                let schemes: Vec<Scheme> = recipe
                    .schemes
                    .iter()
                    .map(|scheme| Scheme {
                        key,
                        ..other(scheme, key)
                    })
                    .collect();
                Recipe {
                    schemes: Cow::Owned(schemes),
                    ..recipe.clone()
                }
            };
            recipes.iter().map(change).collect()
        };
        let (whole, decoded) = (with_key(KeyForm::Text), with_key(KeyForm::Base64));
        let readings: [Reading<'_>; 4] = [
            (
                recipes,
                |secret| changed(secret, secret.trim()),
                "without the spaces around it",
            ),
            (
                &whole,
                |secret| Some(secret.to_owned()),
                "as a whole, prefix and all, as its own key",
            ),
            (
                &decoded,
                |secret| Some(secret.to_owned()),
                "with the Base64 behind its prefix decoded",
            ),
            (
                &whole,
                |secret| secret.strip_prefix("whsec_").map(str::to_owned),
                "without its prefix `whsec_`",
            ),
        ];
        readings.into_iter().find_map(|(recipes, change, what)| {
            let name = self.opened_with(recipes, self.received, change)?;
            Some(format!(
                "the signature holds if {name} is read {what}: the recipe and the sender take the secret differently"
            ))
        })
    }

    /// Whether each signature holds by some secret, but not all by one.
    fn mixed(&self, recipes: &[Recipe]) -> Option<String> {
        let held = recipes.iter().find_map(|recipe| {
            let name = self.opened(std::slice::from_ref(recipe))?;
            Some((name, place(recipe)))
        });
        held.map(|(name, place)| {
            format!("the signature in `{place}` holds by {name}, another one of this delivery does not: all must, under one secret")
        })
    }

    fn other_recipe(&self, recipes: &[Recipe]) -> Option<String> {
        let mut there = None;
        for recipe in built_in_recipes() {
            let ours = recipes
                .iter()
                .any(|own| own.place == recipe.place && own.layout == recipe.layout);
            let is_there = recipe
                .signature_header()
                .is_some_and(|name| self.received.headers.contains_key(name));
            if ours || !is_there {
                continue;
            }
            if let Some(name) = self.opened(std::slice::from_ref(&recipe)) {
                return Some(format!(
                    "the signature holds by {name} and the recipe `{0}`: the platform file may say `[[signature]]` with \
                     `recipe = \"{0}\"`",
                    recipe.name
                ));
            }
            there = there.or(Some((place(&recipe), recipe.name.clone())));
        }
        there.map(|(place, name)| {
            format!("header `{place}` is there, which is where the recipe `{name}` signs; it is not what this platform is set to")
        })
    }
}

/// Recipes, what is done to the secret, and how that is called.
type Reading<'a> = (&'a [Recipe], fn(&str) -> Option<String>, &'static str);

/// The scheme as it would be if its keys were read in the form `key`.
fn other(scheme: &Scheme, key: KeyForm) -> Scheme {
    let prefix: Text = match (key, scheme.algorithm) {
        (KeyForm::Base64, Algorithm::HmacSha256 | Algorithm::HmacSha1) => "whsec_".into(),
        _ => scheme.prefix.clone(),
    };
    Scheme {
        prefix,
        ..scheme.clone()
    }
}

fn changed(before: &str, after: &str) -> Option<String> {
    (before.len() > after.len()).then(|| after.to_owned())
}
