//! The files of a report, with what became of each and its size.

use super::html::Html;
use crate::deploy::{DeployDiff, FileChange};
use crate::text::{counted, sized};

/// More files than this are counted only: nobody reads them, and a browser has to.
const MOST_LISTED: usize = 5000;

/// A longer list is folded.
const MOST_OPEN: usize = 60;

/// A file.
#[derive(Debug, Clone)]
pub struct Change {
    /// As in the list of `pya diff`.
    pub mark: &'static str,
    /// What that means.
    pub meaning: &'static str,
    pub name: String,
    /// In bytes, as far as they are known.
    pub before: Option<u64>,
    pub after: Option<u64>,
}

impl Change {
    /// A line of the list of `diff`, with the sizes that it knows.
    pub(super) fn of(change: &FileChange<'_>, diff: &DeployDiff) -> Self {
        let is_new = matches!(change.mark(), "A" | "C");
        let before = if is_new { None } else { diff.size_before(change.from.unwrap_or(change.path)) };
        let after = if change.mark() == "D" { None } else { diff.size_after(change.path) };
        Self { mark: change.mark(), meaning: change.meaning(), name: change.name(), before, after }
    }
}

/// How a mark looks.
fn class_of(mark: &str) -> &'static str {
    match mark {
        "A" => "good",
        "M" => "changed",
        "R" | "C" => "moved",
        _ => "bad",
    }
}

/// Adds a list with its title.
pub(super) fn draw(html: &mut Html, title: &'static str, changes: &[Change]) {
    html.element("<section><h2>", title, "</h2>\n");
    if changes.is_empty() {
        html.raw("<p>No file.</p></section>\n");
        return;
    }
    let open = if changes.len() <= MOST_OPEN { " open" } else { "" };
    html.format(format_args!("<details{open}>"));
    html.element("<summary>", &summary(changes), "</summary>\n");
    html.raw("<div class=\"scroll\"><table class=\"changes\"><thead><tr><th><th>file<th>before<th>after</thead>\n");
    changes.iter().take(MOST_LISTED).for_each(|change| draw_row(html, change));
    html.raw("</table></div></details>\n");
    if let Some(more @ 1..) = changes.len().checked_sub(MOST_LISTED) {
        html.element("<p>", &format!("and {more} more"), "</p>");
    }
    html.raw("</section>\n");
}

fn draw_row(html: &mut Html, change: &Change) {
    html.format(format_args!("<tr><td class=\"mark {}\" title=\"{}\">", class_of(change.mark), change.meaning));
    html.text(change.mark).element("<td>", &change.name, "");
    let size = |size: Option<u64>| size.map(sized).unwrap_or_default();
    html.element("<td>", &size(change.before), "").element("<td>", &size(change.after), "\n");
}

/// How many of each kind.
fn summary(changes: &[Change]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for change in changes {
        match kinds.iter_mut().find(|(meaning, _)| *meaning == change.meaning) {
            Some((_, count)) => *count += 1,
            None => kinds.push((change.meaning, 1)),
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(meaning, count)| format!("{count} {meaning}")).collect();
    format!("{}: {}", counted(changes.len(), "file"), kinds.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Secrets;

    #[test]
    fn a_long_list_is_counted_and_cut() {
        let change = |mark, meaning| Change { mark, meaning, name: "a".to_owned(), before: Some(1), after: None };
        let mut changes = vec![change("A", "added"); MOST_LISTED];
        changes.push(change("D", "deleted"));
        let mut html = Html::hiding(Secrets::default());
        draw(&mut html, "What changed", &changes);
        let text = html.into_markup();
        assert!(text.contains("5001 files: 5000 added, 1 deleted") && text.contains("and 1 more"));
        assert_eq!(text.matches("<tr><td").count(), MOST_LISTED);
    }
}
