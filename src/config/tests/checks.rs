//! What people see for checks that cannot be what was meant: values, names, needs, and where they apply.

use super::Given;
use super::errors::{check, warned};

#[test]
fn values_that_lead_nowhere() {
    insta::assert_snapshot!(check(r#"
vars.currency = "EUR"
[check.orders]
get = "/orders/{{ deploy.comit }}?c={{ vars.curency }}"
expect.json.name = "{{ deploy.nme }}"
bearer = "{{ secret.NOT_SET }}"
[check.env]
get = "/{{ env.HOME }}/{{ run.number }}"
[warmup]
get = "/{{ orders.id }}"
"#), @r#"
    error: there is no placeholder `deploy.comit`
      --> checks.toml:3:16
       |
     3 | get = "/orders/{{ deploy.comit }}?c={{ vars.curency }}"
       |                ^^^^^^^^^^^^^^^^^^
       = help: did you mean `deploy.commit`?

    error: there is no variable `curency` in this file
      --> checks.toml:3:37
       |
     3 | get = "/orders/{{ deploy.comit }}?c={{ vars.curency }}"
       |                                     ^^^^^^^^^^^^^^^^^^
       = help: did you mean `vars.currency`?

    error: there is no placeholder `deploy.nme`
      --> checks.toml:4:21
       |
     4 | expect.json.name = "{{ deploy.nme }}"
       |                     ^^^^^^^^^^^^^^^^
       = help: known are deploy.id, deploy.commit, deploy.branch, deploy.message, deploy.author, deploy.app, deploy.env, deploy.project, deploy.platform, deploy.url, run.id

    error: secret `NOT_SET` has no value: it is not set
      --> checks.toml:5:11
       |
     5 | bearer = "{{ secret.NOT_SET }}"
       |           ^^^^^^^^^^^^^^^^^^^^
       = help: set the environment variable `NOT_SET`, or name a file: `[secrets]` with `NOT_SET = { file = "…" }`

    error: `env` cannot be the name of a check
      --> checks.toml:6:8
       |
     6 | [check.env]
       |        ^^^
       = help: `{{ env.… }}` already means something else

    error: there is no placeholder `env.HOME`
      --> checks.toml:7:9
       |
     7 | get = "/{{ env.HOME }}/{{ run.number }}"
       |         ^^^^^^^^^^^^^^
       = help: write `{{ secret.HOME }}`: it reads the environment variable `HOME`

    error: there is no placeholder `run.number`
      --> checks.toml:7:24
       |
     7 | get = "/{{ env.HOME }}/{{ run.number }}"
       |                        ^^^^^^^^^^^^^^^^
       = help: known are deploy.id, deploy.commit, deploy.branch, deploy.message, deploy.author, deploy.app, deploy.env, deploy.project, deploy.platform, deploy.url, run.id

    error: `orders.id` cannot stand here: no check has run yet
      --> checks.toml:9:9
       |
     9 | get = "/{{ orders.id }}"
       |         ^^^^^^^^^^^^^^^
       = help: known here are `deploy.X`, `secret.X`, `vars.X` and `run.id`
    "#);
}

#[test]
fn captures_that_lead_nowhere() {
    insta::assert_snapshot!(check(r#"
[check.login]
post = "/login"
capture.token = { header = "x-token" }
bearer = "{{ token }}"
[check.orders]
get = "/orders/{{ token }}"
bearer = "{{ login.tokn }}"
[check.cart]
get = "/cart/{{ cart.id }}"
bearer = "{{ logn.token }}"
[check.pages]
get = ["/a", "/b", "/a"]
[check.one]
get = "/{{ pages.x }}"
needs = ["home"]
"#), @r#"
    error: `token` is captured from the answer of this same request
      --> checks.toml:4:11
       |
     4 | bearer = "{{ token }}"
       |           ^^^^^^^^^^^
       = help: a value can be sent only after the answer that it is captured from

    error: there is no placeholder `token`
      --> checks.toml:6:16
       |
     6 | get = "/orders/{{ token }}"
       |                ^^^^^^^^^^^
       = help: a value of another check is written with its name: `{{ login.token }}`

    error: check "login" captures no `tokn`
      --> checks.toml:7:11
       |
     7 | bearer = "{{ login.tokn }}"
       |           ^^^^^^^^^^^^^^^^
       = help: did you mean `login.token`?

    error: check "cart" cannot need itself
      --> checks.toml:9:14
       |
     9 | get = "/cart/{{ cart.id }}"
       |              ^^^^^^^^^^^^^
       = help: a value can be sent only by a check after the one that captures it

    error: there is no check "logn"
       --> checks.toml:10:11
        |
     10 | bearer = "{{ logn.token }}"
        |           ^^^^^^^^^^^^^^^^
        = help: did you mean `login`?

    error: `/a` is twice in check "pages"
       --> checks.toml:12:20
        |
     12 | get = ["/a", "/b", "/a"]
        |                    ^^^^

    error: "pages" is a list of several checks
       --> checks.toml:14:9
        |
     14 | get = "/{{ pages.x }}"
        |         ^^^^^^^^^^^^^
        = help: write the one that is meant as a check of its own

    error: there is no check "home"
       --> checks.toml:15:10
        |
     15 | needs = ["home"]
        |          ^^^^^^
    "#);
}

#[test]
fn circles() {
    insta::assert_snapshot!(check(r#"
[check.a]
get = "/a"
needs = "b"
[check.b]
get = "/b"
needs = "c"
[check.c]
get = "/c"
needs = ["a", "d"]
[check.d]
get = "/d"
"#), @r"
    error: checks need each other in a circle: a → b → c → a
      --> checks.toml:1:8
       |
     1 | [check.a]
       |        ^
       = help: one of them must do without the other
    ");
}

#[test]
fn names() {
    let main =
        "include = \"*.d.toml\"\n[check.home]\nget = \"/\"\n[check.\"a.b\"]\nget = \"/\"\n[check.vars]\nget = \"/\"\n";
    let env = Given::main(main).file(
        "more.d.toml",
        "[check.home]\nget = \"/home\"\n[check.x]\nget = 1\n[policy]\n",
    );
    insta::assert_snapshot!(env.problems(), @r#"
    error: `a.b` cannot be the name of a check
      --> checks.toml:4:8
       |
     4 | [check."a.b"]
       |        ^^^^^
       = help: use letters, digits, `-` and `_`, at most 64

    error: `vars` cannot be the name of a check
      --> checks.toml:6:8
       |
     6 | [check.vars]
       |        ^^^^
       = help: `{{ vars.… }}` already means something else

    error: check "home" is also at checks.toml:2
      --> more.d.toml:1:8
       |
     1 | [check.home]
       |        ^^^^
       = help: names are unique over all files: results and history are kept by them

    error: `get` in check "x" must be a string, not an integer
      --> more.d.toml:4:7
       |
     4 | get = 1
       |       ^

    error: unknown key `policy` at the top level
      --> more.d.toml:5:2
       |
     5 | [policy]
       |  ^^^^^^
       = help: it belongs in the main file; an included one has `when`, `base`, `[vars]`, `[env.X]`, `[defaults]` and `[check.X]`
    "#);
}

#[test]
fn a_default_that_is_wrong_is_said_once() {
    insta::assert_snapshot!(check(r#"
[defaults]
get = "/"
timeout = 5
[check.a]
get = "/a"
[check.b]
get = "/b"
"#), @r#"
    error: `get` cannot have a default
      --> checks.toml:2:1
       |
     2 | get = "/"
       | ^^^
       = help: each check says itself what it sends

    error: `timeout` in [defaults] has no unit
      --> checks.toml:3:11
       |
     3 | timeout = 5
       |           ^
       = help: write `"5s"` or `"5ms"`
    "#);
}

#[test]
fn whens() {
    insta::assert_snapshot!(check(r#"
when = { environment = "x", app = [""] }
[check.a]
get = "/a"
when = { env = { nto = "x" }, preview = "yes" }
[check.b]
get = "/b"
when = "production"
"#), @r#"
    error: unknown key `environment` in [when]
      --> checks.toml:1:10
       |
     1 | when = { environment = "x", app = [""] }
       |          ^^^^^^^^^^^
       = help: here it is called `env`

    error: `app` in [when] has an empty name
      --> checks.toml:1:36
       |
     1 | when = { environment = "x", app = [""] }
       |                                    ^^

    error: `env` in `when` in check "a" has no `not`
      --> checks.toml:4:16
       |
     4 | when = { env = { nto = "x" }, preview = "yes" }
       |                ^^^^^^^^^^^^^
       = help: write `"name"`, `["a", "b-*"]` or `{ not = "name" }`

    error: unknown key `nto` in `env` in `when` in check "a"
      --> checks.toml:4:18
       |
     4 | when = { env = { nto = "x" }, preview = "yes" }
       |                  ^^^
       = help: did you mean `not`?

    error: `preview` in `when` in check "a" must be `true` or `false`, not a string
      --> checks.toml:4:41
       |
     4 | when = { env = { nto = "x" }, preview = "yes" }
       |                                         ^^^^^

    error: `when` in check "b" must be a table, not a string
      --> checks.toml:7:8
       |
     7 | when = "production"
       |        ^^^^^^^^^^^^
    "#);
}

#[test]
fn a_check_that_needs_one_which_runs_elsewhere() {
    insta::assert_snapshot!(warned(r#"
[check.login]
post = "/login"
when.env = "staging"
capture.token = { header = "x-token" }
[check.orders]
get = "/orders"
base = "https://shop.example.com"
bearer = "{{ login.token }}"
"#), @r#"
    warning: check "orders" needs "login", whose `when` is another
      --> checks.toml:5:8
       |
     5 | [check.orders]
       |        ^^^^^^
       = help: where only one of them runs, the run is inconclusive: give both the same `when`
    "#);
}
