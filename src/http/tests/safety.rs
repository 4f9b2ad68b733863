//! Whom the client calls, and how much it takes: one row for each way that was ever used to make a client call the wrong
//! one, or read for ever.

use std::sync::Mutex;

use super::*;
use crate::domain::Glob;
use crate::step::Dial;

/// What a name stands for, one answer after the other; the last one stays.
struct Answers(Mutex<Vec<Vec<IpAddr>>>);

impl Answers {
    fn new(answers: &[&str]) -> Arc<Self> {
        let read = |answer: &&str| answer.split(' ').map(|ip| ip.parse().expect("an address")).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(read).collect())))
    }
}

impl Lookup for Answers {
    fn lookup(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().expect("not poisoned");
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        };
        Box::pin(async move { Ok(answer) })
    }
}

fn resolving(answers: &[&str], allow: &[&str]) -> Client {
    let network = Network {
        allow: allow.iter().map(|net| net.parse().expect("a network")).collect(),
        ..Network::default()
    };
    Client::with_lookup(network, Answers::new(answers)).expect("a client")
}

/// A listener that counts who connects, and answers everybody.
async fn recording() -> (SocketAddr, Arc<AtomicUsize>) {
    server(|stream| say(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned())).await
}

/// Refused where others named it.
const NAMED: bool = false;
/// Refused whoever named it, and whatever `allow` says.
const ALL: bool = true;

/// Addresses as they stand in a URL, and whom they are refused to.
const ADDRESSES: &[(&str, bool)] = &[
    ("127.1", NAMED),
    ("127.0.0.1.", NAMED),
    ("0x7f000001", NAMED),
    ("0x7f.1", NAMED),
    ("2130706433", NAMED),
    ("017700000001", NAMED),
    ("%31%32%37.0.0.1", NAMED),
    ("１２７.0.0.1", NAMED),
    ("localhost", NAMED),
    ("localhost.", NAMED),
    ("LOCALHOST", NAMED),
    ("[::1]", NAMED),
    ("[0:0:0:0:0:0:0:1]", NAMED),
    ("[::ffff:127.0.0.1]", NAMED),
    ("[::ffff:7f00:1]", NAMED),
    ("[::127.0.0.1]", NAMED),
    ("[64:ff9b::7f00:1]", NAMED),
    ("[64:ff9b:1::7f00:1]", NAMED),
    ("[2002:7f00:1::]", NAMED),
    ("[2001:0:7f00:1::]", NAMED),
    ("169.254.169.254", ALL),
    ("2852039166", ALL),
    ("0xa9fea9fe", ALL),
    ("0251.0376.0251.0376", ALL),
    ("169.254.170.2", ALL),
    ("100.100.100.200", ALL),
    ("168.63.129.16", ALL),
    ("192.0.0.192", ALL),
    ("[fd00:ec2::254]", ALL),
    ("[fd00:ec2::23]", ALL),
    ("[fd00:c1::a9fe:a9fe]", ALL),
    ("[fd20:ce::254]", ALL),
    ("0.0.0.0", ALL),
    ("0", ALL),
    ("[::]", ALL),
    ("[::ffff:0.0.0.0]", ALL),
    ("[fe80::1]", ALL),
    ("[::ffff:169.254.169.254]", ALL),
    ("[::169.254.169.254]", ALL),
    ("[::ffff:0:169.254.169.254]", ALL),
    ("[64:ff9b::a9fe:a9fe]", ALL),
    ("[64:ff9b:1::a9fe:a9fe]", ALL),
    ("[64:ff9b:1:a9fe:a9:fe00::]", ALL),
    ("[64:ff9b:1:a9:fe:a9fe::]", ALL),
    ("[64:ff9b:1:0:a9:fea9:fe00:0]", ALL),
    ("[64:ff9b:1::6464:64c8]", ALL),
    ("[2002:a9fe:a9fe::]", ALL),
    ("[2606:2800:220:1:0:5efe:a9fe:a9fe]", ALL),
    ("[2606:2800:220:1:200:5efe:a9fe:a9fe]", ALL),
    ("255.255.255.255", ALL),
    ("224.0.0.1", ALL),
    ("[ff02::1]", ALL),
];

