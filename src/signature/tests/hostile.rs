//! Every attack on a signature that the literature has, against every recipe of the table.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hmac::Mac as _;
use http::Uri;
use proptest::prelude::*;

use super::*;
use crate::signature::sign::mac;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PRIVATE: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const BODY: &[u8] = br#"{"id":"evt_1","event":"deploy.live"}"#;
const NOW_S: i64 = 1_773_325_321;

/// A delivery, right until something is done to it.
#[derive(Clone)]
struct Case {
    recipe: Recipe,
    secret: String,
    headers: HeaderMap,
    path_secret: Option<String>,
    body: Vec<u8>,
    url: Uri,
    now_s: i64,
}

impl Case {
    fn new(recipe: &Recipe, signer: &str, secret: &str) -> Self {
        let url: Uri = "https://backstop.example.com/webhooks/p".parse().unwrap();
        let letter = Letter {
            method: "POST",
            url: &url,
            id: "msg_1",
            timestamp_s: NOW_S,
            body: BODY,
        };
        let signed = sign(recipe, signer, &letter).expect("signed");
        Self {
            headers: signed.into_iter().collect(),
            path_secret: (recipe.place == Place::Path).then(|| secret.to_owned()),
            recipe: recipe.clone(),
            secret: secret.to_owned(),
            body: BODY.to_vec(),
            url,
            now_s: NOW_S,
        }
    }

    /// Each recipe with an HMAC's or a shown secret, and those that take a public key with one.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for recipe in built_in_recipes() {
            all.push(Self::new(&recipe, SECRET, SECRET));
            if recipe
                .schemes
                .iter()
                .any(|scheme| scheme.algorithm == Algorithm::Ed25519)
            {
                all.push(Self::new(&recipe, PRIVATE, PUBLIC));
            }
        }
        all
    }

    fn verified(&self) -> Result<VerifiedBy, Refusal> {
        let received = Received {
            url: Some(&self.url),
            path_secret: self.path_secret.as_deref(),
            ..Received::new(&self.headers, &self.body)
        };
        let secrets = [SecretString::from(self.secret.as_str())];
        let wall = Timestamp::from_millis(self.now_s * 1_000);
        let verified = verify(std::slice::from_ref(&self.recipe), &received, &secrets, wall);
        if let Err(refusal) = &verified {
            let said = refusal.to_string();
            assert!(
                !said.contains("MfKQ9r8GKYqrTwjU") && !said.contains("1SiA4o9hyqTC"),
                "{said}"
            );
        }
        verified
    }

    /// What must not be taken.
    fn refused(&self, attack: &str) {
        let name = &self.recipe.name;
        assert!(
            self.verified().is_err(),
            "{name} with {}…: {attack}",
            &self.secret.get(..6).unwrap_or("")
        );
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }

    fn with_header(&self, name: &str, value: &[u8]) -> Option<Self> {
        let (name, value) = (name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value).ok()?);
        Some(self.with(|case| drop(case.headers.insert(name, value))))
    }

    fn with_more(&self, name: &HeaderName, value: &HeaderValue) -> Self {
        let mut changed = self.clone();
        changed.headers.append(name, value.clone());
        changed
    }

    fn signature(&self) -> Option<(String, Vec<u8>)> {
        let name = self.recipe.signature_header()?;
        Some((name.to_owned(), self.headers[name].as_bytes().to_vec()))
    }

    /// Whether nothing but the secret is in the request.
    fn shows(&self) -> bool {
        self.recipe.schemes[0].algorithm == Algorithm::Secret
    }

    fn is_timed(&self) -> bool {
        self.recipe.timestamp.is_some() || matches!(self.recipe.layout, Layout::Message(_))
    }
}

#[test]
fn what_is_signed_by_a_recipe_is_taken_by_it() {
    for case in Case::all() {
        let by = case
            .verified()
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", case.recipe.name));
        assert_eq!(by.signed_id.as_deref(), case.recipe.id.as_ref().map(|_| "msg_1"));
    }
}

