//! Hostile values in each place of the language: none leaves it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use url::{Url, form_urlencoded};

use super::render::HOSTILE;
use super::{read, values};
use crate::step::{RenderError, Request, render};

/// A request with the hostile value as `{{ deploy.branch }}`, between a value that stays and a secret that must not come.
fn send(text: &str, value: &str) -> Result<Request, RenderError> {
    let values = values(&[("deploy.branch", value), ("secret.X", "s3cret-hidden")]);
    let base = Url::parse("https://shop.example.com").unwrap();
    let request = render(&read(text), Some(&base), &values)?;
    assert_eq!(request.url.origin(), base.origin(), "{text} with {value:?}");
    assert!(
        !format!("{} {:?}", request.url, request.headers).contains("s3cret"),
        "{text} with {value:?}"
    );
    Ok(request)
}

fn text(request: &Request) -> String {
    String::from_utf8(request.body.clone().unwrap()).unwrap()
}

#[test]
fn in_the_query() {
    for value in HOSTILE {
        let request = send(
            "get = '/a?x=1'\nquery = { q = '{{ deploy.branch }}', n = 7, l = ['a', true] }",
            value,
        )
        .unwrap();
        let pairs: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            pair("x", "1"),
            pair("l", "a"),
            pair("l", "true"),
            pair("n", "7"),
            pair("q", value),
        ];
        assert_eq!(sorted(pairs), sorted(expected.to_vec()), "{value:?}");
        assert_eq!((request.url.path(), request.url.fragment()), ("/a", None));
    }
}

fn sorted(mut pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    pairs.sort();
    pairs
}

#[test]
fn in_a_form() {
    for value in HOSTILE {
        let request = send("post = '/'\nform = { a = '{{ deploy.branch }}', b = 1 }", value).unwrap();
        let pairs: Vec<(String, String)> = form_urlencoded::parse(text(&request).as_bytes()).into_owned().collect();
        assert_eq!(
            pairs,
            [("a".to_owned(), value.to_owned()), ("b".to_owned(), "1".to_owned())],
            "{value:?}"
        );
    }
}

/// The boundary follows from the content, so no value can hold it; the value stands between its two line ends.
#[test]
fn in_a_part() {
    for value in HOSTILE.into_iter().chain(["\r\n--backstop-0--\r\nx"]) {
        let step = "post = '/'\nmultipart = [{ name = 'a\"b', value = '{{ deploy.branch }}' }, { name = 'f', file = 'a.png', type = 'image/png' }]";
        let request = send(step, value).unwrap();
        let content_type = request
            .headers
            .iter()
            .find(|(name, _)| *name == "content-type")
            .unwrap();
        let boundary = content_type
            .1
            .to_str()
            .unwrap()
            .split_once("boundary=")
            .unwrap()
            .1
            .to_owned();
        let body = String::from_utf8_lossy(request.body.as_deref().unwrap()).into_owned();
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 4, "{value:?}");
        assert_eq!(
            parts[1],
            format!("\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\n{value}\r\n"),
            "{value:?}"
        );
        assert!(parts[2].contains("filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"));
    }
}

#[test]
fn in_the_variables_of_graphql_and_nowhere_else_of_it() {
    for value in HOSTILE {
        let step = "post = '/g'\ngraphql = { query = 'query($b: String) { x(b: $b) { y } } # {{ deploy.branch }}', variables = { b = '{{ deploy.branch }}' }, operation = 'q' }";
        let json: Json = serde_json::from_str(&text(&send(step, value).unwrap())).unwrap();
        assert_eq!(json["variables"]["b"], value);
        assert!(json["query"].as_str().unwrap().ends_with("# {{ deploy.branch }}"));
        assert_eq!(json["operationName"], "q");
    }
}

#[test]
fn in_a_cookie() {
    for value in HOSTILE {
        match send("get = '/'\ncookies = { a = '{{ deploy.branch }}', b = 'x' }", value) {
            Ok(request) => {
                assert!(!value.contains([';', ',', '"', '\\', ' ', '\r', '\n']), "{value:?}");
                let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
                assert_eq!(request.cookies, [pair("a", value), pair("b", "x")]);
            }
            Err(error) => assert!(matches!(error, RenderError::UnsafeValue { .. }), "{value:?}: {error}"),
        }
    }
}

#[test]
fn in_a_user_name_and_a_password() {
    for value in HOSTILE {
        let pair = |step: &str| {
            let request = send(step, value).ok()?;
            let header = request
                .headers
                .iter()
                .find(|(name, _)| *name == "authorization")?
                .1
                .clone();
            assert!(header.is_sensitive() && request.carries_credentials);
            let coded = header.to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
            String::from_utf8(STANDARD.decode(coded).unwrap()).ok()
        };
        let has_control = value.contains(char::is_control);
        let user = pair("get = '/'\nbasic = { user = '{{ deploy.branch }}', password = 'p' }");
        let expected = (!has_control && !value.contains(':')).then(|| format!("{value}:p"));
        assert_eq!(user, expected, "{value:?}");
        let password = pair("get = '/'\nbasic = { user = 'u', password = '{{ deploy.branch }}' }");
        assert_eq!(password, (!has_control).then(|| format!("u:{value}")), "{value:?}");
    }
}

#[test]
fn in_the_name_of_a_service() {
    for value in HOSTILE {
        let values = values(&[("deploy.branch", value)]);
        let step = read("grpc = 'http://orders.example.com:50051'\nservice = '{{ deploy.branch }}'");
        let request = render(&step, None, &values).unwrap();
        assert_eq!(
            request.url.as_str(),
            "http://orders.example.com:50051/grpc.health.v1.Health/Check"
        );
        let body = request.body.unwrap();
        let length = u8::try_from(value.len()).unwrap();
        assert_eq!(body[..7], [0, 0, 0, 0, length + 2, 0x0a, length], "{value:?}");
        assert_eq!(&body[7..], value.as_bytes());
    }
}

#[test]
fn in_the_host_of_a_socket_it_is_one_label() {
    for value in HOSTILE {
        let step = read("tcp = '{{ deploy.branch }}.internal:5432'");
        let rendered = render(&step, None, &values(&[("deploy.branch", value)]));
        assert!(
            rendered.is_err(),
            "{value:?}: {:?}",
            rendered.map(|request| request.url)
        );
    }
    let good = render(
        &read("tcp = '{{ deploy.branch }}.internal:5432'"),
        None,
        &values(&[("deploy.branch", "db-1")]),
    );
    assert_eq!(good.unwrap().url.as_str(), "tcp://db-1.internal:5432");
}

/// Nothing is expanded where a value could be taken for a part of a language.
#[test]
fn in_no_expression() {
    for step in [
        "expect.body.matches = '{{ deploy.branch }}'",
        "expect.html.'{{ deploy.branch }}' = 'x'",
        "expect.json.'$.{{ deploy.branch }}' = 'x'",
        "capture.a = { matches = '{{ deploy.branch }}' }",
        "file = '{{ deploy.branch }}'",
        "connect = '{{ deploy.branch }}'",
        "proxy = 'http://{{ deploy.branch }}'",
        "tls.ca = '{{ deploy.branch }}'",
        "timeout = '{{ deploy.branch }}'",
    ] {
        let read = super::try_read(&format!("post = '/'\n{step}"));
        assert!(read.is_err(), "{step} was accepted");
    }
}
