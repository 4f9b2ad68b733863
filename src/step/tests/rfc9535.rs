//! RFC 9535 by its own words: what each kind of segment and selector finds, in which order, and what is no path.
//!
//! Section numbers are those of RFC 9535. Rows that its examples have in a form that this engine refuses on purpose stand
//! in [`COSTLY`], and again in a form that it takes.

use serde_json::Value as Json;

use crate::step::{Path, PathError};

/// §1.5, figure 1.
const STORE: &str = r#"{ "store": {
  "book": [
    { "category": "reference", "author": "Nigel Rees", "title": "Sayings of the Century", "price": 8.95 },
    { "category": "fiction", "author": "Evelyn Waugh", "title": "Sword of Honour", "price": 12.99 },
    { "category": "fiction", "author": "Herman Melville", "title": "Moby Dick", "isbn": "0-553-21311-3", "price": 8.99 },
    { "category": "fiction", "author": "J. R. R. Tolkien", "title": "The Lord of the Rings", "isbn": "0-395-19395-8", "price": 22.99 }
  ],
  "bicycle": { "color": "red", "price": 399 } } }"#;
const LETTERS: &str = r#"["a","b","c","d","e","f","g"]"#;
/// §2.3.5.3, table 12.
const FILTERED: &str = r#"{ "a": [3, 5, 1, 2, 4, 6, {"b":"j"}, {"b":"k"}, {"b":{}}, {"b":"kilo"}],
  "o": {"p": 1, "q": 2, "r": 3, "s": 5, "t": {"u": 6}}, "e": "f" }"#;
/// §2.3.5.3, table 11: what comparisons are about.
const COMPARED: &str = r#"{"obj": {"x": "y"}, "arr": [2, 3]}"#;
const NULLS: &str = r#"{"a": null, "b": [null], "c": [{}], "null": 1}"#;
const NESTED: &str = r#"{ "o": {"j": 1, "k": 2}, "a": [5, 3, [{"j": 4}, {"k": 6}]] }"#;

