//! HTML: elements by CSS selector, and the files that a page needs.

use std::fmt;
use std::sync::Arc;

use scraper::Html;
use serde_json::Value as Json;
use url::Url;

/// The longest selector, in bytes.
pub const SELECTOR_BYTES_MAX: usize = 500;
/// Elements that one selector may find; what follows is not looked at.
const ELEMENTS_MAX: usize = 10_000;
/// The text of all elements that one selector finds, in bytes: 16 MiB, four times the largest page.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Files of one page that are loaded; what follows is not looked at.
const ASSETS_MAX: usize = 100;

/// What parsing and searching a page may cost, in elements times their depth. A page of 50,000 elements with a depth of 50
/// costs half of it.
const COST_MAX: u64 = 5_000_000;
/// An open formatting element is opened again in every paragraph that follows (HTML Standard, "reconstruct the active
/// formatting elements"), so it counts as much as this depth.
const FORMATTING_DEPTH: u64 = 10;
/// Elements that are never inside of one of their kind, or have no inside: not closing them makes no depth.
const FLAT: &[&str] = &[
    "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html", "img", "input", "li",
    "link", "meta", "option", "optgroup", "p", "param", "rp", "rt", "source", "tbody", "td", "tfoot", "th", "thead",
    "tr", "track", "wbr",
];
const FORMATTING: &[&str] = &[
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// What a selector that looks aside may cost on a page: of all elements, how many stand beside each. Two thousand rows of
/// a table cost a fifth of it.
const ASIDE_COST_MAX: u64 = 20_000_000;
/// What makes a selector look at the elements beside one, all of them for each.
const ASIDE: &[&str] = &[":nth-", ":last-", ":only-", ":first-of-type"];

/// A page, parsed.
pub(super) struct Page {
    html: Html,
    /// What it costs to look from each element at all beside it.
    aside_cost: u64,
}

impl Page {
    /// Parses a page; `None` if that would cost too much, which is so only for pages that are made for it.
    pub(super) fn parse(body: &str) -> Option<Self> {
        (cost(body) <= COST_MAX).then(|| {
            let html = Html::parse_document(body);
            let squares = html.tree.nodes().map(|node| (node.children().count() as u64).pow(2));
            Self {
                aside_cost: squares.sum(),
                html,
            }
        })
    }
}

/// About what parsing costs, found in linear time: the HTML parser's work grows with how many elements are open.
fn cost(body: &str) -> u64 {
    let (mut cost, mut depth, mut formatting) = (0_u64, 0_u64, 0_u64);
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at + 1..).unwrap_or_default();
        let closes = rest.starts_with('/');
        let start = rest.strip_prefix('/').unwrap_or(rest);
        let length = start
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'-')
            .count();
        let name = start.get(..length).unwrap_or_default().to_ascii_lowercase();
        let counter = match name.as_str() {
            "" => continue,
            name if FLAT.contains(&name) => None,
            name if FORMATTING.contains(&name) => Some(&mut formatting),
            _ => Some(&mut depth),
        };
        if let Some(counter) = counter {
            *counter = if closes {
                counter.saturating_sub(1)
            } else {
                *counter + 1
            };
        }
        cost += depth + formatting * FORMATTING_DEPTH;
        rest = start.get(length..).unwrap_or_default();
        if !closes && matches!(name.as_str(), "script" | "style") {
            // What stands in them is no markup.
            rest = behind(rest, &format!("</{name}"));
            depth = depth.saturating_sub(1);
        }
    }
    cost
}

/// What follows the next `end`, in any case; nothing if there is none.
fn behind<'t>(text: &'t str, end: &str) -> &'t str {
    let found = text
        .as_bytes()
        .windows(end.len())
        .position(|bytes| bytes.eq_ignore_ascii_case(end.as_bytes()));
    found.and_then(|at| text.get(at + end.len()..)).unwrap_or_default()
}

/// A CSS selector.
#[derive(Clone)]
pub struct Selector {
    text: String,
    selector: Arc<scraper::Selector>,
    /// It looks at the elements beside one.
    aside: bool,
}

/// It is no CSS selector that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a CSS selector")]
pub struct SelectorError;

