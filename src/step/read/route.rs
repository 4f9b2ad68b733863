//! Reading how the host is reached: `connect`, `ip`, `proxy`, `http` and `tls`.

use std::sync::Arc;

use url::Url;

use super::{Files, file, template};
use crate::document::{Node, Problems, Table};
use crate::step::{Dial, Family, HttpWanted, Pem, Route, TlsFiles};

/// The largest certificate or key, in bytes.
const PEM_BYTES_MAX: usize = 64 * 1024;
const PEM_START: &[u8] = b"-----BEGIN ";

pub(super) fn route(table: &mut Table<'_>, problems: &mut Problems) -> Option<Route> {
    let connect = optional(table.take("connect"), |node| connect(node, problems));
    let family = choice(
        table.take("ip"),
        &[("v4", Family::V4), ("v6", Family::V6), ("both", Family::Any)],
        "`\"v4\"`, `\"v6\"` or `\"both\"`",
        problems,
    );
    let http = choice(
        table.take("http"),
        &[("1.1", HttpWanted::One), ("2", HttpWanted::Two)],
        "`\"1.1\"` or `\"2\"`",
        problems,
    );
    let proxy = optional(table.take("proxy"), |node| proxy(node, problems));
    Some(Route {
        connect: connect?,
        family: family?,
        http: http?,
        proxy: proxy?,
    })
}

/// `Some(None)` for what is not there, `None` for what is wrong.
pub(super) fn optional<'a, T>(node: Option<Node<'a>>, read: impl FnOnce(&Node<'a>) -> Option<T>) -> Option<Option<T>> {
    match node {
        Some(node) => read(&node).map(Some),
        None => Some(None),
    }
}

fn choice<T: Copy + Default>(
    node: Option<Node<'_>>,
    words: &[(&str, T)],
    all: &str,
    problems: &mut Problems,
) -> Option<T> {
    let Some(node) = node else {
        return Some(T::default());
    };
    let text = node.as_str();
    let found = words
        .iter()
        .find(|(word, _)| text == Some(word))
        .map(|(_, value)| *value);
    if found.is_none() {
        problems.push_help(
            node.place(),
            format!("{} is none of its values", node.label()),
            format!("write {all}"),
        );
    }
    found
}

fn connect(node: &Node<'_>, problems: &mut Problems) -> Option<Dial> {
    let dial = Dial::parse(node.string(problems)?);
    if dial.is_none() {
        let help = "write a host or an address, and a port if it is another: `\"10.0.3.17:8443\"`";
        problems.push_help(node.place(), format!("{} is not a host to dial", node.label()), help);
    }
    dial
}

fn proxy(node: &Node<'_>, problems: &mut Problems) -> Option<Url> {
    let url = Url::parse(node.string(problems)?).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty());
    if url.is_none() {
        let help = "write `\"http://proxy.example.com:3128\"`, without a user name";
        problems.push_help(
            node.place(),
            format!("{} is not the address of a proxy", node.label()),
            help,
        );
    }
    url
}

/// `tls = { cert, key, ca }`: files in PEM, or secrets.
pub(super) fn tls(table: &mut Table<'_>, files: &dyn Files, problems: &mut Problems) -> Option<Option<TlsFiles>> {
    let Some(node) = table.take("tls") else {
        return Some(None);
    };
    let mut table = node.table(problems)?;
    let mut read = |key: &'static str| optional(table.take(key), |node| pem(node, files, problems));
    let (ca, certificate, key) = (read("ca"), read("cert"), read("key"));
    let (place, label) = (table.place(), table.label().to_owned());
    let aliases = [
        ("certificate", "cert"),
        ("cacert", "ca"),
        (
            "insecure",
            "a certificate is always checked; trust your own authority with `ca`",
        ),
        (
            "verify",
            "a certificate is always checked; trust your own authority with `ca`",
        ),
        ("days_left", "it is expected: write `expect.tls.days_left`"),
    ];
    table.finish(problems, &aliases);
    let identity = match (certificate?, key?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            problems.push_help(
                place,
                format!("{label} has one of `cert` and `key`"),
                "write both, or none",
            );
            return None;
        }
    };
    Some(Some(TlsFiles { ca: ca?, identity }))
}

fn pem(node: &Node<'_>, files: &dyn Files, problems: &mut Problems) -> Option<Pem> {
    if node.as_str().is_some_and(|text| text.contains("{{")) {
        let template = template(node, problems)?;
        if template.whole_slot().is_some_and(|slot| slot.starts_with("secret.")) {
            return Some(Pem::Secret(template));
        }
        let help = "write `\"{{ secret.NAME }}\"` and nothing else, or the path of a file";
        problems.push_help(node.place(), format!("{} is not a secret", node.label()), help);
        return None;
    }
    let bytes = file(node, PEM_BYTES_MAX, files, problems)?;
    if !bytes.windows(PEM_START.len()).any(|window| window == PEM_START) {
        problems.push(node.place(), format!("the file of {} is not PEM", node.label()));
        return None;
    }
    Some(Pem::File(Arc::from(bytes)))
}