#[tokio::test]
async fn every_way_to_write_an_address() {
    let (address, came) = recording().await;
    let open = Client::new(Network {
        allow: vec!["0.0.0.0/0".parse().expect("all"), "::/0".parse().expect("all")],
        ..Network::default()
    })
    .expect("a client");
    for &(host, to_all) in ADDRESSES {
        let mut ask = request(&format!("http://{host}:{}/", address.port()));
        let sent = client().send(&ask, Trust::Named).await;
        // Whether the system resolves `localhost.` is its own affair; that it is not dialled is ours.
        let failure = sent.expect_err(host);
        assert!(
            failure.reason == Reason::Forbidden || (host.ends_with('.') && failure.reason == Reason::Dns),
            "{host}: {failure:?}"
        );
        ask.url = format!("tcp://{}:{}", ask.url.host_str().expect("a host"), address.port())
            .parse()
            .expect("an address");
        let failure = client().send(&ask, Trust::Named).await.expect_err(host);
        assert!(
            failure.reason == Reason::Forbidden || (host.ends_with('.') && failure.reason == Reason::Dns),
            "tcp {host}: {failure:?}"
        );
        if to_all {
            let ask = request(&format!("http://{host}:{}/", address.port()));
            for (client, trust) in [(&open, Trust::Named), (&open, Trust::Configured)] {
                let failure = client.send(&ask, trust).await.expect_err(host);
                assert_eq!(failure.reason, Reason::Forbidden, "{host} {trust:?}");
            }
        }
    }
    assert_eq!(came.load(Ordering::SeqCst), 0, "nobody was called");
    for zoned in [
        "http://[fe80::1%25eth0]/",
        "http://[::1%25lo]/",
        "http://[fe80::1%eth0]/",
    ] {
        assert!(Url::parse(zoned).is_err(), "{zoned} has a zone, which no URL has here");
    }
    let mut ask = request("http://shop.example.com/");
    ask.route.connect = Some(Dial {
        host: "fe80::1%lo".to_owned(),
        port: Some(80),
    });
    assert!(client().send(&ask, Trust::Configured).await.is_err());
}

