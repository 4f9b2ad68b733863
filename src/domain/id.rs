//! Names and ids as types of their own, so that a project id is never taken for an environment id.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps `text` as it is; ids are opaque, also those that look like numbers.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    )+};
}

text_id! {
    /// A platform's name in the config: the `temps` of `[platform.temps]`.
    PlatformName;
    /// The platform's own id of a project; opaque.
    ProjectId;
    /// The platform's own id of an environment; opaque.
    EnvironmentId;
    /// The platform's own id of a deployment; opaque.
    DeploymentId;
    /// Our id of a run: `run_` and a ULID.
    RunId;
    /// Our id of one start of one agent: `agt_` and a ULID. A later start of the same program is another agent.
    AgentId;
    /// Our id of a received delivery: `dlv_` and a ULID.
    DeliveryId;
    /// Our id of an outgoing message, the receiver's idempotency key: `whk_`, then run and sequence. Contains no `.`.
    MessageId;
    /// A check's name in the config.
    CheckName;
    /// The name of an outcome's receiver in the config: the `ops` of `[outcome.ops]`.
    EndpointName;
}
