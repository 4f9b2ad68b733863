//! Patterns of names in which only `*` is special.

/// Whether `pattern` matches the whole of `text`. A `*` stands for any run of characters, also none and also with a
/// dot or slash in it; everything else stands for itself, in its case.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(head) else {
        return false;
    };
    // Each literal between two stars is taken at its first place, which leaves the most for those after it.
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for literal in middle.split('*') {
        let Some(at) = left.find(literal) else {
            return false;
        };
        left = left.get(at + literal.len()..).unwrap_or_default();
    }
    left.ends_with(tail)
}

/// Whether one of `patterns` matches `text`; no patterns at all match everything.
pub(super) fn any_matches(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, text))
}
