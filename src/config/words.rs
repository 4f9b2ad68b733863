//! Words for which a table has no better help of its own: keys that belong elsewhere, and words of other tools.

/// What to do about a key that is unknown where it stands: a path that it is called here, or a sentence.
///
/// A table's own words come first. The names of the tools are in the help where they tell what was meant.
pub(super) const WORDS: &[(&str, &str)] = &[
    // Keys of this language, where they belong.
    (
        "mode",
        "it stands at the top of the main file, before the first `[table]`, or in a [[policy]]",
    ),
    (
        "include",
        "it stands at the top of the main file, before the first `[table]`",
    ),
    (
        "base",
        "it stands at the top of a file, before the first `[table]`, in `[env.X]`, or in a check",
    ),
    ("listen", "it belongs in [server]"),
    ("admin_listen", "it belongs in [server]"),
    ("public_url", "it belongs in [server]"),
    ("admin_token", "it belongs in [server]"),
    ("read_token", "it belongs in [server]"),
    ("rate_limit", "it belongs in [server]"),
    (
        "port",
        "where the agent listens is `listen = \"0.0.0.0:8700\"` in [server]",
    ),
    ("allow", "it belongs in [network]"),
    ("plain_http", "it belongs in [network]"),
    ("every", "it belongs in [retry]"),
    ("failures", "it belongs in [retry]"),
    ("passes", "it belongs in [retry]"),
    (
        "for",
        "the longest time to warm up is `for` in [warmup], the time to watch is `for` in [watch]",
    ),
    ("max_per_hour", "it belongs in [rollback]"),
    ("cooldown", "it belongs in [rollback]"),
    ("act_within", "it belongs in [rollback]"),
    ("irreversible", "it belongs in [rollback]"),
    ("freeze", "it belongs in [rollback]"),
    ("fleet_brake", "it belongs in [rollback]"),
    ("kind", "it belongs in [platform.X]"),
    ("subscribe", "it belongs in [platform.X]"),
    (
        "token",
        "what a platform asks for is `token` in [platform.X], what a check sends is its `bearer`",
    ),
    (
        "secret",
        "a platform's or a receiver's secret stands in [platform.X] or [outcome.X]",
    ),
    (
        "slack",
        "a receiver of outcomes is a table with a name: `[outcome.chat]` with `slack = …`",
    ),
    (
        "discord",
        "a receiver of outcomes is a table with a name: `[outcome.chat]` with `discord = …`",
    ),
    (
        "teams",
        "a receiver of outcomes is a table with a name: `[outcome.chat]` with `teams = …`",
    ),
    (
        "pagerduty",
        "a receiver of outcomes is a table with a name: `[outcome.page]` with `pagerduty = …`",
    ),
    (
        "github",
        "a receiver of outcomes is a table with a name: `[outcome.commit]` with `github = …`",
    ),
    (
        "cdevents",
        "a receiver of outcomes is a table with a name: `[outcome.bus]` with `cdevents = …`",
    ),
    ("events", "it belongs in [outcome.X]"),
    ("otlp", "it belongs in [telemetry]"),
    ("service_name", "it belongs in [telemetry]"),
    ("template", "it belongs in [outcome.X]"),
    ("content_type", "it belongs in [outcome.X], beside `template`"),
    ("rfc9421", "it belongs in [outcome.X]"),
    ("key_id", "it belongs in [outcome.X], beside `rfc9421`"),
    ("concurrency", "it belongs in [outcome.X]"),
    ("rate", "it belongs in [outcome.X]"),
    (
        "approve",
        "the mode is `mode = \"approve\"`; who may approve is `approve = true` in [outcome.X]",
    ),
    (
        "severity",
        "it belongs to the check itself, `[check.X]`, or to `[defaults]`",
    ),
    ("repeat", "it belongs to the check itself: `[check.X]`"),
    ("inherit", "it belongs to the check itself: `[check.X]`"),
    ("needs", "it belongs to the check itself: `[check.X]`"),
    ("session", "it belongs to the check itself: `[check.X]`"),
    ("title", "it belongs to the check itself: `[check.X]`"),
    ("samples", "it belongs to the check itself: `[check.X]`"),
    ("get", REQUEST),
    ("head", REQUEST),
    ("post", REQUEST),
    ("put", REQUEST),
    ("patch", REQUEST),
    ("delete", REQUEST),
    ("options", REQUEST),
    ("method", REQUEST),
    ("url", REQUEST),
    ("tcp", REQUEST),
    ("grpc", REQUEST),
    ("query", SENT),
    ("headers", SENT),
    ("cookies", SENT),
    ("json", SENT),
    ("form", SENT),
    ("multipart", SENT),
    ("text", SENT),
    ("graphql", SENT),
    ("bearer", SENT),
    ("basic", SENT),
    ("oauth2", SENT),
    (
        "timeout",
        "how long an answer may take is `expect.time`; `timeout`, when it is given up, belongs in a check or in [defaults]",
    ),
    ("follow", SENT),
    (
        "expect",
        "it belongs to what it expects of: a check, [warmup] or [control.X]; for all checks of a file to [defaults]",
    ),
    (
        "warn",
        "it belongs to the check itself, `[check.X]`, or to `[defaults]`",
    ),
    (
        "capture",
        "it belongs to the check whose answer it is taken from: `[check.X]` with `capture.NAME = \"$.path\"`",
    ),
    ("status", EXPECTED),
    (
        "body",
        "what is expected of an answer is `expect.body`; what is sent is `json`, `form` or `text`",
    ),
    ("time", EXPECTED),
    (
        "retry",
        "a check that polls has `retry` beside `get`; the budget of all checks is [retry] in the main file",
    ),
    ("is", MATCHER),
    ("not", MATCHER),
    ("count", MATCHER),
    ("equals", MATCHER),
    ("eq", MATCHER),
    ("regex", MATCHER),
    ("one_of", MATCHER),
    ("contains", MATCHER),
    ("lacks", MATCHER),
    ("matches", MATCHER),
    ("exists", MATCHER),
    ("length", MATCHER),
    ("min", MATCHER),
    ("max", MATCHER),
    (
        "p95",
        "percentiles belong to `expect.time`: `expect.time = { p95 = \"400ms\" }`",
    ),
    (
        "p99",
        "percentiles belong to `expect.time`: `expect.time = { p99 = \"1s\" }`",
    ),
    // What a check is called elsewhere.
    (
        "endpoints",
        "a check is a table with a name: `[check.home]` (Gatus: an item of `endpoints`)",
    ),
    ("external_endpoints", "a check is a table with a name: `[check.home]`"),
    ("monitor", "a check is a table with a name: `[check.home]`"),
    ("monitors", "a check is a table with a name: `[check.home]`"),
    ("tests", "a check is a table with a name: `[check.home]`"),
    ("test", "a check is a table with a name: `[check.home]`"),
    (
        "test_name",
        "a check's name is in its header: `[check.home]` (Tavern: `test_name`)",
    ),
    (
        "http",
        "a check is a table with a name: `[check.home]` with `get = \"/\"` (Goss: `http`)",
    ),
    (
        "addr",
        "whether a port answers is a check with `tcp = \"host:port\"` (Goss: `addr`)",
    ),
    (
        "reachable",
        "whether a port answers is a check with `tcp = \"host:port\"` (Goss: `reachable`)",
    ),
    (
        "ApiCheck",
        "a check is a table with a name: `[check.home]` (Checkly: `ApiCheck`)",
    ),
    (
        "group",
        "checks that belong together stand in a file of their own: `include = [\"checks.d/*.toml\"]`",
    ),
    (
        "groups",
        "checks that belong together stand in a file of their own: `include = [\"checks.d/*.toml\"]`",
    ),
    (
        "scenarios",
        "a check is a table with a name: `[check.home]` (k6: `scenarios`)",
    ),
    (
        "stages",
        "several requests of one check are `[[check.X.step]]` (Tavern: `stages`)",
    ),
    ("steps", "several requests of one check are `[[check.X.step]]`"),
    ("enabled", SWITCH),
    ("disabled", SWITCH),
    ("activated", SWITCH),
    ("muted", SWITCH),
    ("skip", SWITCH),
    ("paused", SWITCH),
    (
        "description",
        "write it as a comment behind a `#`; what people see is the check's name",
    ),
    // What is sent.
    (
        "request",
        "what is sent stands in the check itself: `get = \"/\"`, `headers`, `json`",
    ),
    ("verb", "the method is the key: `post = \"/login\"`"),
    (
        "host",
        "where checks ask is `base = \"https://shop.example.com\"` at the top of the file",
    ),
    ("Query", "query"),
    ("QueryStringParams", "here it is called `query` (Hurl: `[Query]`)"),
    ("params", "here it is called `query`"),
    ("query_parameters", "here it is called `query`"),
    ("Form", "form"),
    ("FormParams", "here it is called `form` (Hurl: `[Form]`)"),
    ("data", "what is sent is `json`, `form` or `text`"),
    ("payload", "what is sent is `json`, `form` or `text`"),
    ("request_body", "what is sent is `json`, `form` or `text`"),
    ("request_headers", "here it is called `headers`"),
    (
        "BasicAuth",
        "here it is `basic = { user = \"…\", password = \"{{ secret.NAME }}\" }`",
    ),
    (
        "basic_auth_user",
        "here it is `basic = { user = \"…\", password = \"{{ secret.NAME }}\" }`",
    ),
    (
        "username",
        "here it is `basic = { user = \"…\", password = \"{{ secret.NAME }}\" }`",
    ),
    (
        "user",
        "here it is `basic = { user = \"…\", password = \"{{ secret.NAME }}\" }`",
    ),
    (
        "password",
        "here it is `basic = { user = \"…\", password = \"{{ secret.NAME }}\" }`",
    ),
    ("follow_redirects", "follow"),
    (
        "no_follow_redirects",
        "here it is `follow = false` (Goss: `no-follow-redirects`)",
    ),
    (
        "ignore_redirect",
        "here it is `follow = false` (Gatus: `ignore-redirect`)",
    ),
    ("location", "here it is `follow = true`, which is the default"),
    ("max_redirects", "here it is `follow = true` or `false`"),
    ("insecure", INSECURE),
    ("allow_insecure", INSECURE),
    ("skip_ssl", INSECURE),
    ("ignore_tls", INSECURE),
    ("accept_self_signed", INSECURE),
    ("verify", INSECURE),
    (
        "client",
        "what is sent stands in the check itself: `timeout`, `follow`, `tls` (Gatus: `client`)",
    ),
    // What is expected.
    ("asserts", "expect"),
    ("assert", "expect"),
    ("assertions", "expect"),
    ("conditions", "expect"),
    (
        "response",
        "what is expected of an answer stands under `expect` (Tavern: `response`)",
    ),
    ("expected", "expect"),
    ("status_code", "expect.status"),
    (
        "accepted_statuscodes",
        "write `expect.status = [200, \"3xx\"]` (Uptime Kuma: accepted status codes)",
    ),
    ("response_time", "expect.time"),
    ("max_response_time", "expect.time"),
    (
        "degraded_response_time",
        "write `warn.time` (Checkly: `degradedResponseTime`)",
    ),
    (
        "thresholds",
        "write `expect.time = { p95 = \"400ms\" }` (k6: `thresholds`)",
    ),
    (
        "http_req_duration",
        "write `expect.time = { p95 = \"400ms\" }` (k6: `http_req_duration`)",
    ),
    (
        "http_req_failed",
        "write `expect.errors = \"5%\"` with `samples` (k6: `http_req_failed`)",
    ),
    ("keyword", "write `expect.body.contains` (Uptime Kuma: a keyword)"),
    (
        "invert_keyword",
        "write `expect.body.lacks` (Uptime Kuma: an inverted keyword)",
    ),
    (
        "json_path",
        "write the JSON as it should be: `expect.json.status = \"ok\"`, or by path: `expect.json.\"$.items[0].id\"`",
    ),
    (
        "jsonpath",
        "write the JSON as it should be: `expect.json.status = \"ok\"`, or by path: `expect.json.\"$.items[0].id\"`",
    ),
    (
        "expected_value",
        "write the JSON as it should be: `expect.json.status = \"ok\"`",
    ),
    ("xpath", "HTML is looked at by CSS selector: `expect.html.\"h1\"`"),
    (
        "upside_down",
        "write what the answer must be: `expect.status = \"5xx\"`",
    ),
    (
        "should_fail",
        "write what the answer must be: `expect.status = \"5xx\"`",
    ),
    (
        "allow_failure",
        "write `severity = \"degraded\"` for a check that must not roll back",
    ),
    (
        "is_critical",
        "write `severity = \"critical\"`, \"degraded\" or \"dependency\"",
    ),
    (
        "certificate_expiration",
        "write `expect.tls = { days_left = { min = 14 } }`",
    ),
    (
        "expiry_notification",
        "write `expect.tls = { days_left = { min = 14 } }`",
    ),
    (
        "operator",
        "a matcher is the key: `{ min = 1 }`, `{ contains = \"x\" }` (Datadog: `operator` and `target`)",
    ),
    (
        "target",
        "a matcher is the key: `{ min = 1 }`, `{ contains = \"x\" }` (Datadog: `operator` and `target`)",
    ),
    (
        "property",
        "the JSON path is the key: `expect.json.\"$.items[0].id\"` (Datadog and Checkly: `property`)",
    ),
    // What is kept.
    ("Captures", CAPTURE),
    ("captures", CAPTURE),
    ("save", CAPTURE),
    ("extract", CAPTURE),
    ("extracted_values", CAPTURE),
    (
        "variables",
        "values for `{{ vars.X }}` stand in [vars] at the top of the file",
    ),
    (
        "environment_variables",
        "values for `{{ vars.X }}` stand in [vars]; secrets come from the environment by themselves",
    ),
    // When, how often, and how sure.
    ("interval", PACE),
    ("frequency", PACE),
    ("tick_every", PACE),
    (
        "schedule",
        "checks run when a deployment goes live, not on a schedule; the pace is `every` in [retry]",
    ),
    (
        "cron",
        "checks run when a deployment goes live, not on a schedule; the pace is `every` in [retry]",
    ),
    ("retries", BUDGET),
    ("max_retries", BUDGET),
    ("retry_interval", PACE),
    ("retry_strategy", BUDGET),
    ("failure_threshold", BUDGET),
    ("min_failure_duration", BUDGET),
    ("double_check", BUDGET),
    (
        "success_threshold",
        "how many passes in a row are a pass is `passes` in [retry]",
    ),
    (
        "delay_before",
        "a new deployment is waited for by [warmup]; a check that polls has `retry = \"20s\"`",
    ),
    (
        "delay_after",
        "a check that waits for something polls: `retry = \"20s\"`",
    ),
    (
        "delay",
        "a new deployment is waited for by [warmup]; a check that polls has `retry = \"20s\"`",
    ),
    ("sleep", "a check that waits for something polls: `retry = \"20s\"`"),
    (
        "vus",
        "this is no load test; `samples = 20` sends a request so many times, one after the other (k6: `vus`)",
    ),
    (
        "iterations",
        "this is no load test; `samples = 20` sends a request so many times, one after the other",
    ),
    (
        "locations",
        "checks run where the agent runs; what differs in an environment stands in `[env.X]`",
    ),
    ("tags", "which deployments a check is for is its `when`"),
    (
        "setup",
        "what comes first is a check that others need, or the first `[[check.X.step]]`",
    ),
    (
        "setup_script",
        "what comes first is a check that others need, or the first `[[check.X.step]]`",
    ),
    ("teardown", "what cleans up is `[[check.X.finally]]`"),
    ("tear_down_script", "what cleans up is `[[check.X.finally]]`"),
    // Whom to tell.
    ("alerting", RECEIVER),
    ("alerts", RECEIVER),
    ("alert_channels", RECEIVER),
    ("notifications", RECEIVER),
    ("notification_id_list", RECEIVER),
    ("notify", RECEIVER),
    (
        "message",
        "messages say what happened in words of their own; who gets them is `events` and `when` in [outcome.X]",
    ),
    ("keep", "it belongs in [store]"),
    (
        "max_size",
        "it belongs in [store]; how much of an answer is read is a check's `max_body`",
    ),
    ("retention", "how long what has ended is kept is `keep` in [store]"),
    ("storage", "store"),
];

const REQUEST: &str = "a request belongs in a check: `[check.home]` with `get = \"/\"`";
const SENT: &str = "what is sent belongs in a check, beside `get` or `post`; for all checks of a file in [defaults]";
const EXPECTED: &str =
    "what is expected belongs under the `expect` of a check: `expect.status = 200`, `expect.time = \"2s\"`";
const MATCHER: &str =
    "a matcher belongs to what it is about: `expect.body.contains = \"x\"`, `expect.json.count = { min = 1 }`";
const SWITCH: &str =
    "there is no switch: put a `#` before its lines; a check that must not roll back has `severity = \"degraded\"`";
const INSECURE: &str =
    "certificates are always verified; one of your own authority is trusted by `tls = { ca = \"…\" }`";
const CAPTURE: &str =
    "write `capture.NAME = \"$.path\"` in the check whose answer it is, and `{{ check.NAME }}` where it is used";
const PACE: &str = "the pace of all checks is `every` in [retry]";
const BUDGET: &str = "how many failures it takes is `failures` in [retry]; a check that polls has `retry = \"20s\"`";
const RECEIVER: &str = "who is told is a table with a name: `[outcome.chat]` with `slack`, `discord` or `url`";
