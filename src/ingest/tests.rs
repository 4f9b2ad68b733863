//! What is taken, what is refused, and what counts as the same delivery.

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::signature::sign_timestamped;

const NOW_S: i64 = 1_773_325_321;

fn signed(secret: &str, body: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let signature = sign_timestamped(secret, NOW_S, body.as_bytes());
    headers.insert("x-temps-timestamp", HeaderValue::from(NOW_S));
    headers.insert("x-temps-signature", HeaderValue::from_str(&signature).unwrap());
    headers
}

fn received(secrets: &SecretSet, secret: &str, body: &str) -> Result<Verified, Refused> {
    let file = File::built_in("temps").unwrap();
    let wall = Timestamp::from_millis(NOW_S * 1_000);
    let headers = signed(secret, body);
    receive(&file, secrets, &Received::new(&headers, body.as_bytes()), wall)
}

fn any(secrets: &[&str]) -> SecretSet {
    SecretSet::Any(secrets.iter().map(|secret| SecretString::from(*secret)).collect())
}

const BODY: &str = r#"{"event":"deploy.live","delivery_id":"whk_1","deployment_id":"dep_1","app":"shop"}"#;

#[test]
fn a_signed_delivery_is_read() {
    let verified = received(&any(&["secret-a", "secret-b"]), "secret-b", BODY).expect("verified");
    assert_eq!(verified.hearing.id.as_deref(), Some("whk_1"));
    assert_eq!(verified.opened_app, None);
}

#[test]
fn nothing_is_parsed_before_the_signature_holds() {
    assert!(matches!(
        received(&any(&["secret-a"]), "forged", "{not json"),
        Err(Refused::Signature(_))
    ));
    assert!(matches!(
        received(&any(&["secret-a"]), "secret-a", "{not json"),
        Err(Refused::NotJson(_))
    ));
}

#[test]
fn a_secret_opens_only_its_own_app() {
    let of = |app: &str, secret: &str| (app.to_owned(), vec![SecretString::from(secret)]);
    let secrets = SecretSet::PerApp(BTreeMap::from([of("shop", "secret-s"), of("blog", "secret-b")]));
    assert_eq!(
        received(&secrets, "secret-s", BODY)
            .expect("verified")
            .opened_app
            .as_deref(),
        Some("shop")
    );
    assert!(matches!(
        received(&secrets, "secret-b", BODY),
        Err(Refused::WrongApp { .. })
    ));
    // A delivery that names no app is the platform's to tell.
    let unnamed = r#"{"event_type":"deployment_succeeded","id":"1","payload":{"deployment_id":4}}"#;
    assert_eq!(
        received(&secrets, "secret-b", unnamed)
            .expect("verified")
            .opened_app
            .as_deref(),
        Some("blog")
    );
}

#[test]
fn the_same_thing_is_known_by_its_signed_id_else_by_its_body() {
    let key =
        |secrets: &[&str], secret: &str, body: &str| received(&any(secrets), secret, body).expect("verified").dedup_key;
    let again = BODY.replace("shop", "shop2");
    assert_eq!(
        key(&["secret-a"], "secret-a", BODY),
        key(&["secret-a"], "secret-a", &again)
    );
    assert_ne!(
        key(&["secret-a"], "secret-a", BODY),
        key(&["secret-a"], "secret-a", &BODY.replace("whk_1", "whk_2"))
    );
    // Under another secret it is another thing: nobody can take an id away.
    assert_ne!(
        key(&["secret-a", "secret-b"], "secret-a", BODY),
        key(&["secret-a", "secret-b"], "secret-b", BODY)
    );
    let without = r#"{"event":"deploy.live","deployment_id":"dep_1"}"#;
    assert_eq!(
        key(&["secret-a"], "secret-a", without),
        key(&["secret-a"], "secret-a", without)
    );
    assert_ne!(
        key(&["secret-a"], "secret-a", without),
        key(&["secret-a"], "secret-a", &without.replace("dep_1", "dep_2"))
    );
}
