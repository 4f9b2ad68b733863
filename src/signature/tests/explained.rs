//! What a refused delivery's operator learns, and what nobody does.

use http::Uri;

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NOW_S: i64 = 1_773_325_321;
const BODY: &str = r#"{"id":"evt_1","nested":{"list":[1,2],"text":"a: b, {c}"}}"#;

/// What is found out of a delivery of `sent`, signed by `recipe`, that arrives as `body` where `ours` is expected.
fn found(
    recipe: &str,
    signer: &str,
    sent: &str,
    ours: &str,
    secrets: &[(&str, &str)],
    body: &str,
    off_s: i64,
) -> Explanation {
    let url: Uri = "https://backstop.example.com/webhooks/p".parse().unwrap();
    let letter = Letter {
        method: "POST",
        url: &url,
        id: "msg_1",
        timestamp_s: NOW_S,
        body: sent.as_bytes(),
    };
    let headers: HeaderMap = sign(&built_in(recipe).unwrap(), signer, &letter)
        .unwrap()
        .into_iter()
        .collect();
    let received = Received {
        url: Some(&url),
        ..Received::new(&headers, body.as_bytes())
    };
    let wall = Timestamp::from_millis((NOW_S + off_s) * 1_000);
    let ours = [built_in(ours).unwrap()];
    let known: Vec<(&str, SecretString)> = secrets
        .iter()
        .map(|(name, secret)| (*name, SecretString::from(*secret)))
        .collect();
    let named: Vec<Named<'_>> = known.iter().map(|(name, secret)| (*name, secret)).collect();
    let plain: Vec<SecretString> = known.iter().map(|(_, secret)| secret.clone()).collect();
    let refusal = verify(&ours, &received, &plain, wall).expect_err("refused");
    let explanation = explain(&ours, &received, &named, wall, &refusal, true);
    let said = format!("{refusal} {explanation:?}");
    for value in headers.values().filter(|value| value.len() > 20) {
        assert!(!said.contains(value.to_str().unwrap()), "{said}");
    }
    for (_, secret) in secrets {
        let secret = secret.trim().trim_start_matches("whsec_");
        assert!(secret.is_empty() || !said.contains(secret), "{said}");
    }
    explanation
}

fn first(explanation: &Explanation) -> &str {
    explanation.findings.first().map_or("", String::as_str)
}

#[test]
fn a_late_delivery_is_known_from_a_forged_one() {
    let two = [("secret 1 of 2", OTHER), ("secret 2 of 2", SECRET)];
    for recipe in ["temps", "standard-webhooks", "stripe", "slack", "rfc9421"] {
        for off_s in [-400, 400] {
            let late = found(recipe, SECRET, BODY, recipe, &two, BODY, off_s);
            assert!(
                late.only_late && first(&late).contains("holds by secret 2 of 2"),
                "{recipe}: {late:?}"
            );
            let forged = found(recipe, OTHER, BODY, recipe, &two[1..], BODY, off_s);
            assert!(!forged.only_late, "{recipe}: {forged:?}");
        }
    }
}

#[test]
fn a_body_that_was_printed_again_is_recognised() {
    let one = [("secret 1 of 1", SECRET)];
    let value: serde_json::Value = serde_json::from_str(BODY).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    for (sent, arrived, what) in [
        (BODY, pretty.as_str(), "if the body is printed compactly"),
        (&pretty, BODY, "if the body is printed in lines indented by two"),
        (BODY, &format!("{BODY}\n"), "if the body is trimmed"),
        (&format!("{BODY}\n"), BODY, "if the body is ended by a line break"),
        (
            &pretty,
            &pretty.replace('\n', "\r\n"),
            "if the body is written with bare line feeds",
        ),
    ] {
        let found = found("github", SECRET, sent, "github", &one, arrived, 0);
        assert!(first(&found).contains(what), "{what}: {found:?}");
    }
    let changed = found(
        "github",
        SECRET,
        BODY,
        "github",
        &one,
        &BODY.replace("evt_1", "evt_2"),
        0,
    );
    assert_eq!(changed, Explanation::default());
}

