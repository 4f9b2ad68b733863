//! Resolving a name to addresses that may all be dialled.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::timing::{Mark, mark};
use super::vet::{Trust, vet};
use crate::step::{Dial, Family};

/// Addresses of one name that are considered.
const ADDRESSES_MAX: usize = 32;

/// Turns a name into addresses. The system's resolver, but for tests.
pub(super) trait Lookup: Send + Sync {
    fn lookup(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// The system's resolver.
pub(super) struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).take(ADDRESSES_MAX).collect())
        })
    }
}

/// A name that could not be resolved.
#[derive(Debug, thiserror::Error)]
#[error("the name cannot be resolved: {0}")]
pub(super) struct Unresolved(#[source] pub(super) std::io::Error);

/// An address that may not be dialled.
#[derive(Debug, thiserror::Error)]
#[error("{ip} is not called, because {why}")]
pub(super) struct Refused {
    pub(super) ip: IpAddr,
    pub(super) why: &'static str,
}

/// Resolves and vets: if any address of a name may not be dialled, none is, so that a name cannot mix good and bad.
pub(super) struct VettingResolver {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) trust: Trust,
    pub(super) allow: Arc<[IpNet]>,
    pub(super) dialled: Dialled,
}

/// What is dialled, where that is not all that a name stands for.
#[derive(Clone, Debug, Default)]
pub(super) struct Dialled {
    /// Which kind of addresses.
    pub(super) family: Family,
    /// What is dialled in place of the name.
    pub(super) connect: Option<Dial>,
}

impl Family {
    /// Whether `ip` is of this kind.
    pub(super) fn has(self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
        }
    }

    /// What a name has not, if it has no address of this kind.
    pub(super) const fn missing(self) -> &'static str {
        match self {
            Self::Any => "it has no address",
            Self::V4 => "it has no IPv4 address",
            Self::V6 => "it has no IPv6 address",
        }
    }
}

/// The addresses of a host to dial: of one in figures, itself.
pub(super) async fn addresses(lookup: &dyn Lookup, host: &str) -> std::io::Result<Vec<IpAddr>> {
    match host.parse::<IpAddr>() {
        Ok(ip) => Ok(vec![ip]),
        Err(_) => lookup.lookup(host.to_owned()).await,
    }
}

impl Resolve for VettingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, allow, dialled) = (Arc::clone(&self.lookup), Arc::clone(&self.allow), self.dialled.clone());
        // Whoever wrote the config chose the host to dial.
        let trust = if dialled.connect.is_some() {
            Trust::Configured
        } else {
            self.trust
        };
        Box::pin(async move {
            let connect = dialled.connect.as_ref();
            let host = connect.map_or(name.as_str(), |dial| dial.host.as_str());
            let mut found = addresses(lookup.as_ref(), host).await.map_err(Unresolved)?;
            found.retain(|ip| dialled.family.has(*ip));
            if found.is_empty() {
                return Err(Unresolved(std::io::Error::other(dialled.family.missing())).into());
            }
            for ip in &found {
                vet(*ip, trust, &allow).map_err(|why| Refused { ip: *ip, why })?;
            }
            mark(Mark::Resolved);
            let port = connect.and_then(|dial| dial.port).unwrap_or(0);
            let addresses: Addrs = Box::new(found.into_iter().map(move |ip| SocketAddr::new(ip, port)));
            Ok(addresses)
        })
    }
}
