//! What comes back: encodings, cookies, other ways to a host.

use std::sync::Mutex;

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::http::Jar;
use crate::step::{Dial, Family, HttpWanted};

/// A server that notes each request's head and answers with what `answer` makes of its path.
async fn noting(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let (noted, answer) = (Arc::clone(&heads), Arc::new(answer));
    let (address, _) = server(move |mut stream| {
        let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            noted.lock().expect("not poisoned").push(head);
            stream.write_all(&answer(&path)).await?;
            stream.shutdown().await
        }
    })
    .await;
    (address, heads)
}

fn with_body(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(body).await.expect("memory");
    encoder.shutdown().await.expect("memory");
    encoder.into_inner()
}

#[tokio::test]
async fn bodies_are_decoded_and_the_header_stays() {
    let mut br = BrotliEncoder::new(Vec::new());
    br.write_all(b"Acme").await.expect("memory");
    br.shutdown().await.expect("memory");
    let mut zstd = ZstdEncoder::new(Vec::new());
    zstd.write_all(b"Acme").await.expect("memory");
    zstd.shutdown().await.expect("memory");
    let bodies = [
        ("gzip", gzip(b"Acme").await),
        ("br", br.into_inner()),
        ("zstd", zstd.into_inner()),
        ("identity", b"Acme".to_vec()),
    ];
    let (address, heads) = noting(move |path| {
        let (name, body) = bodies
            .iter()
            .find(|(name, _)| path.ends_with(name))
            .expect("a known path");
        with_body(&format!("content-encoding: {name}\r\n"), body)
    })
    .await;
    for name in ["gzip", "br", "zstd", "identity"] {
        let ask = request(&format!("http://{address}/{name}"));
        let answer = client().send(&ask, Trust::Configured).await.expect("an answer");
        assert_eq!(
            (answer.body.as_slice(), &answer.headers["content-encoding"]),
            (&b"Acme"[..], &name.parse().expect("a value"))
        );
    }
    let heads = heads.lock().expect("not poisoned");
    assert!(
        heads
            .iter()
            .all(|head| head.contains("accept-encoding: gzip, br, zstd\r\n")),
        "{heads:?}"
    );
}

