//! `[server]`, `[store]` and `[network]`: where we listen, keep state, and may call.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::read::Reader;
use crate::document::{Node, Table};
use crate::domain::{Glob, Retention};
use crate::step::read_bytes;

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8700);
const STORE_DEFAULT: &str = "sqlite://backstop.db";
/// What has ended is kept for as long as deliveries are deduplicated, or people could not see what a duplicate repeats.
const KEEP_MIN: Duration = Duration::from_secs(2 * 24 * 3_600);
const KEEP_MAX: Duration = Duration::from_secs(10 * 31_557_600);
const STORE_BYTES_MIN: u64 = 16_000_000;
const RATE_LIMIT_DEFAULT: u32 = 60;

/// What we listen on, and who may ask.
#[derive(Clone, Debug)]
pub struct Server {
    /// For deliveries, and for everything else too unless `admin_listen` is set.
    pub listen: SocketAddr,
    /// For dashboard, API and metrics apart from the deliveries.
    pub admin_listen: Option<SocketAddr>,
    /// Where people and platforms reach us; links start with it.
    pub public_url: Option<Url>,
    /// What dashboard, API and metrics ask for. Without one they answer to loopback only.
    pub admin_token: Option<SecretString>,
    /// What lets somebody see dashboard, API and metrics, and change nothing.
    pub read_token: Option<SecretString>,
    /// Unverified requests per sender and minute; `None` is no limit.
    pub rate_limit: Option<NonZeroU32>,
}

