//! What is legal but unwise, and what is not.

use std::collections::BTreeSet;

use super::{Given, shown};
use crate::document::Level;

const PLATFORM: &str = "\
[platform.temps]
url = \"https://temps.example.com\"
token = \"{{ secret.TOKEN }}\"
secret = \"{{ secret.HOOK }}\"
[warmup]
get = \"/version\"
expect.json.commit = \"{{ deploy.commit }}\"
";

fn given(main: &str) -> Given {
    let names = ["TOKEN", "HOOK", "PASSWORD"];
    let given = Given::main(main);
    names
        .into_iter()
        .fold(given, |given, name| given.var(name, "long-enough-value"))
}

/// The first lines of all warnings.
fn heads(given: &Given) -> Vec<String> {
    let warnings = given.config().warnings;
    warnings.into_iter().map(|warning| warning.message).collect()
}

#[test]
fn the_first_config_of_the_readme_is_wise() {
    let readme = include_str!("../../../README.md");
    let config = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let names = ["TEMPS_API_TOKEN", "TEMPS_WEBHOOK_SECRET", "SMOKE_PASSWORD"];
    let given = names
        .into_iter()
        .fold(Given::main(config), |given, name| given.var(name, "long-enough-value"));
    assert_eq!(given.warnings(), "");
}

