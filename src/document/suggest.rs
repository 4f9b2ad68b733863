//! What somebody may have meant by a key that does not exist.

use super::Node;

/// The known word closest to `wrong`, if one is close enough to have been meant.
pub fn closest<'k>(wrong: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let edits_max = match wrong.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    known
        .map(|word| (strsim::osa_distance(wrong, word), word))
        .filter(|(edits, word)| *edits <= edits_max && *word != wrong)
        .min_by_key(|(edits, word)| (*edits, *word))
        .map(|(_, word)| word)
}

/// The help for an unknown key: the key it is but for its spelling, else from the alias tables, the first that has it,
/// else the closest known key, else all of them.
pub(super) fn help(wrong: &str, value: &Node<'_>, known: &[&str], aliases: &[&[(&str, &str)]]) -> Option<String> {
    if let Some(word) = known.iter().find(|word| is_same(word, wrong)) {
        return Some(format!("here it is written `{word}`"));
    }
    let mut pairs = aliases.iter().flat_map(|table| table.iter());
    let found = pairs.clone().find(|(alias, _)| *alias == wrong);
    if let Some((_, right)) = found.or_else(|| pairs.find(|(alias, _)| is_same(alias, wrong))) {
        return Some(from_alias(right, value));
    }
    if let Some(word) = closest(wrong, known.iter().copied()) {
        return Some(format!("did you mean `{word}`?"));
    }
    (!known.is_empty()).then(|| {
        let mut words: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
        words.sort_unstable();
        words.dedup();
        format!("known here: {}", words.join(", "))
    })
}

/// Whether two words differ only in how their parts are joined: `maxPerHour`, `max-per-hour`, `max_per_hour`.
fn is_same(one: &str, other: &str) -> bool {
    let letters = |word: &str| -> String {
        let kept = word.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
        kept.flat_map(char::to_lowercase).collect()
    };
    letters(one) == letters(other)
}

fn from_alias(right: &str, value: &Node<'_>) -> String {
    if right.contains(' ') {
        return right.to_owned();
    }
    let Some((home, _)) = right.split_once('.') else {
        return format!("here it is called `{right}`");
    };
    let text = value.place().text();
    let short = !text.is_empty() && !text.contains('\n') && text.len() <= 60;
    let example = if short {
        format!("{right} = {text}")
    } else {
        right.to_owned()
    };
    match home {
        "expect" | "warn" => format!("expectations live under `{home}`: write `{example}`"),
        _ => format!("it belongs to `{home}`: write `{example}`"),
    }
}