#[test]
fn no_header_can_be_taken_away_or_doubled() {
    for case in Case::all() {
        for name in case.headers.keys() {
            case.with(|case| drop(case.headers.remove(name)))
                .refused("a header less");
            let value = case.headers[name].clone();
            case.with_more(name, &value).refused("the same header twice");
            for bad in ["", "0", "v1,AAAA"] {
                let bad = HeaderValue::from_static(bad);
                case.with_more(name, &bad).refused("good, then bad");
                let bad_first = case.with(|case| {
                    case.headers.insert(name, bad.clone());
                    case.headers.append(name, value.clone());
                });
                bad_first.refused("bad, then good");
            }
        }
        if case.path_secret.is_some() {
            case.with(|case| case.path_secret = None)
                .refused("no secret in the path");
        }
    }
}

#[test]
fn only_the_whole_signature_is_one() {
    for case in Case::all() {
        let Some((name, value)) = case.signature() else {
            let right = case.path_secret.clone().unwrap();
            for length in 0..right.len() {
                case.with(|case| case.path_secret = Some(right[..length].to_owned()))
                    .refused("a cut secret");
            }
            case.with(|case| case.path_secret = Some(format!("{right}0")))
                .refused("a longer secret");
            continue;
        };
        for length in 0..value.len() {
            case.with_header(&name, &value[..length])
                .unwrap()
                .refused(&format!("its first {length} bytes"));
        }
        for more in ["0", "00", "=", "x", "\u{ff10}"] {
            let longer = [&value[..], more.as_bytes()].concat();
            case.with_header(&name, &longer)
                .unwrap()
                .refused(&format!("{more} behind it"));
        }
        for position in 0..value.len() {
            let mut flipped = value.clone();
            // Another letter of the same alphabet, else the decoder would refuse it for its form alone.
            flipped[position] = if flipped[position] == b'a' { b'b' } else { b'a' };
            let case = case.with_header(&name, &flipped).unwrap();
            // The last letter of a token's Base64 may hold bits that no byte has; a strict decoder refuses those too.
            case.refused(&format!("byte {position} is another one"));
        }
        for odd in [
            &b"\xff\xfe"[..],
            "signature\u{e9}".as_bytes(),
            b" ",
            b",",
            b"=",
            b".",
            b"..",
        ] {
            case.with_header(&name, odd).unwrap().refused("nonsense");
        }
    }
}

#[test]
fn lists_and_headers_are_bounded() {
    for case in Case::all() {
        let Some((name, value)) = case.signature() else {
            continue;
        };
        let text = String::from_utf8(value).unwrap();
        let separator = match case.recipe.layout {
            Layout::List(separator) => separator.to_string(),
            _ => ", ".to_owned(),
        };
        for entries in [17, 10_000] {
            let many = vec![text.as_str(); entries].join(&separator);
            case.with_header(&name, many.as_bytes())
                .unwrap()
                .refused("many entries");
        }
        case.with_header(&name, &vec![b'a'; 1_000_000])
            .unwrap()
            .refused("a megabyte of signature");
    }
}

