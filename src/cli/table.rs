//! Rows as aligned columns.

use super::step_line::wrapped;
use super::terminal::{columns, cut, shown};

/// Rows as aligned columns, two spaces apart; lines are cut to `width` columns, if there is a limit.
#[must_use]
pub fn table(rows: &[Vec<String>], width: Option<usize>) -> String {
    let lines = lines(rows);
    let lines = lines.iter().map(|line| width.map_or(line.into(), |width| cut(line, width)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Titles with a text for each, which is wrapped beside its title if lines may take no more than `width` columns.
#[must_use]
pub fn titled(rows: &[(&str, String)], width: Option<usize>) -> String {
    let widest = rows.iter().map(|(title, _)| columns(title)).max().unwrap_or(0) + 2;
    let line = |(title, text): &(&str, String)| wrapped(&format!("{title:widest$}"), &shown(text), width, widest);
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether no line of the table would be cut.
#[must_use]
pub fn fits(rows: &[Vec<String>], width: usize) -> bool {
    lines(rows).iter().all(|line| columns(line) <= width)
}

fn lines(rows: &[Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
    let widths = widths(&rows);
    rows.iter().map(|row| aligned(row, &widths)).collect()
}

/// The widest cell of each column.
fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let cells = |column| rows.iter().filter_map(move |row| row.get(column));
    (0..count).map(|column| cells(column).map(|cell| columns(cell)).max().unwrap_or(0)).collect()
}

fn aligned(row: &[String], widths: &[usize]) -> String {
    let pad = |cell: &String, width: usize| format!("{cell}{}", " ".repeat(width - columns(cell)));
    let cells = row.iter().zip(widths).map(|(cell, &width)| pad(cell, width));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_without_blanks_at_the_end() {
        let rows = [vec!["a".into(), "b".into()], vec!["long".into()], vec!["ü".into(), "c".into()]];
        assert_eq!(table(&rows, None), "a     b\nlong\nü     c");
        let wide = [vec!["漢字".into(), "b".into()], vec!["abcde".into(), "c".into()]];
        assert_eq!(table(&wide, None), "漢字   b\nabcde  c");
    }

    #[test]
    fn a_text_is_wrapped_beside_its_title() {
        let rows = [("a", "one two three four five".to_owned()), ("long", "six".to_owned())];
        assert_eq!(titled(&rows, Some(26)), "a     one two three four\n      five\nlong  six");
        assert_eq!(titled(&rows, None), "a     one two three four five\nlong  six");
    }

    #[test]
    fn lines_are_cut_only_where_there_is_a_limit() {
        let rows = [vec!["name".to_owned(), "value".to_owned()]];
        assert_eq!(table(&rows, Some(8)), "name  v…");
        assert!(fits(&rows, 11) && !fits(&rows, 10));
    }
}
