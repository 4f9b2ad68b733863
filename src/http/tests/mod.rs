//! The client against hostile servers, and the table of addresses.

mod answers;
mod safety;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::resolve::Lookup;
use super::{Client, Jar, Network, Trust, vet};
use crate::domain::Reason;
use crate::step::Request;

fn request(url: &str) -> Request {
    Request {
        follow_redirects: true,
        body_bytes_max: 64 * 1024,
        ..Request::new(
            ::http::Method::GET,
            Url::parse(url).expect("a URL"),
            Duration::from_millis(800),
        )
    }
}

fn client() -> Client {
    Client::new(Network::default()).expect("a client")
}

/// A server that answers each connection with `serve`; returns its address and how many connections came.
async fn server<F, Fut>(serve: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let came = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&came);
    let serve = Arc::new(serve);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (address, came)
}

/// Reads a request's head, then writes `answer` and closes.
async fn say(mut stream: TcpStream, answer: String) -> std::io::Result<()> {
    let mut head = [0; 2_048];
    let _ = stream.read(&mut head).await?;
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn reason_of(answer: &'static str) -> Reason {
    let (address, _) = server(move |stream| say(stream, answer.to_owned())).await;
    let sent = client()
        .send(&request(&format!("http://{address}/")), Trust::Configured)
        .await;
    sent.expect_err("no whole answer").reason
}

#[tokio::test]
async fn an_answer_comes_whole() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let (address, _) = server(move |stream| say(stream, answer.to_owned())).await;
    let response = client()
        .send(&request(&format!("http://{address}/")), Trust::Configured)
        .await
        .expect("an answer");
    assert_eq!(
        (response.status, response.body.as_slice(), response.address),
        (200, b"ok".as_slice(), Some(address.ip()))
    );
}

#[tokio::test]
async fn hostile_answers_have_their_reasons() {
    assert_eq!(reason_of("").await, Reason::Reset);
    assert_eq!(
        reason_of("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort").await,
        Reason::Reset
    );
    assert_eq!(reason_of("NOT HTTP AT ALL\r\n\r\n").await, Reason::Protocol);
    assert_eq!(
        reason_of("HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n").await,
        Reason::TooLarge
    );
}

#[tokio::test]
async fn an_endless_body_is_cut_at_its_limit() {
    let (address, _) = server(|mut stream| async move {
        let _ = stream.read(&mut [0; 2_048]).await?;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await?;
        loop {
            stream
                .write_all(format!("1000\r\n{}\r\n", "x".repeat(0x1000)).as_bytes())
                .await?;
        }
    })
    .await;
    let sent = client()
        .send(&request(&format!("http://{address}/")), Trust::Configured)
        .await;
    assert_eq!(sent.expect_err("too large").reason, Reason::TooLarge);
}

