//! The client: one request, bounded in time, size and number.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ::http::HeaderValue;
use ::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, COOKIE, HOST, LOCATION, SET_COOKIE};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::{Host, Url};

use super::attend::{Limit, attend};
use super::body;
use super::failure::{Failure, of_error, of_io, of_lookup};
use super::jar::Jar;
use super::resolve::{Lookup, SystemLookup, addresses};
use super::timing::{Mark, Notebook, mark};
use super::tls::TlsError;
use super::transport::{Transports, Way};
use super::vet::{Trust, vet};
use crate::domain::{Glob, Reason};
use crate::step::{Dial, Request, Response, is_in_the_clear};

/// Requests under way at once.
const IN_FLIGHT_MAX: usize = 512;
/// Requests under way at once to one host and port.
const PER_HOST_MAX: usize = 6;
/// Redirects followed inside one origin.
const REDIRECTS_MAX: usize = 10;
/// Why credentials are not sent.
const IN_THE_CLEAR: &str = "it carries a secret, which plain http would show on the way: use https, or name the host in `[network] plain_http`";
/// How long a request waits for its turn before that is our own trouble.
const TURN_MAX: Duration = Duration::from_secs(30);

/// What the config says about the network.
#[derive(Clone, Debug)]
pub struct Network {
    /// Private ranges that deliveries, platforms and apps may name.
    pub allow: Vec<IpNet>,
    /// Hosts that credentials may be sent to without TLS, besides this machine.
    pub plain_http: Vec<Glob>,
    /// Requests under way at once to one host and port.
    pub per_host_max: usize,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            plain_http: Vec::new(),
            per_host_max: PER_HOST_MAX,
        }
    }
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be set up: {0}")]
    Build(#[from] reqwest::Error),
}

/// What a request is handed to in place of the network: a simulated world.
pub trait Wire: Send + Sync {
    /// Answers one request, in its own time.
    fn answer(&self, request: Request) -> BoxFuture<'_, Result<Response, Failure>>;

    /// Waits for as long as the world lets whoever asks stand still: nobody notices that time is up meanwhile.
    fn going_on(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Where requests go.
#[derive(Clone)]
enum Beyond {
    Network(Arc<Transports>),
    Wire(Arc<dyn Wire>),
}

impl Beyond {
    /// Waits for as long as a simulated world lets this process stand still.
    async fn going_on(&self) {
        if let Self::Wire(wire) = self {
            wire.going_on().await;
        }
    }
}

/// Sends requests. Cheap to clone; clones share the limits.
#[derive(Clone)]
pub struct Client {
    beyond: Beyond,
    lookup: Arc<dyn Lookup>,
    allow: Arc<[IpNet]>,
    plain_http: Arc<[Glob]>,
    in_flight: Arc<Semaphore>,
    per_host_max: usize,
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
        Ok(Self {
            beyond: Beyond::Network(Arc::new(Transports::new(Arc::clone(&lookup), Arc::clone(&allow))?)),
            lookup,
            allow,
            plain_http: network.plain_http.into(),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            per_host_max: network.per_host_max,
            hosts: Arc::default(),
        })
    }

    /// A client whose requests a simulated world answers, within the same limits of time and number.
    pub fn over(wire: Arc<dyn Wire>) -> Self {
        Self {
            beyond: Beyond::Wire(wire),
            lookup: Arc::new(SystemLookup),
            allow: Arc::new([]),
            plain_http: Arc::new([]),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            per_host_max: PER_HOST_MAX,
            hosts: Arc::default(),
        }
    }

    /// Sends `request` and reads its whole answer. Never retries. Its limit is the clock's: an agent that stood still must
    /// not act late.
    ///
    /// # Errors
    /// When there was no whole answer within the request's time and size. Waiting for a turn counts toward neither.
    pub async fn send(&self, request: &Request, trust: Trust) -> Result<Response, Failure> {
        let limit = Limit::Clock(request.timeout);
        self.exchange(request, limit, trust, &Jar::new()).await
    }

    /// Looks: the same with the cookies of `jar`, which takes those that answers set, and with a limit that counts only
    /// while this process runs.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn look(&self, request: &Request, trust: Trust, jar: &Jar) -> Result<Response, Failure> {
        let limit = Limit::Attended(request.timeout);
        self.exchange(request, limit, trust, jar).await
    }

