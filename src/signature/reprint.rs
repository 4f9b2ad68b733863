//! The shapes that a JSON text takes when it is parsed and printed again, made by moving white space alone.

/// How much larger than its body a reprint may be, and what is always allowed, in bytes.
const GROWTH_MAX: usize = 4;
const BYTES_ALWAYS: usize = 4 * 1024;

/// `body` as it may have been, each with what was done to it. Those that are the body itself are left out.
pub(super) fn reprints(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let compact = spaced(body, &Style::COMPACT);
    let mut all = vec![
        ("trimmed of the white space around it", Some(body.trim_ascii().to_vec())),
        ("ended by a line break", Some([body.trim_ascii_end(), b"\n"].concat())),
        ("written with bare line feeds", Some(without_returns(body))),
        ("printed compactly", compact.clone()),
        (
            "printed with a space after commas and colons",
            spaced(body, &Style::SPACED),
        ),
        ("printed in lines indented by two", spaced(body, &Style::lines("  "))),
        ("printed in lines indented by four", spaced(body, &Style::lines("    "))),
        (
            "printed compactly and ended by a line break",
            compact.map(|text| [&text[..], b"\n"].concat()),
        ),
    ];
    all.dedup_by(|a, b| a.1 == b.1);
    let other = all.into_iter().filter_map(|(what, text)| Some((what, text?)));
    other.filter(|(_, text)| text != body).collect()
}

fn without_returns(body: &[u8]) -> Vec<u8> {
    body.iter().copied().filter(|byte| *byte != b'\r').collect()
}

struct Style {
    comma: &'static str,
    colon: &'static str,
    indent: Option<&'static str>,
}

impl Style {
    const COMPACT: Self = Self {
        comma: ",",
        colon: ":",
        indent: None,
    };
    const SPACED: Self = Self {
        comma: ", ",
        colon: ": ",
        indent: None,
    };

    const fn lines(indent: &'static str) -> Self {
        Self {
            comma: ",",
            colon: ": ",
            indent: Some(indent),
        }
    }
}

/// The same characters outside of white space, spaced by `style`; `None` if that would be too large. It need not be JSON.
fn spaced(body: &[u8], style: &Style) -> Option<Vec<u8>> {
    let bytes_max = body.len() * GROWTH_MAX + BYTES_ALWAYS;
    let mut out = Vec::with_capacity(body.len());
    let (mut in_text, mut escaped, mut depth) = (false, false, 0_usize);
    let mut opened = false;
    for byte in body.iter().copied() {
        if in_text {
            out.push(byte);
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        if byte.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(byte, b'}' | b']');
        if closes {
            depth = depth.saturating_sub(1);
        }
        // An empty list or table stays on its line.
        if opened != closes {
            line(&mut out, style, depth);
        }
        opened = matches!(byte, b'{' | b'[');
        match byte {
            b',' => {
                out.extend_from_slice(style.comma.as_bytes());
                line(&mut out, style, depth);
            }
            b':' => out.extend_from_slice(style.colon.as_bytes()),
            _ => out.push(byte),
        }
        depth += usize::from(opened);
        in_text = byte == b'"';
        if out.len() > bytes_max {
            return None;
        }
    }
    Some(out)
}

fn line(out: &mut Vec<u8>, style: &Style, depth: usize) {
    if let Some(indent) = style.indent {
        out.push(b'\n');
        out.extend_from_slice(indent.repeat(depth.min(64)).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reprint_is_what_serde_prints() {
        let value = serde_json::json!({"a": [1, 2, {}], "b": {"c": "x: \"y\", {z}\\", "d": []}, "e": null});
        let (compact, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).unwrap());
        for (from, wanted) in [(&pretty, &compact), (&compact, &pretty)] {
            let made = reprints(from.as_bytes());
            assert!(
                made.iter().any(|(_, text)| text == wanted.as_bytes()),
                "{wanted} is not among {:?}",
                made.iter()
                    .map(|(what, text)| (what, String::from_utf8_lossy(text).into_owned()))
                    .collect::<Vec<_>>()
            );
        }
        assert!(
            reprints(compact.as_bytes())
                .iter()
                .all(|(_, text)| text != compact.as_bytes())
        );
    }

    #[test]
    fn a_hostile_body_does_not_grow() {
        for hostile in [
            "[".repeat(64 * 1024),
            "{\"".repeat(30_000),
            "]".repeat(60_000),
            ",".repeat(60_000),
        ] {
            let bytes_max = hostile.len() * GROWTH_MAX + BYTES_ALWAYS + 1024;
            assert!(
                reprints(hostile.as_bytes())
                    .iter()
                    .all(|(_, text)| text.len() <= bytes_max)
            );
        }
    }
}
