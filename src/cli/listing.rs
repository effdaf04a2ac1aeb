//! Lists of changed files as commands print them: in colours, folded on a terminal, or with sizes (`--stat`).
//!
//! Only a terminal gets a list that is folded: a pipe or a file gets all of it, as from git, and so does `--json`. What is
//! rare in a list stays in it: three files that go are not hidden among a thousand that come.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, ColorChoice};

use super::paint::{Colour, Line, coloured, plain};
use super::terminal::{columns, cut_start, shown};
use crate::deploy::{Action, DeployDiff, FileChange, Plan};
use crate::text::{counted, sized};

/// A longer list is folded to as many lines.
const MOST_LINES: usize = 50;

/// The columns of a page that is no terminal.
const PLAIN_WIDTH: usize = 80;

/// The columns of the longest bar, and those that one has at least where the names are long.
const BAR: usize = 40;
const SHORTEST_BAR: usize = 10;

/// How a list of files is shown.
#[derive(Debug, Default, Clone, Args)]
pub struct ListOptions {
    /// List every file, also where a terminal would get a part of a long list
    #[arg(long, help_heading = "Output")]
    pub all: bool,
    /// Colour the list [default: auto, on a terminal]
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, hide_default_value = true, help_heading = "Output")]
    pub color: ColorChoice,
}

fn colour_of(change: &FileChange<'_>) -> Colour {
    match change.letter {
        'A' => Colour::Green,
        'M' => Colour::Yellow,
        'R' | 'C' => Colour::Cyan,
        _ => Colour::Red,
    }
}

/// A line for each change, folded if `is_folded`.
#[must_use]
pub fn list(changes: &[FileChange<'_>], is_folded: bool) -> Vec<Line> {
    let (kept, hidden) = fold(changes, is_folded);
    kept.into_iter().map(line).chain(hidden).collect()
}

fn line(change: &FileChange<'_>) -> Line {
    let mark = change.mark();
    vec![coloured(mark, colour_of(change)), plain(format!("{}{}", &"   "[mark.len()..], change.name()))]
}

/// The changes that are shown, and a line about the others. Each kind gets its share, and the rarer ones are whole.
fn fold<'a, 'b>(changes: &'a [FileChange<'b>], is_folded: bool) -> (Vec<&'a FileChange<'b>>, Option<Line>) {
    if !is_folded || changes.len() <= MOST_LINES {
        return (changes.iter().collect(), None);
    }
    let kinds = kinds(changes);
    let (mut room, mut left, mut shares, mut hidden) = (MOST_LINES, kinds.len(), BTreeMap::new(), Vec::new());
    for (letter, (count, meaning)) in kinds {
        let share = count.min(room / left);
        (room, left) = (room - share, left - 1);
        shares.insert(letter, share);
        if count > share {
            hidden.push(format!("{} more {meaning}", count - share));
        }
    }
    let mut is_kept = |change: &&FileChange<'_>| match shares.get_mut(&change.letter) {
        Some(share @ 1..) => {
            *share -= 1;
            true
        }
        _ => false,
    };
    let kept = changes.iter().filter(|change| is_kept(change)).collect();
    (kept, Some(vec![plain(format!("… and {} (--all lists them)", hidden.join(", ")))]))
}

