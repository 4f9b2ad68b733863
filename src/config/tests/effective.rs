use std::time::Duration;

use super::{Given, deployment, preview, shown};
use crate::config::{Config, FixedEnv, Limit, SystemEnv, load};
use crate::document::SOURCE_BYTES_MAX;
use crate::domain::{Deployment, Mode, RunId};

fn names(config: &Config, deployment: &Deployment) -> String {
    let checks = config.checks_for(deployment);
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    names.join(" ")
}

#[test]
fn an_empty_file_has_every_default() {
    let config = Given::main("").config();
    let settings = config.settings_for(&deployment("shop", "production"));
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8700");
    assert_eq!(config.server.rate_limit.unwrap().get(), 60);
    assert_eq!(config.store_url, "sqlite://backstop.db");
    assert_eq!(config.retention.keep, Duration::from_secs(30 * 24 * 3_600));
    assert_eq!(config.retention.bytes_max, 2_000_000_000);
    assert_eq!(settings.mode, Mode::AlertOnly);
    assert_eq!(settings.warmup.step.send.target.source(), "/");
    assert_eq!(settings.warmup.limit, Limit::Auto);
    assert_eq!((settings.retry.failures, settings.retry.passes), (6, 12));
    assert_eq!(settings.retry.every, Duration::from_secs(2));
    assert_eq!(settings.watch, Duration::from_secs(300));
    assert_eq!(settings.rollback.max_per_hour, 2);
    assert_eq!(settings.rollback.cooldown, Duration::from_secs(600));
    assert_eq!(settings.rollback.act_within, Duration::from_secs(1800));
    insta::assert_snapshot!(shown(&config.warnings), @r#"
    warning: there are no checks
      --> checks.toml:1:1
       = help: add one: `[check.home]` with `get = "/"`; a run without checks is inconclusive
    "#);
}

#[test]
fn what_the_store_keeps_can_be_set() {
    let config = Given::main("[store]\nkeep = \"7d\"\nmax_size = \"512MiB\"\n").config();
    assert_eq!(config.retention.keep, Duration::from_secs(7 * 24 * 3_600));
    assert_eq!(config.retention.bytes_max, 512 * 1024 * 1024);
    let config = Given::main("[store]\nmax_size = \"3GiB\"\n").config();
    assert_eq!(config.retention.bytes_max, 3 * 1024 * 1024 * 1024);
}

#[test]
fn the_first_policy_that_matches_holds_and_falls_back_key_by_key() {
    let text = r#"
        mode = "auto-rollback"
        retry.failures = 8
        retry.passes = 20
        [warmup]
        get = "/version"
        for = "90s"
        expect.status = 200
        [[policy]]
        when.env = "staging"
        mode = "alert-only"
        retry.passes = 3
        [[policy]]
        when.app = "blog"
        warmup.get = "/blog"
        [[policy]]
        when.app = "*"
        watch.for = "1m"
        warmup.for = "10s"
        [check.home]
        get = "/"
    "#;
    let config = Given::main(text).config();
    let staging = config.settings_for(&deployment("blog", "staging"));
    assert_eq!(
        (staging.mode, staging.retry.failures, staging.retry.passes),
        (Mode::AlertOnly, 8, 3)
    );
    assert_eq!(staging.warmup.step.send.target.source(), "/version");

    // Another address keeps the time, but not what was expected of the first one.
    let blog = config.settings_for(&deployment("blog", "production"));
    assert_eq!(blog.mode, Mode::AutoRollback);
    assert_eq!(blog.warmup.step.send.target.source(), "/blog");
    assert_eq!(blog.warmup.limit, Limit::Fixed(Duration::from_secs(90)));
    assert_ne!(blog.warmup.step.expect, config.base_settings.warmup.step.expect);

    let shop = config.settings_for(&deployment("shop", "production"));
    assert_eq!(shop.watch, Duration::from_secs(60));
    assert_eq!(shop.warmup.limit, Limit::Fixed(Duration::from_secs(10)));
    assert_eq!(shop.warmup.step, config.base_settings.warmup.step);
}

#[test]
fn previews_are_judged_only_where_they_are_named() {
    let text = r#"
        [[policy]]
        when = { env = "pr-*", app = "blog" }
        [check.home]
        get = "/"
        [check.fast]
        get = "/fast"
        when.preview = true
        [check.pr]
        get = "/pr"
        when.env = "pr-*"
        [check.star]
        get = "/star"
        when.env = "*"
    "#;
    let config = Given::main(text).config();
    assert_eq!(names(&config, &deployment("shop", "production")), "home star");
    assert_eq!(names(&config, &preview("shop", "pr-7")), "fast pr");
    assert_eq!(names(&config, &preview("shop", "branch-x")), "fast");
    assert_eq!(names(&config, &preview("blog", "pr-7")), "home fast pr star");
    insta::assert_snapshot!(shown(&config.warnings), @r#"
    warning: `*` does not name preview environments
       --> checks.toml:14:20
        |
     14 |         when.env = "*"
        |                    ^^^
        = help: leave it out; they are named by `preview = true` or by more of their name: `pr-*`
    "#);
}

#[test]
fn each_included_file_is_a_scope_of_its_own() {
    let main = r#"
        include = ["checks.d/*.toml"]
        base = "https://main.example.com"
        vars.lang = "en"
        defaults.timeout = "3s"
        [check.home]
        get = "/{{ vars.lang }}"
    "#;
    let shop = r#"
        when.app = "shop"
        base = "https://shop.example.com"
        vars.lang = "de"
        env.staging.base = "https://staging.shop.example.com"
        env.staging.vars.lang = "fr"
        [check.cart]
        get = "/cart/{{ vars.lang }}"
        [check.other]
        get = "/"
        base = "https://other.example.com"
    "#;
    let env = Given::main(main)
        .file("checks.d/shop.toml", shop)
        .file("checks.d/shop.txt", "?");
    let config = env.config();
    let base_of = |app: &str, environment: &str, name: &str| {
        let checks = config.checks_for(&deployment(app, environment));
        let check = checks.iter().find(|check| check.name.as_str() == name).unwrap();
        check.base.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    assert_eq!(names(&config, &deployment("blog", "production")), "home");
    assert_eq!(names(&config, &deployment("shop", "production")), "home cart other");
    assert_eq!(base_of("shop", "production", "home"), "");
    assert_eq!(base_of("shop", "production", "cart"), "https://shop.example.com/");
    assert_eq!(base_of("shop", "staging", "cart"), "https://staging.shop.example.com/");
    assert_eq!(base_of("shop", "staging", "other"), "https://other.example.com/");

    let lang = |environment: &str, name: &str| {
        let values = config.values_for(
            &deployment("shop", environment),
            &RunId::new("run_1"),
            Some(&name.into()),
        );
        values.get("vars.lang").unwrap().json.clone()
    };
    assert_eq!(lang("production", "home"), "en");
    assert_eq!(lang("production", "cart"), "de");
    assert_eq!(lang("staging", "cart"), "fr");
    assert_eq!(
        config.check(&"home".into()).unwrap().script.first.send.timeout,
        Duration::from_secs(3)
    );
    assert_eq!(
        config.check(&"cart".into()).unwrap().script.first.send.timeout,
        Duration::from_secs(10)
    );
}

#[test]
fn a_snapshot_is_the_same_config() {
    let env = Given::main("include = \"more.toml\"\n[check.home]\nget = \"/\"\n")
        .file("more.toml", "[check.cart]\nget = \"/cart\"\n");
    let config = env.config();
    let again = Config::from_snapshot(&config.snapshot(), &FixedEnv::default()).unwrap();
    assert_eq!(again.hash, config.hash);
    assert_eq!(names(&again, &deployment("shop", "production")), "home cart");
    let changed = env.file("more.toml", "[check.cart]\nget = \"/card\"\n").config();
    assert_ne!(changed.hash, config.hash);
    assert!(Config::from_snapshot("no json", &FixedEnv::default()).is_err());
}

#[test]
fn a_captured_value_makes_the_dependency() {
    let text = r#"
        [check.login]
        post = "/login"
        capture.token = { header = "x-token" }
        [check.orders]
        get = "/orders"
        bearer = "{{ login.token }}"
        needs = "home"
        [check.home]
        get = "/"
    "#;
    let config = Given::main(text).config();
    let orders = config.check(&"orders".into()).unwrap();
    assert_eq!(orders.needs, ["home".into(), "login".into()]);
    assert!(orders.repeat);
    assert!(!config.check(&"login".into()).unwrap().repeat);
    assert_eq!(orders.form.len(), 64);
    assert_ne!(orders.form, config.check(&"home".into()).unwrap().form);
}

#[test]
fn values_are_those_of_the_deployment_and_the_file() {
    let text = "[check.home]\nget = \"/\"\nbearer = \"{{ secret.TOKEN }}\"\n";
    let config = Given::main(text).var("TOKEN", "long-enough").config();
    let mut unknown = deployment("shop", "production");
    unknown.commit.sha = Some(String::new());
    let run = RunId::new("run_1");
    let values = config.values_for(&deployment("shop", "production"), &run, None);
    assert_eq!(values.get("deploy.commit").unwrap().json, "f4c8e2a");
    assert_eq!(values.get("deploy.env").unwrap().json, "production");
    assert_eq!(values.get("run.id").unwrap().json, "run_1");
    assert!(values.get("secret.TOKEN").unwrap().secret);
    assert!(values.get("deploy.message").is_none());
    assert!(config.values_for(&unknown, &run, None).get("deploy.commit").is_none());
    assert!(!format!("{config:?}").contains("long-enough"));
}

#[test]
fn credentials_go_only_where_the_config_says_whose_address_it_is() {
    let check = |text: &str, app: &str, name: &str, may: bool| {
        let text = format!("{text}\n[check.token]\nget = \"/\"\nbearer = \"{{{{ secret.TOKEN }}}}\"\n");
        let config = Given::main(&text).var("TOKEN", "long-enough").config();
        let name = name.into();
        let target = config.check(&name).unwrap().script.first.send.target.source();
        let found = config.may_carry_credentials(&deployment(app, "production"), Some(&name), target);
        assert_eq!(found, may, "{text}");
    };
    check("", "shop", "token", false);
    check("when.app = \"*\"", "shop", "token", false);
    check("when.app = \"sh*\"", "shop", "token", false);
    check("when.app = \"shop\"", "shop", "token", true);
    check("when.app = [\"shop\", \"*\"]", "shop", "token", false);
    check("base = \"https://shop.example.com\"", "shop", "token", true);
    check(
        "env.staging.base = \"https://shop.example.com\"",
        "shop",
        "token",
        false,
    );
    check("[[policy]]\nwhen.app = \"shop\"", "shop", "token", true);
    check("[[policy]]\nwhen.app = \"blog\"", "shop", "token", false);
    check(
        "[[policy]]\nwhen.app = \"sh*\"\nbase = \"https://s.example.com\"",
        "shop",
        "token",
        true,
    );
    check("[check.x]\nget = \"https://x.example.com/\"", "shop", "x", true);
    check(
        "[check.x]\nget = \"https://{{ deploy.app }}.example.com/\"",
        "shop",
        "x",
        false,
    );
}

#[test]
fn a_thousand_checks_load() {
    use std::fmt::Write as _;
    let mut text = String::from("[defaults]\nexpect.time = \"2s\"\n");
    for number in 0..1000 {
        let _ = writeln!(text, "[check.c{number}]\nget = \"/{number}\"\nexpect.status = 200\n");
    }
    assert_eq!(Given::main(&text).config().checks().count(), 1000);
}

#[test]
fn defaults_that_may_be_credentials_stay_on_the_files_own_origin() {
    let text = r#"
        base = "https://shop.example.com"
        [defaults]
        timeout = "3s"
        bearer = "{{ secret.TOKEN }}"
        headers.x-key = "{{ secret.TOKEN }}"
        [check.path]
        get = "/"
        [check.own]
        get = "https://shop.example.com/own"
        [check.other]
        get = "https://other.example.com/"
        [check.list]
        get = ["/", "https://other.example.com/list"]
        [check.asked]
        get = "https://other.example.com/asked"
        bearer = "{{ secret.TOKEN }}"
        [check.bare]
        inherit = false
        get = "/"
    "#;
    let config = Given::main(text).var("TOKEN", "long-enough").config();
    let sent: Vec<String> = config
        .checks()
        .map(|check| {
            let send = &check.script.first.send;
            format!(
                "{} {} {} {:?}",
                check.name,
                send.bearer.is_some(),
                send.headers.len(),
                send.timeout
            )
        })
        .collect();
    insta::assert_snapshot!(sent.join("\n"), @r"
    path true 1 3s
    own true 1 3s
    other false 0 3s
    list[/] true 1 3s
    list[https://other.example.com/list] false 0 3s
    asked true 0 3s
    bare false 0 10s
    ");
    let explained = config.explain(&"other".into()).unwrap();
    assert!(explained.iter().all(|value| value.key != "bearer"));
}

#[test]
fn files_of_this_machine_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write(
        "checks.toml",
        "include = [\"*.more.toml\"]\n[check.home]\nget = \"/\"\n",
    );
    write("a.more.toml", "[check.a]\nget = \"/a\"\n");
    write("b.more.toml", "[check.b]\nget = \"/b\"\n");
    write("c.toml", "no TOML");
    let config = load(&directory.path().join("checks.toml"), &SystemEnv).unwrap();
    assert_eq!(names(&config, &deployment("shop", "production")), "home a b");
    write("c.more.toml", &"#".repeat(SOURCE_BYTES_MAX + 1));
    let problems = load(&directory.path().join("checks.toml"), &SystemEnv).unwrap_err();
    assert!(
        problems[0].message.contains("more than 4194304 bytes"),
        "{}",
        problems[0]
    );
}

#[test]
fn a_step_to_another_origin_takes_no_credentials_from_its_check() {
    let text = r#"
when.app = "shop"
base = "https://shop.example.com"
[check.cart]
bearer = "{{ secret.TOKEN }}"
headers.x-key = "{{ secret.TOKEN }}"
cookies.c = "x"
timeout = "3s"
[[check.cart.step]]
get = "/cart"
[[check.cart.step]]
get = "https://partner.example.com/"
[[check.cart.step]]
get = "https://shop.example.com/whole"
[[check.cart.finally]]
get = "https://{{ deploy.app }}.example.com/"
"#;
    let config = Given::main(text).var("TOKEN", "long-enough").config();
    let check = config.check(&"cart".into()).unwrap();
    let carries: Vec<(bool, usize, usize, u64)> = check
        .script
        .all()
        .map(|step| {
            let send = &step.send;
            (
                send.bearer.is_some(),
                send.headers.len(),
                send.cookies.len(),
                send.timeout.as_secs(),
            )
        })
        .collect();
    assert_eq!(
        carries,
        [(true, 1, 1, 3), (false, 0, 0, 3), (true, 1, 1, 3), (false, 0, 0, 3)]
    );
}

#[test]
fn an_environments_headers_go_to_the_base_address_and_under_the_checks_own() {
    let text = r#"
when.app = "shop"
base = "https://shop.example.com"
[env.staging]
headers = { x-preview = "{{ secret.TOKEN }}", accept = "text/html" }
[check.home]
get = "/"
headers.accept = "application/json"
[check.partner]
get = "https://partner.example.com/"
"#;
    let config = Given::main(text).var("TOKEN", "long-enough").config();
    let headers = |env: &str| -> Vec<String> {
        let checks = config.checks_for(&deployment("shop", env));
        let sends = checks.iter().map(|check| &check.script.first.send.headers);
        sends
            .map(|headers| {
                headers
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.source()))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    };
    assert_eq!(headers("production"), ["accept=application/json", ""]);
    assert_eq!(
        headers("staging"),
        ["accept=application/json x-preview={{ secret.TOKEN }}", ""]
    );
}

#[test]
fn a_file_that_a_check_names_is_part_of_what_the_config_is() {
    let text = "[check.a]\npost = \"/\"\nfile = \"body.bin\"";
    let hash = |body: &str| Given::main(text).file("body.bin", body).config().hash;
    assert_eq!(hash("a"), hash("a"));
    assert_ne!(hash("a"), hash("b"));
}

#[test]
fn percentiles_of_several_steps_are_said_not_to_be_judged() {
    let text = "[defaults]\nexpect.time.p95 = \"1s\"\n[check.a]\nstep = [{ get = \"/\" }, { get = \"/b\" }]\n[check.b]\nget = \"/\"";
    let config = Given::main(text).config();
    insta::assert_snapshot!(shown(&config.warnings), @r#"
    warning: percentiles of time are not judged in check "a": it has several steps
      --> checks.toml:3:1
       |
     3 | [check.a]
       | ^^^^^^^^^
       = help: write a check of its own for the request that is meant, or `time = "…"` for each
    "#);
}

#[test]
fn steps_are_explained_one_by_one() {
    let text = "[check.cart]\nbearer = \"x\"\n[[check.cart.step]]\npost = \"/cart\"\nexpect.status = 201\n[[check.cart.step]]\nget = \"/cart\"\n\
                [[check.cart.finally]]\ndelete = \"/cart\"";
    let explained = Given::main(text).config().explain(&"cart".into()).unwrap();
    let keys: Vec<&str> = explained.iter().map(|value| value.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "bearer",
            "step 1.post",
            "step 1.expect.status",
            "step 2.get",
            "finally 1.delete",
            "severity",
            "timeout",
            "follow",
            "expect.status"
        ]
    );
}
