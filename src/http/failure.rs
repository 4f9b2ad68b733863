//! Why there was no whole answer, told apart by walking an error's sources.

use std::error::Error as StdError;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::resolve::{Refused, Unresolved};
use crate::domain::{Reason, Timing};

/// A request that got no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of trouble.
    pub reason: Reason,
    /// In words, without the address's path or query: `connection refused`.
    pub detail: String,
    /// How long it took.
    pub elapsed: Duration,
    /// How long this process stood still meanwhile.
    pub stood_still: Duration,
    /// Where that time went, as far as it came.
    pub timing: Timing,
    /// The address dialled, where that is known.
    pub address: Option<IpAddr>,
}

impl Failure {
    /// A failure of which nothing more is known.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            elapsed: Duration::ZERO,
            stood_still: Duration::ZERO,
            timing: Timing::default(),
            address: None,
        }
    }

    /// The request may have reached the other side: nothing says that it did not.
    pub fn may_have_arrived(&self) -> bool {
        !matches!(
            self.reason,
            Reason::Dns | Reason::Refused | Reason::Tls | Reason::Forbidden | Reason::LocalTrouble
        )
    }
}

/// What an error of the client means.
pub(super) fn of_error(error: &reqwest::Error) -> Failure {
    for source in chain(error) {
        if let Some(refused) = source.downcast_ref::<Refused>() {
            return Failure::new(Reason::Forbidden, refused.to_string());
        }
        if let Some(unresolved) = source.downcast_ref::<Unresolved>() {
            return of_lookup(&unresolved.0);
        }
        if let Some(tls) = source.downcast_ref::<rustls::Error>() {
            return Failure::new(Reason::Tls, format!("no TLS session: {tls}"));
        }
        if let Some(found) = source.downcast_ref::<io::Error>().and_then(of_io) {
            return found;
        }
    }
    if error.is_timeout() {
        return Failure::new(Reason::Timeout, "no whole answer in time");
    }
    of_text(error)
}

/// An error and what caused it; an I/O error's cause is what it wraps, which `source` skips.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    fn cause<'a>(error: &&'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
        let error: &'a (dyn StdError + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    }
    std::iter::successors(Some(error), cause)
}

/// A name that does not exist is the other side's trouble, a resolver that does not answer is ours.
pub(super) fn of_lookup(error: &io::Error) -> Failure {
    let text = error.to_string();
    let ours = ["Temporary failure", "try again", "System error"]
        .iter()
        .any(|part| text.contains(part));
    let reason = if ours { Reason::LocalTrouble } else { Reason::Dns };
    Failure::new(reason, format!("the name cannot be resolved: {text}"))
}

pub(super) fn of_io(error: &io::Error) -> Option<Failure> {
    use io::ErrorKind as Kind;
    // EMFILE and ENFILE have no kind of their own.
    if matches!(error.raw_os_error(), Some(23 | 24)) {
        return Some(Failure::new(
            Reason::LocalTrouble,
            "this machine is out of file descriptors",
        ));
    }
    Some(match error.kind() {
        Kind::ConnectionRefused => Failure::new(Reason::Refused, "connection refused"),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
            Failure::new(Reason::Reset, "the connection was cut before a whole answer")
        }
        Kind::TimedOut => Failure::new(Reason::Timeout, "no connection in time"),
        Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable | Kind::AddrInUse => Failure::new(
            Reason::LocalTrouble,
            format!("this machine's network is in trouble: {error}"),
        ),
        Kind::HostUnreachable => Failure::new(Reason::LocalTrouble, "no route to the host"),
        _ => return None,
    })
}

/// What is left is told apart by the client's own words.
fn of_text(error: &reqwest::Error) -> Failure {
    let said: Vec<String> = chain(error).skip(1).map(ToString::to_string).collect();
    let all = said.join(": ");
    if all.contains("IncompleteMessage") || all.contains("connection closed before") || all.contains("end of file") {
        return Failure::new(Reason::Reset, "the connection was cut before a whole answer");
    }
    // In TLS 1.3 the other side says only after the handshake that it does not accept us.
    if let Some(alert) = said.iter().find(|text| text.contains("received fatal alert")) {
        return Failure::new(Reason::Tls, format!("no TLS session: {alert}"));
    }
    if error.is_connect() {
        return Failure::new(
            Reason::Refused,
            format!("no connection: {}", said.last().map_or("unknown", String::as_str)),
        );
    }
    Failure::new(
        Reason::Protocol,
        format!(
            "not a whole HTTP answer: {}",
            said.last().map_or("unknown", String::as_str)
        ),
    )
}
