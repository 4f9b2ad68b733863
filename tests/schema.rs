//! `checks.schema.json` at work: it accepts what the reader accepts, and refuses what an editor should underline.
#![expect(clippy::expect_used, reason = "these are tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use backstop::config::{FixedEnv, load};
use backstop::document::Problem;
use backstop::domain::OutcomeEvent;
use serde_json::{Value, json};

/// Bodies of `[check.a]`: wrong, and then right.
#[rustfmt::skip]
const CHECKS: &[(&str, &str)] = &[
    // What is sent, and where.
    ("", "get = '/'"),
    ("get = 'healthz'", "get = 'https://partner.example.com/ping'"),
    ("get = '/#top'", "get = '/{{ vars.page }}?x=1'"),
    ("get = ['/a', '/a']", "get = ['/a', '/b']"),
    ("get = []", "head = '/'"),
    ("get = '/'\npost = '/'", "post = '/'"),
    ("got = '/'", "put = '/'"),
    ("method = 'PURGE'", "method = 'PURGE'\nurl = '/cache'"),
    ("url = '/cache'", "patch = '/'"),
    ("tcp = 'db.example.com'", "tcp = 'db.example.com:5432'"),
    ("tcp = 'https://db.example.com'", "delete = '/'"),
    ("get = '/'\nservice = 'orders'", "grpc = 'shop.example.com:443'\nservice = 'orders'"),
    ("grpc = 'shop.example.com'", "grpc = 'http://shop.example.com:50051'"),
    ("get = '/'\nquery = 'q=1'", "get = '/'\nquery = { q = 'boots', page = 2, tag = ['a', 'b'], all = true }"),
    ("get = '/'\nquery.q = { a = 1 }", "options = '/'"),
    ("get = '/'\nheaders.accept = 1", "get = '/'\nheaders.accept = 'text/html'"),
    ("get = '/'\nheaders.Host = 'x'", "get = '/'\nheaders.x-host = 'x'"),
    ("get = '/'\nheaders.'a b' = 'x'", "get = '/'\ncookies.theme = 'dark'"),
    ("get = '/'\ncookies.theme = 1", "post = '/'\njson = { a = [1, { b = '{{ login.token }}' }] }"),
    ("post = '/'\njson = 1\ntext = 'x'", "post = '/'\njson = 'text'"),
    ("post = '/'\nform = { a = { b = 1 } }", "post = '/'\nform = { a = 1, b = ['x', true] }"),
    ("post = '/'\nmultipart = [{ name = 'a' }]", "post = '/'\nmultipart = [{ name = 'a', value = 'b' }]"),
    (
        "post = '/'\nmultipart = [{ name = 'a', value = 'b', type = 'image/png' }]",
        "post = '/'\nmultipart = [{ name = 'a', file = 'a.png', type = 'image/png', filename = 'b.png' }]",
    ),
    ("post = '/'\ntext = 1", "post = '/'\ntext = 'x'"),
    ("post = '/'\nfile = ''", "post = '/'\nfile = 'body.xml'\nheaders.content-type = 'text/xml'"),
    ("post = '/'\ngraphql = '{ me }'", "post = '/'\ngraphql.query = '{ me }'"),
    (
        "post = '/'\ngraphql = { query = '{ me }', vars = {} }",
        "post = '/'\ngraphql = { query = 'query A { me }', variables = { id = 1 }, operation = 'A' }",
    ),
    ("get = '/'\nbearer = ''", "get = '/'\nbearer = '{{ login.token }}'"),
    ("get = '/'\nbasic = 'u:p'", "get = '/'\nbasic = { user = 'u', password = '{{ secret.P }}' }"),
    ("get = '/'\nbasic = { user = 'u' }", "get = '/'"),
    ("get = '/'\nbearer = 'x'\nbasic = { user = 'u', password = 'p' }", "get = '/'\nbearer = 'x'"),
    (
        "get = '/'\noauth2 = { url = 'https://id.example.com/token', client_id = 'c' }",
        "get = '/'\noauth2 = { url = 'https://id.example.com/token', client_id = 'c', client_secret = 's', scope = 'a b' }",
    ),
    // How it is sent.
    ("get = '/'\ntimeout = 5", "get = '/'\ntimeout = '5s'"),
    ("get = '/'\ntimeout = '5'", "get = '/'\ntimeout = '1m 30s'"),
    ("get = '/'\ntimeout = '5 parsecs'", "get = '/'\ntimeout = '1.5s'"),
    ("get = '/'\nfollow = 'no'", "get = '/'\nfollow = false"),
    ("get = '/'\nconnect = 'https://x'", "get = '/'\nconnect = ['10.0.0.1', '[fd00::1]:443']"),
    ("get = '/'\nip = 'v5'", "get = '/'\nip = 'both'"),
    ("get = '/'\nproxy = 'proxy.example.com'", "get = '/'\nproxy = 'http://proxy.example.com:3128'"),
    ("get = '/'\nhttp = '1.0'", "get = '/'\nhttp = '2'"),
    ("get = '/'\ntls = { cert = 'c.pem' }", "get = '/'\ntls = { cert = 'c.pem', key = '{{ secret.K }}', ca = 'ca.pem' }"),
    ("get = '/'\nmax_body = '1 TB'", "get = '/'\nmax_body = '500kB'"),
    ("get = '/'\ncharset = 1", "get = '/'\ncharset = 'iso-8859-1'"),
    ("get = '/'\nretry = 20", "get = '/'\nretry = '20s'"),
    ("get = '/'\nretry = { every = '1s' }", "get = '/'\nretry = { for = '20s', every = '1s', stop.status = [404, '5xx'] }"),
    ("get = '/'\nretry = { for = '20s', stop.sttus = 404 }", "get = '/'\nretry.for = '20s'"),
    // The check itself.
    ("get = '/'\ntitle = 1", "get = '/'\ntitle = 'Home'"),
    ("get = '/'\nneeds = 1", "get = '/'\nneeds = ['login']"),
    ("get = '/'\nsession = ['login']", "get = '/'\nsession = 'login'"),
    ("get = '/'\nseverity = 'fatal'", "get = '/'\nseverity = 'degraded'"),
    ("get = '/'\nrepeat = 3", "get = '/'\nrepeat = true"),
    ("get = '/'\ninherit = 'no'", "get = '/'\ninherit = false"),
    ("get = '/'\nbase = 'shop.example.com'", "get = '/'\nbase = 'https://shop.example.com/app'"),
    ("get = '/'\nbase = 'https://shop.example.com/?a'", "get = '/'"),
    ("get = '/'\nsamples = 1", "get = '/'\nsamples = 20\nexpect.errors = '5%'"),
    ("get = '/'\nsamples = 101", "get = '/'\nsamples = 100\nexpect.errors = '0.5 %'"),
    ("get = '/'\nexpect.errors = '105%'", "get = '/'\nsamples = 2\nexpect.errors = '100%'"),
    ("get = '/'\nwhen.app = ['']", "get = '/'\nwhen = { app = ['a', 'b-*'], env = { not = 'staging' } }"),
    ("get = '/'\nwhen.env = { nott = 'x' }", "get = '/'\nwhen = { branch = 'main', platform = 'temps', preview = true }"),
    ("step = []", "[[check.a.step]]\nget = '/'\n[[check.a.finally]]\ndelete = '/x'"),
    ("get = '/'\n[[check.a.step]]\nget = '/'", "timeout = '5s'\n[[check.a.step]]\nget = '/'"),
    ("[[check.a.step]]\nget = ['/a']", "[[check.a.step]]\nget = '/a'\ncapture.id = '$.id'\nexpect.status = 201"),
    ("[[check.a.step]]\nexpect.status = 200", "[[check.a.step]]\npost = '/a'\nwarn.time = '1s'\nretry = '5s'"),
    ("[[check.a.step]]\nget = '/'\nseverity = 'degraded'", "severity = 'degraded'\n[[check.a.step]]\nget = '/'"),
    // What is expected.
    ("get = '/'\nstatus = 200", "get = '/'\nexpect.status = 200"),
    ("get = '/'\nexpect.status = 99", "get = '/'\nexpect.status = [200, '2xx', '200-204']"),
    ("get = '/'\nexpect.status = '6xx'", "get = '/'\nexpect.status = '404'"),
    ("get = '/'\nexpect.headers.etag = 1", "get = '/'\nexpect.headers.etag = { exists = true }"),
    ("get = '/'\nexpect.headers.etag = { min = 1 }", "get = '/'\nexpect.headers.etag = { not = 'x', length = { min = 3 } }"),
    ("get = '/'\nexpect.headers.etag = {}", "get = '/'\nexpect.headers.etag = { one_of = ['a', 'b'], is = 'a' }"),
    ("get = '/'\nexpect.cookies.sid = true", "get = '/'\nexpect.cookies.sid = { matches = '^[0-9a-f]+$' }"),
    (
        "get = '/'\nexpect.cookies.sid = { httponly = true }",
        "get = '/'\nexpect.cookies.sid = { value = { exists = true }, http_only = true, secure = true, path = '/' }",
    ),
    (
        "get = '/'\nexpect.cookies.sid.same_site = 'Loose'",
        "get = '/'\nexpect.cookies.sid = { same_site = 'Lax', domain = 'example.com', max_age = { min = '1h' } }",
    ),
    ("get = '/'\nexpect.body.contain = 'x'", "get = '/'\nexpect.body = { contains = 'x', lacks = ['y', 'z'] }"),
    ("get = '/'\nexpect.body = 1", "get = '/'\nexpect.body = 'pong'"),
    ("get = '/'\nexpect.schema = 1", "get = '/'\nexpect.schema = 'orders.schema.json'"),
    ("get = '/'\nexpect.schema = []", "get = '/'\nexpect.schema = { type = 'object', required = ['id'] }"),
    ("get = '/'\nexpect.html.h1 = 1", "get = '/'\nexpect.html.h1 = 'Welcome'"),
    ("get = '/'\nexpect.html.h1.count = 'many'", "get = '/'\nexpect.html.li = { count = { max = 3 }, none.contains = 'x' }"),
    ("get = '/'\nexpect.html.meta = { attr = 'content' }", "get = '/'\nexpect.html.meta = { attr = 'content', any = 'x', all = { length.is = 1 } }"),
    ("get = '/'\nexpect.size = '5'", "get = '/'\nexpect.size = 500"),
    ("get = '/'\nexpect.size = -1", "get = '/'\nexpect.size = { min = '1kB', max = '4MiB' }"),
    ("get = '/'\nexpect.time = 2", "get = '/'\nexpect.time = '2s'"),
    ("get = '/'\nexpect.time = { p96 = '1s' }", "get = '/'\nexpect.time = { p50 = '1s', p75 = '1s', p90 = '1s', p95 = '1s', p99 = '1s', max = '2s' }"),
    ("get = '/'\nexpect.url = []", "get = '/'\nexpect.url = { contains = '/login' }"),
    ("get = '/'\nexpect.http = 2", "get = '/'\nexpect.http = '2'"),
    ("get = '/'\nexpect.tls = true", "get = '/'\nexpect.tls = { days_left = { min = 14 }, version = { min = '1.2' } }"),
    ("get = '/'\nexpect.tls.version = '1.4'", "get = '/'\nexpect.tls.version = '1.3'"),
    ("get = '/'\nexpect.assets = 'yes'", "get = '/'\nexpect.assets = true"),
    ("grpc = 'a:1'\nexpect.grpc = 'OK'", "grpc = 'a:1'\nexpect.grpc = 'NOT_SERVING'"),
    // JSON.
    ("get = '/'\nexpect.json = {}", "get = '/'\nexpect.json = { a = { b = [1, { c = 2 }] }, '$.d' = 'x' }"),
    ("get = '/'\nexpect.json.a = { count = 'x' }", "get = '/'\nexpect.json.a = { count = 2 }"),
    ("get = '/'\nexpect.json.a = { min = 1, b = 2 }", "get = '/'\nexpect.json.a = { min = 1, max = 2.5 }"),
    ("get = '/'\nexpect.json.a.type = 'list'", "get = '/'\nexpect.json.a.type = 'array'"),
    ("get = '/'\nexpect.json.a.'$.b' = 1", "get = '/'\nexpect.json.'$.a.b' = 1"),
    ("get = '/'\nexpect.json.'$.a[*]' = { any = { b = 1 } }", "get = '/'\nexpect.json.'$.a[*]' = { any.is = { b = 1 } }"),
    ("get = '/'\nexpect.json.a.exists = 1", "get = '/'\nexpect.json = { type = 'object', '$.a' = { exists = false } }"),
    ("get = '/'\nexpect.json.a.one_of = []", "get = '/'\nexpect.json.a = { one_of = [1, 'x'], not = { contains = 1 } }"),
    // What is kept.
    ("get = '/'\ncapture.a = 'token'", "get = '/'\ncapture.a = '$.token'"),
    ("get = '/'\ncapture.'a b' = '$.a'", "get = '/'\ncapture.a = { json = '$.a', secret = false }"),
    ("get = '/'\ncapture.a = { json = '$.a', header = 'x' }", "get = '/'\ncapture.a = { header = 'x-token' }"),
    ("get = '/'\ncapture.a = { secret = true }", "get = '/'\ncapture.a = { cookie = 'sid' }"),
    ("get = '/'\ncapture.a = { cookie = 'sid', attr = 'value' }", "get = '/'\ncapture.a = { html = 'input[name=csrf]', attr = 'value' }"),
    ("get = '/'\ncapture.a = { matches = 1 }", "get = '/'\ncapture.a = { matches = 'id=([0-9]+)' }"),
];

