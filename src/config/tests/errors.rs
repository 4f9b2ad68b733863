//! What people see for what they got wrong.

use super::Given;

/// The problems of a main file.
pub(super) fn check(text: &str) -> String {
    Given::main(text.trim_start_matches('\n')).problems()
}

/// The warnings of a valid main file.
pub(super) fn warned(text: &str) -> String {
    Given::main(text.trim_start_matches('\n'))
        .var("TOKEN", "long-enough")
        .var("SHORT", "abc")
        .var("PASSWORD", "also-long-enough")
        .warnings()
}

#[test]
fn six_mistakes_in_one_go() {
    insta::assert_snapshot!(check(r#"
[check.home]
get = "/"
timout = "5s"
status = 200
retries = 3
max_time = "1s"

[defaluts]
timeout = "5s"
"#), @r#"
    error: unknown key `timout` in check "home"
      --> checks.toml:3:1
       |
     3 | timout = "5s"
       | ^^^^^^
       = help: did you mean `timeout`?

    error: unknown key `status` in check "home"
      --> checks.toml:4:1
       |
     4 | status = 200
       | ^^^^^^
       = help: expectations live under `expect`: write `expect.status = 200`

    error: unknown key `retries` in check "home"
      --> checks.toml:5:1
       |
     5 | retries = 3
       | ^^^^^^^
       = help: the budget of all checks is `[retry]`; a step that polls says `retry = "20s"`

    error: unknown key `max_time` in check "home"
      --> checks.toml:6:1
       |
     6 | max_time = "1s"
       | ^^^^^^^^
       = help: expectations live under `expect`: write `expect.time = "1s"`

    error: unknown key `defaluts` at the top level
      --> checks.toml:8:2
       |
     8 | [defaluts]
       |  ^^^^^^^^
       = help: did you mean `defaults`?
    "#);
}

#[test]
fn a_file_that_is_not_there() {
    insta::assert_snapshot!(Given::default().problems(), @r"
    error: cannot read this file: no such file
      --> checks.toml:1:1
       = help: name another with `--config`, or see it all without one: `backstop demo`
    ");
}

#[test]
fn what_is_not_there_yet_is_said() {
    insta::assert_snapshot!(check(r#"
[store]
url = "mysql://backstop:pw@db/backstop"
[outcome.page]
opsgenie = "{{ secret.PD }}"
[check.home]
get = "/"
when.stage = "ready"
step = []
"#), @r#"
    error: `url` in [store] is not the address of a store
      --> checks.toml:2:7
       = help: write `sqlite://` and a path: `sqlite://backstop.db`; or, for several agents, `postgres://user:password@host/database`

    error: `opsgenie` is not available yet as a receiver of outcomes
      --> checks.toml:4:1
       |
     4 | opsgenie = "{{ secret.PD }}"
       | ^^^^^^^^
       = help: say what it is sent with `url` and `template`, or use one of the formats there are: `url`, `cdevents`, `slack`, `discord`, `teams`, `pagerduty`, `github`

    error: `get` stands beside `step` in check "home"
      --> checks.toml:6:1
       |
     6 | get = "/"
       | ^^^
       = help: what is sent stands in the steps; make it the first of them

    error: unknown key `stage` in `when` in check "home"
      --> checks.toml:7:6
       |
     7 | when.stage = "ready"
       |      ^^^^^
       = help: `when.stage` is not available yet: checks run when the deployment is live

    error: `step` in check "home" must have from 1 to 50 steps
      --> checks.toml:8:8
       |
     8 | step = []
       |        ^^
    "#);
}

#[test]
fn a_fleet_brake_is_a_share_and_a_time() {
    insta::assert_snapshot!(check(r#"
rollback.fleet_brake = "30 in 5m"
[check.home]
get = "/"
"#), @r#"
    error: `fleet_brake` in [rollback] cannot be read
      --> checks.toml:1:24
       |
     1 | rollback.fleet_brake = "30 in 5m"
       |                        ^^^^^^^^^^
       = help: write the share of the apps and the time, from 1% to 100% and from 1m to 24h: "30% in 5m"; or "off"
    "#);
}

#[test]
fn modes_and_budgets_out_of_bounds() {
    insta::assert_snapshot!(check(r#"
mode = "auto"
retry = { every = "1ms", failures = 1, passes = 0 }
watch.for = 300
[warmup]
for = "2 days"
interval = "1s"
"#), @r#"
    error: `mode` is "auto"
      --> checks.toml:1:8
       |
     1 | mode = "auto"
       |        ^^^^^^
       = help: it can be "alert-only", "approve", "auto-rollback"

    error: `every` in [retry] must be from 250ms to 5m
      --> checks.toml:2:19
       |
     2 | retry = { every = "1ms", failures = 1, passes = 0 }
       |                   ^^^^^

    error: `failures` in [retry] must be from 2 to 1000
      --> checks.toml:2:37
       |
     2 | retry = { every = "1ms", failures = 1, passes = 0 }
       |                                     ^

    error: `passes` in [retry] must be from 1 to 1000
      --> checks.toml:2:49
       |
     2 | retry = { every = "1ms", failures = 1, passes = 0 }
       |                                                 ^

    error: `for` in [watch] has no unit
      --> checks.toml:3:13
       |
     3 | watch.for = 300
       |             ^^^
       = help: write `"300s"` or `"300ms"`

    error: `for` in [warmup] must be from 1s to 1h
      --> checks.toml:5:7
       |
     5 | for = "2 days"
       |       ^^^^^^^^

    error: unknown key `interval` in [warmup]
      --> checks.toml:6:1
       |
     6 | interval = "1s"
       | ^^^^^^^^
       = help: the pace is `every` in `[retry]`
    "#);
}

#[test]
fn guards_out_of_bounds() {
    insta::assert_snapshot!(check(r#"
[rollback]
cooldown = "ten minutes"
max_per_hour = -1
irreversible = [""]
freeze = ["weekends", "Sat 00:00-Mon 06:00 Mars/Base"]
"#), @r#"
    error: `cooldown` in [rollback] is not a duration
      --> checks.toml:2:12
       |
     2 | cooldown = "ten minutes"
       |            ^^^^^^^^^^^^^
       = help: write a number and a unit: `"800ms"`, `"10s"`, `"5m"`, `"2h"`

    error: `max_per_hour` in [rollback] must be from 0 to 60
      --> checks.toml:3:16
       |
     3 | max_per_hour = -1
       |                ^^

    error: an item of `irreversible` in [rollback] is empty: it would forbid every rollback
      --> checks.toml:4:17
       |
     4 | irreversible = [""]
       |                 ^^

    error: this is not a span of the week
      --> checks.toml:5:11
       |
     5 | freeze = ["weekends", "Sat 00:00-Mon 06:00 Mars/Base"]
       |           ^^^^^^^^^^
       = help: write `"Sat 00:00-Mon 06:00 Europe/Berlin"`, or `"22:00-06:00 UTC"` for every day

    error: `Mars/Base` is not a time zone
      --> checks.toml:5:23
       |
     5 | freeze = ["weekends", "Sat 00:00-Mon 06:00 Mars/Base"]
       |                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: end with a zone of the IANA database: `UTC`, `Europe/Berlin`
    "#);
}

#[test]
fn a_store_that_keeps_too_little_is_refused() {
    insta::assert_snapshot!(check(r#"
[store]
keep = "1h"
max_size = "1MB"
retention = "9d"
"#), @r#"
    error: `keep` in [store] must be from 2days to 10years
      --> checks.toml:2:8
       |
     2 | keep = "1h"
       |        ^^^^

    error: `max_size` in [store] must be at least 16MB
      --> checks.toml:3:12
       |
     3 | max_size = "1MB"
       |            ^^^^^
       = help: a store that holds less forgets runs as they end

    error: unknown key `retention` in [store]
      --> checks.toml:4:1
       |
     4 | retention = "9d"
       | ^^^^^^^^^
       = help: here it is called `keep`
    "#);
    insta::assert_snapshot!(check("[store]\nmax_size = \"2 gigabytes\"\n"), @r#"
    error: `max_size` in [store] is not a size
      --> checks.toml:2:12
       |
     2 | max_size = "2 gigabytes"
       |            ^^^^^^^^^^^^^
       = help: write bytes, or a number and a unit: `"500kB"`, `"4MiB"`
    "#);
}

#[test]
fn servers_and_networks() {
    insta::assert_snapshot!(check(r#"
[server]
listen = "localhost:8700"
public_url = "backstop.example.com"
rate_limit = "60"
port = 8700
[network]
allow = ["10.0.0.0/8", "169.254.169.254", "lan"]
[store]
url = "backstop.db"
"#), @r#"
    error: `listen` in [server] is not an address to listen on
      --> checks.toml:2:10
       |
     2 | listen = "localhost:8700"
       |          ^^^^^^^^^^^^^^^^
       = help: write an IP address and a port: `0.0.0.0:8700`, `127.0.0.1:8700`, `[::]:8700`

    error: `public_url` in [server] is not an address: relative URL without a base
      --> checks.toml:3:14
       |
     3 | public_url = "backstop.example.com"
       |              ^^^^^^^^^^^^^^^^^^^^^^
       = help: write a whole address: `https://shop.example.com`

    error: `rate_limit` in [server] is not a rate
      --> checks.toml:4:14
       |
     4 | rate_limit = "60"
       |              ^^^^
       = help: write `"60/m"`, `"1/s"` or `"off"`

    error: unknown key `port` in [server]
      --> checks.toml:5:1
       |
     5 | port = 8700
       | ^^^^
       = help: here it is called `listen`

    error: `169.254.169.254` is link-local
      --> checks.toml:7:24
       |
     7 | allow = ["10.0.0.0/8", "169.254.169.254", "lan"]
       |                        ^^^^^^^^^^^^^^^^^
       = help: link-local and metadata addresses are never called: take it out

    error: `lan` is not a network
      --> checks.toml:7:43
       |
     7 | allow = ["10.0.0.0/8", "169.254.169.254", "lan"]
       |                                           ^^^^^
       = help: write an address and how many of its bits count: `10.0.0.0/8`, `fd00::/8`

    error: `url` in [store] is not the address of a store
      --> checks.toml:9:7
       = help: write `sqlite://` and a path: `sqlite://backstop.db`; or, for several agents, `postgres://user:password@host/database`
    "#);
}

#[test]
fn platforms() {
    insta::assert_snapshot!(check(r#"
[platform.temps]
kind = "temsp"
url = "https://user:pw@temps.example.com"
token = ""
webhook_secret = "{{ secret.NOT_SET }}"
[platform.mine]
kind = "platforms/mine.toml"
url = "https://mine.example.com"
token = "{{ vars.token }}"
secret = []
[platform."a/b"]
"#), @r#"
    error: [platform.temps] has no `secret`
      --> checks.toml:1:1
       |
     1 | [platform.temps]
       | ^^^^^^^^^^^^^^^^
       = help: what signs its deliveries: `secret = "{{ secret.TEMPS_WEBHOOK_SECRET }}"`

    error: there is no built-in platform `temsp`
      --> checks.toml:2:8
       |
     2 | kind = "temsp"
       |        ^^^^^^^
       = help: write `kind = "temps"`, or the path of a platform file: `kind = "platforms/ours.toml"`

    error: `url` in [platform.temps] has a user or password in it
      --> checks.toml:3:7
       = help: send credentials with `bearer` or a header

    error: `token` in [platform.temps] is empty
      --> checks.toml:4:9
       |
     4 | token = ""
       |         ^^

    error: unknown key `webhook_secret` in [platform.temps]
      --> checks.toml:5:1
       |
     5 | webhook_secret = "{{ secret.NOT_SET }}"
       | ^^^^^^^^^^^^^^
       = help: here it is called `secret`

    error: cannot read the platform file platforms/mine.toml: no such file
      --> checks.toml:7:8
       |
     7 | kind = "platforms/mine.toml"
       |        ^^^^^^^^^^^^^^^^^^^^^
       = help: write `kind = "temps"`, or the path of a platform file: `kind = "platforms/ours.toml"`

    error: `vars.token` cannot stand in `token` in [platform.mine]
      --> checks.toml:9:9
       |
     9 | token = "{{ vars.token }}"
       |         ^^^^^^^^^^^^^^^^^^
       = help: only `{{ secret.NAME }}` can: it is read when the file is

    error: `secret` in [platform.mine] has no secret in it
       --> checks.toml:10:10
        |
     10 | secret = []
        |          ^^

    error: `a/b` cannot be the name of a platform
       --> checks.toml:11:11
        |
     11 | [platform."a/b"]
        |           ^^^^^
        = help: use letters, digits, `-` and `_`, at most 64
    "#);
}

#[test]
fn includes() {
    insta::assert_snapshot!(check("include = [\"*/x.toml\", \"gone.toml\", 7]\n"), @r#"
    error: `*/x.toml` has a `*` in a directory
      --> checks.toml:1:12
       |
     1 | include = ["*/x.toml", "gone.toml", 7]
       |            ^^^^^^^^^^
       = help: only the file's name can have a `*`: `checks.d/*.toml`

    error: cannot read gone.toml: no such file
      --> checks.toml:1:24
       |
     1 | include = ["*/x.toml", "gone.toml", 7]
       |                        ^^^^^^^^^^^

    error: an item of `include` must be a string, not an integer
      --> checks.toml:1:37
       |
     1 | include = ["*/x.toml", "gone.toml", 7]
       |                                     ^
    "#);
}

#[test]
fn secrets_that_are_no_secrets() {
    let env = Given::main(
        "[secrets]\nA = \"hunter2-hunter2\"\nB = { path = \"b\" }\nC = { file = \"gone\" }\n\
         [server]\nadmin_token = \"{{ secret.C }}\"\n",
    );
    let shown = env.problems();
    assert!(!shown.contains("hunter2"), "{shown}");
    insta::assert_snapshot!(shown, @r#"
    error: `A` in [secrets] must be a table with `file` or `env`
      --> checks.toml:2:5
       = help: write `NAME = { file = "/run/secrets/name" }` or `NAME = { env = "OTHER_NAME" }`; without an entry the environment variable NAME is read

    error: `B` in [secrets] has neither `file` nor `env`
      --> checks.toml:3:5
       |
     3 | B = { path = "b" }
       |     ^^^^^^^^^^^^^^
       = help: write `NAME = { file = "/run/secrets/name" }` or `NAME = { env = "OTHER_NAME" }`; without an entry the environment variable NAME is read

    error: unknown key `path` in `B` in [secrets]
      --> checks.toml:3:7
       |
     3 | B = { path = "b" }
       |       ^^^^
       = help: here it is called `file`

    error: secret `C` has no value: no such file
      --> checks.toml:6:15
       |
     6 | admin_token = "{{ secret.C }}"
       |               ^^^^^^^^^^^^^^^^
       = help: it is read from the file gone
    "#);
}

#[test]
fn what_is_doubtful_is_warned_of() {
    insta::assert_snapshot!(warned(r#"
[server]
admin_token = "literal-token"
[platform.temps]
url = "https://temps.example.com"
token = "{{ secret.SHORT }}"
secret = "{{ secret.TOKEN }}"
[[policy]]
mode = "auto-rollback"
[outcome.ops]
url = "https://ops.example.com/"
events = ["protection.lost"]
[check.login]
post = "/login"
bearer = "{{ secret.PASSWORD }}"
"#), @r#"
    warning: `admin_token` in [server] is written into the file
      --> checks.toml:2:15
       = help: keep it out of the file: `"{{ secret.NAME }}"` reads the environment variable NAME

    warning: secret `SHORT` has fewer than 8 characters
      --> checks.toml:5:9
       |
     5 | token = "{{ secret.SHORT }}"
       |         ^^^^^^^^^^^^^^^^^^^^
       = help: use a longer one: a short secret can be guessed

    warning: this policy has no `when`: it is for everything, and no policy after it is ever used
      --> checks.toml:7:1
       |
     7 | [[policy]]
       | ^^^^^^^^^^
       = help: say whom it is for: `when = { app = "shop-*", env = "production" }`

    warning: messages of [outcome.ops] are not signed
      --> checks.toml:9:1
       |
     9 | [outcome.ops]
       | ^^^^^^^^^^^^^
       = help: add `secret = "{{ secret.NAME }}"`, so that the receiver can tell our messages from others

    warning: check "login" carries credentials, and nothing says whose address gets them
       --> checks.toml:12:8
        |
     12 | [check.login]
        |        ^^^^^
        = help: set `base`, or name the app exactly: `when.app = "shop"`; until then it is not sent

    warning: the only critical check, "login", cannot roll back on its own
       --> checks.toml:12:8
        |
     12 | [check.login]
        |        ^^^^^
        = help: add a check that reads, or `repeat = true` if it is safe to send again

    warning: nothing here tells the new version from the old one
       --> checks.toml:12:8
        |
     12 | [check.login]
        |        ^^^^^
        = help: while the old version still answers, it is judged in place of the new one; add to [warmup]:
                get = "/version"
                expect.json.commit = "{{ deploy.commit }}"
    "#);
}

#[test]
fn a_literal_secret_is_never_shown() {
    let shown = warned("server.admin_token = \"literal-token\"\n");
    assert!(
        shown.contains("is written into the file") && !shown.contains("literal-token"),
        "{shown}"
    );
}

#[test]
fn a_read_token_stands_beside_another_admin_token() {
    let alone = Given::main("server.read_token = \"{{ secret.TOKEN }}\"\n").var("TOKEN", "a-long-enough-token");
    assert!(alone.problems().contains("`read_token` stands alone"));
    let same = "[server]\nadmin_token = \"{{ secret.TOKEN }}\"\nread_token = \"{{ secret.TOKEN }}\"\n";
    let shown = Given::main(same).var("TOKEN", "a-long-enough-token").problems();
    assert!(
        shown.contains("`read_token` is the same as `admin_token`") && !shown.contains("a-long-enough-token"),
        "{shown}"
    );
}