/// The kinds of changes by their letters, each with how many there are and what it means, the rarest first.
fn kinds<'a>(changes: &[FileChange<'a>]) -> Vec<(char, (usize, &'a str))> {
    let mut counts: BTreeMap<char, (usize, &str)> = BTreeMap::new();
    for change in changes {
        counts.entry(change.letter).or_insert((0, change.meaning())).0 += 1;
    }
    let mut kinds: Vec<_> = counts.into_iter().collect();
    kinds.sort_by_key(|(_, (count, _))| *count);
    kinds
}

/// The sizes of the changes as in `git diff --stat`, with a bar for what is sent and what goes, in `width` columns, if there is
/// a limit; and what they are together.
#[must_use]
pub fn stat(
    changes: &[FileChange<'_>],
    diff: &DeployDiff,
    plan: &Plan,
    is_folded: bool,
    width: Option<usize>,
) -> Vec<Line> {
    let work = Work::of(plan);
    let (kept, hidden) = fold(changes, is_folded);
    let rows: Vec<StatRow> = kept.iter().map(|change| work.row(change, diff)).collect();
    let layout = Layout::of(&rows, width.unwrap_or(PLAIN_WIDTH));
    let lines = rows.iter().map(|row| layout.line(row));
    let total = plain(format!(" {}", work.total(changes, diff)));
    lines.chain(hidden).chain((!changes.is_empty()).then(|| vec![total])).collect()
}

/// The columns of the statistics: those of names, sizes and the longest bar, and the size that this one stands for.
struct Layout {
    names: usize,
    sizes: usize,
    bar: usize,
    most: u64,
}

impl Layout {
    fn of(rows: &[StatRow], width: usize) -> Self {
        let widest = |cell: fn(&StatRow) -> &String| rows.iter().map(|row| columns(cell(row))).max().unwrap_or(0);
        let sizes = widest(|row| &row.size);
        let room = width.saturating_sub(sizes + 5);
        let names = widest(|row| &row.name).min(room.saturating_sub(SHORTEST_BAR).max(SHORTEST_BAR));
        let bar = room.saturating_sub(names).clamp(1, BAR);
        let most = rows.iter().map(|row| row.sent.max(row.gone)).max().unwrap_or(0);
        Self { names, sizes, bar, most }
    }

    fn line(&self, row: &StatRow) -> Line {
        let name = cut_start(&row.name, self.names);
        let pad = " ".repeat(self.names.saturating_sub(columns(&name)));
        let start = format!(" {name}{pad} | {:>1$}", row.size, self.sizes);
        let bar = |size: u64, sign: &str| sign.repeat(share(size, self.most, self.bar));
        let (sent, gone) = (bar(row.sent, "+"), bar(row.gone, "-"));
        let blank = if sent.is_empty() && gone.is_empty() { "" } else { " " };
        vec![plain(format!("{start}{blank}")), coloured(sent, Colour::Green), coloured(gone, Colour::Red)]
    }
}

/// The part of a bar of `length` that stands for `size`; at least one column for anything.
fn share(size: u64, most: u64, length: usize) -> usize {
    let length = length as u128;
    let share = (u128::from(size) * length).div_ceil(u128::from(most).max(1));
    usize::try_from(share).unwrap_or_default()
}

/// A line of the statistics.
struct StatRow {
    name: String,
    size: String,
    sent: u64,
    gone: u64,
}

/// What a plan does to files.
struct Work<'a> {
    sent: BTreeMap<&'a str, u64>,
    deleted: BTreeSet<&'a str>,
}

impl<'a> Work<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut work = Self { sent: BTreeMap::new(), deleted: BTreeSet::new() };
        for action in &plan.actions {
            match action {
                Action::Upload { path, size, .. } => drop(work.sent.insert(path, *size)),
                Action::Delete { path } => drop(work.deleted.insert(path)),
                _ => {}
            }
        }
        work
    }

    fn row(&self, change: &FileChange<'_>, diff: &DeployDiff) -> StatRow {
        let known = |size: Option<u64>| size.map_or("?".to_owned(), sized);
        let (before, after) = (diff.size_before(change.path), diff.size_after(change.path));
        let size = match change.letter {
            'M' => format!("{} -> {}", known(before), known(after)),
            'D' if self.deleted.contains(change.path) => known(before),
            'D' => format!("{}, stays", known(before)),
            '?' => "not managed".to_owned(),
            '!' => "not sent".to_owned(),
            _ => known(after),
        };
        let goes = |path: &&str| self.deleted.contains(path);
        let gone = Some(change.path).filter(goes).or(change.from.filter(goes));
        StatRow {
            name: shown(&change.name()),
            size,
            sent: self.sent.get(change.path).copied().unwrap_or(0),
            gone: gone.and_then(|path| diff.size_before(path)).unwrap_or(0),
        }
    }

    /// What is to be sent, and what goes.
    fn total(&self, changes: &[FileChange<'_>], diff: &DeployDiff) -> String {
        let sent = format!("{} to send", sized(self.sent.values().sum()));
        let sizes: Vec<Option<u64>> = self.deleted.iter().map(|path| diff.size_before(path)).collect();
        let known = format!(", {} to delete", sized(sizes.iter().flatten().sum()));
        let unknown = match sizes.iter().filter(|size| size.is_none()).count() {
            0 => String::new(),
            count => format!(", {} of unknown size to delete", counted(count, "file")),
        };
        let deleted = if sizes.iter().all(Option::is_none) { String::new() } else { known };
        format!("{}: {sent}{deleted}{unknown}", counted(changes.len(), "file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| line.iter().map(|span| span.text.as_str()).collect()).collect()
    }

    #[test]
    fn a_long_list_keeps_what_is_rare() {
        let names: Vec<String> = (0..400).map(|number| format!("{number:03}")).collect();
        let letter = |number: usize| match number {
            390.. => 'D',
            _ if number.is_multiple_of(10) => 'M',
            _ => 'A',
        };
        let change = |(number, path): (usize, &'static str)| FileChange::new(path, letter(number));
        let names: &'static [String] = names.leak();
        let changes: Vec<FileChange<'_>> = names.iter().map(String::as_str).enumerate().map(change).collect();
        let lines = texts(&list(&changes, true));
        assert_eq!(lines.len(), MOST_LINES + 1);
        assert_eq!(lines.iter().filter(|line| line.starts_with("D ")).count(), 10);
        assert_eq!(lines[..2], ["M  000", "A  001"]);
        assert_eq!(lines[MOST_LINES], "… and 19 more changed, 331 more added (--all lists them)");
        assert_eq!(list(&changes, false).len(), 400);
        assert_eq!(list(&changes[..MOST_LINES], true).len(), MOST_LINES);
    }

    #[test]
    fn a_mark_has_its_colour() {
        let changes = ['A', 'M', 'D', '?'].map(|letter| FileChange::new("a", letter));
        let colours: Vec<Option<Colour>> = list(&changes, false).iter().map(|line| line[0].colour).collect();
        assert_eq!(colours, [Colour::Green, Colour::Yellow, Colour::Red, Colour::Red].map(Some));
        assert_eq!(texts(&list(&changes, false)), ["A  a", "M  a", "D  a", "?? a"]);
    }

    #[test]
    fn a_bar_shows_its_share_and_never_nothing_for_something() {
        assert_eq!([(0, 10), (1, 1000), (5, 10), (10, 10)].map(|(size, most)| share(size, most, 20)), [0, 1, 10, 20]);
        assert_eq!(share(0, 0, 20), 0);
    }
}
