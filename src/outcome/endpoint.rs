//! An endpoint: who receives outcomes, which of them, and in what format.

use std::fmt;

use http::{HeaderName, HeaderValue};
use secrecy::SecretString;
use url::Url;

use super::layout::Layout;
use super::pace::Rate;
use super::pagerduty;
use crate::domain::{EndpointName, Glob, Outcome, OutcomeEvent};

/// How an endpoint reads its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Our own JSON, one object per outcome.
    Plain,
    /// A CDEvent in a CloudEvent, structured mode.
    CdEvents,
    /// What a template of the config makes of it.
    Template,
    /// A Slack incoming webhook: Block Kit.
    Slack,
    /// A Discord webhook: one embed.
    Discord,
    /// A Microsoft Teams webhook: an adaptive card.
    Teams,
    /// PagerDuty's Events API v2.
    PagerDuty,
    /// GitHub's deployment statuses.
    GitHub,
}

/// What a format's receivers are like.
struct Row {
    format: Format,
    /// Its word on the dashboard and in the API.
    word: &'static str,
    /// The key of the config that holds the address, or what stands in for it.
    key: &'static str,
    /// They verify signatures.
    signed: bool,
    /// Whoever has the address can post there.
    secret_address: bool,
    /// How many messages they take, unless the config says otherwise.
    rate: Option<Rate>,
}

const fn row(format: Format, word: &'static str, key: &'static str) -> Row {
    Row {
        format,
        word,
        key,
        signed: true,
        secret_address: false,
        rate: None,
    }
}

const fn chat(format: Format, word: &'static str, rate: Rate) -> Row {
    Row {
        signed: false,
        secret_address: true,
        rate: Some(rate),
        ..row(format, word, word)
    }
}

/// A row for each format. The rates are what the chats say that they take.
static ROWS: [Row; 8] = [
    row(Format::Plain, "plain", "url"),
    row(Format::CdEvents, "cdevents", "cdevents"),
    row(Format::Template, "template", "url"),
    // <https://docs.slack.dev/apis/web-api/rate-limits>: one message a second.
    chat(Format::Slack, "slack", Rate::per_second(1)),
    // <https://docs.discord.com/developers/topics/rate-limits>: five in two seconds for a webhook, as its headers say.
    chat(Format::Discord, "discord", Rate::per_second(2)),
    // Four requests a second to one webhook.
    chat(Format::Teams, "teams", Rate::per_second(4)),
    Row {
        signed: false,
        ..row(Format::PagerDuty, "pagerduty", "pagerduty")
    },
    // <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>: 80 requests a minute that make
    // something, of which a message takes up to two.
    Row {
        signed: false,
        rate: Some(Rate::per_minute(40)),
        ..row(Format::GitHub, "github", "github")
    },
];

impl Format {
    /// Every format there is.
    pub const ALL: &'static [Self] = &[
        Self::Plain,
        Self::CdEvents,
        Self::Template,
        Self::Slack,
        Self::Discord,
        Self::Teams,
        Self::PagerDuty,
        Self::GitHub,
    ];

    fn row(self) -> &'static Row {
        ROWS.iter().find(|row| row.format == self).unwrap_or(&ROWS[0])
    }

    /// The word of the API and of the dashboard.
    pub fn as_str(self) -> &'static str {
        self.row().word
    }

    /// The key of the config that holds the address, or for PagerDuty and GitHub what stands in for it.
    pub fn key(self) -> &'static str {
        self.row().key
    }

    /// Whether its receivers verify signatures.
    pub fn is_signed(self) -> bool {
        self.row().signed
    }

    /// Whether whoever has the address can post there.
    pub fn has_secret_address(self) -> bool {
        self.row().secret_address
    }
}

/// Attempts under way at once to one endpoint, unless the config says otherwise.
pub const CONCURRENCY_DEFAULT: usize = 4;

/// A receiver of outcomes, as the config has it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name in the config; what is queued follows it when the address changes.
    pub name: EndpointName,
    /// How it reads its messages.
    pub format: Format,
    /// Where it listens. For chat formats this is the credential itself.
    pub url: Address,
    /// What signs the messages; several while a secret is rotated, the newest first. Without one they go unsigned, as chat
    /// formats expect.
    pub secrets: Vec<SecretString>,
    /// Requests are signed by RFC 9421 too, with the first secret, under this name of the key.
    pub key_id: Option<String>,
    /// What the receiver knows us by, where that must not be kept with a message: PagerDuty's routing key, GitHub's token.
    pub credential: Option<SecretString>,
    /// Headers of the config's own.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How [`Format::Template`] is laid out.
    pub layout: Option<Layout>,
    /// Patterns of event names, such as `rollback.*`; none stands for all, or for what wakes somebody where the format pages.
    pub events: Vec<String>,
    /// The apps and environments that it wants to hear of.
    pub when: When,
    /// Its readers may approve rollbacks: only such an endpoint gets the link.
    pub approve: bool,
    /// Attempts under way at once. One that wakes somebody has a place of its own.
    pub concurrency: usize,
    /// How many messages it is sent in a time at most.
    pub rate: Option<Rate>,
}

impl Endpoint {
    /// An endpoint that wants everything, unsigned.
    pub fn new(name: EndpointName, format: Format, url: Address) -> Self {
        Self {
            name,
            format,
            url,
            secrets: Vec::new(),
            key_id: None,
            credential: None,
            headers: Vec::new(),
            layout: None,
            events: Vec::new(),
            when: When::default(),
            approve: false,
            concurrency: CONCURRENCY_DEFAULT,
            rate: format.row().rate,
        }
    }
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
    let event = outcome.event;
    // An incident that an endpoint was told of is ended there, whatever else it wants to hear.
    let ends = endpoint.format == Format::PagerDuty && pagerduty::resolves(event);
    (ends || any_matches(&endpoint.events, event.as_str()))
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

    /// The address as it is signed: without a user's name and password, which travel in a header.
    pub(super) fn target_uri(&self) -> String {
        let mut url = self.0.clone();
        // Neither can fail on an address with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.into()
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
