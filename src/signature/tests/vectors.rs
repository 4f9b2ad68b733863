//! Known answers. An official one was published by whoever made the recipe; a regression vector was only computed, apart
//! from this code, from the documented recipe.

use super::*;
use crate::signature::craft::Letter;

struct Vector {
    recipe: &'static str,
    official: bool,
    secret: &'static str,
    at_s: i64,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

const GITHUB_SECRET: &str = "It's a Secret to Everybody";
const GITHUB_BODY: &str = "Hello, World!";
const STANDARD_A: [(&str, &str); 2] = [
    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
    ("webhook-timestamp", "1614265330"),
];
const SLACK_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

const VECTORS: &[Vector] = &[
    Vector {
        recipe: "standard-webhooks",
        official: true,
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        at_s: 1_614_265_330,
        headers: &[
            STANDARD_A[0],
            STANDARD_A[1],
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ],
        body: r#"{"test": 2432232314}"#,
    },
    // The list of the libraries' tests: wrong, unknown, right, wrong; and a secret without its prefix.
    Vector {
        recipe: "standard-webhooks",
        official: true,
        secret: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        at_s: 1_614_265_330,
        headers: &[
            STANDARD_A[0],
            STANDARD_A[1],
            (
                "webhook-signature",
                "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= \
                 v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=",
            ),
        ],
        body: r#"{"test": 2432232314}"#,
    },
    Vector {
        recipe: "svix",
        official: true,
        secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        at_s: 1_649_367_553,
        headers: &[
            ("svix-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
            ("svix-timestamp", "1649367553"),
            ("svix-signature", "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
        ],
        body: r#"{"email":"test@example.com","username":"test_user"}"#,
    },
    Vector {
        recipe: "standard-webhooks",
        official: true,
        secret: "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
        at_s: 1_614_265_330,
        headers: &[
            STANDARD_A[0],
            STANDARD_A[1],
            (
                "webhook-signature",
                "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
            ),
        ],
        body: r#"{"test": 2432232314}"#,
    },
    Vector {
        recipe: "github",
        official: true,
        secret: GITHUB_SECRET,
        at_s: 0,
        headers: &[(
            "x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        )],
        body: GITHUB_BODY,
    },
    Vector {
        recipe: "slack",
        official: true,
        secret: "8f742231b10e8888abcd99yyyzzz85a5",
        at_s: 1_531_420_618,
        headers: &[
            ("x-slack-request-timestamp", "1531420618"),
            (
                "x-slack-signature",
                "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            ),
        ],
        body: SLACK_BODY,
    },
    Vector {
        recipe: "stripe",
        official: false,
        secret: "whsec_test_secret",
        at_s: 1_614_265_330,
        headers: &[(
            "stripe-signature",
            "t=1614265330,v1=3c5817089d739023dd6190f70a3757e04f7a2fd8b5dab12c2e000f51970dccff,v0=ignored",
        )],
        body: r#"{"id":"evt_test_webhook","object":"event"}"#,
    },
    Vector {
        recipe: "vercel",
        official: false,
        secret: GITHUB_SECRET,
        at_s: 0,
        headers: &[("x-vercel-signature", "01dc10d0c83e72ed246219cdd91669667fe2ca59")],
        body: GITHUB_BODY,
    },
    Vector {
        recipe: "netlify",
        official: false,
        secret: GITHUB_SECRET,
        at_s: 0,
        headers: &[(
            "x-webhook-signature",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJuZXRsaWZ5Iiwic2hhMjU2IjoiZGZmZDYwMjFiYjJiZDViMGFmNjc2MjkwODA5ZWMzYTUzMTkxZGQ4MWM3ZjcwYTRiMjg2ODhhMzYyMTgyOTg2ZiJ9.8D6Y4RdEQjZvgZO5ZKf2i38FhV2uHFJLneBMNCK43bU",
        )],
        body: GITHUB_BODY,
    },
    Vector {
        recipe: "heroku",
        official: false,
        secret: GITHUB_SECRET,
        at_s: 0,
        headers: &[(
            "heroku-webhook-hmac-sha256",
            "dXEH6g6yUJ/CESIczphLijdXC211hsIsRvQ3nIsEPhc=",
        )],
        body: GITHUB_BODY,
    },
    Vector {
        recipe: "bitbucket",
        official: false,
        secret: GITHUB_SECRET,
        at_s: 0,
        headers: &[(
            "x-hub-signature",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        )],
        body: GITHUB_BODY,
    },
    Vector {
        recipe: "rfc9421",
        official: false,
        secret: RFC_SECRET,
        at_s: 1_618_884_473,
        headers: &[
            ("content-type", "application/json"),
            (
                "content-digest",
                "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
            ),
            (
                "signature-input",
                r#"sig1=("@method" "@target-uri" "content-type" "content-digest");created=1618884473;keyid="test-shared-secret";alg="hmac-sha256""#,
            ),
            ("signature", "sig1=:b+zzRzUtCV9ncS552H35fRxOMbssSaXbTnTslK+VljI=:"),
        ],
        body: RFC_BODY,
    },
];

/// The key of RFC 9421 B.1.5, as a secret whose Base64 is decoded.
const RFC_SECRET: &str =
    "whsec_uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
const RFC_BODY: &str = r#"{"hello": "world"}"#;
const RFC_URL: &str = "https://example.com/foo?param=Value&Pet=dog";

fn opened(recipe: &Recipe, vector: &Vector, at_s: i64, body: &str) -> Result<VerifiedBy, Refusal> {
    let (headers, url) = (headers(vector.headers), RFC_URL.parse().unwrap());
    let received = Received {
        url: Some(&url),
        ..Received::new(&headers, body.as_bytes())
    };
    let wall = Timestamp::from_millis(at_s * 1_000);
    verify(
        std::slice::from_ref(recipe),
        &received,
        &[SecretString::from(vector.secret)],
        wall,
    )
}

#[test]
fn every_known_answer_holds_and_only_as_it_is() {
    for vector in VECTORS {
        let recipe = built_in(vector.recipe).unwrap();
        let name = format!("{}, official: {}", vector.recipe, vector.official);
        let of = |at_s, body: &str| opened(&recipe, vector, at_s, body);
        assert_eq!(of(vector.at_s, vector.body).map(|by| by.secret_index), Ok(0), "{name}");
        assert!(of(vector.at_s, &format!("{} ", vector.body)).is_err(), "{name}");
        let is_timed = recipe.timestamp.is_some() || matches!(recipe.layout, Layout::Message(_));
        for off_s in [-301, 301] {
            assert_eq!(
                of(vector.at_s + off_s, vector.body).is_err(),
                is_timed,
                "{name} {off_s}"
            );
        }
    }
}

#[test]
fn every_recipe_that_signs_has_a_known_answer_or_is_one_that_has() {
    // The forms of the table, whatever their headers are called.
    let form = |recipe: &Recipe| (recipe.layout.clone(), recipe.signed.clone(), recipe.schemes.clone());
    let known: Vec<_> = VECTORS
        .iter()
        .map(|vector| form(&built_in(vector.recipe).unwrap()))
        .collect();
    for recipe in built_in_recipes() {
        let shown = recipe.schemes[0].algorithm == Algorithm::Secret;
        // The answer of Temps stands in a test of its own.
        let of_temps = recipe.name.starts_with("temps");
        assert!(shown || of_temps || known.contains(&form(&recipe)), "{}", recipe.name);
    }
}

#[test]
fn rfc_9421_b_2_5() {
    let recipe = Recipe {
        layout: Layout::Message(["date", "@authority", "content-type"].map(Text::from).to_vec().into()),
        ..built_in("rfc9421").unwrap()
    };
    let vector = Vector {
        recipe: "rfc9421",
        official: true,
        secret: RFC_SECRET,
        at_s: 1_618_884_473,
        headers: &[
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("content-type", "application/json"),
            (
                "signature-input",
                r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
            ),
            ("signature", "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"),
        ],
        body: RFC_BODY,
    };
    assert!(opened(&recipe, &vector, vector.at_s, RFC_BODY).is_ok());
    // It covers neither method nor digest, so it is none that a platform may use as it is.
    let refused = opened(&built_in("rfc9421").unwrap(), &vector, vector.at_s, RFC_BODY).unwrap_err();
    assert_eq!(refused.to_string(), "header `signature-input` does not cover `@method`");
}

#[test]
fn rfc_9530_digests() {
    let sha512 = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
    let sha256 = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    let holds = |value: &str, body: &str| super::super::message::digest_holds(value.as_bytes(), body.as_bytes(), 16);
    for value in [
        sha512,
        sha256,
        &format!("{sha256}, {sha512}"),
        &format!("md5=:AAAA:, {sha256}"),
    ] {
        assert!(holds(value, RFC_BODY) && !holds(value, "{}"), "{value}");
    }
    let wrong_of_two = format!("{sha256}, sha-512=:AAAA:");
    for value in [
        "",
        "md5=:AAAA:",
        "sha-256",
        "sha-256=X48E",
        &wrong_of_two,
        &format!("{sha256}, {sha256}"),
    ] {
        assert!(!holds(value, RFC_BODY), "{value}");
    }
}

#[test]
fn the_private_key_of_vector_c_signs_it_again() {
    let url = RFC_URL.parse().unwrap();
    let letter = Letter {
        method: "POST",
        url: &url,
        id: STANDARD_A[0].1,
        timestamp_s: 1_614_265_330,
        body: br#"{"test": 2432232314}"#,
    };
    let private = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    let signed = sign(&built_in("standard-webhooks").unwrap(), private, &letter).unwrap();
    let (_, value) = signed.iter().find(|(name, _)| name == "webhook-signature").unwrap();
    let vector = VECTORS
        .iter()
        .find(|vector| vector.secret.starts_with("whpk_"))
        .unwrap();
    assert_eq!(value.to_str().unwrap(), vector.headers[2].1);
    let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    assert_eq!(sign(&built_in("standard-webhooks").unwrap(), public, &letter), None);
}
