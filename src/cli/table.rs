//! Rows in aligned columns, as a person reads them on a terminal.

/// Puts `rows` under `head` in aligned columns. What came from elsewhere cannot colour or move the cursor: control
/// characters are shown as `?`.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain(head.get(column).map(|h| h.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut lines = vec![line(head.iter().copied(), &widths)];
    lines.extend(rows.iter().map(|row| line(row.iter().map(String::as_str), &widths)));
    lines.join("\n")
}

fn line<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let padded = cells.zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// Text from elsewhere without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_control_characters_stay_out() {
        let rows = vec![
            vec!["run_1".to_owned(), "healthy".to_owned()],
            vec!["run_22".to_owned(), "\u{1b}[31mred".to_owned()],
        ];
        insta::assert_snapshot!(table(&["RUN", "VERDICT"], &rows), @r"
        RUN     VERDICT
        run_1   healthy
        run_22  ?[31mred
        ");
    }
}