#[tokio::test]
async fn slow_answers_end_with_the_time() {
    let (address, _) = server(|mut stream| async move {
        let _ = stream.read(&mut [0; 2_048]).await?;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            .await?;
        loop {
            stream.write_all(b"x").await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let sent = client()
        .send(&request(&format!("http://{address}/")), Trust::Configured)
        .await;
    assert_eq!(sent.expect_err("too slow").reason, Reason::Timeout);
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let sent = client()
        .send(&request(&format!("http://{address}/")), Trust::Configured)
        .await;
    assert_eq!(sent.expect_err("nobody listens").reason, Reason::Refused);
}

#[tokio::test]
async fn the_time_of_a_request_is_split_into_its_parts() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let slow = move |stream| async move {
        tokio::time::sleep(Duration::from_millis(120)).await;
        say(stream, answer.to_owned()).await
    };
    let (address, _) = server(slow).await;
    let named = request(&format!("http://localhost:{}/", address.port()));
    let response = client().send(&named, Trust::Configured).await.expect("an answer");
    let timing = response.timing;
    assert!(
        timing.dns_ms.is_some() && timing.connect_ms.is_some() && timing.body_ms.is_some(),
        "{timing:?}"
    );
    assert!(timing.first_byte_ms.is_some_and(|ms| ms >= 100), "{timing:?}");
    assert_eq!((timing.tls_ms, response.version), (None, ::http::Version::HTTP_11));

    let literal = request(&format!("http://{address}/"));
    let response = client().send(&literal, Trust::Configured).await.expect("an answer");
    assert_eq!(response.timing.dns_ms, None, "there was no name to resolve");
}

#[tokio::test]
async fn a_request_that_hangs_says_how_far_it_came() {
    let hang = |stream: TcpStream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
        Ok(())
    };
    let (address, _) = server(hang).await;
    let failure = client()
        .send(&request(&format!("http://{address}/")), Trust::Configured)
        .await
        .expect_err("hangs");
    assert!(
        failure.timing.connect_ms.is_some() && failure.timing.first_byte_ms.is_none(),
        "{:?}",
        failure.timing
    );
    let failure = client()
        .send(&request(&format!("https://{address}/")), Trust::Configured)
        .await
        .expect_err("hangs");
    // TCP connected, and the handshake never ended.
    assert!(
        failure.timing.connect_ms.is_some() && failure.timing.tls_ms.is_none(),
        "{:?}",
        failure.timing
    );
}

#[tokio::test]
async fn no_tls_where_none_is_spoken() {
    let (address, _) = server(|stream| say(stream, "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned())).await;
    let sent = client()
        .send(&request(&format!("https://{address}/")), Trust::Configured)
        .await;
    assert_eq!(sent.expect_err("no TLS").reason, Reason::Tls);
}

#[tokio::test]
async fn redirects_stay_inside_the_origin() {
    let (other, visited) =
        server(|stream| say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned())).await;
    let answer = format!("HTTP/1.1 302 Found\r\nlocation: http://{other}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _) = server(move |stream| say(stream, answer.clone())).await;
    let response = client()
        .send(&request(&format!("http://{address}/")), Trust::Configured)
        .await
        .expect("the redirect");
    assert_eq!((response.status, visited.load(Ordering::SeqCst)), (302, 0));

    let looping = "HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n";
    let (address, came) = server(move |stream| say(stream, looping.to_owned())).await;
    let sent = client()
        .send(&request(&format!("http://{address}/")), Trust::Configured)
        .await;
    assert_eq!(
        (sent.expect_err("a loop").reason, came.load(Ordering::SeqCst)),
        (Reason::Redirect, 11)
    );
}

#[tokio::test]
async fn what_others_named_must_be_public_or_allowed() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let (address, came) = server(move |stream| say(stream, answer.to_owned())).await;
    let ask = request(&format!("http://{address}/"));
    let refused = client().send(&ask, Trust::Named).await.expect_err("loopback");
    assert_eq!((refused.reason, came.load(Ordering::SeqCst)), (Reason::Forbidden, 0));
    let by_name = request(&format!("http://localhost:{}/", address.port()));
    assert_eq!(
        client()
            .send(&by_name, Trust::Named)
            .await
            .expect_err("loopback")
            .reason,
        Reason::Forbidden
    );
    let allowing = Client::new(Network {
        allow: vec!["127.0.0.0/8".parse().expect("a range")],
        ..Network::default()
    })
    .expect("a client");
    assert!(allowing.send(&ask, Trust::Named).await.is_ok());
}

/// Answers a public address first and loopback ever after, as a rebinding name server does.
struct Rebinding(AtomicUsize);

impl Lookup for Rebinding {
    fn lookup(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        // 192.0.2.0/24 is for documentation: never routed, so dialling it ends in nothing.
        let ip = if first {
            IpAddr::from([192, 0, 2, 1])
        } else {
            IpAddr::from([127, 0, 0, 1])
        };
        Box::pin(async move { Ok(vec![ip]) })
    }
}

#[tokio::test]
async fn what_was_vetted_is_what_is_dialled() {
    let (address, came) = server(|stream| say(stream, String::new())).await;
    let lookup = Arc::new(Rebinding(AtomicUsize::new(0)));
    let network = Network {
        allow: vec!["192.0.2.0/24".parse().expect("a range")],
        ..Network::default()
    };
    let client = Client::with_lookup(network, Arc::clone(&lookup) as Arc<dyn Lookup>).expect("a client");
    let sent = client
        .send(
            &request(&format!("http://rebinding.example:{}/", address.port())),
            Trust::Named,
        )
        .await;
    assert!(sent.is_err());
    assert_eq!(
        (lookup.0.load(Ordering::SeqCst), came.load(Ordering::SeqCst)),
        (1, 0),
        "asked once, loopback not dialled"
    );
    let again = client
        .send(
            &request(&format!("http://rebinding.example:{}/", address.port())),
            Trust::Named,
        )
        .await;
    assert_eq!(again.expect_err("loopback now").reason, Reason::Forbidden);
}

#[test]
fn public_addresses_are_anybodys_and_private_ones_the_operators() {
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    for text in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "::1",
        "fc00::1",
        "2001:db8::1",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1::5db8:d822",
    ] {
        assert!(vet(ip(text), Trust::Named, &[]).is_err(), "{text} named by others");
        assert!(
            vet(ip(text), Trust::Configured, &[]).is_ok(),
            "{text} written by the operator"
        );
    }
    for text in [
        "93.184.216.34",
        "2606:2800:220:1:248:1893:25c8:1946",
        "1.1.1.1",
        "64:ff9b::5db8:d822",
    ] {
        assert!(vet(ip(text), Trust::Named, &[]).is_ok(), "{text}");
    }
}

proptest! {
    /// However an IPv6 address carries an IPv4 one, the answer is that of the IPv4 one.
    #[test]
    fn carried_addresses_are_judged_by_what_they_carry(bits in any::<u32>(), named in any::<bool>()) {
        let v4 = Ipv4Addr::from(bits);
        let trust = if named { Trust::Named } else { Trust::Configured };
        let [a, b, c, d] = v4.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let plain = vet(IpAddr::V4(v4), trust, &[]);
        prop_assert_eq!(vet(IpAddr::V6(v4.to_ipv6_mapped()), trust, &[]), plain);
        prop_assert_eq!(vet(IpAddr::from([0x64, 0xff9b, 0, 0, 0, 0, high, low]), trust, &[]), plain);
        prop_assert_eq!(vet(IpAddr::from([0x2002, high, low, 0, 0, 0, 0, 1]), trust, &[]), plain);
    }
}

/// Real time and a real socket: the process is busy elsewhere until long after the limit, and the answer is there.
#[tokio::test]
async fn an_answer_that_came_while_this_process_stood_still_is_taken() {
    let (told, address) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        told.send(listener.local_addr().expect("an address")).expect("heard");
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = [0; 2_048];
        std::io::Read::read(&mut stream, &mut head).expect("a request");
        std::thread::sleep(Duration::from_millis(300));
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("said");
    });
    let address = address.recv().expect("an address");
    let request = Request {
        timeout: Duration::from_millis(500),
        ..request(&format!("http://{address}/"))
    };
    let (client, jar) = (client(), Jar::new());
    let busy = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        std::thread::sleep(Duration::from_millis(1_500));
    };
    let (answered, ()) = tokio::join!(client.look(&request, Trust::Configured, &jar), busy);
    let response = answered.expect("an answer");
    assert_eq!(response.body, b"ok");
    assert!(
        response.stood_still >= Duration::from_secs(1),
        "{:?}",
        response.stood_still
    );
    other.join().expect("it answered");
}
