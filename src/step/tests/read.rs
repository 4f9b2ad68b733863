//! Reading steps, and what is said of bad ones.

use super::{problems, read, try_read};

#[test]
fn the_smallest_step_has_the_defaults() {
    let step = read("get = '/'");
    insta::assert_snapshot!(step.form(), @r#"["GET","/",[],[],[],null,null,null,[],10000,true,[null,0,0,null,null],4194304,null,[null,[],null,null,[],null,false],[null,[],null,null,[],null,false],[],null]"#);
    assert!(step.sends_twice_safely() && step.slots().is_empty());
}

#[test]
fn everything_is_read() {
    let step = read(
        r#"
        post   = "/api/{{ vars.area }}/orders?x=1"
        bearer = "{{ login.token }}"
        headers = { Accept = "application/json", x-run = "{{ run.id }}" }
        json   = { sku = "SMOKE-1", qty = 1, by = ["{{ secret.WHO }}"] }
        timeout = "30s"
        follow = false
        expect.status = [200, "2xx"]
        expect.headers.location = { matches = "^/" }
        expect.json = { state = "ready", total = { min = 1 }, "$..id" = { all = { type = "integer" } } }
        expect.body.lacks = "Traceback"
        expect.time = "2s"
        warn.json.cache = { one_of = ["hit", "stale"] }
        capture.cart = "$.id"
        capture.next = { header = "Location", secret = false }
        "#,
    );
    insta::assert_snapshot!(step.form(), @r#"["POST","/api/{{ vars.area }}/orders?x=1",[],[["accept","application/json"],["x-run","{{ run.id }}"]],[],"{{ login.token }}",null,null,["json",{"by":["{{ secret.WHO }}"],"qty":1,"sku":"SMOKE-1"}],30000,false,[null,0,0,null,null],4194304,null,["200 or 2xx",[[["header","location"],[["matches","^/"]]],[["json","$..id"],[["all",[["type","integer"]]]]],[["json","$.state"],[["is","ready"]]],[["json","$.total"],[["min",1.0]]],[["the body"],[["lacks",["Traceback"]]]]],null,2000,[],null,false],[null,[[["json","$.cache"],[["one_of",["hit","stale"]]]]],null,null,[],null,false],[["cart",["json","$.id"],true],["next",["header","location"],false]],null]"#);
    insta::assert_snapshot!(step.slots().join(" "), @"login.token run.id secret.WHO vars.area");
    insta::assert_snapshot!(step.label(), @"POST /api/{{ vars.area }}/orders?x=1");
    assert!(!step.sends_twice_safely());
}

#[test]
fn the_form_does_not_depend_on_the_order_of_keys() {
    let one = read("get = '/'\njson = { a = 1, b = 2 }\nexpect.json.x = { min = 1, max = 2 }");
    let two = read("expect.json.x = { max = 2, min = 1 }\njson = { b = 2, a = 1 }\nget = '/'");
    assert_eq!(one.form(), two.form());
    assert_ne!(
        one.form(),
        read("get = '/'\njson = { a = 1, b = 2 }\nexpect.json.x = { min = 1, max = 3 }").form()
    );
}

#[test]
fn each_method_has_its_key() {
    for key in ["get", "head", "post", "put", "patch", "delete", "options"] {
        let step = read(&format!("{key} = '/'"));
        assert_eq!(step.send.method.as_str(), key.to_uppercase());
    }
}

/// Nothing of the language that is not available is passed over in silence.
#[test]
fn an_unknown_key_is_a_problem_everywhere() {
    for text in [
        "query.q = []\nquery.r = {}",
        "form = 3",
        "basic = { user = 'a' }",
        "retry = 2",
        "service = 'orders'",
        "method = 'PURGE'",
        "expect.cookies.a = { httponly = true }",
        "expect.html.'a:has(b)' = 'Acme'",
        "expect.size = '3 apples'",
        "expect.assets = 'yes'",
        "expect.errors = 5",
        "expect.http = '3'",
        "expect.grpc = 'UP'",
        "expect.message = 'pong'",
        "warn.tls.days_left = '21'",
        "expect.json.a = { min = 1, foo = 2 }",
        "expect.body.min = 3",
        "expect.headers.etag.min = 1",
        "expect.json.a.count.contains = 1",
        "expect.json.'$[*].a'.min = 1",
        "capture.a = { json = '$.a', regex = 'x' }",
    ] {
        assert!(try_read(&format!("get = '/'\n{text}")).is_err(), "{text} was accepted");
    }
}

#[test]
fn problems_of_what_is_sent() {
    let text = r#"
get = "shop"
post = "/"
headers = { Host = "evil", "bad name" = "x", x-a = "line\nbreak", Authorization = "a", authorization = "b" }
bearer = "x"
json = { a = 1 }
text = "both"
timeout = 5
follow = "no"
"#;
    insta::assert_snapshot!(problems(text), @r#"
    error: `get` in check "x" is not an address: a path starts with `/`, an address with `https://` or `http://`
      --> checks.toml:2:7
       |
     2 | get = "shop"
       |       ^^^^^^

    error: `post` and `get` cannot both be in check "x"
      --> checks.toml:3:1
       |
     3 | post = "/"
       | ^^^^
       = help: one request has one method; write another check for the other

    error: header `host` cannot be set: it belongs to the connection
      --> checks.toml:4:13
       |
     4 | headers = { Host = "evil", "bad name" = "x", x-a = "line\nbreak", Authorization = "a", authorization = "b" }
       |             ^^^^

    error: `bad name` is not the name of a header
      --> checks.toml:4:28
       |
     4 | headers = { Host = "evil", "bad name" = "x", x-a = "line\nbreak", Authorization = "a", authorization = "b" }
       |                            ^^^^^^^^^^

    error: `x-a` in `headers` in check "x" has a character that cannot stand in a header
      --> checks.toml:4:52
       |
     4 | headers = { Host = "evil", "bad name" = "x", x-a = "line\nbreak", Authorization = "a", authorization = "b" }
       |                                                    ^^^^^^^^^^^^^
       = help: use visible ASCII characters and spaces, on one line

    error: header `authorization` is there twice: case makes no difference
      --> checks.toml:4:88
       |
     4 | headers = { Host = "evil", "bad name" = "x", x-a = "line\nbreak", Authorization = "a", authorization = "b" }
       |                                                                                        ^^^^^^^^^^^^^

    error: `bearer` and `headers.authorization` cannot both be in check "x"
      --> checks.toml:5:10
       |
     5 | bearer = "x"
       |          ^^^
       = help: both are the same header; remove one

    error: `json` and `text` cannot both be in check "x"
      --> checks.toml:7:1
       |
     7 | text = "both"
       | ^^^^
       = help: a request has one body; remove one

    error: `timeout` in check "x" has no unit
      --> checks.toml:8:11
       |
     8 | timeout = 5
       |           ^
       = help: write `"5s"` or `"5ms"`

    error: `follow` in check "x" must be `true` or `false`, not a string
      --> checks.toml:9:10
       |
     9 | follow = "no"
       |          ^^^^
    "#);
}

#[test]
fn problems_of_bodies() {
    let text = "post = '/'\njson = { '{{ key }}' = 1, at = 2026-01-01, a = ['{{ open'] }\ntimeout = '0s'";
    insta::assert_snapshot!(problems(text), @r#"
    error: placeholders stand in values, not in keys
      --> checks.toml:2:10
       |
     2 | json = { '{{ key }}' = 1, at = 2026-01-01, a = ['{{ open'] }
       |          ^^^^^^^^^^^

    error: `at` in `json` in check "x" is a date or time
      --> checks.toml:2:32
       |
     2 | json = { '{{ key }}' = 1, at = 2026-01-01, a = ['{{ open'] }
       |                                ^^^^^^^^^^
       = help: JSON has no dates; write `"2026-01-01"`

    error: `{{` is not closed; write `{{{{` for the braces themselves
      --> checks.toml:2:49
       |
     2 | json = { '{{ key }}' = 1, at = 2026-01-01, a = ['{{ open'] }
       |                                                 ^^^^^^^^^

    error: `timeout` in check "x" must be from `"1ms"` to `"15m"`
      --> checks.toml:3:11
       |
     3 | timeout = '0s'
       |           ^^^^
    "#);
}

#[test]
fn problems_of_targets() {
    let mut report = String::new();
    for target in [
        "//evil.example/",
        "healthz",
        "ftp://a.example/",
        "/a#b",
        "/a\\b",
        "https://",
        "https://user@a.example/",
        "https://a.example:{{ port }}/",
        "https://{{ host }}@a.example/",
        "{{ vars.url }}/x",
        "/{{ bad name }}",
    ] {
        let text = problems(&format!("get = '{target}'"));
        report.push_str(text.lines().next().unwrap_or_default());
        report.push('\n');
    }
    insta::assert_snapshot!(report, @r#"
    error: `get` in check "x" is not an address: a path starts with one `/`; write `https://` before another host
    error: `get` in check "x" is not an address: a path starts with `/`, an address with `https://` or `http://`
    error: `get` in check "x" is not an address: a path starts with `/`, an address with `https://` or `http://`
    error: `get` in check "x" is not an address: what follows `#` is never sent; remove it, or write `%23`
    error: `get` in check "x" is not an address: a control character or a backslash cannot stand in an address; write `%5C` for a backslash
    error: `get` in check "x" is not an address: the host is not usable: empty host
    error: `get` in check "x" is not an address: the host is not usable: a user name in an address is not sent; use `bearer` or `headers`
    error: `get` in check "x" is not an address: the host is not usable: a port cannot be a placeholder
    error: `get` in check "x" is not an address: the host is not usable: a user name in an address is not sent; use `bearer` or `headers`
    error: `get` in check "x" is not an address: a path starts with `/`, an address with `https://` or `http://`
    error: `get` in check "x" is not an address: `{{ bad name }}` is not a placeholder: a name like `deploy.commit` stands between the braces
    "#);
}

#[test]
fn times_of_each_answer_and_of_all_of_them() {
    let expect = read("get = '/'\nexpect.time = { p95 = '400ms', p50 = '80ms', max = '2s' }\nwarn.time.p99 = '1s'");
    let ms = std::time::Duration::from_millis;
    assert_eq!(expect.expect.time, Some(ms(2_000)));
    assert_eq!(expect.expect.percentiles, [(50, ms(80)), (95, ms(400))]);
    assert_eq!(
        (expect.warn.time, expect.warn.percentiles),
        (None, vec![(99, ms(1_000))])
    );
    insta::assert_snapshot!(problems("get = '/'\nexpect.time = { p94 = '400ms', p50 = '0s', avg = '1s' }"), @r#"
    error: unknown key `p94` in `time` in `expect` in check "x"
      --> checks.toml:2:17
       |
     2 | expect.time = { p94 = '400ms', p50 = '0s', avg = '1s' }
       |                 ^^^
       = help: did you mean `p90`?

    error: `p50` in `time` in `expect` in check "x" must be longer than 0
      --> checks.toml:2:38
       |
     2 | expect.time = { p94 = '400ms', p50 = '0s', avg = '1s' }
       |                                      ^^^^

    error: unknown key `avg` in `time` in `expect` in check "x"
      --> checks.toml:2:44
       |
     2 | expect.time = { p94 = '400ms', p50 = '0s', avg = '1s' }
       |                                            ^^^
       = help: here it is called `p50`
    "#);
}

#[test]
fn problems_of_expectations() {
    let text = r#"
get = "/"
[expect]
status = [200, "20x", 700]
time = "2"
max_time = "1s"
headers = { etag = 5, location = { min = 1 } }
body = { matches = "(", contains = [] }
"#;
    insta::assert_snapshot!(problems(text), @r#"
    error: an item of `status` in `expect` in check "x" is not a status
      --> checks.toml:4:16
       |
     4 | status = [200, "20x", 700]
       |                ^^^^^
       = help: write `200`, `"2xx"`, `"200-204"` or a list of those

    error: an item of `status` in `expect` in check "x" is not a status
      --> checks.toml:4:23
       |
     4 | status = [200, "20x", 700]
       |                       ^^^
       = help: write `200`, `"2xx"`, `"200-204"` or a list of those

    error: `time` in `expect` in check "x" has no unit
      --> checks.toml:5:8
       |
     5 | time = "2"
       |        ^^^
       = help: write `"2s"` or `"2ms"`

    error: unknown key `max_time` in `expect` in check "x"
      --> checks.toml:6:1
       |
     6 | max_time = "1s"
       | ^^^^^^^^
       = help: here it is called `time`

    error: `etag` in `headers` in `expect` in check "x" must be a string, not an integer
      --> checks.toml:7:20
       |
     7 | headers = { etag = 5, location = { min = 1 } }
       |                    ^

    error: unknown key `min` in `location` in `headers` in `expect` in check "x"
      --> checks.toml:7:36
       |
     7 | headers = { etag = 5, location = { min = 1 } }
       |                                    ^^^
       = help: known here: `contains`, `exists`, `is`, `lacks`, `length`, `matches`, `not`, `one_of`

    error: `matches` in `body` in `expect` in check "x" is not a regular expression: unclosed group
      --> checks.toml:8:20
       |
     8 | body = { matches = "(", contains = [] }
       |                    ^^^

    error: `contains` in `body` in `expect` in check "x" is empty and expects nothing
      --> checks.toml:8:36
       |
     8 | body = { matches = "(", contains = [] }
       |                                    ^^
    "#);
}

#[test]
fn problems_of_json_paths() {
    let text = r#"
get = "/"
[expect.json]
"$[*].amount" = 5
"$..a..b" = { count = 1 }
"$.a[" = 1
f."$.g" = 1
"#;
    insta::assert_snapshot!(problems(text), @r#"
    error: `$[*].amount` in `json` in `expect` in check "x" may be about several values
      --> checks.toml:4:17
       |
     4 | "$[*].amount" = 5
       |                 ^
       = help: say which of them: `{ all = … }`, `{ any = … }`, `{ none = … }` or `{ count = … }`

    error: this JSON path could take very long on a large answer: `..` can stand in it once
      --> checks.toml:5:1
       |
     5 | "$..a..b" = { count = 1 }
       | ^^^^^^^^^

    error: this is not a JSON path: it cannot be read from character 4 on
      --> checks.toml:6:1
       |
     6 | "$.a[" = 1
       | ^^^^^^

    error: a `$` path starts at the top of the JSON
      --> checks.toml:7:3
       |
     7 | f."$.g" = 1
       |   ^^^^^
       = help: write `json."$.g"`
    "#);
}

#[test]
fn problems_of_json_matchers() {
    let text = r#"
get = "/"
[expect.json]
user = { count = 1, name = "x" }
a.type = "user"
b = {}
c = { matches = "^{{ deploy.commit }}$" }
d = { all = { id = 1 } }
e = { count = -1 }
"#;
    insta::assert_snapshot!(problems(text), @r#"
    error: `count` in `user` in `json` in `expect` in check "x" stands beside names that are not matchers
      --> checks.toml:4:10
       |
     4 | user = { count = 1, name = "x" }
       |          ^^^^^
       = help: if it is a member of the JSON, write its path: `json."$.user.count"`

    error: `type` in `a` in `json` in `expect` in check "x" is not a type of JSON
      --> checks.toml:5:10
       |
     5 | a.type = "user"
       |          ^^^^^^
       = help: the types are `string`, `number`, `integer`, `boolean`, `array`, `object`, `null`; for a member called `type` write its path: `json."$.type"`

    error: `b` in `json` in `expect` in check "x" is empty and expects nothing
      --> checks.toml:6:5
       |
     6 | b = {}
       |     ^^
       = help: write what is expected, or `{ type = "object" }` for any object

    error: `matches` in `c` in `json` in `expect` in check "x" has a placeholder, and none is expanded in a regular expression
      --> checks.toml:7:17
       |
     7 | c = { matches = "^{{ deploy.commit }}$" }
       |                 ^^^^^^^^^^^^^^^^^^^^^^^
       = help: compare with `is` or `contains`

    error: `all` in `d` in `json` in `expect` in check "x" has no matcher
      --> checks.toml:8:13
       |
     8 | d = { all = { id = 1 } }
       |             ^^^^^^^^^^
       = help: write matchers; for a member of each item write a path, `json."$.items[*].id"`, and for the whole object `is`

    error: `count` in `e` in `json` in `expect` in check "x" is negative, and no size is
      --> checks.toml:9:15
       |
     9 | e = { count = -1 }
       |               ^^
    "#);
}

#[test]
fn problems_of_captures() {
    let text = r#"
get = "/"
capture.a = "token"
capture.b = "$.items[*].id"
capture.c = { secret = true }
capture.d = { json = "$.a", header = "b" }
capture."e.f" = "$.a"
capture.g = 5
capture.h = { path = "$.a" }
"#;
    insta::assert_snapshot!(problems(text), @r#"
    error: this is not a JSON path: it cannot be read from character 1 on
      --> checks.toml:3:13
       |
     3 | capture.a = "token"
       |             ^^^^^^^
       = help: a JSON path starts with `$`: `$.status`

    error: `$.items[*].id` may find several values
      --> checks.toml:4:13
       |
     4 | capture.b = "$.items[*].id"
       |             ^^^^^^^^^^^^^^^
       = help: one value can be kept: use names and indexes only, `$.items[0].id`

    error: `c` in `capture` in check "x" must say where the value stands
      --> checks.toml:5:13
       |
     5 | capture.c = { secret = true }
       |             ^^^^^^^^^^^^^^^^^
       = help: write one of `json`, `header`, `cookie`, `html` and `matches`: `{ json = "$.c" }`

    error: `d` in `capture` in check "x" must say where the value stands
      --> checks.toml:6:13
       |
     6 | capture.d = { json = "$.a", header = "b" }
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: write one of `json`, `header`, `cookie`, `html` and `matches`: `{ json = "$.d" }`

    error: `e.f` cannot be the name of a captured value
      --> checks.toml:7:9
       |
     7 | capture."e.f" = "$.a"
       |         ^^^^^
       = help: use letters, digits, `-` and `_`

    error: `g` in `capture` in check "x" must be a JSON path or a table, not an integer
      --> checks.toml:8:13
       |
     8 | capture.g = 5
       |             ^
       = help: write `capture.g = "$.g"`

    error: `h` in `capture` in check "x" must say where the value stands
      --> checks.toml:9:13
       |
     9 | capture.h = { path = "$.a" }
       |             ^^^^^^^^^^^^^^^^
       = help: write one of `json`, `header`, `cookie`, `html` and `matches`: `{ json = "$.h" }`

    error: unknown key `path` in `h` in `capture` in check "x"
      --> checks.toml:9:15
       |
     9 | capture.h = { path = "$.a" }
       |               ^^^^
       = help: here it is called `json`
    "#);
}

#[test]
fn a_step_needs_an_address() {
    insta::assert_snapshot!(problems("expect.status = 200"), @r#"
    error: check "x" has no address
      --> checks.toml:1:1
       |
     1 | expect.status = 200
       | ^
       = help: write where it goes: `get = "/"`
    "#);
}
