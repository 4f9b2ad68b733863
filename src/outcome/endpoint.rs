//! An endpoint: who receives outcomes, which of them, and in what format.

use std::fmt;

use secrecy::SecretString;
use url::Url;

use crate::domain::{EndpointName, Glob, Outcome, OutcomeEvent};

/// How an endpoint reads its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Our own JSON, one object per outcome.
    Plain,
    /// A Slack incoming webhook: Block Kit.
    Slack,
    /// A Discord webhook: one embed.
    Discord,
}

impl Format {
    /// Every format there is.
    pub const ALL: &'static [Self] = &[Self::Plain, Self::Slack, Self::Discord];

    /// The word of the config and of the dashboard; in the config the chat formats' words are the keys of their
    /// addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Slack => "slack",
            Self::Discord => "discord",
        }
    }
}

/// A receiver of outcomes, as the config has it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name in the config; what is queued follows it when the address changes.
    pub name: EndpointName,
    /// How it reads its messages.
    pub format: Format,
    /// Where it listens. For chat formats this is the credential itself.
    pub url: Address,
    /// What signs the messages. Without one they go unsigned, as chat formats expect.
    pub secret: Option<SecretString>,
    /// Patterns of event names, such as `rollback.*`; none stands for all.
    pub events: Vec<String>,
    /// The apps and environments that it wants to hear of.
    pub when: When,
    /// Its readers may approve rollbacks: only such an endpoint gets the link.
    pub approve: bool,
}

/// Which apps and environments; a list without patterns stands for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// Patterns of app names; one of them must match.
    pub app: Vec<String>,
    /// Patterns of environment names; one of them must match.
    pub env: Vec<String>,
}

/// Whether `endpoint` is to be told `outcome`.
pub fn wants(endpoint: &Endpoint, outcome: &Outcome) -> bool {
    any_matches(&endpoint.events, outcome.event.as_str())
        && any_matches(&endpoint.when.app, &outcome.app)
        && any_matches(&endpoint.when.env, &outcome.environment)
}

/// Whether `endpoint` is to be told of the agents' own standing. It concerns every app, so `when` leaves nothing out.
pub fn wants_notice(endpoint: &Endpoint, event: OutcomeEvent) -> bool {
    any_matches(&endpoint.events, event.as_str())
}

/// Whether one of `patterns` matches `text`; no patterns at all match everything.
fn any_matches(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| Glob::new(pattern.as_str()).matches(text))
}

/// An endpoint's address. It is a secret: whoever has the address of a chat's webhook can post there, so only its
/// host is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text is not an endpoint's address. Says nothing of the text itself, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It cannot be read as a URL.
    #[error("the address of an endpoint must be a whole URL, such as `https://ops.example.com/hooks/backstop`: {0}")]
    NotAUrl(url::ParseError),
    /// It is a URL that cannot be called.
    #[error("the address of an endpoint must start with `https://` or `http://` and name a host")]
    NotHttp,
}

impl Address {
    /// Reads an `http` or `https` URL.
    ///
    /// # Errors
    /// When `text` is anything else.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut url = Url::parse(text.trim()).map_err(AddressError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(AddressError::NotHttp);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The host and, unless it is the scheme's own, the port: what may be shown and logged.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The whole address, for the one request that goes there.
    pub(crate) fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/[redacted]", self.0.scheme(), self.host())
    }
}
