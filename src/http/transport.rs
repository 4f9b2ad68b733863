//! The HTTP clients below the client: one for each way to reach a host.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::redirect::Policy;
use rustls::RootCertStore;

use super::client::Error;
use super::resolve::{Dialled, Lookup, VettingResolver};
use super::timing::MarkReady;
use super::tls::{self, TlsError};
use super::vet::Trust;
use crate::step::{HttpWanted, Route, Tls};

/// The longest part of the time that connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Clients that are kept; the oldest gives way.
const KEPT_MAX: usize = 64;

/// What makes one client different from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) trust: Trust,
    pub(super) route: Route,
    pub(super) tls: Option<Tls>,
}

/// Why a client for a way could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum WayError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the HTTP client cannot be set up: {0}")]
    Build(#[from] reqwest::Error),
}

/// Makes clients and keeps them.
pub(super) struct Transports {
    lookup: Arc<dyn Lookup>,
    allow: Arc<[IpNet]>,
    roots: Arc<RootCertStore>,
    kept: Mutex<Vec<(Way, reqwest::Client)>>,
}

impl Transports {
    pub(super) fn new(lookup: Arc<dyn Lookup>, allow: Arc<[IpNet]>) -> Result<Self, Error> {
        let transports = Self {
            lookup,
            allow,
            roots: tls::usual_roots(),
            kept: Mutex::default(),
        };
        // What every request needs must work from the start.
        let usual = Way {
            trust: Trust::Configured,
            route: Route::default(),
            tls: None,
        };
        transports.client(&usual).map_err(|error| match error {
            WayError::Tls(error) => Error::Tls(error),
            WayError::Build(error) => Error::Build(error),
        })?;
        Ok(transports)
    }

    /// The client for `way`.
    pub(super) fn client(&self, way: &Way) -> Result<reqwest::Client, WayError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = kept.iter().find(|(known, _)| known == way) {
            return Ok(client.clone());
        }
        let client = self.build(way)?;
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((way.clone(), client.clone()));
        Ok(client)
    }

    fn build(&self, way: &Way) -> Result<reqwest::Client, WayError> {
        let route = &way.route;
        let resolver = VettingResolver {
            lookup: Arc::clone(&self.lookup),
            trust: way.trust,
            allow: Arc::clone(&self.allow),
            dialled: Dialled {
                family: route.family,
                connect: route.connect.clone(),
            },
        };
        let builder = reqwest::Client::builder()
            .user_agent(concat!("backstop/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls::config(&self.roots, way.tls.as_ref(), route.http)?)
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_MAX)
            .referer(false)
            .dns_resolver(Arc::new(resolver))
            .connector_layer(MarkReady);
        let builder = match route.http {
            HttpWanted::Any => builder,
            HttpWanted::One => builder.http1_only(),
            HttpWanted::Two => builder.http2_prior_knowledge(),
        };
        let builder = match &route.proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.clone())?),
            None => builder.no_proxy(),
        };
        Ok(builder.build()?)
    }
}