/// Whole files: wrong, and then right.
#[rustfmt::skip]
const FILES: &[(&str, &str)] = &[
    ("mode = 'auto'", "mode = 'approve'"),
    ("include = 1", "include = ['checks.d/*.toml']"),
    ("base = 'shop'", "base = '{{ secret.BASE }}'"),
    ("vars.a = '{{ secret.A }}'", "vars = { a = 'x', b = 1, c = true, d = 1.5 }"),
    ("vars.a = [1]", "env.staging = { base = 'https://s.example.com', vars.a = 1, headers.x-env = 's' }"),
    ("env.staging.header.a = 'b'", "env.'pr-*'.vars.a = 1"),
    ("[check.deploy]\nget = '/'", "[check.deploys]\nget = '/'"),
    ("[check.'a b']\nget = '/'", "[check.a-b_1]\nget = '/'"),
    ("[defaults]\nget = '/'", "[defaults]\ntimeout = '5s'\nexpect.time = '2s'\nwarn.time = '1s'\nretry = '3s'"),
    ("[[defaults.step]]\nget = '/'", "[defaults]\nheaders.accept = 'text/html'\nseverity = 'dependency'"),
    ("secrets.A = 'file'", "secrets.A = { file = '/run/secrets/a' }"),
    ("secrets.A = { file = 'a', env = 'A' }", "secrets.A = { env = 'SHOP_A' }"),
    ("server.listen = 'localhost:8700'", "server.listen = '[::]:8700'"),
    ("server.admin_listen = 8701", "server.admin_listen = '127.0.0.1:8701'"),
    ("server.rate_limit = '60'", "server.rate_limit = '60/m'"),
    ("server.rate_limit = 60", "server = { rate_limit = 'off', admin_token = '{{ secret.T }}' }"),
    ("server.read_token = 5", "server = { admin_token = '{{ secret.T }}', read_token = '{{ secret.R }}' }"),
    ("server.public_url = 'backstop'", "server.public_url = 'https://backstop.example.com'"),
    ("store.keep = 30", "store.keep = '30d'"),
    ("store.max_size = '2'", "store.max_size = '2GB'"),
    ("store.url = 'mysql://db'", "store.url = 'sqlite://backstop.db'"),
    ("network.allow = 'localhost'", "network.allow = ['127.0.0.0/8', 'fd00::/8']"),
    ("network.plain_http = 'http://temps.internal'", "network.plain_http = ['temps.internal', '*.internal', '10.0.0.5']"),
    (
        "platform.temps = { url = 'https://t.example.com', token = 't' }",
        "platform.temps = { url = 'https://t.example.com', token = 't', secret = ['a', 'b'] }",
    ),
    (
        "platform.temps = { url = 'https://t.example.com', token = 't', secret = 's', reconcile_every = 5 }",
        "platform.temps = { url = 'https://t.example.com', token = 't', secret = 's', reconcile_every = '5m' }",
    ),
    (
        "platform.temps = { url = 'https://t.example.com', token = 't', secret = 's', requests = 60 }",
        "platform.temps = { url = 'https://t.example.com', token = 't', secret = 's', requests = '60/m' }",
    ),
    (
        "platform.temps = { url = 'https://t.example.com', token = 't', secret = 's', subscribe = 'yes' }",
        "platform.temps = { url = 'https://t.example.com', token = 't', secret = 's', subscribe = true }",
    ),
    (
        "heartbeat = { url = 'https://ping.example.com/x', every = 60 }",
        "heartbeat = { url = 'https://ping.example.com/x', every = '60s' }",
    ),
    (
        "telemetry = { otlp = 'collector:4318' }",
        "telemetry = { otlp = 'https://otlp.example.com', headers = { x-key = '{{ secret.K }}' }, service_name = 'guard' }",
    ),
    ("telemetry.service_name = 'guard'", "telemetry.otlp = 'http://127.0.0.1:4318'"),
    ("telemetry = { otlp = 'http://127.0.0.1:4318', headers = 'a: b' }", "telemetry.otlp = '{{ secret.OTLP }}'"),
    (
        "platform.ours = { kind = 'heroku', url = 'https://t.example.com', token = 't', secret = 's' }",
        "platform.ours = { kind = 'ours.toml', url = 'https://t.example.com', token = 't', secret = { shop = 's' } }",
    ),
    ("[policy]\nmode = 'approve'", "[[policy]]\nwhen.app = 'shop-*'\nmode = 'approve'"),
    ("[[policy]]\nrollback.cooldwon = '1m'", "[[policy]]\nbase = 'https://s.example.com'\nrollback.cooldown = '20m'"),
    ("[[policy]]\nwhen.stage = 'x'", "[[policy]]\nwarmup.for = '90s'\nretry.failures = 8\nwatch.for = '1m'"),
    ("warmup.for = 90", "warmup = { for = 'auto', get = '/version', expect.json.commit = '{{ deploy.commit }}' }"),
    ("warmup = { get = '/', head = '/' }", "warmup.tcp = 'db.example.com:5432'"),
    ("warmup.get = ['/a', '/b']", "warmup.expect.body.contains = 'ready'"),
    ("retry.every = '2'", "retry = { every = '2s', failures = 6, passes = 12 }"),
    ("retry.failures = 1", "retry.failures = 2"),
    ("retry.passes = 0", "retry.passes = 1000"),
    ("watch = '5m'", "watch.for = '5m'"),
    ("rollback.max_per_hour = 61", "rollback = { max_per_hour = 0, act_within = '1h' }"),
    ("rollback.irreversible = ''", "rollback.irreversible = ['[no-rollback]']"),
    ("rollback.freeze = ['weekend']", "rollback.freeze = ['Sat 00:00-Mon 06:00 Europe/Berlin', '22:00-06:00 UTC']"),
    ("rollback.freeze = '22:00-06:00'", "rollback.freeze = 'Fri 16:00-20:00 Etc/GMT+1'"),
    ("rollback.fleet_brake = '0% in 5m'", "rollback.fleet_brake = '30% in 5m'"),
    ("rollback.fleet_brake = '30%'", "rollback.fleet_brake = 'off'"),
    ("control.status.get = '/'", "control.status.get = 'https://status.example.com/'"),
    ("control.status = {}", "control.status = { head = 'https://status.example.com/', expect.status = 204 }"),
    ("outcome.a = {}", "outcome.a = { url = 'https://a.example.com', secret = '{{ secret.S }}' }"),
    ("outcome.a = { url = 'https://a', slack = 'https://b' }", "outcome.a = { slack = '{{ secret.S }}', approve = true }"),
    (
        "outcome.a = { discord = 'https://b', events = 'rolback.failed' }",
        "outcome.a = { discord = 'https://b', events = ['rollback.*', 'smoke_test.failed'], when.env = 'production' }",
    ),
    ("outcome.a = { pagerduty = 'k', slack = 'https://b' }", "outcome.a = { pagerduty = 'k', url = 'https://b' }"),
    ("outcome.a = { github = 'acme/shop' }", "outcome.a = { github = 'acme/shop', token = '{{ secret.S }}' }"),
    ("outcome.a = { github = 'shop', token = 't' }", "outcome.a = { github = 'a/b', token = 't', url = 'https://git.example/api/v3' }"),
    ("outcome.a = { url = 'https://a', concurrency = 0 }", "outcome.a = { url = 'https://a', concurrency = 4, rate = '10/s' }"),
    ("outcome.a = { url = 'https://a', rate = '10/d' }", "outcome.a = { teams = '{{ secret.S }}', rate = 'off' }"),
    ("outcome.a = { url = 'https://a', secret = [] }", "outcome.a = { cdevents = 'https://a', secret = ['a', 'b'], rfc9421 = true, key_id = 'k' }"),
    (
        "outcome.a = { url = 'https://a', template = 'a.json', content_type = 'json' }",
        "outcome.a = { url = 'https://a', template = '{}', content_type = 'text/plain', headers.Authorization = 'x' }",
    ),
    ("outcome.a = { url = 'https://a', when.branch = 'x' }", "outcome.a = { url = 'https://a', when.app = ['a', 'b'] }"),
];

