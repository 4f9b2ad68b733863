//! JSON paths and their bounds.

use std::fmt::Write as _;

use crate::step::Path;

fn shape(text: &str) -> String {
    match Path::parse(text) {
        Ok(path) if path.is_singular() => "one".to_owned(),
        Ok(_) => "several".to_owned(),
        Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

#[test]
fn a_path_knows_how_many_values_it_may_find() {
    for one in [
        "$",
        "$.a.b",
        "$['a..b,*?$']",
        "$[\"]\\\"*\"][0]",
        "$.a[-1]",
        "$['match(']",
    ] {
        assert_eq!(shape(one), "one", "{one}");
    }
    for several in [
        "$.*",
        "$[*]",
        "$..a",
        "$[0,1]",
        "$[0:2]",
        "$.items[?@.price > 3]",
        "$.a[?@.b == ',..$'].c",
        "$.a[?@.b && @['x','y']]",
        "$.a[?count(@.*) > 1][?length(@.b) < 9]",
    ] {
        assert_eq!(shape(several), "several", "{several}");
    }
}

#[test]
fn what_could_take_very_long_is_refused() {
    for (text, why) in [
        ("$..a..b", "`..` can stand in it once"),
        ("$[0,0][0,0]", "a list of selectors can stand in it once"),
        ("$[?@..a]", "`..` cannot stand in a filter"),
        ("$[?count($.*) > 1]", "`$` cannot stand in a filter"),
        (
            "$[?match(@.a, 'x.*')]",
            "`match` and `search` cannot be used; use the matcher `matches`",
        ),
        ("$[?@[?@[?@[?@[?@[?@[?@.a]]]]]]]", "it is nested too deeply"),
    ] {
        let expected = format!("this JSON path could take very long on a large answer: {why}");
        assert_eq!(shape(text), expected, "{text}");
    }
    assert_eq!(
        shape(&format!("$.{}", "a".repeat(600))),
        "this JSON path is longer than 500 bytes"
    );
    assert!(shape("$.a[").starts_with("this is not a JSON path"));
    assert!(shape("a.b").starts_with("this is not a JSON path"));
}

#[test]
fn members_of_any_name_are_found() {
    let names = [
        "a",
        "with space",
        "quo\"te",
        "back\\slash",
        "dot.ted",
        "ünï",
        "",
        "0",
        "$",
    ];
    let root = Path::parse("$").unwrap();
    for name in names {
        let json = serde_json::json!({ name: 7 });
        let path = root.member(&[name]).unwrap();
        assert!(path.is_singular(), "{name}");
        assert_eq!(path.find(&json), vec![&serde_json::json!(7)], "{name}");
    }
}

/// The deepest answer the parser lets pass, under the path that costs most: the work must not explode.
#[test]
fn the_deepest_answer_is_walked() {
    let mut text = String::new();
    for _ in 0..120 {
        text.push_str("{\"a\":[");
    }
    assert!(serde_json::from_str::<serde_json::Value>(&format!("{text}1{}", "]}".repeat(120))).is_err());
    let mut text = String::from("[");
    for number in 0..20_000 {
        write!(
            text,
            "{}{{\"a\":[{number},[{number}]]}}",
            if number == 0 { "" } else { "," }
        )
        .unwrap();
    }
    text.push(']');
    let json = serde_json::from_str(&text).unwrap();
    assert_eq!(Path::parse("$..[?@[1]]").unwrap().find(&json).len(), 20_000);
}