#[test]
fn a_secret_that_is_read_in_another_form_is_recognised() {
    let spelt = |secret: &'static str| [("secret 1 of 1", secret)];
    // The sender takes the whole secret, the recipe decodes it; and the other way round.
    let like = |recipe: &str, key: KeyForm| Recipe {
        schemes: vec![Scheme {
            prefix: "whsec_".into(),
            bare: true,
            key,
            algorithm: Algorithm::HmacSha256,
            mark: built_in(recipe).unwrap().schemes.last().unwrap().mark.clone(),
        }]
        .into(),
        ..built_in(recipe).unwrap()
    };
    let url: Uri = "https://backstop.example.com/webhooks/p".parse().unwrap();
    let letter = Letter {
        method: "POST",
        url: &url,
        id: "msg_1",
        timestamp_s: NOW_S,
        body: BODY.as_bytes(),
    };
    for (recipe, key, what) in [
        ("standard-webhooks", KeyForm::Text, "as a whole"),
        ("stripe", KeyForm::Base64, "decoded"),
        ("github", KeyForm::Base64, "decoded"),
    ] {
        let headers: HeaderMap = sign(&like(recipe, key), SECRET, &letter).unwrap().into_iter().collect();
        let (received, ours) = (Received::new(&headers, BODY.as_bytes()), [built_in(recipe).unwrap()]);
        let (secret, wall) = (SecretString::from(SECRET), Timestamp::from_millis(NOW_S * 1_000));
        let refusal = verify(&ours, &received, std::slice::from_ref(&secret), wall).expect_err(recipe);
        let found = explain(&ours, &received, &[("secret 1 of 1", &secret)], wall, &refusal, true);
        assert!(first(&found).contains(what), "{recipe}: {found:?}");
    }
    let spaced = found(
        "github",
        SECRET,
        BODY,
        "github",
        &spelt("  whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw "),
        BODY,
        0,
    );
    assert!(first(&spaced).contains("without the spaces"), "{spaced:?}");
    let bare = found("github", &SECRET[6..], BODY, "github", &spelt(SECRET), BODY, 0);
    assert!(first(&bare).contains("without its prefix"), "{bare:?}");
    let unusable = found(
        "standard-webhooks",
        SECRET,
        BODY,
        "standard-webhooks",
        &spelt("whsec_AAAA"),
        BODY,
        0,
    );
    assert!(
        first(&unusable).contains("opens nothing: its key has 3 bytes"),
        "{unusable:?}"
    );
}

#[test]
fn another_recipe_is_recognised() {
    let one = [("secret 1 of 1", SECRET)];
    for recipe in [
        "stripe",
        "github",
        "standard-webhooks",
        "slack",
        "vercel",
        "heroku",
        "netlify",
        "rfc9421",
    ] {
        let found = found(recipe, SECRET, BODY, "temps-guide", &one, BODY, 0);
        let wanted = format!("the recipe `{recipe}`");
        assert!(first(&found).contains(&wanted), "{recipe}: {found:?}");
    }
    let forged = found("stripe", OTHER, BODY, "temps", &one, BODY, 0);
    assert!(
        first(&forged).contains("is where the recipe `stripe` signs"),
        "{forged:?}"
    );
}

#[test]
fn what_costs_more_is_only_done_when_asked() {
    let headers = headers(&[("x-hub-signature-256", "sha256=00")]);
    let (ours, secret) = ([built_in("temps").unwrap()], SecretString::from(SECRET));
    let (received, wall) = (Received::new(&headers, b""), Timestamp::from_millis(0));
    let refusal = verify(&ours, &received, std::slice::from_ref(&secret), wall).expect_err("refused");
    let found = |try_all| {
        explain(&ours, &received, &[("secret 1 of 1", &secret)], wall, &refusal, try_all)
            .findings
            .len()
    };
    assert_eq!((found(false), found(true)), (0, 1));
}
