//! Text that others wrote, made harmless: one line, bounded, without tricks, and escaped for where it is shown.

/// Appends `character` as a format must write it so that it stands for itself.
pub(super) type Escape = fn(char, &mut String);

/// For places that know no markup.
pub(super) fn verbatim(character: char, out: &mut String) {
    out.push(character);
}

/// What stands for a text of which nothing can be seen; chats refuse empty ones.
const NOTHING: char = '–';

/// One line of 1 to `units_max` UTF-16 units, counted after escaping; what does not fit is cut at a whole character
/// and ends in `…`. The chats say "characters" and not what they count as one; UTF-16 units are the strictest reading.
///
/// Control characters and line breaks become one blank, so that no text can pretend to be another line of the message;
/// characters that are invisible or turn the writing direction are left out, so that none looks like another text.
pub(super) fn line(text: &str, units_max: usize, escape: Escape) -> String {
    let mut out = String::new();
    let mut used = 0;
    let mut fits = 0; // bytes of `out` that leave room for the ellipsis
    let mut one = String::new();
    for character in visible(text) {
        one.clear();
        escape(character, &mut one);
        used += one.encode_utf16().count();
        if used > units_max {
            out.truncate(fits);
            out.push('…');
            return out;
        }
        out.push_str(&one);
        if used < units_max {
            fits = out.len();
        }
    }
    if out.is_empty() {
        out.push(NOTHING);
    }
    out
}

/// The first line of `text` that says something: a commit message's subject.
pub(super) fn first_line(text: &str) -> &str {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
}

/// `text` cut to at most `bytes_max` bytes at a whole character, ending in `…` if it was longer. For places that keep
/// every character, such as a JSON string.
pub(super) fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let mut end = bytes_max.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// The characters that may be shown, with each run of blanks and controls as one blank, and none at the ends.
fn visible(text: &str) -> impl Iterator<Item = char> {
    let mut pending_blank = false;
    let mut started = false;
    text.chars()
        .filter(|c| !is_deceptive(*c))
        .flat_map(move |c| {
            if c.is_whitespace() || c.is_control() {
                pending_blank = started;
                return [None, None];
            }
            started = true;
            [std::mem::take(&mut pending_blank).then_some(' '), Some(c)]
        })
        .flatten()
}

/// Invisible characters and those that turn the writing direction (Unicode TR 36 and the "Trojan Source" list).
/// U+200C and U+200D stay: scripts and emoji need them.
const fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
    )
}