#[test]
fn a_time_has_one_spelling_and_is_near() {
    let wrong = |now: i64| {
        let now = now.to_string();
        let wide: String = now
            .chars()
            .map(|c| char::from_u32(c as u32 - 0x30 + 0xff10).unwrap())
            .collect();
        let forms = [
            "+{}", " {}", "{} ", "{}abc", "0{}", "-{}", "{}.0", "0x{}", "{}e0", "{}\t",
        ];
        let mut all: Vec<String> = forms.iter().map(|form| form.replace("{}", &now)).collect();
        all.extend(["", "hello", "-1", "1e9", "99999999999999999999", "9223372036854775808"].map(str::to_owned));
        all.push(wide);
        all
    };
    for case in Case::all() {
        for off_s in [-300, 300] {
            assert!(
                case.with(|case| case.now_s += off_s).verified().is_ok(),
                "{}",
                case.recipe.name
            );
        }
        if !case.is_timed() {
            continue;
        }
        for off_s in [-301, 301, i64::from(i32::MAX)] {
            case.with(|case| case.now_s += off_s).refused("too far away");
        }
        let now = NOW_S.to_string();
        for time in wrong(NOW_S) {
            // The time stands in a header of its own, in the signature's list, or in the parameters.
            let places = case
                .headers
                .iter()
                .filter(|(_, value)| value.to_str().unwrap().contains(&now));
            for (name, value) in places {
                let changed = value.to_str().unwrap().replace(&now, &time);
                // A structured field may end in white space, which is none of the time's.
                if matches!(case.recipe.layout, Layout::Message(_)) && changed.trim_end() == value.to_str().unwrap() {
                    continue;
                }
                if let Some(case) = case.with_header(name.as_str(), changed.as_bytes()) {
                    case.refused(&format!("the time {time:?}"));
                }
            }
        }
        assert!(HeaderValue::from_bytes(b"1773325321\0").is_err(), "no header has a NUL");
    }
}

#[test]
fn nothing_but_what_was_signed_is_taken() {
    for case in Case::all() {
        for secret in [
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "another secret",
            &SECRET[..SECRET.len() - 4],
        ] {
            case.with(|case| case.secret = secret.to_owned())
                .refused("another secret");
        }
        if case.shows() {
            continue;
        }
        for body in [
            &b""[..],
            b"{}",
            &BODY[..BODY.len() - 1],
            &[BODY, b" "].concat(),
            &[BODY, b"\n"].concat(),
        ] {
            case.with(|case| case.body = body.to_vec()).refused("another body");
        }
        if case.recipe.id.is_some() {
            let id = case.recipe.id.clone().unwrap();
            for other in ["msg_2", "", "msg_1.1773325321", "msg 1", "msg_\u{e9}"] {
                case.with_header(&id, other.as_bytes()).unwrap().refused("another id");
            }
        }
    }
}

#[test]
fn an_empty_or_short_key_opens_nothing() {
    for case in Case::all() {
        for secret in [
            "",
            " ",
            "\n",
            "whsec_",
            "whpk_",
            "whsk_",
            "whsec_AAAA",
            "whpk_AAAA",
            "short",
            "AAAA",
        ] {
            assert!(
                case.recipe.accepts(secret).is_err() || secret.len() >= 8,
                "{}: {secret}",
                case.recipe.name
            );
            // What a forger would make with that key.
            let forged = forged(&case, secret.as_bytes());
            let forged = forged.with(|case| {
                case.secret = secret.to_owned();
                case.path_secret = case.path_secret.as_ref().map(|_| secret.to_owned());
            });
            if forged.recipe.accepts(secret).is_err() {
                forged.refused(&format!("made with the key {secret:?}"));
            }
        }
    }
}

/// The case with an HMAC by `key`, or the key itself, in the place of its signature.
fn forged(case: &Case, key: &[u8]) -> Case {
    let Some((name, _)) = case.signature() else {
        return case.clone();
    };
    let parts: Vec<Vec<u8>> = case
        .recipe
        .signed
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.as_bytes().to_vec(),
            Part::Id => b"msg_1".to_vec(),
            Part::Timestamp => NOW_S.to_string().into_bytes(),
            Part::Body => BODY.to_vec(),
        })
        .collect();
    let made = mac(key, &[&parts.concat()]).finalize().into_bytes();
    let written = match case.recipe.encoding {
        Encoding::Hex => hex::encode(made),
        Encoding::Base64 => BASE64_STANDARD.encode(made),
        Encoding::Plain => String::from_utf8_lossy(key).into_owned(),
    };
    let value = match &case.recipe.layout {
        Layout::Whole(prefixes) => format!("{}{written}", prefixes.last().unwrap()),
        Layout::List(_) => match &case.recipe.timestamp {
            Some(Time::Entry(mark)) => format!("{mark}{NOW_S},{}{written}", case.recipe.schemes.last().unwrap().mark),
            _ => format!("{}{written}", case.recipe.schemes.last().unwrap().mark),
        },
        Layout::Jws { .. } => format!("e30.e30.{written}"),
        Layout::Message(_) => format!("sig1=:{written}:"),
    };
    case.with_header(&name, value.as_bytes())
        .unwrap_or_else(|| case.clone())
}