/// The limit is on what a body becomes: 100 MiB in 100 kB are not read.
#[tokio::test]
async fn a_body_that_blows_up_is_stopped_at_the_limit() {
    let bomb = gzip(&vec![0; 100 * 1024 * 1024]).await;
    assert!(bomb.len() < 200_000);
    let (address, _) = noting(move |_| with_body("content-encoding: gzip\r\n", &bomb)).await;
    let mut ask = request(&format!("http://{address}/"));
    ask.timeout = Duration::from_secs(20);
    let failure = client().send(&ask, Trust::Configured).await.expect_err("too large");
    assert_eq!(
        (failure.reason, failure.detail.as_str()),
        (Reason::TooLarge, "the body is over 65536 bytes")
    );
    ask.cut_body = true;
    let cut = client().send(&ask, Trust::Configured).await.expect("an answer");
    assert_eq!(cut.body.len(), 64 * 1024);
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_told() {
    let (address, _) = noting(|path| with_body(&format!("content-encoding: {}\r\n", &path[1..]), b"plain text")).await;
    for (encoding, says) in [("gzip", "cannot be decoded"), ("deflate", "not asked for")] {
        let sent = client()
            .send(&request(&format!("http://{address}/{encoding}")), Trust::Configured)
            .await;
        let failure = sent.expect_err("not that encoding");
        assert_eq!(failure.reason, Reason::Protocol, "{failure:?}");
        assert!(failure.detail.contains(says), "{failure:?}");
    }
}

/// Cookies go back to the origin that set them, and to no other, whatever they say; also on the way of redirects.
#[tokio::test]
async fn cookies_stay_with_their_origin() {
    let (address, heads) = noting(|path| match path {
        "/login" => b"HTTP/1.1 302 Found\r\nlocation: /home\r\nset-cookie: sid=abc; Path=/; Domain=127.0.0.1\r\nset-cookie: gone=1; Max-Age=0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
        _ => with_body("", b"home"),
    })
    .await;
    let (other, other_heads) = noting(|_| with_body("", b"other")).await;
    let jar = Jar::new();
    let mut ask = request(&format!("http://{address}/login"));
    ask.cookies = vec![("own".to_owned(), "1".to_owned())];
    let answer = client().look(&ask, Trust::Configured, &jar).await.expect("an answer");
    assert_eq!(
        (answer.status, answer.set_cookies.len(), answer.url.path()),
        (200, 2, "/home")
    );
    let cookie = |heads: &[String]| -> Vec<String> {
        let lines = heads
            .iter()
            .map(|head| head.lines().find_map(|line| line.strip_prefix("cookie: ")));
        lines.map(|line| line.unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(
        cookie(&heads.lock().expect("not poisoned")),
        ["own=1", "sid=abc; own=1"]
    );
    let sent = client()
        .look(&request(&format!("http://{other}/")), Trust::Configured, &jar)
        .await;
    assert!(sent.is_ok());
    assert_eq!(cookie(&other_heads.lock().expect("not poisoned")), [""]);
}

/// Neither headers nor cookies nor the body go to where a redirect to another origin leads.
#[tokio::test]
async fn a_redirect_to_another_origin_gets_nothing() {
    let (other, other_heads) = noting(|_| with_body("", b"other")).await;
    let location = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{other}/take\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (address, _) = noting(move |_| location.clone().into_bytes()).await;
    let mut ask = request(&format!("http://{address}/"));
    ask.method = ::http::Method::POST;
    ask.headers = vec![(::http::header::AUTHORIZATION, "Bearer s3cret".parse().expect("a value"))];
    ask.cookies = vec![("sid".to_owned(), "s3cret".to_owned())];
    ask.body = Some(b"s3cret".to_vec());
    let answer = client().send(&ask, Trust::Configured).await.expect("an answer");
    assert_eq!(
        (answer.status, other_heads.lock().expect("not poisoned").len()),
        (307, 0)
    );
}

#[tokio::test]
async fn connect_dials_there_and_keeps_the_name() {
    let (address, heads) = noting(|_| with_body("", b"ok")).await;
    for (url, host) in [
        ("http://shop.example.com/", "shop.example.com"),
        ("http://shop.example.com:81/", "shop.example.com:81"),
        ("http://192.0.2.1:81/", "192.0.2.1:81"),
    ] {
        let mut ask = request(url);
        ask.route.connect = Some(Dial::parse(&address.to_string()).expect("a host"));
        let answer = client().send(&ask, Trust::Configured).await.expect("an answer");
        assert_eq!((answer.status, answer.url.as_str()), (200, url));
        let head = heads.lock().expect("not poisoned").pop().expect("a request");
        assert!(head.contains(&format!("host: {host}\r\n")), "{head}");
    }
    // Metadata is never dialled, also not by whoever wrote the config.
    let mut ask = request("http://shop.example.com/");
    ask.route.connect = Dial::parse("169.254.169.254");
    let failure = client().send(&ask, Trust::Configured).await.expect_err("metadata");
    assert_eq!(failure.reason, Reason::Forbidden);
}

#[tokio::test]
async fn only_addresses_of_the_wanted_kind_are_dialled() {
    let (address, _) = noting(|_| with_body("", b"ok")).await;
    for (family, url, good) in [
        (Family::V4, format!("http://localhost:{}/", address.port()), true),
        (Family::V4, format!("http://{address}/"), true),
        (Family::V6, format!("http://{address}/"), false),
    ] {
        let mut ask = request(&url);
        ask.route.family = family;
        let sent = client().send(&ask, Trust::Configured).await;
        assert_eq!(sent.is_ok(), good, "{family:?} {url}: {sent:?}");
        if let Err(failure) = sent {
            assert_eq!(
                (failure.reason, failure.detail.as_str()),
                (Reason::Dns, "it has no IPv6 address")
            );
        }
    }
}

#[tokio::test]
async fn a_socket_is_only_connected_to() {
    let (address, came) = server(|_| async { Ok(()) }).await;
    let answer = client()
        .send(&request(&format!("tcp://{address}")), Trust::Configured)
        .await
        .expect("a connection");
    assert_eq!((answer.status, answer.address), (0, Some(address.ip())));
    let refused = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("an address");
    let failure = client()
        .send(&request(&format!("tcp://{refused}")), Trust::Configured)
        .await
        .expect_err("refused");
    assert_eq!(failure.reason, Reason::Refused);
    let failure = client()
        .send(&request(&format!("tcp://{address}")), Trust::Named)
        .await
        .expect_err("loopback");
    assert_eq!(failure.reason, Reason::Forbidden);
    assert!(came.load(Ordering::SeqCst) <= 1);
}

#[tokio::test]
async fn the_older_version_of_http_is_spoken_on_demand_and_the_newer_without_tls() {
    let (address, heads) = noting(|_| with_body("", b"ok")).await;
    let mut ask = request(&format!("http://{address}/"));
    ask.route.http = HttpWanted::One;
    assert!(client().send(&ask, Trust::Configured).await.is_ok());
    ask.route.http = HttpWanted::Two;
    ask.timeout = Duration::from_millis(300);
    assert!(client().send(&ask, Trust::Configured).await.is_err());
    let heads = heads.lock().expect("not poisoned");
    assert!(heads[0].starts_with("GET / HTTP/1.1\r\n"), "{heads:?}");
    // What an HTTP/1.1 server sees of HTTP/2 (RFC 9113 §3.4).
    assert!(
        heads.get(1).is_none_or(|head| head.starts_with("PRI * HTTP/2.0")),
        "{heads:?}"
    );
}