/// A path, a document, and the nodes found, in order.
type Row = (&'static str, &'static str, &'static str);

const FOUND: &[Row] = &[
    // §2.2.3, root.
    ("$", r#"{"k": "v"}"#, r#"[{"k": "v"}]"#),
    ("$", "7", "[7]"),
    ("$", "null", "[null]"),
    // §2.3.1.3, names, table 5.
    ("$.o['j j']", r#"{"o": {"j j": {"k.k": 3}}}"#, r#"[{"k.k": 3}]"#),
    ("$.o['j j']['k.k']", r#"{"o": {"j j": {"k.k": 3}}}"#, "[3]"),
    (r#"$.o["j j"]["k.k"]"#, r#"{"o": {"j j": {"k.k": 3}}}"#, "[3]"),
    (r#"$["'"]["@"]"#, r#"{"'": {"@": 2}}"#, "[2]"),
    // §2.3.1.2: names are compared as they are; escapes in quotes.
    ("$.a", "[1]", "[]"),
    ("$.a", r#""a""#, "[]"),
    ("$.missing", r#"{"a": 1}"#, "[]"),
    ("$.A", r#"{"a": 1}"#, "[]"),
    (r"$['\u0061']", r#"{"a": 1}"#, "[1]"),
    (r"$['\uD834\uDD1E']", r#"{"𝄞": 1}"#, "[1]"),
    (r"$['\'']", r#"{"'": 1}"#, "[1]"),
    (r#"$["\""]"#, r#"{"\"": 1}"#, "[1]"),
    (r"$['\\']", r#"{"\\": 1}"#, "[1]"),
    (r"$['\n\t\r\b\f\/']", r#"{"\n\t\r\b\f/": 1}"#, "[1]"),
    ("$['']", r#"{"": 1}"#, "[1]"),
    ("$.ünï", r#"{"ünï": 1}"#, "[1]"),
    ("$.☺", r#"{"☺": 1}"#, "[1]"),
    ("$._a1", r#"{"_a1": 1}"#, "[1]"),
    ("$.null", NULLS, "[1]"),
    ("$['true']", r#"{"true": 1}"#, "[1]"),
    // Not normalized: a composed and a decomposed letter are two names.
    ("$['é']", "{\"e\u{301}\": 1}", "[]"),
    // §2.3.2.3, wildcards, table 6.
    ("$[*]", NESTED, r#"[[5, 3, [{"j": 4}, {"k": 6}]], {"j": 1, "k": 2}]"#),
    ("$.o[*]", NESTED, "[1, 2]"),
    ("$.o.*", NESTED, "[1, 2]"),
    ("$.o[*, *]", NESTED, "[1, 2, 1, 2]"),
    ("$.a[*]", NESTED, r#"[5, 3, [{"j": 4}, {"k": 6}]]"#),
    ("$[*]", "[]", "[]"),
    ("$.*", "{}", "[]"),
    ("$[*]", "1", "[]"),
    // §2.3.3.3, indexes, table 7.
    ("$[1]", r#"["a", "b"]"#, r#"["b"]"#),
    ("$[-2]", r#"["a", "b"]"#, r#"["a"]"#),
    ("$[0]", r#"["a", "b"]"#, r#"["a"]"#),
    ("$[2]", r#"["a", "b"]"#, "[]"),
    ("$[-3]", r#"["a", "b"]"#, "[]"),
    ("$[0]", r#"{"0": "a"}"#, "[]"),
    ("$[0]", r#""a""#, "[]"),
    ("$[9007199254740991]", "[1]", "[]"),
    ("$[-9007199254740991]", "[1]", "[]"),
    // §2.3.4.3, slices, table 9.
    ("$[1:3]", LETTERS, r#"["b", "c"]"#),
    ("$[5:]", LETTERS, r#"["f", "g"]"#),
    ("$[1:5:2]", LETTERS, r#"["b", "d"]"#),
    ("$[5:1:-2]", LETTERS, r#"["f", "d"]"#),
    ("$[::-1]", LETTERS, r#"["g", "f", "e", "d", "c", "b", "a"]"#),
    ("$[:]", LETTERS, r#"["a", "b", "c", "d", "e", "f", "g"]"#),
    ("$[::]", r#"["a", "b"]"#, r#"["a", "b"]"#),
    ("$[:2]", LETTERS, r#"["a", "b"]"#),
    ("$[:-5]", LETTERS, r#"["a", "b"]"#),
    ("$[-2:]", LETTERS, r#"["f", "g"]"#),
    ("$[:2:-1]", LETTERS, r#"["g", "f", "e", "d"]"#),
    ("$[0:3:0]", LETTERS, "[]"),
    ("$[3:1]", LETTERS, "[]"),
    ("$[1:3:-1]", LETTERS, "[]"),
    ("$[1:100]", r#"["a", "b", "c"]"#, r#"["b", "c"]"#),
    ("$[-100:1]", r#"["a", "b", "c"]"#, r#"["a"]"#),
    ("$[7:10]", LETTERS, "[]"),
    ("$[ 1 : 5 : 2 ]", LETTERS, r#"["b", "d"]"#),
    ("$[1:3]", r#"{"1": "a"}"#, "[]"),
    // §2.3.5.3, comparisons, table 11, as filters that hold for the one child or for none.
    ("$[?@.absent1 == @.absent2]", "[1]", "[1]"),
    ("$[?@.absent == 'g']", "[1]", "[]"),
    ("$[?@.absent1 != @.absent2]", "[1]", "[]"),
    ("$[?@.absent != 'g']", "[1]", "[1]"),
    ("$[?1 <= 2]", "[1]", "[1]"),
    ("$[?1 > 2]", "[1]", "[]"),
    ("$[?13 == '13']", "[1]", "[]"),
    ("$[?'a' <= 'b']", "[1]", "[1]"),
    ("$[?'a' > 'b']", "[1]", "[]"),
    ("$[?'a' < 'aa']", "[1]", "[1]"),
    ("$[?'Z' < 'a']", "[1]", "[1]"),
    ("$[?'' < 'a']", "[1]", "[1]"),
    (
        "$[?@.obj == @.arr]",
        "[{\"obj\": {\"x\": \"y\"}, \"arr\": [2, 3]}]",
        "[]",
    ),
    (
        "$[?@.obj != @.arr].arr",
        "[{\"obj\": {\"x\": \"y\"}, \"arr\": [2, 3]}]",
        "[[2, 3]]",
    ),
    ("$[?@ == @].x", COMPARED, r#"["y"]"#),
    ("$[?@ == 17].x", COMPARED, "[]"),
    ("$[?@ != 17].x", COMPARED, r#"["y"]"#),
    ("$[?@ <= @].x", COMPARED, r#"["y"]"#),
    ("$[?@ < @]", COMPARED, "[]"),
    ("$[?@.x <= @.x].x", COMPARED, r#"["y"]"#),
    ("$[?1 <= @.x]", COMPARED, "[]"),
    ("$[?1 >= @.x]", COMPARED, "[]"),
    ("$[?1 > @.x]", COMPARED, "[]"),
    ("$[?1 < @.x]", COMPARED, "[]"),
    ("$[?true <= true]", "[1]", "[1]"),
    ("$[?true > true]", "[1]", "[]"),
    ("$[?true < false]", "[1]", "[]"),
    ("$[?null <= null]", "[1]", "[1]"),
    ("$[?null < null]", "[1]", "[]"),
    // Numbers are compared by value.
    ("$[?@ == 1]", "[1, 1.0, 1e0, \"1\", true]", "[1, 1.0, 1e0]"),
    ("$[?@ == 1.0]", "[1, 2]", "[1]"),
    ("$[?@ == -0]", "[0, -0.0]", "[0, -0.0]"),
    ("$[?@ > 1e2]", "[99, 100, 101]", "[101]"),
    ("$[?@ >= 0.5]", "[0.25, 0.5, 1]", "[0.5, 1]"),
    // Deep equality (§2.3.5.2.2), without order of members.
    (
        "$[?@.a == @.b].n",
        r#"[{"a": {"x": 1, "y": [2]}, "b": {"y": [2], "x": 1}, "n": 1}]"#,
        "[1]",
    ),
    ("$[?@.a == @.b].n", r#"[{"a": [1, 2], "b": [2, 1], "n": 1}]"#, "[]"),
    // §2.3.5.3, filters, table 12.
    ("$.a[?@.b == 'kilo']", FILTERED, r#"[{"b": "kilo"}]"#),
    ("$.a[?(@.b == 'kilo')]", FILTERED, r#"[{"b": "kilo"}]"#),
    ("$.a[?@>3.5]", FILTERED, "[5, 4, 6]"),
    (
        "$.a[?@.b]",
        FILTERED,
        r#"[{"b": "j"}, {"b": "k"}, {"b": {}}, {"b": "kilo"}]"#,
    ),
    (
        "$[?@.*]",
        r#"{"a": [3], "e": "f", "o": {"p": 1}}"#,
        r#"[[3], {"p": 1}]"#,
    ),
    (
        "$[?@[?@.b]]",
        r#"{"a": [3, {"b": 1}], "o": {"p": 1}}"#,
        r#"[[3, {"b": 1}]]"#,
    ),
    ("$.o[?@<3, ?@<3]", FILTERED, "[1, 2, 1, 2]"),
    ("$.a[?@<2 || @.b == \"k\"]", FILTERED, r#"[1, {"b": "k"}]"#),
    ("$.o[?@>1 && @<4]", FILTERED, "[2, 3]"),
    ("$.o[?@.u || @.x]", FILTERED, r#"[{"u": 6}]"#),
    (
        "$.a[?@ == @]",
        FILTERED,
        r#"[3, 5, 1, 2, 4, 6, {"b":"j"}, {"b":"k"}, {"b":{}}, {"b":"kilo"}]"#,
    ),
    ("$.a[?!@.b]", FILTERED, "[3, 5, 1, 2, 4, 6]"),
    ("$.a[?!(@ < 5)].b", FILTERED, r#"["j", "k", {}, "kilo"]"#),
    ("$.o[?@ == 1 || @ == 2 && @ == 3]", FILTERED, "[1]"),
    ("$.o[?(@ == 1 || @ == 2) && @ == 3]", FILTERED, "[]"),
    ("$[?@]", "[null, false, 0]", "[null, false, 0]"),
    ("$[?@.a]", "1", "[]"),
    // §2.4, functions, tables 16 and following.
    (
        "$[?length(@.authors) >= 5].n",
        r#"[{"authors": [1, 2, 3, 4, 5], "n": 1}, {"authors": "four", "n": 2}]"#,
        "[1]",
    ),
    (
        "$[?length(@) == 2]",
        r#"["äö", [1, 2], {"a": 1, "b": 2}, 22, true, null]"#,
        r#"["äö", [1, 2], {"a": 1, "b": 2}]"#,
    ),
    ("$[?length('𝄞') == 1]", "[1]", "[1]"),
    ("$[?length(@.a) == length(@.b)]", "[1]", "[1]"),
    ("$[?count(@.*) == 2]", "[[1, 2], {\"a\": 1}, 5]", "[[1, 2]]"),
    ("$[?count(@.*) == 0]", "[[], {}, 5, [1]]", "[[], {}, 5]"),
    (
        "$[?count(@['a','b']) == 1].n",
        r#"[{"a": 1, "n": 1}, {"a": 1, "b": 2, "n": 2}]"#,
        "[1]",
    ),
    (
        "$[?value(@.color) == 'red']",
        r#"[{"color": "red"}, {"color": "blue"}, {}]"#,
        r#"[{"color": "red"}]"#,
    ),
    ("$[?value(@[*]) == 4]", "[[4], [4, 4], []]", "[[4]]"),
    // §2.5.1.3, child segments, table 15.
    ("$[0, 3]", LETTERS, r#"["a", "d"]"#),
    ("$[0:2, 5]", LETTERS, r#"["a", "b", "f"]"#),
    ("$[0, 0]", LETTERS, r#"["a", "a"]"#),
    ("$['k', 'j']", r#"{"j": 1, "k": 2}"#, "[2, 1]"),
    ("$['a', 0]", r#"{"a": 1}"#, "[1]"),
    // §2.5.2.3, descendant segments, table 16.
    ("$..j", NESTED, "[4, 1]"),
    ("$..[0]", NESTED, r#"[5, {"j": 4}]"#),
    ("$.a..[0, 1]", NESTED, r#"[5, 3, {"j": 4}, {"k": 6}]"#),
    ("$.o..[*, *]", NESTED, "[1, 2, 1, 2]"),
    ("$.o..*", NESTED, "[1, 2]"),
    ("$..['j']", NESTED, "[4, 1]"),
    ("$..k", r#"{"k": {"k": 1}}"#, r#"[{"k": 1}, 1]"#),
    ("$..*", "[[1], 2]", "[[1], 2, 1]"),
    ("$..*", "1", "[]"),
    ("$..[1:]", "[[1, 2], 3]", "[3, 2]"),
    (
        "$..[?@.a == 1].b",
        r#"[{"a": 1, "b": [{"a": 1, "b": 3}]}]"#,
        r#"[[{"a": 1, "b": 3}], 3]"#,
    ),
    // §2.6.1, null is a value and nothing is none, table 18.
    ("$.a", NULLS, "[null]"),
    ("$.a[0]", NULLS, "[]"),
    ("$.a.d", NULLS, "[]"),
    ("$.b[0]", NULLS, "[null]"),
    ("$.b[*]", NULLS, "[null]"),
    ("$.b[?@]", NULLS, "[null]"),
    ("$.b[?@ == null]", NULLS, "[null]"),
    ("$.c[?@.d == null]", NULLS, "[]"),
    // §1.5, figure 2.
    (
        "$.store.book[*].author",
        STORE,
        r#"["Nigel Rees", "Evelyn Waugh", "Herman Melville", "J. R. R. Tolkien"]"#,
    ),
    (
        "$..author",
        STORE,
        r#"["Nigel Rees", "Evelyn Waugh", "Herman Melville", "J. R. R. Tolkien"]"#,
    ),
    ("$.store..price", STORE, "[399, 8.95, 12.99, 8.99, 22.99]"),
    ("$..book[2].author", STORE, r#"["Herman Melville"]"#),
    ("$..book[2].publisher", STORE, "[]"),
    ("$..book[-1].title", STORE, r#"["The Lord of the Rings"]"#),
    (
        "$..book[0, 1].title",
        STORE,
        r#"["Sayings of the Century", "Sword of Honour"]"#,
    ),
    (
        "$..book[:2].title",
        STORE,
        r#"["Sayings of the Century", "Sword of Honour"]"#,
    ),
    (
        "$..book[?@.isbn].title",
        STORE,
        r#"["Moby Dick", "The Lord of the Rings"]"#,
    ),
    (
        "$..book[?@.price < 10].title",
        STORE,
        r#"["Sayings of the Century", "Moby Dick"]"#,
    ),
    // §2.1.1: white space between segments and inside of brackets.
    ("$ .a", r#"{"a": 1}"#, "[1]"),
    ("$\n['a']\t[ 0 ]", r#"{"a": [1]}"#, "[1]"),
    ("$[ ?  @.a  ==  1 ].b", r#"[{"a": 1, "b": 2}]"#, "[2]"),
];

/// Where the engine departs from the standard: what that says is found, and what is. Equal holds for two that find
/// nothing, and so should what includes it (§2.3.5.2.2, table 11).
const DEPARTURES: &[(&str, &str, &str, &str)] = &[
    ("$[?@.absent1 <= @.absent2]", "[1]", "[1]", "[]"),
    ("$[?@.absent1 >= @.absent2]", "[1]", "[1]", "[]"),
];

/// Not well-formed, or not valid (§2.1), and why.
const REFUSED: &[&str] = &[
    // No root, or something before and behind it.
    "",
    "a",
    "@",
    ".a",
    " $",
    "$ ",
    "$$",
    "$a",
    "$.",
    "$.a.",
    "$..",
    "$...a",
    "$.a..",
    // Names without and with quotes.
    "$.1",
    "$.a-b",
    "$.'a'",
    "$.a b",
    "$. a",
    "$.. a",
    "$[a]",
    "$['a]",
    "$[\"a']",
    r"$['\x']",
    r"$['\uD834']",
    r"$['\uDD1E']",
    r#"$['\"']"#,
    r#"$["\'"]"#,
    "$['\n']",
    "$['a''b']",
    // Brackets.
    "$[",
    "$[]",
    "$]",
    "$[0",
    "$[0]]",
    "$[,]",
    "$[0,]",
    "$[0 1]",
    "$.[0]",
    "$.['a']",
    "$[0][",
    // Indexes and slices.
    "$[00]",
    "$[01]",
    "$[-0]",
    "$[+1]",
    "$[1.0]",
    "$[1e0]",
    "$[- 1]",
    "$[9007199254740992]",
    "$[-9007199254740992]",
    "$[1:2:3:4]",
    "$[01:2]",
    "$[-0:]",
    "$[::-0]",
    "$['a':'b']",
    "$[1:9007199254740992]",
    // Filters.
    "$[?]",
    "$[?()]",
    "$[?1]",
    "$[?true]",
    "$[?'a']",
    "$[?@.a = 1]",
    "$[?@.a === 1]",
    "$[?@.a == ]",
    "$[?== 1]",
    "$[?@.a &&]",
    "$[?|| @.a]",
    "$[?@.a & @.b]",
    "$[?@.a | @.b]",
    "$[?!]",
    "$[?!1]",
    "$[?!@.a == 1]",
    "$[?(@.a]",
    "$[?@.a)]",
    "$[?@.a == 01]",
    "$[?@.a == +1]",
    "$[?@.a == 1.]",
    "$[?@.a == .1]",
    "$[?@.a == True]",
    "$[?@.a == NULL]",
    "$[?@.a == [1]]",
    "$[?@.a == {}]",
    "$[?@.a <> 1]",
    "$[?@.a =~ 'x']",
    "$[?@.a in [1]]",
    "$[?@.a == 1 == 1]",
    // What is compared is one value (§2.3.5.1).
    "$[?@.* == 1]",
    "$[?@[0:1] == 1]",
    "$[?@['a','b'] == 1]",
    "$[?@[?@.a] == 1]",
    "$[?1 == @.*]",
    // Functions are well-typed (§2.4.3).
    "$[?length(@.a)]",
    "$[?count(@.a)]",
    "$[?value(@.a)]",
    "$[?length(@.*) < 3]",
    "$[?count(1) == 1]",
    "$[?count('a') == 1]",
    "$[?length() == 1]",
    "$[?length(@, @) == 1]",
    "$[?length(@.a == 1) == 1]",
    "$[?count() == 1]",
    "$[?unknown(@.a) == 1]",
    "$[?Length(@.a) == 1]",
    "$[?length (@.a) == 1]",
    "$[?value(1) == 1]",
    "$.length()",
    "$.a.min()",
];

/// Well-formed, and refused because what evaluating it costs is not linear in the answer; and why.
const COSTLY: &[(&str, &str)] = &[
    // §1.5 and §2.5.2.3.
    ("$..book..title", "`..` can stand in it once"),
    ("$..*..*", "`..` can stand in it once"),
    ("$['a','b'][0,1]", "a list of selectors can stand in it once"),
    ("$[0,0]..[0,0]", "a list of selectors can stand in it once"),
    // §2.3.5.3: filters that look elsewhere than at the node and its children.
    ("$[?@..b]", "`..` cannot stand in a filter"),
    ("$[?count(@..b) > 1]", "`..` cannot stand in a filter"),
    ("$[?@.a == $.a]", "`$` cannot stand in a filter"),
    ("$[?$.absent]", "`$` cannot stand in a filter"),
    ("$.o[?@ < $.a[0]]", "`$` cannot stand in a filter"),
    // §2.4.6 and §2.4.7: regular expressions.
    (
        "$.a[?match(@.b, '[jk]')]",
        "`match` and `search` cannot be used; use the matcher `matches`",
    ),
    (
        "$.a[?search(@.b, '[jk]')]",
        "`match` and `search` cannot be used; use the matcher `matches`",
    ),
    (
        "$[?match(@.date, '1974-05-..')]",
        "`match` and `search` cannot be used; use the matcher `matches`",
    ),
    (
        "$[?!search(@.author, '[BR]ob')]",
        "`match` and `search` cannot be used; use the matcher `matches`",
    ),
    (
        "$[?match(@.a, @.b)]",
        "`match` and `search` cannot be used; use the matcher `matches`",
    ),
    (
        "$[?@.a == 1 && match(@.b, 'x')]",
        "`match` and `search` cannot be used; use the matcher `matches`",
    ),
];

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_path_finds_what_the_standard_says() {
    let mut wrong = Vec::new();
    for (path, document, expected) in FOUND {
        let document = json(document);
        let found: Json = match Path::parse(path) {
            Ok(path) => path.find(&document).into_iter().cloned().collect(),
            Err(error) => {
                wrong.push(format!("{path}: {error}"));
                continue;
            }
        };
        if found != json(expected) {
            wrong.push(format!("{path} finds {found}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The day that one of these fails, its row belongs to [`FOUND`].
#[test]
fn departures_from_the_standard_are_known() {
    for (path, document, standard, found) in DEPARTURES {
        let (document, path) = (json(document), Path::parse(path).unwrap());
        let nodes: Json = path.find(&document).into_iter().cloned().collect();
        assert_eq!(nodes, json(found), "{path:?}");
        assert_ne!(nodes, json(standard), "{path:?}");
    }
}

#[test]
fn a_path_to_one_value_at_most_is_known_as_such() {
    for (path, document, _) in FOUND {
        let path = Path::parse(path).unwrap();
        let found = path.find(&json(document)).len();
        assert!(found <= 1 || !path.is_singular(), "{path:?} finds {found}");
    }
}

#[test]
fn what_is_no_path_is_refused() {
    let accepted: Vec<&&str> = REFUSED
        .iter()
        .filter(|path| !matches!(Path::parse(path), Err(PathError::Syntax(_))))
        .collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
}

#[test]
fn what_could_cost_too_much_is_refused_as_that() {
    for (path, why) in COSTLY {
        assert_eq!(Path::parse(path), Err(PathError::Costly(why)), "{path}");
    }
}