/// The same for what names stand for: one bad address among good ones is enough, at the first request and at a later one.
#[tokio::test]
async fn names_that_stand_for_what_may_not_be_called() {
    let (address, came) = recording().await;
    let url = format!("http://rebinding.example:{}/", address.port());
    for answers in [
        &["127.0.0.1"][..],
        &["93.184.216.34 127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["93.184.216.34 169.254.169.254"],
        &["10.0.0.1"],
    ] {
        let failure = resolving(answers, &[])
            .send(&request(&url), Trust::Named)
            .await
            .expect_err("refused");
        assert_eq!(failure.reason, Reason::Forbidden, "{answers:?}");
    }
    // Vetted as one address, and then resolved anew as another: each connection is vetted for itself.
    let client = resolving(&["192.0.2.1", "127.0.0.1"], &["192.0.2.0/24"]);
    assert!(client.send(&request(&url), Trust::Named).await.is_err());
    let failure = client.send(&request(&url), Trust::Named).await.expect_err("refused");
    assert_eq!(failure.reason, Reason::Forbidden);
    assert_eq!(came.load(Ordering::SeqCst), 0, "nobody was called");
}

/// A redirect is followed only where it is wanted and inside the origin, and what it leads to is vetted anew.
#[tokio::test]
async fn redirects_lead_nowhere_else() {
    let (other, visited) = recording().await;
    for status in [301, 302, 303, 307, 308] {
        for location in [
            format!("http://{other}/"),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            format!("//{other}/"),
            format!("https://{other}/"),
            "file:///etc/passwd".to_owned(),
        ] {
            let answer = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let (address, came) = server(move |stream| say(stream, answer.clone())).await;
            for follow in [true, false] {
                let mut ask = request(&format!("http://{address}/"));
                ask.follow_redirects = follow;
                let response = client().send(&ask, Trust::Configured).await.expect("the redirect");
                assert_eq!(response.status, status, "{location}");
            }
            assert_eq!(came.load(Ordering::SeqCst), 2, "{status} {location}");
        }
        // Inside the origin, whose name now stands for something else.
        let answer =
            format!("HTTP/1.1 {status} Moved\r\nlocation: /next\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let (address, came) = server(move |stream| say(stream, answer.clone())).await;
        let url = format!("http://shop.example:{}/", address.port());
        let client = resolving(&["127.0.0.1", "127.0.0.2"], &["127.0.0.1/32"]);
        let failure = client.send(&request(&url), Trust::Named).await.expect_err("refused");
        assert_eq!(
            (failure.reason, came.load(Ordering::SeqCst)),
            (Reason::Forbidden, 1),
            "{status}"
        );
        let mut ask = request(&url);
        ask.follow_redirects = false;
        let client = resolving(&["127.0.0.1"], &["127.0.0.1/32"]);
        let response = client.send(&ask, Trust::Named).await.expect("the redirect");
        assert_eq!(
            (response.status, came.load(Ordering::SeqCst)),
            (status, 2),
            "not followed"
        );
    }
    assert_eq!(visited.load(Ordering::SeqCst), 0, "nobody else was called");
}

/// Without TLS, a secret goes to this machine and to the hosts that are named for it.
#[tokio::test]
async fn secrets_do_not_go_in_the_clear() {
    let (address, came) = recording().await;
    let client = |plain_http: &[&str]| {
        let network = Network {
            plain_http: plain_http.iter().map(|host| Glob::new(*host)).collect(),
            ..Network::default()
        };
        Client::with_lookup(network, Answers::new(&["127.0.0.1"])).expect("a client")
    };
    let mut ask = request(&format!("http://shop.example:{}/", address.port()));
    assert!(client(&[]).send(&ask, Trust::Configured).await.is_ok(), "no secret");
    ask.carries_credentials = true;
    let failure = client(&[]).send(&ask, Trust::Configured).await.expect_err("refused");
    assert_eq!((failure.reason, came.load(Ordering::SeqCst)), (Reason::Forbidden, 1));
    assert!(failure.detail.contains("plain_http"), "{failure:?}");
    assert!(client(&["*.example"]).send(&ask, Trust::Configured).await.is_ok());
    ask.route.connect = Dial::parse(&address.to_string());
    assert!(client(&[]).send(&ask, Trust::Configured).await.is_ok(), "it stays here");
    let mut ask = request(&format!("http://{address}/"));
    ask.carries_credentials = true;
    assert!(client(&[]).send(&ask, Trust::Configured).await.is_ok(), "it stays here");
}

/// What a hostile server sends after a request's head: first this, then that so many times at once, again and again with so
/// many milliseconds between; and how it ends.
type Endless = (
    &'static str,
    &'static str,
    (&'static str, usize),
    u64,
    &'static [Reason],
);

const CUT: &[Reason] = &[Reason::Protocol, Reason::Reset];
const TOO_LARGE: &[Reason] = &[Reason::TooLarge];
const TIMEOUT: &[Reason] = &[Reason::Timeout];
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

#[rustfmt::skip]
const ENDLESS: &[Endless] = &[
    ("headers", "HTTP/1.1 200 OK\r\n", ("x-a: xxxxxxxxxxxxxxxxxxxxxxxx\r\n", 200), 0, CUT),
    ("small headers", "HTTP/1.1 200 OK\r\n", ("a: b\r\n", 700), 0, CUT),
    ("one header", "HTTP/1.1 200 OK\r\nx-a: ", ("x", 4096), 0, CUT),
    ("a status line", "HTTP/1.1 200 ", ("x", 4096), 0, CUT),
    ("a chunked body", CHUNKED, ("8\r\nxxxxxxxx\r\n", 500), 0, TOO_LARGE),
    ("a body to the connection's end", "HTTP/1.1 200 OK\r\n\r\n", ("x", 4096), 0, TOO_LARGE),
    ("a chunk's extension", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", ("x", 4096), 0, CUT),
    ("trailers", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", ("x-a: xxxxxxxxxxxx\r\n", 200), 0, CUT),
    ("interim answers", "", ("HTTP/1.1 103 Early Hints\r\n\r\n", 1), 50, TIMEOUT),
    ("a head, byte by byte", "HTTP/1.1 200 OK\r\nx-a: ", ("x", 1), 100, TIMEOUT),
    ("a body, byte by byte", "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n", ("x", 1), 100, TIMEOUT),
];

/// None of it lasts longer than the request may, and none is kept beyond its limit.
#[tokio::test]
async fn whatever_is_read_has_an_end() {
    for &(name, first, (part, times), pause_ms, expected) in ENDLESS {
        let (address, _) = server(move |mut stream| async move {
            let _ = stream.read(&mut [0; 2_048]).await?;
            stream.write_all(first.as_bytes()).await?;
            let again = part.repeat(times);
            loop {
                stream.write_all(again.as_bytes()).await?;
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            }
        })
        .await;
        let mut ask = request(&format!("http://{address}/"));
        if expected != TIMEOUT {
            // Long enough that only the limit can end it.
            ask.timeout = Duration::from_secs(30);
        }
        let failure = client().send(&ask, Trust::Configured).await.expect_err(name);
        assert!(expected.contains(&failure.reason), "{name}: {failure:?}");
        assert!(failure.detail.len() < 300, "{name}: {failure:?}");
    }
}

#[tokio::test]
async fn more_headers_than_are_counted() {
    for (count, good) in [(90, true), (200, false)] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n",
            "a: b\r\n".repeat(count)
        );
        let (address, _) = server(move |stream| say(stream, answer.clone())).await;
        let sent = client()
            .send(&request(&format!("http://{address}/")), Trust::Configured)
            .await;
        assert_eq!(sent.is_ok(), good, "{count} headers: {sent:?}");
    }
}