/// Tables of [`WHOLE`]: what stands before one more key in each, and where the schema has its keys.
const TABLES: &[(&str, &str)] = &[
    ("", ""),
    ("server.", "/definitions/server"),
    ("store.", "/definitions/store"),
    ("network.", "/definitions/network"),
    ("retry.", "/definitions/budget"),
    ("watch.", "/definitions/watch"),
    ("rollback.", "/definitions/rollback"),
    ("when.", "/definitions/when"),
    ("platform.temps.", "/definitions/platform"),
    ("heartbeat.", "/definitions/heartbeat"),
    ("outcome.ops.", "/definitions/outcome"),
    ("outcome.ops.when.", "/definitions/outcome/properties/when"),
    ("secrets.FILE.", "/definitions/secret"),
    ("env.staging.", "/definitions/env"),
    ("warmup.", "/definitions/warmup"),
    ("control.status.", "/definitions/control"),
    ("defaults.", "/definitions/defaults"),
    ("check.a.", "/definitions/check"),
    ("check.a.expect.", "/definitions/expectation"),
    ("check.a.warn.", "/definitions/expectation"),
    (
        "check.a.expect.time.",
        "/definitions/expectation/properties/time/anyOf/1",
    ),
    ("check.a.expect.body.", "/definitions/text_matchers"),
    ("check.a.expect.json.n.", "/definitions/json_matchers"),
    ("check.a.expect.json.n.count.", "/definitions/number_rule/anyOf/1"),
    ("check.a.capture.token.", "/definitions/capture/anyOf/1"),
];

