//! Placeholders in text.

use proptest::prelude::*;

use crate::step::{JsonTemplate, Template, Values};

fn parts(text: &str) -> String {
    match Template::parse(text) {
        Ok(template) => format!("{:?}", template.parts()),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn text_is_split_into_literals_and_slots() {
    insta::assert_snapshot!(parts("/a/{{ deploy.commit }}/{{x-1}}"), @r#"[Text("/a/"), Slot("deploy.commit"), Text("/"), Slot("x-1")]"#);
    insta::assert_snapshot!(parts("{{{{ not }} {{ yes }}"), @r#"[Text("{{ not }} "), Slot("yes")]"#);
    insta::assert_snapshot!(parts("{{ open"), @"error: `{{` is not closed; write `{{{{` for the braces themselves");
    insta::assert_snapshot!(parts("{{ a b }}"), @"error: `{{ a b }}` is not a placeholder: a name like `deploy.commit` stands between the braces");
    insta::assert_snapshot!(parts("{{ a..b }}"), @"error: `{{ a..b }}` is not a placeholder: a name like `deploy.commit` stands between the braces");
    insta::assert_snapshot!(parts("{{}}"), @"error: `{{}}` is not a placeholder: a name like `deploy.commit` stands between the braces");
}

#[test]
fn a_value_is_never_read_as_a_template() {
    let mut values = Values::new();
    values.insert("a", "{{ secret.X }}", false);
    values.insert("secret.X", "hidden", true);
    let json = JsonTemplate::parse(&serde_json::json!({"whole": "{{ a }}", "part": "<{{ a }}>"})).unwrap();
    assert_eq!(
        json.fill(&values).unwrap(),
        serde_json::json!({"whole": "{{ secret.X }}", "part": "<{{ secret.X }}>"})
    );
}

proptest! {
    #[test]
    fn any_literal_comes_back(text in "[ -~{}\u{e9}\n]{0,60}") {
        let literal = Template::literal(&text);
        let read = Template::parse(literal.source());
        // Three braces in a row are ambiguous in source, and nothing else.
        if !text.contains("{{{") {
            let read = read.unwrap();
            prop_assert_eq!(read.slots().count(), 0);
            let json = JsonTemplate::Text(read).fill(&Values::new()).unwrap();
            prop_assert_eq!(json, serde_json::Value::from(text));
        }
    }

    #[test]
    fn parsing_never_panics(text in "[{} a-z.\u{e9}]{0,40}") {
        let _ = Template::parse(&text);
    }
}