impl Reader<'_> {
    /// Reads `[server]`.
    pub(super) fn server(&mut self, root: &mut Table<'_>) -> Server {
        let mut server = Server {
            listen: LISTEN_DEFAULT,
            admin_listen: None,
            public_url: None,
            admin_token: None,
            read_token: None,
            rate_limit: NonZeroU32::new(RATE_LIMIT_DEFAULT),
        };
        let Some(mut table) = root.table("server", &mut self.problems) else {
            return server;
        };
        server.listen = self.address(&mut table, "listen").unwrap_or(LISTEN_DEFAULT);
        server.admin_listen = self.address(&mut table, "admin_listen");
        if server.admin_listen == Some(server.listen) && server.listen.port() != 0 {
            let place = table.key_place("admin_listen");
            self.problems.push_help(
                place,
                "`admin_listen` is the same as `listen`",
                "leave it out to share one address",
            );
        }
        server.public_url = table.take("public_url").and_then(|node| self.url(&node));
        let token = table.take("admin_token");
        let has_admin_token = token.is_some();
        server.admin_token = token.and_then(|node| self.secrets.secret(&node, &mut self.problems));
        server.read_token = self.read_token(&mut table, has_admin_token, server.admin_token.as_ref());
        if let Some(rate_limit) = self.rate_limit(&mut table) {
            server.rate_limit = rate_limit;
        }
        let aliases = [
            ("bind", "listen"),
            ("address", "listen"),
            ("port", "listen"),
            ("token", "admin_token"),
            ("url", "public_url"),
        ];
        table.finish(&mut self.problems, &aliases);
        server
    }

    /// Reads `[store]` to its address, and what is kept there.
    pub(super) fn store(&mut self, root: &mut Table<'_>) -> (String, Retention) {
        let mut retention = Retention::default();
        let Some(mut table) = root.table("store", &mut self.problems) else {
            return (STORE_DEFAULT.to_owned(), retention);
        };
        retention.keep = self.duration(&mut table, "keep", KEEP_MIN..=KEEP_MAX, retention.keep);
        retention.bytes_max = self.store_bytes(&mut table).unwrap_or(retention.bytes_max);
        let node = table.take("url");
        let read = node.and_then(|node| {
            let text = self.secrets.text(&node, &mut self.problems)?;
            match text.split_once("://") {
                Some(("sqlite" | "postgres" | "postgresql", rest)) if !rest.is_empty() => Some(text),
                None if text == "memory:" => Some(text),
                _ => {
                    let message = format!("{} is not the address of a store", node.label());
                    let help = "write `sqlite://` and a path: `sqlite://backstop.db`; or, for several agents, \
                                `postgres://user:password@host/database`";
                    self.problems.push_hidden(node.place(), message, help);
                    None
                }
            }
        });
        let aliases = [
            ("path", "url"),
            ("retention", "keep"),
            ("keep_for", "keep"),
            ("size", "max_size"),
        ];
        table.finish(&mut self.problems, &aliases);
        (read.unwrap_or_else(|| STORE_DEFAULT.to_owned()), retention)
    }

    /// `max_size` in bytes.
    fn store_bytes(&mut self, table: &mut Table<'_>) -> Option<u64> {
        let node = table.take("max_size")?;
        let bytes = read_bytes(&node, &mut self.problems)?;
        if bytes < STORE_BYTES_MIN {
            let message = format!("{} must be at least 16MB", node.label());
            self.problems.push_help(
                node.place(),
                message,
                "a store that holds less forgets runs as they end",
            );
            return None;
        }
        Some(bytes)
    }

    /// Reads `[network]` to the networks that events may name although they are not public; and for this reader, the hosts
    /// that credentials may be sent to without TLS.
    pub(super) fn network_allow(&mut self, root: &mut Table<'_>) -> Vec<IpNet> {
        let Some(mut table) = root.table("network", &mut self.problems) else {
            return Vec::new();
        };
        let items = table.take("allow").and_then(|node| node.strings(&mut self.problems));
        let mut allowed = Vec::new();
        for (item, text) in items.unwrap_or_default() {
            let parsed = text
                .parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            match parsed {
                Ok(net) if is_link_local(&net) => self.problems.push_help(
                    item.place(),
                    format!("`{text}` is link-local"),
                    "link-local and metadata addresses are never called: take it out",
                ),
                Ok(net) => allowed.push(net),
                Err(_) => {
                    let help = "write an address and how many of its bits count: `10.0.0.0/8`, `fd00::/8`";
                    self.problems
                        .push_help(item.place(), format!("`{text}` is not a network"), help);
                }
            }
        }
        let hosts = table
            .take("plain_http")
            .and_then(|node| node.strings(&mut self.problems));
        for (item, text) in hosts.unwrap_or_default() {
            if text.contains("://") || text.contains('/') || text.trim_matches('*').trim_matches('.').is_empty() {
                let help = "write the host alone, or a part of it with `*`: `temps.internal`, `*.internal`, `10.0.0.5`";
                self.problems
                    .push_help(item.place(), format!("`{text}` is not a host"), help);
            } else {
                self.plain_http.push(Glob::new(text.trim_matches(['[', ']'])));
            }
        }
        table.finish(&mut self.problems, &[]);
        allowed
    }

    /// `read_token`, which stands beside an `admin_token` and is another one.
    fn read_token(
        &mut self,
        table: &mut Table<'_>,
        has_admin: bool,
        admin: Option<&SecretString>,
    ) -> Option<SecretString> {
        let node = table.take("read_token")?;
        if !has_admin {
            self.problems.push_help(
                node.place(),
                "`read_token` stands alone",
                "set `admin_token` too: without one only this machine may ask, whatever it shows",
            );
        }
        let token = self.secrets.secret(&node, &mut self.problems)?;
        if admin.is_some_and(|admin| admin.expose_secret() == token.expose_secret()) {
            let help = "whoever has it could change everything: make another one";
            self.problems
                .push_hidden(node.place(), "`read_token` is the same as `admin_token`", help);
        }
        Some(token)
    }

    fn address(&mut self, table: &mut Table<'_>, key: &'static str) -> Option<SocketAddr> {
        let node = table.take(key)?;
        let text = self.secrets.text(&node, &mut self.problems)?;
        let parsed = text.parse();
        if parsed.is_err() {
            let help = "write an IP address and a port: `0.0.0.0:8700`, `127.0.0.1:8700`, `[::]:8700`";
            self.problems.push_help(
                node.place(),
                format!("{} is not an address to listen on", node.label()),
                help,
            );
        }
        parsed.ok()
    }

    /// `"60/m"`, `"1/s"` or `"off"`.
    fn rate_limit(&mut self, table: &mut Table<'_>) -> Option<Option<NonZeroU32>> {
        let node = table.take("rate_limit")?;
        if node.as_str() == Some("off") {
            return Some(None);
        }
        self.per_minute(&node, "write `\"60/m\"`, `\"1/s\"` or `\"off\"`")
            .map(Some)
    }

    /// `"60/m"` or `"1/s"`, as so many a minute.
    pub(super) fn per_minute(&mut self, node: &Node<'_>, help: &str) -> Option<NonZeroU32> {
        let text = node.string(&mut self.problems)?;
        let per_minute = text.split_once('/').and_then(|(count, unit)| {
            let factor = match unit.trim() {
                "s" => 60,
                "m" => 1,
                _ => return None,
            };
            let count: u32 = count.trim().parse().ok()?;
            NonZeroU32::new(count.checked_mul(factor)?)
        });
        if per_minute.is_none() {
            let message = format!("{} is not a rate", node.label());
            self.problems.push_help(node.place(), message, help);
        }
        per_minute
    }
}

fn is_link_local(net: &IpNet) -> bool {
    match net {
        IpNet::V4(net) => net.addr().is_link_local() && net.prefix_len() >= 16,
        IpNet::V6(net) => net.addr().is_unicast_link_local() && net.prefix_len() >= 10,
    }
}
