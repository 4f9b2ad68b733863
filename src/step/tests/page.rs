//! Pages: elements, the files that they need, and pages that are made to cost.

use serde_json::json;
use url::Url;

use crate::step::page::Page;
use crate::step::{AssetKind, Selector, assets};

#[test]
fn elements_are_found_with_their_words_or_an_attribute() {
    let page =
        Page::parse("<title> Acme\n  Shop </title><meta name=version content=f4c8e2a><p>a<b>b</b></p><p>c").unwrap();
    let find = |selector: &str, attribute| Selector::parse(selector).unwrap().find(&page, attribute).unwrap();
    assert_eq!(find("title", None), [json!("Acme Shop")]);
    assert_eq!(find("p", None), [json!("a b"), json!("c")]);
    assert_eq!(find("meta[name=version]", Some("content")), [json!("f4c8e2a")]);
    assert_eq!(find("p", Some("id")), Vec::<serde_json::Value>::new());
    for bad in ["p:has(b)", "p >", "", "[[", &"a ".repeat(300)] {
        assert!(Selector::parse(bad).is_err(), "{bad}");
    }
}

/// What makes an HTML parser slow or fat is refused before it is parsed; large pages of the usual kind are not.
#[test]
fn a_page_that_is_made_to_cost_is_not_parsed() {
    let fonts: String = (0..500).map(|n| format!("<font a={n}>")).collect();
    for bomb in [
        "<div>".repeat(100_000),
        format!("<p>{fonts}{}", "<p>x".repeat(100_000)),
        "<b>".repeat(50_000),
    ] {
        assert!(Page::parse(&bomb).is_none(), "{}", &bomb[..40]);
    }
    let rows = "<tr><td><a href=x>one</a><td>two <li>three".repeat(20_000);
    let script = format!("<script>{}</script>", "if (a<b) x='<div>';".repeat(100_000));
    for good in [rows, script, "<".repeat(1_000_000), "<div><p>a</div>".repeat(100_000)] {
        assert!(Page::parse(&good).is_some(), "{}", &good[..40]);
    }
}

/// Each element has all the others beside it: looking aside from each would take as long as their number squared.
#[test]
fn a_wide_page_is_not_searched_by_selectors_that_look_aside() {
    let wide = Page::parse(&"<br>".repeat(100_000)).unwrap();
    let table = Page::parse(&format!("<table>{}</table>", "<tr><td>1<td>2".repeat(2_000))).unwrap();
    for aside in [
        "br:nth-child(3)",
        "br:nth-last-of-type(1)",
        "i ~ br",
        "br:last-of-type",
        "br:only-of-type",
        "br:not(i~br)",
    ] {
        assert!(Selector::parse(aside).unwrap().find(&wide, None).is_err(), "{aside}");
    }
    for plain in ["br", "body > br", "i + br", "br:empty", "[class~=x]", "br:first-child"] {
        assert!(Selector::parse(plain).unwrap().find(&wide, None).is_ok(), "{plain}");
    }
    let deep = Page::parse(&format!("{}{}", "<div>".repeat(1_000), "word ".repeat(100_000))).unwrap();
    assert!(Selector::parse("div").unwrap().find(&deep, None).is_err());
    let row = Selector::parse("tr:nth-child(7) td:last-child").unwrap();
    assert_eq!(row.find(&table, None), Ok(vec![json!("2")]));
}

#[test]
fn a_page_names_the_files_of_its_own_origin_that_it_needs() {
    let page = r##"
        <base href="/app/">
        <script src="main.js"></script><script src="main.js#again"></script><script>inline()</script>
        <script src="https://cdn.example.net/x.js"></script>
        <link rel="stylesheet" href="/css/a.css"><link rel="modulepreload" href="chunk.js">
        <link rel="preload" as="style" href="late.css"><link rel="preload" as="font" href="/f.woff2">
        <link rel="icon" href="/icon.png"><img src="/i.png">
    "##;
    let url = Url::parse("https://shop.example.com/shop/").unwrap();
    let found: Vec<String> = assets(page, &url)
        .iter()
        .map(|asset| format!("{:?} {}", asset.kind, asset.url.path()))
        .collect();
    assert_eq!(
        found,
        [
            "Script /app/main.js",
            "Style /css/a.css",
            "Script /app/chunk.js",
            "Style /app/late.css",
            "Other /f.woff2"
        ]
    );
}

#[test]
fn a_file_must_be_what_the_page_takes_it_for() {
    let table = [
        (AssetKind::Script, 200, "text/javascript", None),
        (AssetKind::Script, 200, "application/javascript; charset=utf-8", None),
        (AssetKind::Script, 404, "text/javascript", Some("answered 404")),
        (
            AssetKind::Script,
            200,
            "text/html",
            Some("is text/html, expected JavaScript"),
        ),
        (AssetKind::Style, 200, "text/css", None),
        (AssetKind::Style, 200, "", Some("is , expected CSS")),
        (AssetKind::Other, 200, "font/woff2", None),
        (
            AssetKind::Other,
            200,
            "text/html",
            Some("is text/html, expected anything but a web page"),
        ),
    ];
    for (kind, status, media_type, fault) in table {
        assert_eq!(
            kind.fault(status, media_type).as_deref(),
            fault,
            "{kind:?} {status} {media_type}"
        );
    }
}