#[test]
fn checks_that_cannot_be_sent_again_guard_nothing() {
    let read = "[check.home]\nget = \"/x\"\n";
    let posts = "[check.login]\npost = \"/login\"\n[check.order]\npost = \"/order\"\n";
    let cases: [(&str, &[&str]); 6] = [
        (read, &[]),
        (
            posts,
            &["none of the critical checks, \"login\" and \"order\", can roll back"],
        ),
        ("[check.login]\npost = \"/login\"\nrepeat = true\n", &[]),
        (
            "[check.home]\nget = \"/x\"\nwhen.app = \"web\"\n[check.login]\npost = \"/login\"\nwhen.app = \"api\"\n",
            &["the only critical check of \"api\", \"login\", cannot roll back on its own"],
        ),
        (
            "[check.home]\nget = \"/x\"\nwhen.env = \"production\"\n[check.login]\npost = \"/login\"\n\
             [[policy]]\nwhen = { app = \"web\", env = \"staging\" }\n[[policy]]\nwhen = { app = \"api\", env = \"staging\" }\n",
            &["the only critical check of \"api\" in \"staging\", \"login\", cannot roll back on its own"],
        ),
        (
            "[check.home]\nget = \"/x\"\nwhen.app = \"web\"\nseverity = \"degraded\"\n[check.all]\nget = \"/y\"\n",
            &[],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(heads(&given(text)), expected, "{text}");
    }
}

#[test]
fn files_for_every_app() {
    let check = "[check.shop]\nget = \"/shop\"\n";
    let message = "no `when` says which app the checks of this file are for: every app gets them";
    let one = "include = \"a.toml\"\n[check.x]\nget = \"/x\"\n";
    let two = format!("{one}when.app = \"blog\"\n[[policy]]\nwhen.app = \"shop\"\n");
    let cases: [(&str, String, &[&str]); 6] = [
        (one, check.to_owned(), &[]),
        (&two, check.to_owned(), &[message]),
        (&two, format!("when.app = \"shop\"\n{check}"), &[]),
        (&two, format!("when.app = \"*\"\n{check}"), &[]),
        (&two, format!("{check}when.app = \"shop\"\n"), &[]),
        (&two, format!("{check}base = \"https://one.example.com\"\n"), &[]),
    ];
    for (main, included, expected) in cases {
        let found = heads(&given(main).file("a.toml", &included));
        assert_eq!(found, expected, "{main}\n{included}");
    }
}

#[test]
fn every_app_rolled_back_by_the_same_checks() {
    let main = format!("mode = \"auto-rollback\"\n{PLATFORM}[check.shop]\nget = \"/shop\"\n");
    insta::assert_snapshot!(given(&main).warnings(), @r#"
    warning: every app may be rolled back, and no `when` says which app the checks of this file are for
      --> checks.toml:1:1
       |
     1 | mode = "auto-rollback"
       | ^^^^
       = help: write it at the top of the file, `when.app = "shop"`, or turn it on app by app: `[[policy]]` with `when.app` and this `mode`
    "#);
    let named = format!("when.app = \"shop\"\n{main}");
    let by_app = format!(
        "{}[[policy]]\nwhen.app = \"shop\"\nmode = \"auto-rollback\"\n",
        main.replacen("mode = \"auto-rollback\"\n", "", 1)
    );
    for good in [named, by_app] {
        assert_eq!(heads(&given(&good)), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn nothing_knows_the_version_and_nothing_looks_behind_the_home_page() {
    let blind = PLATFORM.split("[warmup]").next().unwrap().to_owned() + "[check.home]\nget = \"/?a\"\n";
    insta::assert_snapshot!(given(&blind).warnings(), @r#"
    warning: nothing here tells the new version from the old one
      --> checks.toml:5:8
       |
     5 | [check.home]
       |        ^^^^
       = help: while the old version still answers, it is judged in place of the new one; add to [warmup]:
               get = "/version"
               expect.json.commit = "{{ deploy.commit }}"

    warning: only the home page is checked
      --> checks.toml:5:8
       |
     5 | [check.home]
       |        ^^^^
       = help: a home page often stands while what is behind it does not: check what people come for, too
    "#);
    for good in [
        "[check.version]\nget = \"/version\"\nexpect.json.commit = \"{{ deploy.commit }}\"\n",
        "[check.version]\nget = \"/version\"\n[defaults]\nexpect.headers.x-deployment = \"{{ deploy.id }}\"\n",
    ] {
        assert_eq!(heads(&given(&format!("{blind}{good}"))), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn what_nothing_uses() {
    let main = "\
include = \"more.toml\"
base = \"https://shop.example.com\"
[secrets]
PASSWORD = { env = \"PASSWORD\" }
OLD = { file = \"gone\" }
[vars]
currency = \"EUR\"
colour = \"red\"
[env.staging]
vars = { currency = \"USD\", shade = \"dark\" }
[check.login]
post = \"/login\"
repeat = true
json = { password = \"{{ secret.PASSWORD }}\" }
capture.token = \"$.token\"
capture.name = { json = \"$.name\", secret = false }
[check.prices]
get = [\"/prices/{{ vars.currency }}\", \"/prices\"]
capture.first = \"$[0]\"
";
    let more = "[check.orders]\nget = \"/orders\"\nbearer = \"{{ login.token }}\"\n[vars]\ncurrency = \"EUR\"\n";
    let files = given(main).file("more.toml", more);
    insta::assert_snapshot!(files.warnings(), @r#"
    warning: nothing uses the secret `OLD`
      --> checks.toml:5:1
       |
     5 | OLD = { file = "gone" }
       | ^^^
       = help: take it out, or name it: `{{ secret.OLD }}`

    warning: nothing in this file uses the variable `colour`
      --> checks.toml:8:1
       |
     8 | colour = "red"
       | ^^^^^^
       = help: take it out, or name it: `{{ vars.colour }}`

    warning: nothing in this file uses the variable `shade`
       --> checks.toml:10:28
        |
     10 | vars = { currency = "USD", shade = "dark" }
        |                            ^^^^^
        = help: take it out, or name it: `{{ vars.shade }}`

    warning: nothing uses `name`, which check "login" captures
       --> checks.toml:16:9
        |
     16 | capture.name = { json = "$.name", secret = false }
        |         ^^^^
        = help: name it, `{{ login.name }}`, or take it out; that a value is there is what `expect` can say

    warning: nothing uses `first`, which check "prices" captures
       --> checks.toml:19:9
        |
     19 | capture.first = "$[0]"
        |         ^^^^^
        = help: it is captured by each check of the list, and none of them can be named: take it out

    warning: check "orders" carries credentials, and nothing says whose address gets them
      --> more.toml:1:8
       |
     1 | [check.orders]
       |        ^^^^^^
       = help: set `base`, or name the app exactly: `when.app = "shop"`; until then it is not sent

    warning: nothing in this file uses the variable `currency`
      --> more.toml:5:1
       |
     5 | currency = "EUR"
       | ^^^^^^^^
       = help: take it out, or name it: `{{ vars.currency }}`
    "#);
}

#[test]
fn names_that_no_deployment_had() {
    let main = "\
when = { app = [\"shop-web\", \"shop-*\", \"blog\"], env = { not = \"stagin\" } }
[check.home]
get = \"/x\"
when.app = \"shop-wbe\"
[[policy]]
when = { app = \"shop-api\", env = \"production\" }
[outcome.ops]
url = \"https://ops.example.com/\"
secret = \"{{ secret.PASSWORD }}\"
when.env = \"prodution\"
";
    let config = given(main).config();
    let names = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let apps = names(&["shop-web", "shop-api", "docs"]);
    let environments = names(&["production", "staging"]);
    insta::assert_snapshot!(shown(&config.never_seen(&apps, &environments)), @r#"
    warning: no deployment was seen of an app called `blog`
      --> checks.toml:1:39
       |
     1 | when = { app = ["shop-web", "shop-*", "blog"], env = { not = "stagin" } }
       |                                       ^^^^^^
       = help: seen were docs, shop-api, shop-web; for one that is yet to come this is right

    warning: no deployment was seen of an environment called `stagin`
      --> checks.toml:1:62
       |
     1 | when = { app = ["shop-web", "shop-*", "blog"], env = { not = "stagin" } }
       |                                                              ^^^^^^^^
       = help: did you mean `staging`?

    warning: no deployment was seen of an app called `shop-wbe`
      --> checks.toml:4:12
       |
     4 | when.app = "shop-wbe"
       |            ^^^^^^^^^^
       = help: did you mean `shop-web`?

    warning: no deployment was seen of an environment called `prodution`
       --> checks.toml:10:12
        |
     10 | when.env = "prodution"
        |            ^^^^^^^^^^^
        = help: did you mean `production`?
    "#);
    assert!(config.never_seen(&BTreeSet::new(), &BTreeSet::new()).is_empty());
}

#[test]
fn subscribing_needs_an_address_and_covers_what_is_named() {
    let subscribes = PLATFORM.replace("[warmup]", "subscribe = true\n[warmup]");
    let problems = given(&subscribes).problems();
    assert!(problems.contains("`subscribe = true` needs `public_url`"), "{problems}");
    let public = "[server]\npublic_url = \"https://backstop.example.com\"\n";
    assert!(given(&format!("{public}{subscribes}")).load().is_ok());
    let policy = |when: &str| format!("[[policy]]\nwhen = {{ {when} }}\n");
    for (text, covered, other) in [
        ("[check.a]\nget = \"/a\"\n".to_owned(), true, true),
        (
            "[check.a]\nget = \"/a\"\nwhen.env = \"production\"\n".to_owned(),
            true,
            true,
        ),
        (
            "[check.a]\nget = \"/a\"\nwhen.app = \"shop-*\"\n".to_owned(),
            true,
            false,
        ),
        (policy("app = \"shop-*\""), true, false),
        (policy("app = { not = \"blog\" }"), true, false),
        (policy("app = \"shop-web\", platform = \"temps\""), true, false),
        (policy("app = \"*\", platform = \"other\""), false, false),
        (
            "when.app = \"blog\"\n[check.a]\nget = \"/a\"\nwhen.app = \"shop-*\"\n".to_owned(),
            false,
            false,
        ),
        (
            format!("{}[check.a]\nget = \"/a\"\n", policy("app = \"blog\"")),
            false,
            true,
        ),
    ] {
        let config = given(&text).config();
        let covers = |app: &str| config.covers(&"temps".into(), app);
        assert_eq!((covers("shop-web"), covers("blog")), (covered, other), "{text}");
    }
}

/// Over plain http a secret goes to this machine, and to the hosts that the operator named; elsewhere it is an error, or for
/// a check a warning, since only some runs may ask there.
#[test]
fn secrets_in_the_clear() {
    let platform = |url: &str| {
        format!(
            "[platform.temps]\nurl = \"{url}\"\ntoken = \"{{{{ secret.TOKEN }}}}\"\nsecret = \"{{{{ secret.HOOK }}}}\"\n"
        )
    };
    let outcome =
        |key: &str, url: &str| format!("[outcome.x]\n{key} = \"{url}\"\nsecret = \"{{{{ secret.HOOK }}}}\"\n");
    let allowed = "[network]\nplain_http = [\"*.internal\", \"10.0.0.5\"]\n";
    for (text, expected) in [
        (platform("http://temps.internal:3000"), Some("the token")),
        (platform("http://10.0.0.5"), Some("the token")),
        (outcome("url", "http://ops.internal/x"), Some("what is told")),
        (
            outcome("slack", "http://chat.internal/x"),
            Some("the address, which is a secret,"),
        ),
        (
            "[heartbeat]\nurl = \"http://ping.internal/x\"\n".to_owned(),
            Some("the address, which is a secret,"),
        ),
        (platform("http://127.0.0.1:3000"), None),
        (platform("http://localhost:3000"), None),
        (outcome("url", "http://[::1]/x"), None),
    ] {
        let problems = given(&text).load().err().unwrap_or_default();
        let errors = problems.iter().filter(|problem| problem.level == Level::Error);
        let told: Vec<&str> = errors.map(|problem| problem.message.as_str()).collect();
        let expected = expected.map(|what| format!("{what} would be sent to this address in the clear"));
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{text}");
        assert!(given(&format!("{allowed}{text}")).load().is_ok(), "{text}");
    }
    let check = |target: &str, base: &str| {
        format!("{base}[check.a]\nget = \"{target}\"\nbearer = \"{{{{ secret.PASSWORD }}}}\"\n")
    };
    let message = "check \"a\" carries credentials to shop.internal in the clear";
    for (text, expected) in [
        (check("http://shop.internal/a", ""), true),
        (check("/a", "base = \"http://shop.internal\"\n"), true),
        (
            check(
                "/a",
                "base = \"https://shop.internal\"\n[env.staging]\nbase = \"http://shop.internal\"\n",
            ),
            true,
        ),
        (check("/a", "base = \"https://shop.internal\"\n"), false),
        (check("/a", "base = \"http://127.0.0.1:3000\"\n"), false),
    ] {
        assert_eq!(
            heads(&given(&text)).iter().any(|head| head == message),
            expected,
            "{text}"
        );
        let allowed = match text.split_once('[') {
            Some((top, rest)) => format!("{top}{allowed}[{rest}"),
            None => unreachable!("a check has a table"),
        };
        assert!(!heads(&given(&allowed)).iter().any(|head| head == message), "{allowed}");
    }
    let wrong = given("[network]\nplain_http = [\"http://temps.internal\", \"*\"]\n")
        .load()
        .err()
        .unwrap_or_default();
    let told: Vec<&str> = wrong.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(told, ["`http://temps.internal` is not a host", "`*` is not a host"]);
}
