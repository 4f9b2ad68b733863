//! The client: one request, bounded in time, size and number.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::redirect::Policy;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::{Host, Url};

use super::failure::{Failure, of_error};
use super::resolve::{Lookup, SystemLookup, VettingResolver};
use super::timing::{Mark, MarkReady, NoSessions, Notebook, mark};
use super::vet::{Trust, vet};
use crate::domain::{Reason, Timing};
use crate::step::{Request, Response};

/// Requests under way at once.
const IN_FLIGHT_MAX: usize = 512;
/// Requests under way at once to one host and port.
const PER_HOST_MAX: usize = 6;
/// Redirects followed inside one origin.
const REDIRECTS_MAX: usize = 10;
/// The longest part of the time that connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a request waits for its turn before that is our own trouble.
const TURN_MAX: Duration = Duration::from_secs(30);

/// What the config says about the network.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Private ranges that deliveries, platforms and apps may name.
    pub allow: Vec<IpNet>,
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// TLS could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be set up: {0}")]
    Build(#[from] reqwest::Error),
}

/// Sends requests. Cheap to clone; clones share the limits.
#[derive(Clone)]
pub struct Client {
    configured: reqwest::Client,
    named: reqwest::Client,
    allow: Arc<[IpNet]>,
    in_flight: Arc<Semaphore>,
    hosts: Arc<Mutex<BTreeMap<String, Weak<Semaphore>>>>,
}

impl Client {
    /// A client with the system's resolver.
    ///
    /// # Errors
    /// When TLS or the HTTP client cannot be set up.
    pub fn new(network: Network) -> Result<Self, Error> {
        Self::with_lookup(network, Arc::new(SystemLookup))
    }

    /// A client that resolves names by `lookup`.
    pub(super) fn with_lookup(network: Network, lookup: Arc<dyn Lookup>) -> Result<Self, Error> {
        let allow: Arc<[IpNet]> = network.allow.into();
        let tls = tls()?;
        let build = |trust| {
            let resolver = VettingResolver {
                lookup: Arc::clone(&lookup),
                trust,
                allow: Arc::clone(&allow),
            };
            reqwest::Client::builder()
                .user_agent(concat!("backstop/", env!("CARGO_PKG_VERSION")))
                .tls_backend_preconfigured(tls.clone())
                .redirect(Policy::none())
                .no_proxy()
                .pool_max_idle_per_host(0)
                .connect_timeout(CONNECT_MAX)
                .referer(false)
                .dns_resolver(Arc::new(resolver))
                .connector_layer(MarkReady)
                .build()
        };
        Ok(Self {
            configured: build(Trust::Configured)?,
            named: build(Trust::Named)?,
            allow,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            hosts: Arc::default(),
        })
    }

    /// Sends `request` and reads its whole answer. Never retries.
    ///
    /// # Errors
    /// When there was no whole answer within the request's time and size. Waiting for a turn counts toward neither.
    pub async fn send(&self, request: &Request, trust: Trust) -> Result<Response, Failure> {
        let _turn = self.turn(&request.url).await?;
        let (started, notebook) = (now(), Notebook::new());
        let sending = notebook.with(self.follow(request, trust, started));
        let done = tokio::time::timeout(request.timeout, sending).await;
        let result = done.unwrap_or_else(|_| {
            let detail = format!("no whole answer in {} ms", request.timeout.as_millis());
            Err(Failure::new(Reason::Timeout, detail))
        });
        let timing = notebook.timing();
        result
            .map(|response| Response { timing, ..response })
            .map_err(|failure| Failure {
                elapsed: started.elapsed(),
                timing,
                ..failure
            })
    }