#[test]
fn the_key_fixes_the_algorithm() {
    // An Ed25519 public key is known to everybody; an HMAC by it must be worth nothing, under either mark.
    let public = BASE64_STANDARD.decode(PUBLIC.trim_start_matches("whpk_")).unwrap();
    for case in Case::all().into_iter().filter(|case| case.secret == PUBLIC) {
        for key in [&public[..], PUBLIC.as_bytes()] {
            forged(&case, key).refused("an HMAC by the public key");
            if let Layout::List(_) = case.recipe.layout {
                let made = mac(key, &[format!("msg_1.{NOW_S}.").as_bytes(), BODY])
                    .finalize()
                    .into_bytes();
                let padded = [&made[..], &[0; 32]].concat();
                for value in [
                    format!("v1a,{}", BASE64_STANDARD.encode(padded)),
                    format!("v1a,{}", BASE64_STANDARD.encode(made)),
                ] {
                    let (name, _) = case.signature().unwrap();
                    case.with_header(&name, value.as_bytes())
                        .unwrap()
                        .refused("an HMAC in an Ed25519 entry");
                }
            } else {
                let input = case.headers["signature-input"].to_str().unwrap().to_owned();
                let forged = forged(&case, key);
                let named = forged.with_header("signature-input", format!("{input};alg=\"hmac-sha256\"").as_bytes());
                named.unwrap().refused("an HMAC that says so");
            }
        }
    }
    // An HMAC's key refuses the other mark, and the other name.
    let standard = Case::new(&built_in("standard-webhooks").unwrap(), SECRET, SECRET);
    let (name, value) = standard.signature().unwrap();
    let value = String::from_utf8(value).unwrap();
    for mark in ["v1a,", "v2,", "v0,", "V1,", "v1:", ""] {
        let changed = value.replace("v1,", mark);
        standard.with_header(&name, changed.as_bytes()).unwrap().refused(mark);
    }
    let rfc = Case::new(&built_in("rfc9421").unwrap(), SECRET, SECRET);
    let input = rfc.headers["signature-input"].to_str().unwrap().to_owned();
    for alg in ["ed25519", "rsa-v1_5-sha256", "none", "hmac-sha512", ""] {
        let input = format!("{input};alg=\"{alg}\"");
        rfc.with_header("signature-input", input.as_bytes())
            .unwrap()
            .refused(alg);
    }
}