    async fn exchange(&self, request: &Request, limit: Limit, trust: Trust, jar: &Jar) -> Result<Response, Failure> {
        let _turn = self.turn(&request.url).await?;
        let (started, notebook) = (now(), Notebook::new());
        let sending = notebook.with(async {
            match request.url.scheme() {
                "tcp" => self.connect(request, trust).await,
                _ => self.follow(request, trust, jar).await,
            }
        });
        let attended = attend(limit, sending, || self.beyond.going_on()).await;
        let result = attended.done.unwrap_or_else(|| {
            let detail = format!("no whole answer in {} ms", request.timeout.as_millis());
            Err(Failure::new(Reason::Timeout, detail))
        });
        let (timing, stood_still) = (notebook.timing(), attended.stood_still);
        result
            .map(|response| Response {
                elapsed: started.elapsed(),
                timing,
                tls: notebook.tls(),
                stood_still,
                ..response
            })
            .map_err(|failure| Failure {
                elapsed: started.elapsed(),
                timing,
                stood_still,
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
        let host = Arc::new(Semaphore::new(self.per_host_max));
        hosts.insert(name, Arc::downgrade(&host));
        host
    }

    /// Connects by TCP, and closes.
    async fn connect(&self, request: &Request, trust: Trust) -> Result<Response, Failure> {
        let host = request.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let dial = request.route.connect.clone().unwrap_or(Dial {
            host: host.to_owned(),
            port: None,
        });
        let port = dial.port.or(request.url.port()).unwrap_or(0);
        let found = addresses(self.lookup.as_ref(), &dial.host)
            .await
            .map_err(|error| of_lookup(&error))?;
        let found: Vec<IpAddr> = found.into_iter().filter(|ip| request.route.family.has(*ip)).collect();
        for ip in &found {
            self.vet(*ip, trust)?;
        }
        mark(Mark::Resolved);
        let mut failure = Failure::new(Reason::Dns, request.route.family.missing());
        for ip in found {
            match tokio::net::TcpStream::connect((ip, port)).await {
                Ok(_) => {
                    mark(Mark::Ready);
                    return Ok(Response {
                        address: Some(ip),
                        ..Response::empty(request.url.clone())
                    });
                }
                Err(error) => {
                    let found = of_io(&error).unwrap_or_else(|| Failure::new(Reason::Protocol, error.to_string()));
                    failure = Failure {
                        address: Some(ip),
                        ..found
                    };
                }
            }
        }
        Err(failure)
    }

    /// Sends, and follows redirects inside the origin; any other redirect is the answer.
    async fn follow(&self, request: &Request, trust: Trust, jar: &Jar) -> Result<Response, Failure> {
        let mut hop = Hop {
            method: request.method.clone(),
            url: request.url.clone(),
            body: request.body.clone(),
        };
        let mut set_cookies = Vec::new();
        for _ in 0..=REDIRECTS_MAX {
            let mut response = self.once(request, &hop, trust, jar).await?;
            set_cookies.append(&mut response.set_cookies);
            let next = if request.follow_redirects {
                redirect(&response, &hop.url)
            } else {
                None
            };
            let Some(next) = next else {
                return Ok(Response {
                    set_cookies,
                    ..response
                });
            };
            // RFC 9110 §15.4: 307 and 308 keep the method; the others turn into GET.
            if !matches!(response.status, 307 | 308) && hop.method != ::http::Method::HEAD {
                hop.method = ::http::Method::GET;
                hop.body = None;
            }
            hop.url = next;
        }
        Err(Failure::new(
            Reason::Redirect,
            format!("more than {REDIRECTS_MAX} redirects"),
        ))
    }

    async fn once(&self, request: &Request, hop: &Hop, trust: Trust, jar: &Jar) -> Result<Response, Failure> {
        mark(Mark::Began);
        let transports = match &self.beyond {
            Beyond::Network(transports) => transports,
            Beyond::Wire(wire) => {
                let asked = Request {
                    method: hop.method.clone(),
                    url: hop.url.clone(),
                    body: hop.body.clone(),
                    ..request.clone()
                };
                return wire.answer(asked).await;
            }
        };
        let building = self.building(transports, request, hop, trust, jar)?;
        #[expect(clippy::disallowed_methods, reason = "the one place that sends")]
        let sent = building.send().await;
        let answer = sent.map_err(|error| of_error(&error))?;
        let address = answer.remote_addr().map(|address| address.ip());
        mark(Mark::Answered);
        let (status, headers, version) = (answer.status().as_u16(), answer.headers().clone(), answer.version());
        let set_cookies = set_cookies(&headers, jar, &hop.url);
        let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let encoding = encoding.filter(|_| hop.method != ::http::Method::HEAD && answer.content_length() != Some(0));
        let too_large = || {
            Failure::new(
                Reason::TooLarge,
                format!("the body is over {} bytes", request.body_bytes_max),
            )
        };
        let length = answer
            .content_length()
            .filter(|_| encoding.is_none() && !request.cut_body);
        if length.is_some_and(|length| length > request.body_bytes_max as u64) {
            return Err(Failure { address, ..too_large() });
        }
        let encoding = encoding.map(str::to_owned);
        let body = body::read(
            answer.into(),
            encoding.as_deref(),
            request.body_bytes_max,
            request.cut_body,
        )
        .await
        .map_err(|failure| Failure { address, ..failure })?;
        mark(Mark::Ended);
        Ok(Response {
            status,
            version,
            headers,
            body: body.bytes,
            address,
            set_cookies,
            grpc_status: body.grpc_status,
            ..Response::empty(hop.url.clone())
        })
    }

    /// The request of one hop, ready to be sent.
    fn building(
        &self,
        transports: &Transports,
        request: &Request,
        hop: &Hop,
        trust: Trust,
        jar: &Jar,
    ) -> Result<reqwest::RequestBuilder, Failure> {
        if request.route.proxy.is_some() && trust != Trust::Configured {
            let why = "a proxy is used only for an address that the config names";
            return Err(Failure::new(Reason::Forbidden, why));
        }
        let (url, host) = self.dialled(request, hop, trust)?;
        if request.carries_credentials && is_in_the_clear(&url, &self.plain_http) {
            return Err(Failure::new(Reason::Forbidden, IN_THE_CLEAR));
        }
        let way = Way {
            trust,
            route: request.route.clone(),
            tls: request.tls.clone(),
        };
        let client = transports.client(&way);
        let client = client.map_err(|error| Failure::new(Reason::LocalTrouble, error.to_string()))?;
        let mut building = client.request(hop.method.clone(), url);
        for (name, value) in &request.headers {
            building = building.header(name, value);
        }
        if let Some(host) = host {
            building = building.header(HOST, host);
        }
        if !request.headers.iter().any(|(name, _)| name == ACCEPT_ENCODING) {
            building = building.header(ACCEPT_ENCODING, body::ENCODINGS);
        }
        let mut cookies = jar.cookies_for(&hop.url);
        cookies.retain(|(name, _)| !request.cookies.iter().any(|(own, _)| own == name));
        cookies.extend(request.cookies.iter().cloned());
        let line: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let by_hand = request.headers.iter().any(|(name, _)| name == COOKIE);
        if let (false, false, Ok(mut line)) = (line.is_empty(), by_hand, HeaderValue::from_str(&line.join("; "))) {
            line.set_sensitive(true);
            building = building.header(COOKIE, line);
        }
        Ok(match &hop.body {
            Some(body) => building.body(body.clone()),
            None => building,
        })
    }

    /// The address to dial, and the `Host` to say, where that is not the address's.
    ///
    /// An address in figures never meets the resolver, so it is vetted here; and without TLS the host to dial can stand in
    /// the address itself. With TLS the name must stay there, and the resolver answers for it.
    fn dialled(&self, request: &Request, hop: &Hop, trust: Trust) -> Result<(Url, Option<String>), Failure> {
        let mut url = hop.url.clone();
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err(Failure::new(Reason::Forbidden, "the address has no host")),
        };
        let Some(dial) = &request.route.connect else {
            if let Some(ip) = literal {
                self.vet(ip, trust)?;
                if !request.route.family.has(ip) {
                    return Err(Failure::new(Reason::Dns, request.route.family.missing()));
                }
            }
            return Ok((url, None));
        };
        let authority = authority(&url);
        let port = dial.port.or(url.port());
        let moved = if url.scheme() == "https" {
            if literal.is_some() {
                let why = "`connect` with https needs a name in the address, for the certificate";
                return Err(Failure::new(Reason::Forbidden, why));
            }
            // A port in the address would outweigh the resolver's.
            let port = if dial.port.is_some() { None } else { port };
            url.set_port(port)
        } else {
            let host = if dial.host.contains(':') {
                format!("[{}]", dial.host)
            } else {
                dial.host.clone()
            };
            url.set_host(Some(&host))
                .map_err(|_| ())
                .and_then(|()| url.set_port(port))
        };
        if moved.is_err() {
            return Err(Failure::new(
                Reason::Forbidden,
                "the host to dial cannot stand in an address",
            ));
        }
        if let Ok(ip) = dial.host.parse::<IpAddr>() {
            self.vet(ip, Trust::Configured)?;
        }
        Ok((url, Some(authority)))
    }

    fn vet(&self, ip: IpAddr, trust: Trust) -> Result<(), Failure> {
        let vetted = vet(ip, trust, &self.allow);
        vetted.map_err(|why| Failure::new(Reason::Forbidden, format!("{ip} is not called, because {why}")))
    }
}

/// One request of those that redirects lead to.
struct Hop {
    method: ::http::Method,
    url: Url,
    body: Option<Vec<u8>>,
}

/// Host and port, as `Host` says them.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The cookies that an answer sets, which `jar` takes.
fn set_cookies(headers: &::http::HeaderMap, jar: &Jar, url: &Url) -> Vec<String> {
    let values = headers.get_all(SET_COOKIE).iter();
    let values: Vec<String> = values
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
        .collect();
    values.iter().for_each(|value| jar.take(value, url));
    values
}

#[expect(clippy::disallowed_methods, reason = "latency is what this module measures")]
fn now() -> Instant {
    Instant::now()
}

/// Where a redirect leads, if it stays inside the origin.
fn redirect(response: &Response, url: &Url) -> Option<Url> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers.get(LOCATION)?.to_str().ok()?;
    url.join(location).ok().filter(|next| next.origin() == url.origin())
}
