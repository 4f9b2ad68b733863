//! The link by which a person approves one rollback: what it opens is bound to the run, both versions and an expiry.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::domain::{Approval, RunId};

/// What signs approval links; each store has its own, so that links outlive a restart and nothing else.
#[derive(Clone)]
pub struct ApprovalKey([u8; 32]);

/// Shows nothing of the key.
impl fmt::Debug for ApprovalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApprovalKey([redacted])")
    }
}

impl ApprovalKey {
    /// A key of these bytes, which must come from a cryptographic source.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token that lets whoever holds it approve just this rollback: HMAC-SHA256, base64url.
    pub fn token(&self, run: &RunId, approval: &Approval) -> String {
        // A key of any length is a key.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        let expires_ms = approval.expires_at.as_millis().to_string();
        let parts = [
            "approve",
            run.as_str(),
            approval.from.as_str(),
            approval.to.as_str(),
            &expires_ms,
        ];
        for part in parts {
            // With its length, so that no two lists of parts read alike.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Whether `token` is the one for this rollback; takes the same time whatever it is.
    pub fn opens(&self, token: &str, run: &RunId, approval: &Approval) -> bool {
        let right = self.token(run, approval);
        !right.is_empty() && bool::from(right.as_bytes().ct_eq(token.as_bytes()))
    }

    /// The page that shows the rollback and has the button; `None` if `base` cannot have paths.
    pub fn link(&self, base: &Url, run: &RunId, approval: &Approval) -> Option<Url> {
        let mut link = base.clone();
        link.set_fragment(None);
        link.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(["approve", run.as_str()]);
        link.set_query(None);
        link.query_pairs_mut()
            .append_pair(TOKEN_PARAM, &self.token(run, approval));
        Some(link)
    }
}

/// The name of the token in the link.
pub const TOKEN_PARAM: &str = "token";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn approval() -> Approval {
        Approval {
            from: "42".into(),
            to: "41".into(),
            expires_at: Timestamp::from_millis(1_773_325_867_000),
            given: false,
        }
    }

    #[test]
    fn a_token_opens_one_rollback_and_no_other() {
        let (key, run) = (ApprovalKey::new([7; 32]), RunId::new("run_1"));
        let token = key.token(&run, &approval());
        assert!(key.opens(&token, &run, &approval()));
        let expires_at = Timestamp::from_millis(1_773_325_867_001);
        let others = [
            Approval {
                from: "43".into(),
                ..approval()
            },
            Approval {
                to: "40".into(),
                ..approval()
            },
            Approval {
                expires_at,
                ..approval()
            },
            // The same letters, cut elsewhere.
            Approval {
                from: "4".into(),
                to: "241".into(),
                ..approval()
            },
        ];
        for other in &others {
            assert!(!key.opens(&token, &run, other), "{other:?}");
        }
        assert!(!key.opens(&token, &RunId::new("run_2"), &approval()));
        assert!(!ApprovalKey::new([8; 32]).opens(&token, &run, &approval()));
        for wrong in ["", "x", &token[1..], &format!("{token}=")] {
            assert!(!key.opens(wrong, &run, &approval()), "{wrong}");
        }
    }

    #[test]
    fn the_link_stands_below_the_public_address() {
        let base = Url::parse("https://backstop.example.com/agent/?x=1").unwrap();
        let link = ApprovalKey::new([7; 32])
            .link(&base, &RunId::new("run_1"), &approval())
            .unwrap();
        assert!(
            link.as_str()
                .starts_with("https://backstop.example.com/agent/approve/run_1?token="),
            "{link}"
        );
    }
}