/// A good file with all tables.
const WHOLE: &str = "
server.listen = '127.0.0.1:0'
store.url = 'sqlite://backstop.db'
network.allow = '127.0.0.0/8'
heartbeat.url = 'https://ping.example.com/x'
retry.every = '2s'
watch.for = '5m'
rollback.max_per_hour = 2
when.app = 'shop'
platform.temps.url = 'https://temps.example.com'
platform.temps.token = '{{ secret.TOKEN }}'
platform.temps.secret = '{{ secret.TOKEN }}'
outcome.ops.url = 'https://ops.example.com'
outcome.ops.secret = '{{ secret.TOKEN }}'
outcome.ops.when.app = 'shop'
secrets.FILE.file = 'file'
env.staging.vars.a = 1
warmup.get = '/'
control.status.get = 'https://status.example.com/'
defaults.timeout = '5s'
check.a.get = '/'
check.a.expect.status = 200
check.a.warn.status = 200
check.a.expect.time.max = '2s'
check.a.expect.body.contains = 'x'
check.a.expect.json.n.count.min = 1
check.a.capture.token.json = '$.token'
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema() -> Value {
    let text = fs::read_to_string(root().join("checks.schema.json")).expect("text");
    serde_json::from_str(&text).expect("JSON")
}

fn parsed(text: &str) -> Value {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

/// What the reader says of a main file; every secret that it names is set.
fn read(text: &str) -> Result<(), Vec<Problem>> {
    let mut env = FixedEnv::default()
        .file("checks.toml", text)
        .file("file", "long-enough");
    for name in text.split("secret.").skip(1) {
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        env = env.var(name, "long-enough");
    }
    load(Path::new("checks.toml"), &env).map(drop)
}

fn complain(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// All rows of the tables above as whole files, wrong and right.
fn rows() -> impl Iterator<Item = (String, String)> {
    let in_check = |body: &str| format!("[check.a]\n{body}\n");
    let checks = CHECKS
        .iter()
        .map(move |(wrong, right)| (in_check(wrong), in_check(right)));
    let files = FILES
        .iter()
        .map(|(wrong, right)| ((*wrong).to_owned(), (*right).to_owned()));
    checks.chain(files)
}

/// Every object of the schema that describes something, with where it stands.
fn objects<'s>(value: &'s Value, at: &str, found: &mut Vec<(String, &'s serde_json::Map<String, Value>)>) {
    match value {
        Value::Object(object) => {
            found.push((at.to_owned(), object));
            for (key, inner) in object {
                objects(inner, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (number, inner) in items.iter().enumerate() {
                objects(inner, &format!("{at}/{number}"), found);
            }
        }
        _ => {}
    }
}

fn keys_of(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            keys.extend(object.keys().cloned());
            object.values().for_each(|inner| keys_of(inner, keys));
        }
        Value::Array(items) => items.iter().for_each(|inner| keys_of(inner, keys)),
        _ => {}
    }
}

fn properties(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let table = schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    let keys = table["properties"].as_object().expect("properties").keys();
    keys.cloned().collect()
}

#[test]
fn the_schema_is_a_schema_of_draft_07() {
    let schema = schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    if let Err(error) = jsonschema::draft7::meta::validate(&schema) {
        panic!("{error} at {}", error.instance_path());
    }
    jsonschema::draft7::new(&schema).expect("it can be compiled");
}

#[test]
fn every_key_is_described_and_every_definition_used() {
    let schema = schema();
    let mut found = Vec::new();
    objects(&schema, "", &mut found);
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (at, object) in &found {
        if let Some(target) = object.get("$ref").and_then(Value::as_str) {
            used.insert(target.trim_start_matches('#').to_owned());
            if object.len() > 1 {
                wrong.push(format!("{at}: Taplo does not see what stands beside `$ref`"));
            }
        }
        let is_table = object.get("type") == Some(&json!("object"));
        if is_table && !object.contains_key("additionalProperties") {
            wrong.push(format!("{at}: say whether other keys may stand here"));
        }
        let properties = object
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        for (key, property) in properties.filter(|_| is_table) {
            let meant = match property["$ref"].as_str() {
                Some(target) => schema.pointer(target.trim_start_matches('#')).unwrap_or(&Value::Null),
                None => property,
            };
            let described = meant["description"].as_str().unwrap_or_default();
            if !described.ends_with(['.', ':']) && !described.ends_with(['`', '"']) {
                wrong.push(format!("{at}/{key}: has no sentence that describes it"));
            }
        }
    }
    for name in schema["definitions"].as_object().expect("definitions").keys() {
        if !used.contains(&format!("/definitions/{name}")) {
            wrong.push(format!("definition `{name}` is not used"));
        }
    }
    complain(&wrong);
}

#[test]
fn what_is_right_is_accepted_and_what_is_wrong_refused() {
    let validator = jsonschema::draft7::new(&schema()).expect("a schema");
    let mut complaints = Vec::new();
    for (wrong, right) in rows() {
        if let Err(error) = validator.validate(&parsed(&right)) {
            complaints.push(format!("refused: {right}  {error}"));
        }
        if validator.is_valid(&parsed(&wrong)) {
            complaints.push(format!("accepted: {wrong}"));
        }
    }
    complain(&complaints);
}

#[test]
fn the_right_rows_use_every_key() {
    let schema = schema();
    let mut used = BTreeSet::new();
    rows().for_each(|(_, right)| keys_of(&parsed(&right), &mut used));
    let mut found = Vec::new();
    objects(&schema, "", &mut found);
    let tables = found
        .iter()
        .filter(|(_, object)| object.get("type") == Some(&json!("object")));
    let keys = tables.filter_map(|(_, object)| object.get("properties")?.as_object());
    let unused: BTreeSet<&String> = keys
        .flat_map(|keys| keys.keys())
        .filter(|key| !used.contains(*key))
        .collect();
    assert!(unused.is_empty(), "no row uses {unused:?}");
}

#[test]
fn the_reader_knows_the_keys_of_the_right_rows() {
    // A row may name checks and files that are not there; but its keys must not be unknown.
    let mut complaints = Vec::new();
    for (_, right) in rows() {
        let problems = read(&right).err().unwrap_or_default();
        let unknown = problems.iter().filter_map(|problem| {
            let is_unknown = problem.message.starts_with("unknown key `");
            is_unknown.then(|| format!("{right}  {}", problem.message))
        });
        complaints.extend(unknown);
    }
    complain(&complaints);
}

#[test]
fn a_misspelt_key_is_refused_by_the_reader_and_by_the_schema() {
    let schema = schema();
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    if let Err(problems) = read(WHOLE) {
        panic!("{problems:#?}");
    }
    assert!(validator.is_valid(&parsed(WHOLE)), "the file without a mistake is good");
    let mut wrong = Vec::new();
    for (place, pointer) in TABLES {
        for key in properties(&schema, pointer) {
            // A `json` table whose names are not all matchers is another thing: it mirrors the JSON.
            let text = format!("{WHOLE}{place}{key}x = 1\n");
            if validator.is_valid(&parsed(&text)) {
                wrong.push(format!("the schema accepts `{place}{key}x`"));
            }
            let problems = read(&text).err().unwrap_or_default();
            let told = |problem: &Problem| {
                problem.message.contains(&format!("`{key}x`"))
                    || problem.message.contains("names that are not matchers")
            };
            if !problems.iter().any(told) {
                wrong.push(format!("the reader accepts `{place}{key}x`"));
            }
        }
    }
    complain(&wrong);
}

/// The keys that the reader names when it is asked for one that resembles none.
fn known_to_the_reader(place: &str) -> Option<BTreeSet<String>> {
    let problems = read(&format!("{WHOLE}{place}zzzzzzzzzzzz = 1\n")).err()?;
    let help = problems
        .iter()
        .find_map(|problem| problem.help.as_deref()?.strip_prefix("known here: "))?;
    Some(help.split(", ").map(|key| key.trim_matches('`').to_owned()).collect())
}

/// Whether the reader knows `key` only to say that it cannot stand there.
fn is_refused(place: &str, key: &str) -> bool {
    let problems = read(&format!("{WHOLE}{place}{key} = '/'\n")).err().unwrap_or_default();
    let words = ["is not available yet", "cannot have a default", "cannot stand in"];
    problems
        .iter()
        .any(|problem| words.iter().any(|words| problem.message.contains(words)))
}

#[test]
fn the_reader_and_the_schema_know_the_same_keys() {
    let schema = schema();
    let mut wrong = Vec::new();
    // Of a secret no other key is repeated: it may be the value.
    let names_keys = |place: &str| !place.contains("json.n.") && !place.starts_with("secrets.");
    for (place, pointer) in TABLES.iter().filter(|(place, _)| names_keys(place)) {
        let known = known_to_the_reader(place).unwrap_or_else(|| panic!("the reader names no key of `{place}`"));
        let described = properties(&schema, pointer);
        for key in known.difference(&described).filter(|key| !is_refused(place, key)) {
            wrong.push(format!("the schema does not know `{place}{key}`"));
        }
        for key in described.difference(&known) {
            wrong.push(format!("the reader does not know `{place}{key}`"));
        }
    }
    complain(&wrong);
}

/// Files of the repository whose name ends like this.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

/// The configs that people and tests start from, by where they stand: files, blocks of code in pages, and texts in
/// tests that the reader takes.
fn examples() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    files(root(), ".toml", &mut paths);
    files(root(), ".md", &mut paths);
    files(&root().join("src/config/tests"), ".rs", &mut paths);
    let mut examples = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("text");
        let blocks = |from: &str, to: &str| -> Vec<String> {
            let parts = text.split(from).skip(1).filter_map(|part| part.split(to).next());
            parts.map(str::to_owned).collect()
        };
        let texts = match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => vec![
                text.replace("\"STORE\"", "\"sqlite://demo.db\"")
                    .replace("\"PLATFORM\"", "\"http://127.0.0.1:1\"")
                    .replace("\"RECEIVER\"", "\"http://127.0.0.1:2\""),
            ],
            Some("md") => blocks("```toml\n", "```"),
            _ => blocks("r#\"", "\"#")
                .into_iter()
                .filter(|text| read(text).is_ok())
                .collect(),
        };
        let name = path.strip_prefix(root()).expect("below the root").display().to_string();
        // Broken on purpose, or a corpus of its own.
        if name.starts_with("tests/lint/") || name.starts_with("tests/conformance/") {
            continue;
        }
        let is_config = |text: &String| {
            let headers = ["[check.", "[[policy]]", "[platform.", "[outcome."];
            text.lines()
                .any(|line| headers.iter().any(|header| line.starts_with(header)))
        };
        examples.extend(texts.into_iter().filter(is_config).map(|text| (name.clone(), text)));
    }
    examples
}