#[test]
fn a_token_says_what_it_must_and_nothing_else() {
    let recipe = built_in("netlify").unwrap();
    let case = Case::new(&recipe, SECRET, SECRET);
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(BODY));
    let token = |header: &str, claims: &str, key: &str| {
        let text = format!(
            "{}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(header),
            BASE64_URL_SAFE_NO_PAD.encode(claims)
        );
        let made = mac(key.as_bytes(), &[text.as_bytes()]).finalize().into_bytes();
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(made))
    };
    let good = format!(r#"{{"iss":"netlify","sha256":"{digest}"}}"#);
    let hs256 = r#"{"alg":"HS256"}"#;
    let of = |value: &str| case.with_header("x-webhook-signature", value.as_bytes()).unwrap();
    assert!(of(&token(hs256, &good, SECRET)).verified().is_ok());
    for (header, claims) in [
        (r#"{"alg":"none"}"#, good.as_str()),
        (r#"{"alg":"RS256"}"#, &good),
        (r#"{"alg":"hs256"}"#, &good),
        ("{}", &good),
        ("[]", &good),
        ("not json", &good),
        (hs256, r#"{"iss":"netlify"}"#),
        (hs256, &good.replace("netlify", "somebody")),
        (hs256, &good.to_uppercase()),
        (hs256, &good.replace(&digest, &digest[..63])),
    ] {
        of(&token(header, claims, SECRET)).refused(&format!("{header} {claims}"));
    }
    let signed = token(r#"{"alg":"none"}"#, &good, SECRET);
    let (unsigned, _) = signed.rsplit_once('.').unwrap();
    of(&format!("{unsigned}.")).refused("alg none without a signature");
    of(unsigned).refused("two parts");
    of(&format!("{signed}.{signed}")).refused("six parts");
}

#[test]
fn a_message_signature_covers_what_it_must_and_is_understood_whole() {
    let case = Case::new(&built_in("rfc9421").unwrap(), SECRET, SECRET);
    let input = case.headers["signature-input"].to_str().unwrap().to_owned();
    for (what, changed) in [
        ("no method", input.replace("\"@method\" ", "")),
        ("no digest", input.replace(" \"content-digest\"", "")),
        ("no created", input.replace(&format!(";created={NOW_S}"), "")),
        ("expired", format!("{input};expires={}", NOW_S - 1)),
        ("not a time", format!("{input};expires=\"never\"")),
        (
            "a component twice",
            input.replace("\"@method\"", "\"@method\" \"@method\""),
        ),
        (
            "a parameter of a component",
            input.replace("\"@method\"", "\"@method\";req"),
        ),
        (
            "an unknown component",
            input.replace("\"@method\"", "\"@method\" \"@status\""),
        ),
        ("another label", input.replace("sig1=", "sig2=")),
        ("a label twice", format!("{input}, {input}")),
        ("created twice", format!("{input};created={NOW_S}")),
        ("an escape", format!("{input};keyid=\"a\\\"b\"")),
        ("no list", "sig1=created".to_owned()),
        ("not closed", "sig1=(\"@method\"".to_owned()),
        ("nothing", String::new()),
    ] {
        case.with_header("signature-input", changed.as_bytes())
            .unwrap()
            .refused(what);
    }
    for url in [
        "https://evil.example/webhooks/p",
        "https://backstop.example.com/webhooks/other",
        "http://backstop.example.com/webhooks/p",
    ] {
        case.with(|case| case.url = url.parse().unwrap()).refused(url);
    }
    // The digest is signed as it stands; it must also be the body's.
    case.with(|case| case.body = b"{}".to_vec())
        .refused("another body under the same digest");
}

#[test]
fn only_a_signed_id_or_the_signed_body_makes_two_deliveries_one() {
    let body = serde_json::from_slice(BODY).unwrap();
    for case in Case::all() {
        let known = |case: &Case| case.verified().unwrap().id(&body);
        let before = known(&case);
        let mut other = case.clone();
        for name in [
            "x-github-delivery",
            "x-gitlab-event-uuid",
            "idempotency-key",
            "x-webhook-delivery",
            "x-request-id",
        ] {
            other = other.with_header(name, b"another").unwrap();
        }
        assert_eq!(known(&other), before, "{}", case.recipe.name);
        let expected = match &case.recipe.dedup {
            Dedup::SignedId => Some("msg_1".to_owned()),
            Dedup::Json(pointer) if &**pointer == "/id" => Some("evt_1".to_owned()),
            Dedup::Json(_) | Dedup::Body => None,
        };
        assert_eq!(before, expected, "{}", case.recipe.name);
    }
}

proptest! {
    #[test]
    fn no_header_and_no_body_makes_it_panic(
        value in prop::collection::vec(prop_oneof![32_u8..127, 128_u8..=255], 0..200),
        second in "[a-z0-9=(){}\":;, @,v.-]{0,80}",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        for case in Case::all() {
            let names: Vec<String> = case.headers.keys().map(ToString::to_string).collect();
            for name in names {
                let case = case.with(|case| case.body.clone_from(&body));
                let _ = case.with_header(&name, &value).unwrap().verified();
                let _ = case.with_header(&name, second.as_bytes()).unwrap().verified();
            }
        }
    }
}
