//! Resolving a name to addresses that may all be dialled.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::timing::{Mark, mark};
use super::vet::{Trust, vet};

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
}

impl Resolve for VettingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, trust, allow) = (Arc::clone(&self.lookup), self.trust, Arc::clone(&self.allow));
        Box::pin(async move {
            let found = lookup.lookup(name.as_str().to_owned()).await.map_err(Unresolved)?;
            if found.is_empty() {
                return Err(Unresolved(std::io::Error::other("it has no address")).into());
            }
            for ip in &found {
                vet(*ip, trust, &allow).map_err(|why| Refused { ip: *ip, why })?;
            }
            mark(Mark::Resolved);
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}