#[test]
fn every_example_satisfies_the_schema() {
    let validator = jsonschema::draft7::new(&schema()).expect("a schema");
    let examples = examples();
    for expected in [
        "checks.example.toml",
        "src/cli/demo.toml",
        "README.md",
        "src/config/tests/errors.rs",
    ] {
        assert!(
            examples.iter().any(|(name, _)| name == expected),
            "no example in {expected}"
        );
    }
    let refused = examples.iter().flat_map(|(name, text)| {
        let config = parsed(text);
        let errors: Vec<String> = validator
            .iter_errors(&config)
            .map(|error| format!("{name}: {error} at {}", error.instance_path()))
            .collect();
        errors
    });
    complain(&refused.collect::<Vec<_>>());
}

#[test]
fn built_in_platforms_and_outcomes_are_known() {
    let validator = jsonschema::draft7::new(&schema()).expect("a schema");
    let mut platforms = Vec::new();
    files(&root().join("src/platform/files"), ".toml", &mut platforms);
    assert!(!platforms.is_empty(), "there are platform files");
    for path in platforms {
        let kind = path.file_stem().expect("a stem").to_string_lossy().into_owned();
        let platform = json!({ "kind": kind, "url": "https://p.example.com", "token": "t", "secret": "s" });
        assert!(
            validator.is_valid(&json!({ "platform": { "ours": platform } })),
            "kind = {kind:?} is refused"
        );
    }
    for event in OutcomeEvent::ALL {
        let outcome = json!({ "url": "https://a.example.com", "events": event.as_str() });
        assert!(
            validator.is_valid(&json!({ "outcome": { "a": outcome } })),
            "{} is refused",
            event.as_str()
        );
    }
}

#[test]
fn the_command_prints_the_schema() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_backstop"))
        .arg("schema")
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let printed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(printed, schema());
}
