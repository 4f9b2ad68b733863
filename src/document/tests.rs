use std::time::Duration;

use super::{Document, Problems, Source, Table};

/// Reads `text` with `read` and shows all problems as a person sees them.
fn check(text: &str, read: impl FnOnce(Table<'_>, &mut Problems)) -> String {
    let source = Source::new("smoke.toml", text);
    let mut problems = Problems::new();
    if let Some(document) = Document::parse(&source, &mut problems) {
        read(document.table(), &mut problems);
    }
    let shown: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
    shown.join("\n\n")
}

fn read_checks(mut root: Table<'_>, problems: &mut Problems) {
    if let Some(mut checks) = root.table("check", problems) {
        for (key, node) in checks.take_all() {
            let Some(table) = node.table(problems) else { continue };
            let mut table = table.labelled(format!("check \"{}\"", key.name));
            table.required("get", "name a path: `get = \"/\"`", problems);
            table.duration("timeout", problems);
            if let Some(mut expect) = table.table("expect", problems) {
                expect.integer("status", problems);
                expect.finish(problems, &[]);
            }
            table.finish(problems, &[("status", "expect.status"), ("max_time", "timeout")]);
        }
    }
    root.finish(problems, &[]);
}

#[test]
fn a_misplaced_key_is_shown_with_its_place() {
    let text = "\n[check.home]\nget = \"/\"\nstatus = 200\n";
    insta::assert_snapshot!(check(text, read_checks), @r#"
    error: unknown key `status` in check "home"
      --> smoke.toml:4:1
       |
     4 | status = 200
       | ^^^^^^
       = help: expectations live under `expect`: write `expect.status = 200`
    "#);
}

#[test]
fn all_problems_come_at_once_in_source_order() {
    let text = "[check.z]\ntimout = \"1s\"\nget = \"/\"\nexpect.statuss = 200\n\n[check.a]\nget = 7\nmax_time = \"2s\"\ntimeout = 5\n\n[chekc.b]\n";
    let shown = check(text, |mut root, problems| {
        read_checks_typed(&mut root, problems);
        root.finish(problems, &[]);
    });
    insta::assert_snapshot!(shown, @r#"
    error: unknown key `timout` in check "z"
      --> smoke.toml:2:1
       |
     2 | timout = "1s"
       | ^^^^^^
       = help: did you mean `timeout`?

    error: unknown key `statuss` in `expect` in check "z"
      --> smoke.toml:4:8
       |
     4 | expect.statuss = 200
       |        ^^^^^^^
       = help: did you mean `status`?

    error: `get` in check "a" must be a string, not an integer
      --> smoke.toml:7:7
       |
     7 | get = 7
       |       ^

    error: unknown key `max_time` in check "a"
      --> smoke.toml:8:1
       |
     8 | max_time = "2s"
       | ^^^^^^^^
       = help: here it is called `timeout`

    error: `timeout` in check "a" has no unit
      --> smoke.toml:9:11
       |
     9 | timeout = 5
       |           ^
       = help: write `"5s"` or `"5ms"`

    error: unknown key `chekc` at the top level
       --> smoke.toml:11:2
        |
     11 | [chekc.b]
        |  ^^^^^
        = help: did you mean `check`?
    "#);
}

fn read_checks_typed(root: &mut Table<'_>, problems: &mut Problems) {
    let Some(mut checks) = root.table("check", problems) else {
        return;
    };
    for (key, node) in checks.take_all() {
        let Some(table) = node.table(problems) else { continue };
        let mut table = table.labelled(format!("check \"{}\"", key.name));
        table.string("get", problems);
        table.duration("timeout", problems);
        if let Some(mut expect) = table.table("expect", problems) {
            expect.integer("status", problems);
            expect.finish(problems, &[]);
        }
        table.finish(problems, &[("max_time", "timeout")]);
    }
}

#[test]
fn syntax_errors_do_not_hide_the_rest_nor_cause_missing_keys() {
    let text = "[check.home]\nget = /\n\n[check.two]\nget = \"/\"\ntimout = \"1s\"\n";
    insta::assert_snapshot!(check(text, read_checks), @r#"
    error: a text needs quotes around it
      --> smoke.toml:2:7
       |
     2 | get = /
       |       ^
       = help: write `"/"`

    error: unknown key `timout` in check "two"
      --> smoke.toml:6:1
       |
     6 | timout = "1s"
       | ^^^^^^
       = help: did you mean `timeout`?
    "#);
}

#[test]
fn an_inline_table_cannot_be_extended_and_the_help_says_so() {
    let text = "[check.home]\nget = \"/\"\nexpect = { status = 200 }\nexpect.time = \"1s\"\n";
    insta::assert_snapshot!(check(text, read_checks), @r#"
    error: cannot extend value of type inline table with a dotted key
      --> smoke.toml:4:1
       |
     4 | expect.time = "1s"
       | ^^^^^^
       = help: a table written as `{ … }` is complete: put the key inside the braces, or write every key with dots
    "#);
}

#[test]
fn numbers_that_fit_nowhere_are_problems() {
    let text = "a = 9223372036854775808\nb = [nan]\nc = 0xff\n";
    let shown = check(text, |mut root, problems| {
        assert_eq!(root.integer("c", problems), Some(255));
        root.take("a");
        root.take("b");
        root.finish(problems, &[]);
    });
    insta::assert_snapshot!(shown, @r"
    error: this integer does not fit 64 bits
      --> smoke.toml:1:5
       |
     1 | a = 9223372036854775808
       |     ^^^^^^^^^^^^^^^^^^^

    error: this number has no finite value
      --> smoke.toml:2:6
       |
     2 | b = [nan]
       |      ^^^
    ");
}

#[test]
fn carets_count_characters_and_keep_tabs() {
    let text = "\täö = { \"ü\" = 1, timeout = 3 }\n";
    let text = text.replace("äö", "\"äö\"");
    let shown = check(&text, |mut root, problems| {
        let mut table = root.table("äö", problems).unwrap();
        table.duration("timeout", problems);
        table.take("ü");
        table.finish(problems, &[]);
    });
    insta::assert_snapshot!(shown, @r#"
    error: `timeout` in [äö] has no unit
      --> smoke.toml:1:30
       |
     1 | 	"äö" = { "ü" = 1, timeout = 3 }
       | 	                            ^
       = help: write `"3s"` or `"3ms"`
    "#);
}

#[test]
fn defaults_lie_under_a_table() {
    let text = "[defaults]\nexpect.time = \"2s\"\nexpect.status = 201\ntimeout = \"3s\"\nwrong = 1\n\
                [check.a]\nexpect.status = 200\n[check.b]\ntimeout = \"9s\"\n";
    let shown = check(text, |mut root, problems| {
        let defaults = root.table("defaults", problems).unwrap();
        let mut checks = root.table("check", problems).unwrap();
        for (status, timeout_s) in [(200, 3), (201, 9)] {
            let name = if status == 200 { "a" } else { "b" };
            let mut table = checks.table(name, problems).unwrap().over(&defaults, &[]);
            assert_eq!(
                table.duration("timeout", problems),
                Some(Duration::from_secs(timeout_s))
            );
            let mut expect = table.table("expect", problems).unwrap();
            assert_eq!(expect.duration("time", problems), Some(Duration::from_secs(2)));
            assert_eq!(expect.integer("status", problems), Some(status));
            expect.finish(problems, &[]);
            table.finish(problems, &[]);
        }
    });
    insta::assert_snapshot!(shown, @r"
    error: unknown key `wrong` in [defaults]
      --> smoke.toml:5:1
       |
     5 | wrong = 1
       | ^^^^^
       = help: known here: `expect`, `timeout`
    ");
}

#[test]
fn a_value_becomes_the_json_it_looks_like() {
    let source = Source::new(
        "x.toml",
        "a = { b = [1, 2.5, true, \"x\"], at = 2026-03-12T14:31:07Z }\n",
    );
    let mut problems = Problems::new();
    let document = Document::parse(&source, &mut problems).unwrap();
    let json = document.table().take("a").unwrap().to_json();
    assert_eq!(
        json,
        serde_json::json!({ "b": [1, 2.5, true, "x"], "at": "2026-03-12T14:31:07Z" })
    );
    assert!(problems.is_empty());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z\\[\\]{}=\"'.,\\n\\t ü#0-9-]{0,200}") {
        let shown = check(&text, read_checks);
        proptest::prop_assert!(shown.is_empty() || shown.starts_with("error: "));
    }
}
