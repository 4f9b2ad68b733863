//! The command that repeats a request.

use url::Url;

use super::{read, values};
use crate::step::curl;

fn command(step: &str, pairs: &[(&str, &str)]) -> String {
    let base = Url::parse("https://shop.example.com").unwrap();
    curl(&read(step), Some(&base), &values(pairs)).unwrap_or_else(|| "none".to_owned())
}

#[test]
fn it_sends_the_same_with_secrets_as_variables() {
    let secret = &[
        ("secret.TOKEN", "s3cret-token"),
        ("login.token", "t0ken/+="),
        ("vars.q", "it's"),
    ][..];
    insta::assert_snapshot!(command("get = '/a?x=1'\nquery.q = '{{ vars.q }}'", secret), @"curl -sS -i -L -m 10 'https://shop.example.com/a?x=1&q=it%27s'");
    insta::assert_snapshot!(command("get = '/'\nbearer = '{{ login.token }}'", secret), @r#"curl -sS -i -L -m 10 -H 'authorization: Bearer '"$login_token" 'https://shop.example.com/'"#);
    insta::assert_snapshot!(command("post = '/'\njson = { pw = 'a {{ secret.TOKEN }} b', q = '{{ vars.q }}' }", secret), @r#"curl -sS -i -X POST -L -m 10 -H 'content-type: application/json' --data-raw '{"pw":"a '"$TOKEN"' b","q":"it'\''s"}' 'https://shop.example.com/'"#);
    insta::assert_snapshot!(command("get = '/'\nbasic = { user = 'smoke', password = '{{ secret.TOKEN }}' }", secret), @r#"curl -sS -i -L -m 10 -u 'smoke:'"$TOKEN" 'https://shop.example.com/'"#);
    insta::assert_snapshot!(command("put = '/'\nform = { a = '{{ secret.TOKEN }}' }\ncookies.c = 'x'\nhttp = '1.1'\nip = 'v4'\nconnect = '10.0.0.1:8443'", secret), @r#"curl -sS -i -X PUT -L -m 10 --http1.1 -4 --connect-to '::10.0.0.1:8443' -H 'content-type: application/x-www-form-urlencoded' -b 'c=x' --data-raw 'a='"$TOKEN" 'https://shop.example.com/'"#);
    insta::assert_snapshot!(command("tcp = 'db:5432'", secret), @"none");
}

/// Also where a value without a secret's name holds the secret.
#[test]
fn no_form_of_a_secret_is_in_it() {
    let pairs = [("secret.TOKEN", "s3cret-token"), ("vars.copy", "s3cret-token")];
    for step in [
        "get = '/{{ secret.TOKEN }}'",
        "get = '/'\nquery.q = '{{ vars.copy }}'",
        "get = '/'\nheaders.x = '{{ vars.copy }}'",
        "get = '/'\nbasic = { user = 'a', password = '{{ vars.copy }}' }",
        "post = '/'\nmultipart = [{ name = 'a', value = '{{ secret.TOKEN }}' }]",
    ] {
        let command = command(step, &pairs);
        assert!(!command.contains("s3cret") && command != "none", "{command}");
        // `a:s3cret-token` in base64.
        assert!(!command.contains("czNjcmV0"), "{command}");
    }
}
