//! What people see for what they got wrong.

use super::Given;

/// The problems of a main file.
fn check(text: &str) -> String {
    Given::main(text.trim_start_matches('\n')).problems()
}

/// The warnings of a valid main file.
fn warned(text: &str) -> String {
    Given::main(text.trim_start_matches('\n'))
        .var("TOKEN", "long-enough")
        .var("SHORT", "abc")
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
"#), @"");
}

#[test]
fn a_file_that_is_not_there() {
    insta::assert_snapshot!(Given::default().problems(), @"");
}

#[test]
fn what_is_not_there_yet_is_said() {
    insta::assert_snapshot!(check(r#"
mode = "approve"
rollback.fleet_brake = "30% in 5m"
[store]
url = "postgres://backstop:pw@db/backstop"
[outcome.page]
pagerduty = "{{ secret.PD }}"
[check.home]
get = "/"
when.stage = "ready"
step = []
"#), @"");
}

#[test]
fn settings_out_of_bounds() {
    insta::assert_snapshot!(check(r#"
mode = "auto"
retry = { every = "1ms", failures = 1, passes = 0 }
watch.for = 300
[warmup]
for = "2 days"
interval = "1s"
[rollback]
cooldown = "ten minutes"
max_per_hour = -1
irreversible = [""]
freeze = ["weekends", "Sat 00:00-Mon 06:00 Mars/Base"]
"#), @"");
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
"#), @"");
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
"#), @"");
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
[control.status]
get = "/status"
[control.other]
get = "https://status.example.com/{{ deploy.commit }}"
"#), @"");
}

#[test]
fn placeholders_that_lead_nowhere() {
    insta::assert_snapshot!(check(r#"
vars.currency = "EUR"
[check.login]
post = "/login"
capture.token = { header = "x-token" }
bearer = "{{ token }}"
[check.orders]
get = "/orders/{{ deploy.comit }}?c={{ vars.curency }}"
bearer = "{{ login.tokn }}"
[check.cart]
get = "/cart/{{ cart.id }}"
bearer = "{{ logn.token }}"
[check.env]
get = "/{{ env.HOME }}/{{ token }}/{{ run.number }}"
[check.pages]
get = ["/a", "/b", "/a"]
[check.one]
get = "/{{ pages.x }}"
bearer = "{{ secret.NOT_SET }}"
needs = ["home"]
"#), @"");
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
"#), @"");
}

#[test]
fn names() {
    let main =
        "include = \"*.d.toml\"\n[check.home]\nget = \"/\"\n[check.\"a.b\"]\nget = \"/\"\n[check.vars]\nget = \"/\"\n";
    let env = Given::main(main).file(
        "more.d.toml",
        "[check.home]\nget = \"/home\"\n[check.x]\nget = 1\n[policy]\n",
    );
    insta::assert_snapshot!(env.problems(), @"");
}

#[test]
fn includes() {
    insta::assert_snapshot!(check("include = [\"*/x.toml\", \"gone.toml\", 7]\n"), @"");
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
"#), @"");
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
"#), @"");
}

#[test]
fn secrets_that_are_no_secrets() {
    let env = Given::main(
        "[secrets]\nA = \"hunter2-hunter2\"\nB = { path = \"b\" }\nC = { file = \"gone\" }\n\
         [server]\nadmin_token = \"{{ secret.C }}\"\n",
    );
    let shown = env.problems();
    assert!(!shown.contains("hunter2"), "{shown}");
    insta::assert_snapshot!(shown, @"");
}

#[test]
fn what_is_doubtful_is_warned_of() {
    insta::assert_snapshot!(warned(r#"
[server]
admin_token = "literal-token"
[platform.temps]
url = "http://temps.example.com"
token = "{{ secret.SHORT }}"
secret = "{{ secret.TOKEN }}"
[[policy]]
mode = "auto-rollback"
[outcome.ops]
url = "https://ops.example.com/"
events = ["protection.lost"]
[check.login]
post = "/login"
bearer = "{{ secret.TOKEN }}"
"#), @"");
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
"#), @"");
}
