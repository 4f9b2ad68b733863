//! The words that are counted: closed sets, so that no label grows with what comes from outside.

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

macro_rules! label_values {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// The word as counted.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value of this word.
            pub fn of(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                EncodeLabelValue::encode(&self.as_str(), encoder)
            }
        }
    )+};
}

label_values! {
    /// How a received delivery was answered.
    Answer {
        /// 202: stored.
        Accepted = "accepted",
        /// 200: stored before.
        Duplicate = "duplicate",
        /// 400: verified, but not JSON.
        NotJson = "not_json",
        /// 401: the signature, its timestamp or the secret does not hold.
        Unverified = "unverified",
        /// 404: no such platform.
        UnknownPlatform = "unknown_platform",
        /// 408: the body did not arrive in time.
        TooSlow = "too_slow",
        /// 401: the signature holds, but was made too long ago or too far in the future.
        Late = "late",
        /// 413: the body is over the limit.
        TooLarge = "too_large",
        /// 415: the body is encoded.
        Encoded = "encoded",
        /// 429: unverified, and the sender has sent too many of those.
        Limited = "limited",
        /// 503: the store could not take it.
        StoreTrouble = "store_trouble",
        /// 400: the connection broke, or the body was not what its framing said.
        BadRequest = "bad_request",
    }

    /// What a run did in the end.
    Action {
        /// Nothing was to be done.
        None = "none",
        /// Rolled back, and verified.
        RolledBack = "rolled back",
        /// Unhealthy, and left live for a reason.
        Withheld = "withheld",
        /// The rollback did not happen, or what it restored is bad too.
        RollbackFailed = "rollback failed",
        /// It is not known whether the rollback happened or helped.
        RollbackUnconfirmed = "rollback unconfirmed",
        /// A person ended it.
        Cancelled = "cancelled",
        /// A newer deployment took over.
        Superseded = "superseded",
        /// There was nothing to judge.
        Dismissed = "dismissed",
        /// A word that is not in this list.
        Other = "other",
    }

    /// What came of an attempt to deliver a message.
    AttemptResult {
        /// The endpoint took it.
        Delivered = "delivered",
        /// It did not; it may be tried again.
        Failed = "failed",
    }

    /// What came of a try to renew a lease.
    Renewal {
        /// It is held.
        Held = "held",
        /// The store could not be written.
        Failed = "failed",
    }

    /// What came of a rollback.
    RollbackResult {
        /// The target is current and passed the checks.
        Succeeded = "succeeded",
        /// It did not happen, or what it restored is bad too.
        Failed = "failed",
        /// It is not known whether it happened or helped.
        Unconfirmed = "unconfirmed",
        /// A guard withheld it.
        Withheld = "withheld",
    }
}

impl Action {
    /// The rollback's result that this action implies.
    pub(super) const fn rollback(self) -> Option<RollbackResult> {
        match self {
            Self::RolledBack => Some(RollbackResult::Succeeded),
            Self::RollbackFailed => Some(RollbackResult::Failed),
            Self::RollbackUnconfirmed => Some(RollbackResult::Unconfirmed),
            Self::Withheld => Some(RollbackResult::Withheld),
            Self::None | Self::Cancelled | Self::Superseded | Self::Dismissed | Self::Other => None,
        }
    }
}