impl Selector {
    /// Reads a selector. `:has()` is refused: it searches below each element.
    ///
    /// # Errors
    /// [`SelectorError`].
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        if text.len() > SELECTOR_BYTES_MAX || text.contains(":has(") {
            return Err(SelectorError);
        }
        let selector = scraper::Selector::parse(text).map_err(|_| SelectorError)?;
        // `~=` compares an attribute; any other `~` is taken for the combinator.
        let combines = text.replace("~=", "").contains('~');
        Ok(Self {
            aside: combines || ASIDE.iter().any(|word| text.contains(word)),
            text: text.to_owned(),
            selector: Arc::new(selector),
        })
    }

    /// The selector as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Of each element found, in order: its text with single spaces, or the attribute, where it has it.
    ///
    /// # Errors
    /// Why the page is not searched: it is made to cost.
    pub(super) fn find(&self, page: &Page, attribute: Option<&str>) -> Result<Vec<Json>, &'static str> {
        if self.aside && page.aside_cost > ASIDE_COST_MAX {
            return Err("the page has too many elements side by side to be searched with this selector");
        }
        let mut found = Vec::new();
        let mut bytes = 0;
        for element in page.html.select(&self.selector).take(ELEMENTS_MAX) {
            let text = match attribute {
                Some(name) => element.value().attr(name).map(str::to_owned),
                None => Some(words(element.text())),
            };
            // Elements inside of each other have the same text again and again.
            bytes += text.as_ref().map_or(0, String::len);
            if bytes > TEXT_BYTES_MAX {
                return Err("the elements that this selector finds have too much text");
            }
            found.extend(text.map(Json::from));
        }
        Ok(found)
    }
}

fn words<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let mut words = Vec::new();
    texts.for_each(|text| words.extend(text.split_whitespace()));
    words.join(" ")
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({:?})", self.text)
    }
}

/// What a page needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where it is; of the page's own origin.
    pub url: Url,
    /// What it must be.
    pub kind: AssetKind,
}

/// What an asset must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssetKind {
    /// JavaScript.
    Script,
    /// CSS.
    Style,
    /// Anything but a web page.
    Other,
}

impl AssetKind {
    /// What is wrong with an answer of this status and media type, if anything.
    pub fn fault(self, status: u16, media_type: &str) -> Option<String> {
        if !(200..300).contains(&status) {
            return Some(format!("answered {status}"));
        }
        let essence = media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let (good, wanted) = match self {
            Self::Script => (
                essence.contains("javascript") || essence.contains("ecmascript"),
                "JavaScript",
            ),
            Self::Style => (essence == "text/css", "CSS"),
            Self::Other => (essence != "text/html", "anything but a web page"),
        };
        (!good).then(|| {
            format!(
                "is {}, expected {wanted}",
                super::say::clean(&super::say::cut(&essence, 80))
            )
        })
    }
}

/// The scripts, styles and preloads of its own origin that a page names, each once, in order, with `<base>` heeded. None
/// of a page that cannot be read.
pub fn assets(body: &str, page: &Url) -> Vec<Asset> {
    let Some(Page { html, .. }) = Page::parse(body) else {
        return Vec::new();
    };
    let Ok(selector) = scraper::Selector::parse("base[href], script[src], link[rel][href]") else {
        return Vec::new();
    };
    let mut base = None;
    let mut found: Vec<Asset> = Vec::new();
    for element in html.select(&selector) {
        if found.len() == ASSETS_MAX {
            break;
        }
        let element = element.value();
        let (address, kind) = match element.name() {
            "base" => {
                base = base.or_else(|| page.join(element.attr("href")?).ok());
                continue;
            }
            "script" => (element.attr("src"), Some(AssetKind::Script)),
            _ => (
                element.attr("href"),
                link_kind(element.attr("rel").unwrap_or_default(), element.attr("as")),
            ),
        };
        let url = address.and_then(|address| base.as_ref().unwrap_or(page).join(address.trim()).ok());
        let (Some(mut url), Some(kind)) = (url, kind) else {
            continue;
        };
        url.set_fragment(None);
        if url.origin() == page.origin() && !found.iter().any(|known| known.url == url) {
            found.push(Asset { url, kind });
        }
    }
    found
}

/// What a `<link>` loads, if it loads anything that the page needs.
fn link_kind(rel: &str, destination: Option<&str>) -> Option<AssetKind> {
    let has = |word: &str| rel.split_ascii_whitespace().any(|own| own.eq_ignore_ascii_case(word));
    match destination {
        _ if has("stylesheet") => Some(AssetKind::Style),
        _ if has("modulepreload") => Some(AssetKind::Script),
        Some("script") if has("preload") => Some(AssetKind::Script),
        Some("style") if has("preload") => Some(AssetKind::Style),
        _ if has("preload") => Some(AssetKind::Other),
        _ => None,
    }
}