    /// Waits until there are few enough requests under way, to anybody and to this host.
    async fn turn(&self, url: &Url) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), Failure> {
        let host = self.host(url);
        let both = async {
            // The host's turn first: requests that wait for a slow host must not hold everybody's places.
            let host = host.acquire_owned().await.ok()?;
            let all = Arc::clone(&self.in_flight).acquire_owned().await.ok()?;
            Some((all, host))
        };
        match tokio::time::timeout(TURN_MAX, both).await {
            Ok(Some(turn)) => Ok(turn),
            Ok(None) | Err(_) => Err(Failure::new(
                Reason::LocalTrouble,
                "too many requests wait for their turn",
            )),
        }
    }

    fn host(&self, url: &Url) -> Arc<Semaphore> {
        let name = format!(
            "{}:{}",
            url.host_str().unwrap_or(""),
            url.port_or_known_default().unwrap_or(0)
        );
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(&name).and_then(Weak::upgrade) {
            return host;
        }
        hosts.retain(|_, host| host.strong_count() > 0);
        let host = Arc::new(Semaphore::new(PER_HOST_MAX));
        hosts.insert(name, Arc::downgrade(&host));
        host
    }

    /// Sends, and follows redirects inside the origin; any other redirect is the answer.
    async fn follow(&self, request: &Request, trust: Trust, started: Instant) -> Result<Response, Failure> {
        let mut url = request.url.clone();
        let mut method = request.method.clone();
        for hop in 0..=REDIRECTS_MAX {
            let body = if hop == 0 || method == request.method {
                request.body.clone()
            } else {
                None
            };
            let response = self.once(request, &method, &url, body, trust, started).await?;
            let next = if request.follow_redirects {
                redirect(&response, &url)
            } else {
                None
            };
            let Some(next) = next else { return Ok(response) };
            // RFC 9110 §15.4: 307 and 308 keep the method; the others turn into GET.
            if !matches!(response.status, 307 | 308) && method != ::http::Method::HEAD {
                method = ::http::Method::GET;
            }
            url = next;
        }
        Err(Failure::new(
            Reason::Redirect,
            format!("more than {REDIRECTS_MAX} redirects"),
        ))
    }

    async fn once(
        &self,
        request: &Request,
        method: &::http::Method,
        url: &Url,
        body: Option<Vec<u8>>,
        trust: Trust,
        started: Instant,
    ) -> Result<Response, Failure> {
        self.vet_literal(url, trust)?;
        mark(Mark::Began);
        let client = if trust == Trust::Configured {
            &self.configured
        } else {
            &self.named
        };
        let mut building = client.request(method.clone(), url.clone());
        for (name, value) in &request.headers {
            building = building.header(name, value);
        }
        if let Some(body) = body {
            building = building.body(body);
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that sends")]
        let sent = building.send().await;
        let answer = sent.map_err(|error| of_error(&error))?;
        let address = answer.remote_addr().map(|address| address.ip());
        mark(Mark::Answered);
        let (status, headers, version) = (answer.status().as_u16(), answer.headers().clone(), answer.version());
        let body = read(answer, request.body_bytes_max, request.cut_body)
            .await
            .map_err(|failure| Failure { address, ..failure })?;
        mark(Mark::Ended);
        Ok(Response {
            status,
            version,
            timing: Timing::default(),
            headers,
            body,
            url: url.clone(),
            address,
            elapsed: started.elapsed(),
        })
    }

    /// An address in figures never meets the resolver. Parsing has made one form of all the ways to write it.
    fn vet_literal(&self, url: &Url, trust: Trust) -> Result<(), Failure> {
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Failure::new(Reason::Forbidden, "the address has no host")),
        };
        let vetted = vet(ip, trust, &self.allow);
        vetted.map_err(|why| Failure::new(Reason::Forbidden, format!("{ip} is not called, because {why}")))
    }
}

#[expect(clippy::disallowed_methods, reason = "latency is what this module measures")]
fn now() -> Instant {
    Instant::now()
}

/// Reads a body up to its limit, and not a byte further.
async fn read(mut answer: reqwest::Response, bytes_max: usize, cut: bool) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::new(Reason::TooLarge, format!("the body is over {bytes_max} bytes"));
    if !cut && answer.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| of_error(&error))? {
        let room = bytes_max - body.len();
        if chunk.len() > room {
            if !cut {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk[..room]);
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Where a redirect leads, if it stays inside the origin.
fn redirect(response: &Response, url: &Url) -> Option<Url> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers.get(::http::header::LOCATION)?.to_str().ok()?;
    url.join(location).ok().filter(|next| next.origin() == url.origin())
}

/// TLS 1.2 and 1.3 by rustls with ring; the system's roots and Mozilla's, so that a bare container works too.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.resumption = rustls::client::Resumption::store(Arc::new(NoSessions));
    Ok(config)
}
