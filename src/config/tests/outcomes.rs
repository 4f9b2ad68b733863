//! What people see for what they got wrong about whom to tell.

use super::errors::check;

#[test]
fn approving_needs_an_address_and_somebody_to_ask() {
    insta::assert_snapshot!(check(r#"
mode = "approve"
[check.home]
get = "/"
[outcome.chat]
slack = "https://hooks.slack.com/services/T0/B0/x"
"#), @r#"
    error: `mode = "approve"` needs `public_url`
      --> checks.toml:1:1
       |
     1 | mode = "approve"
       | ^^^^
       = help: add `public_url = "https://backstop.example.com"` to [server]: the link in the message leads there

    error: `mode = "approve"`, and nobody is asked
      --> checks.toml:1:1
       |
     1 | mode = "approve"
       | ^^^^
       = help: add `approve = true` to the [outcome.X] whose readers may approve; only it gets the link
    "#);
}

#[test]
fn outcomes_and_controls() {
    insta::assert_snapshot!(check(r#"
[outcome.ops]
url = "ops.example.com/hook"
events = ["rollback.*", "smoke_test.fail", "everything"]
[outcome.two]
slack = "https://hooks.slack.com/x"
discord = "https://discord.com/api/webhooks/x"
[outcome.none]
when = { app = [] }
secret = "whsec_?"
[control.status]
get = "/status"
[control.other]
get = "https://status.example.com/{{ deploy.commit }}"
"#), @r#"
    error: the address of an endpoint must be a whole URL, such as `https://ops.example.com/hooks/backstop`: relative URL without a base
      --> checks.toml:2:7
       = help: check the address, or the secret it comes from

    error: no event is called `smoke_test.fail`
      --> checks.toml:3:25
       |
     3 | events = ["rollback.*", "smoke_test.fail", "everything"]
       |                         ^^^^^^^^^^^^^^^^^
       = help: did you mean `smoke_test.failed`?

    error: no event is called `everything`
      --> checks.toml:3:44
       |
     3 | events = ["rollback.*", "smoke_test.fail", "everything"]
       |                                            ^^^^^^^^^^^^
       = help: events are smoke_test.started, smoke_test.passed, smoke_test.degraded, smoke_test.suspect, smoke_test.failed, smoke_test.inconclusive, rollback.started, rollback.succeeded, rollback.unconfirmed, rollback.failed, rollback.withheld, approval.requested, run.superseded, delivery.missed, endpoint.failing, endpoint.test, protection.lost, protection.restored

    error: [outcome.two] has more than one address
      --> checks.toml:6:1
       |
     6 | discord = "https://discord.com/api/webhooks/x"
       | ^^^^^^^
       = help: write one of `url`, `cdevents`, `slack`, `discord`, `teams`, `pagerduty` and `github`

    error: [outcome.none] has no address
      --> checks.toml:7:1
       |
     7 | [outcome.none]
       | ^^^^^^^^^^^^^^
       = help: write one of `url`, `cdevents`, `slack`, `discord`, `teams`, `pagerduty` and `github`

    error: `app` in `when` in [outcome.none] is empty
      --> checks.toml:8:16
       |
     8 | when = { app = [] }
       |                ^^
       = help: leave it out to mean all

    error: `secret` in [outcome.none] starts with `whsec_`, and no base64 follows
      --> checks.toml:9:10
       = help: generate one anew: `whsec_` and the base64 of 24 to 64 random bytes

    error: `get` in [control.status] is not a whole address
       --> checks.toml:11:7
        |
     11 | get = "/status"
        |       ^^^^^^^^^
        = help: a control is not part of the app: write a whole address, `get = "https://status.example.com/"`

    error: `deploy.commit` cannot stand in a control
       --> checks.toml:13:35
        |
     13 | get = "https://status.example.com/{{ deploy.commit }}"
        |                                   ^^^^^^^^^^^^^^^^^^^
        = help: a control is not part of any deployment; `secret.X` and `vars.X` can stand here
    "#);
}

#[test]
fn how_outcomes_are_sent() {
    let shown = check(
        r#"
[outcome.a]
url = "https://a.example.com"
rfc9421 = true
key_id = "a b"
concurrency = 0
rate = "10/d"
[outcome.b]
url = "https://b.example.com"
secret = []
headers = { "Webhook-Id" = "x" }
template = "{{ outcome.nmae }}"
[outcome.c]
slack = "https://hooks.slack.com/x"
template = "missing.json"
[outcome.d]
url = "https://d.example.com"
secret = "whsk_AAAA"
[outcome.e]
url = "https://e.example.com"
template = "missing.json"
[outcome.f]
url = "https://f.example.com"
template = '{"a": {{ outcome.app }}}'
content_type = "json"
"#,
    );
    for said in [
        "`rfc9421` and no secret for it",
        "`key_id` in [outcome.a] cannot name a key",
        "`concurrency` in [outcome.a] is from 1 to 64",
        "`rate` in [outcome.a] is not a rate",
        "`secret` in [outcome.b] has no secret in it",
        "`Webhook-Id` cannot be a header of a message",
        "there is no `{{ outcome.nmae }}` in an outcome",
        "[outcome.c] has a template and no `url`",
        "`secret` in [outcome.d] starts with `whsk_`, and no key pair follows",
        "the file missing.json cannot be read",
        "the template is no JSON once it is filled",
        "`content_type` in [outcome.f] is no media type",
    ] {
        assert!(shown.contains(said), "{said}\n{shown}");
    }
}

#[test]
fn a_github_receiver_needs_a_repository_and_a_token() {
    insta::assert_snapshot!(check(r#"
[outcome.none]
github = "acme/shop"
[outcome.part]
github = "acme"
token  = "{{ secret.PD }}"
[outcome.more]
github = "acme/shop"
slack  = "https://hooks.slack.com/services/x"
[outcome.clear]
github = "acme/shop"
url    = "http://github.example.com/api/v3"
token  = "{{ secret.PD }}"
"#), @r#"
    error: [outcome.none] has no `token`
      --> checks.toml:1:1
       |
     1 | [outcome.none]
       | ^^^^^^^^^^^^^^
       = help: add `token = "{{ secret.NAME }}"`, which may write deployments of that repository

    error: `github` in [outcome.part] names no repository
      --> checks.toml:4:10
       |
     4 | github = "acme"
       |          ^^^^^^
       = help: write its owner and its name: `github = "acme/shop"`

    error: secret `PD` has no value: it is not set
      --> checks.toml:5:10
       |
     5 | token  = "{{ secret.PD }}"
       |          ^^^^^^^^^^^^^^^^^
       = help: set the environment variable `PD`, or name a file: `[secrets]` with `PD = { file = "…" }`

    error: [outcome.more] has more than one address
      --> checks.toml:7:1
       |
     7 | github = "acme/shop"
       | ^^^^^^
       = help: write one of `url`, `cdevents`, `slack`, `discord`, `teams`, `pagerduty` and `github`

    error: the token would be sent to this address in the clear
       --> checks.toml:11:10
        = help: use `https://`; where nobody can listen on the way, name the host: `plain_http = ["temps.internal"]` in [network]

    error: secret `PD` has no value: it is not set
       --> checks.toml:12:10
        |
     12 | token  = "{{ secret.PD }}"
        |          ^^^^^^^^^^^^^^^^^
        = help: set the environment variable `PD`, or name a file: `[secrets]` with `PD = { file = "…" }`
    "#);
}
