//! What fits on a page: however long the names are that others gave, a page stays light, and what does not fit is on the next.

use crate::store::Page;

/// Characters of a text in a list; the page of what it belongs to shows more.
const LISTED_CHARS_MAX: usize = 120;

/// A text, cut to what a list shows of it.
pub(in crate::web) fn clip(text: &mut String) {
    clip_to(text, LISTED_CHARS_MAX);
}

/// A text that may be missing, cut to what a list shows of it.
pub(in crate::web) fn clip_any(text: &mut Option<String>) {
    if let Some(text) = text {
        clip(text);
    }
}

/// A text, cut to so many characters.
pub(in crate::web) fn clip_to(text: &mut String, chars_max: usize) {
    if let Some((end, _)) = text.char_indices().nth(chars_max) {
        text.truncate(end);
        text.push('…');
    }
}

/// The bytes that texts take in a page, where markup in them is escaped.
pub(in crate::web) fn bytes<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    let escaped = |c: char| {
        if matches!(c, '<' | '>' | '&' | '"' | '\'') {
            5
        } else {
            c.len_utf8()
        }
    };
    texts.into_iter().flat_map(str::chars).map(escaped).sum()
}

/// How many of `rows` fit into `room` bytes, at least one if there is any.
pub(in crate::web) fn fitting<T>(rows: &[T], room: usize, weigh: impl Fn(&T) -> usize) -> usize {
    let mut used = 0;
    let fits = |row: &&T| {
        used += weigh(row);
        used <= room
    };
    rows.iter().take_while(fits).count().max(1).min(rows.len())
}

/// A page of a list, cut to what fits into `room` bytes; the next one begins after its last row, whose place is `place`.
pub(in crate::web) fn fit<T>(
    mut page: Page<T>,
    room: usize,
    weigh: impl Fn(&T) -> usize,
    place: impl Fn(&T) -> String,
) -> Page<T> {
    let kept = fitting(&page.items, room, weigh);
    if kept < page.items.len() {
        page.items.truncate(kept);
        page.next = page.items.last().map(place);
        page.looked = None;
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(items: &[&str]) -> Page<String> {
        Page {
            items: items.iter().map(|&item| item.to_owned()).collect(),
            next: Some("older".to_owned()),
            looked: Some(7),
        }
    }

    #[test]
    fn what_does_not_fit_is_on_the_next_page() {
        let fitted = |room: usize| {
            let page = fit(page(&["a", "b<", "c"]), room, |row| bytes([row.as_str()]), Clone::clone);
            (page.items.len(), page.next, page.looked)
        };
        assert_eq!(fitted(8), (3, Some("older".to_owned()), Some(7)));
        assert_eq!(fitted(7), (2, Some("b<".to_owned()), None));
        // One row is always shown, or nobody would come past it.
        assert_eq!(fitted(0), (1, Some("a".to_owned()), None));
        assert!(fit(page(&[]), 0, String::len, Clone::clone).items.is_empty());
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, shown) in [("äöü", "äö…"), ("äö", "äö"), ("", "")] {
            let mut text = text.to_owned();
            clip_to(&mut text, 2);
            assert_eq!(text, shown);
        }
    }
}
