//! What a console shows: the grid of a terminal, with what scrolled off its top.
//!
//! The API returns the raw output; this is for the page, where no terminal of the user's is at the other end. It knows
//! what line editors, progress bars and colours need. Programs that draw a whole screen are shown roughly.

use std::collections::VecDeque;

use serde::ser::Serializer;
use vte::{Params, Parser, Perform};

/// The size of each console.
pub const ROWS: usize = 25;
/// The size of each console.
pub const COLUMNS: usize = 80;

/// How many lines are kept, with those on the screen.
const KEPT: usize = 300;

/// How a character is shown: a colour from 1 (black) to 16 (bright white) or 0 for none, and 32 more if it is bold.
type Style = u8;

const BOLD: Style = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    character: char,
    style: Style,
}

const BLANK: Cell = Cell { character: ' ', style: 0 };

/// One line of a screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(Vec<Cell>);

impl serde::Serialize for Line {
    /// As a list of `[style, text]`, a pair for each change of style.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |run: &[Cell]| run.iter().map(|cell| cell.character).collect::<String>();
        let runs = self.0.chunk_by(|left, right| left.style == right.style);
        serializer.collect_seq(runs.map(|run| (run[0].style, text(run))))
    }
}

/// What is seen of a console at one moment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ScreenContent {
    /// All lines that are kept, without the empty ones below the cursor.
    pub lines: Vec<Line>,
    /// The line in which the cursor is, counted from 0.
    pub row: usize,
    /// The column of the cursor.
    pub column: usize,
}

/// A terminal's screen.
#[derive(Default)]
pub struct Screen {
    parser: Parser,
    grid: Grid,
    version: u64,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Screen {
    /// Shows a program's output.
    pub fn write(&mut self, output: &[u8]) {
        self.parser.advance(&mut self.grid, output);
        self.version += 1;
    }

    /// Counts what was written, so that a reader can tell whether anything changed.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What is seen.
    #[must_use]
    pub fn content(&self) -> ScreenContent {
        let (row, column) = (self.grid.top() + self.grid.row, self.grid.column.min(COLUMNS - 1));
        let last = self.grid.lines.iter().rposition(|line| !line.0.is_empty()).unwrap_or(0);
        let lines = self.grid.lines.iter().take(last.max(row) + 1).cloned().collect();
        ScreenContent { lines, row, column }
    }
}

#[derive(Default)]
struct Grid {
    /// The last [`ROWS`] of them are on the screen; there are fewer at first.
    lines: VecDeque<Line>,
    /// The cursor, from the screen's top.
    row: usize,
    /// [`COLUMNS`] after the last one was written: the next character starts a new line.
    column: usize,
    style: Style,
}

impl Grid {
    /// The index of the screen's first line.
    fn top(&self) -> usize {
        self.lines.len().saturating_sub(ROWS)
    }

    /// The line of the cursor, as long as it has to be to have `length` cells.
    fn line(&mut self, length: usize) -> &mut Vec<Cell> {
        let index = self.top() + self.row;
        while self.lines.len() <= index {
            self.lines.push_back(Line::default());
        }
        let line = &mut self.lines[index].0;
        if line.len() < length {
            line.resize(length, BLANK);
        }
        line
    }

    fn feed(&mut self) {
        self.line(0);
        if self.row + 1 < ROWS {
            self.row += 1;
            self.line(0);
            return;
        }
        self.lines.push_back(Line::default());
        if self.lines.len() > KEPT {
            self.lines.pop_front();
        }
    }

    fn erase_in_line(&mut self, part: usize) {
        let column = self.column;
        match part {
            0 => self.line(0).truncate(column),
            1 => {
                let end = (column + 1).min(COLUMNS);
                self.line(end)[..end].fill(BLANK);
            }
            _ => self.line(0).clear(),
        }
    }

    /// Erases below the cursor, or all that is on the screen. What scrolled off stays.
    fn erase_in_screen(&mut self, part: usize) {
        let from = if part == 0 {
            self.erase_in_line(0);
            self.top() + self.row + 1
        } else {
            self.top()
        };
        for line in self.lines.range_mut(from.min(self.lines.len())..) {
            line.0.clear();
        }
    }

    fn delete(&mut self, count: usize) {
        let column = self.column;
        let line = self.line(column);
        let end = (column + count).min(line.len());
        line.drain(column..end);
    }

    fn insert(&mut self, count: usize) {
        let column = self.column;
        let line = self.line(column);
        line.splice(column..column, std::iter::repeat_n(BLANK, count.min(COLUMNS)));
        line.truncate(COLUMNS);
    }

    fn set_style(&mut self, params: &Params) {
        for code in params.iter().filter_map(|part| part.first()) {
            self.style = match *code {
                0 => 0,
                1 => self.style | BOLD,
                22 => self.style & !BOLD,
                39 => self.style & BOLD,
                30..=37 => (self.style & BOLD) | small(*code - 30 + 1),
                90..=97 => (self.style & BOLD) | small(*code - 90 + 9),
                // The rest of it is a colour from a larger palette.
                38 | 48 => return,
                _ => self.style,
            };
        }
    }
}

/// A colour's number as a style.
fn small(colour: u16) -> Style {
    Style::try_from(colour).unwrap_or_default()
}

impl Perform for Grid {
    fn print(&mut self, character: char) {
        if self.column >= COLUMNS {
            self.column = 0;
            self.feed();
        }
        let (column, style) = (self.column, self.style);
        self.line(column + 1)[column] = Cell { character, style };
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' | 0x0b | 0x0c => self.feed(),
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.min(COLUMNS).saturating_sub(1),
            b'\t' => self.column = (self.column / 8 * 8 + 8).min(COLUMNS - 1),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: char) {
        if !intermediates.is_empty() {
            return;
        }
        let mut numbers = params.iter().map(|part| part.first().map_or(0, |number| usize::from(*number)));
        let (first, second) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let count = first.max(1);
        match action {
            'A' => self.row = self.row.saturating_sub(count),
            'B' => self.row = (self.row + count).min(ROWS - 1),
            'C' => self.column = (self.column + count).min(COLUMNS - 1),
            'D' => self.column = self.column.saturating_sub(count),
            'G' => self.column = (count - 1).min(COLUMNS - 1),
            'H' | 'f' => {
                (self.row, self.column) = ((count - 1).min(ROWS - 1), (second.max(1) - 1).min(COLUMNS - 1));
            }
            'J' => self.erase_in_screen(first),
            'K' => self.erase_in_line(first),
            'P' => self.delete(count),
            '@' => self.insert(count),
            'X' => {
                let (column, end) = (self.column, (self.column + count).min(COLUMNS));
                self.line(end)[column.min(end)..end].fill(BLANK);
            }
            'm' => self.set_style(params),
            _ => {}
        }
        self.line(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(output: &str) -> Vec<String> {
        let mut screen = Screen::default();
        // A program may write any part of a sequence at a time.
        for byte in output.bytes() {
            screen.write(&[byte]);
        }
        let text = |line: &Line| line.0.iter().map(|cell| cell.character).collect::<String>().trim_end().to_owned();
        screen.content().lines.iter().map(text).collect()
    }

    #[test]
    fn movements_and_erasures_are_carried_out() {
        for (output, lines) in [
            ("one\r\ntwo\r\n", &["one", "two", ""][..]),
            ("10%\r20%\r100%", &["100%"]),
            ("long line\rshort\x1b[K", &["short"]),
            ("abc\x08\x08XY", &["aXY"]),
            ("abc\x1b[3D\x1b[@x", &["xabc"]),
            ("abc\x1b[3D\x1b[P", &["bc"]),
            ("one\r\ntwo\x1b[1A\rX", &["Xne", "two"]),
            ("one\r\ntwo\x1b[H\x1b[Jnew", &["new"]),
            ("\x1b]0;title\x07\x1b[?2004h\x1b(Bplain\x1b[31m red", &["plain red"]),
            ("<img src=x onerror=alert(1)>", &["<img src=x onerror=alert(1)>"]),
        ] {
            assert_eq!(shown(output), lines, "{output:?}");
        }
    }

    #[test]
    fn a_long_line_goes_on_in_the_next_one() {
        assert_eq!(shown(&"x".repeat(COLUMNS + 2)), ["x".repeat(COLUMNS), "xx".to_owned()]);
        assert_eq!(shown(&format!("{}\r\ny", "x".repeat(COLUMNS))), ["x".repeat(COLUMNS), "y".to_owned()]);
    }

    #[test]
    fn what_scrolls_off_is_kept_up_to_a_limit() {
        let lines = shown(&"line\r\n".repeat(KEPT * 2));
        assert_eq!(lines.len(), KEPT);
    }

    #[test]
    fn colours_are_runs_of_a_line() {
        let mut screen = Screen::default();
        screen.write(b"a\x1b[1;32mOK\x1b[0m b\x1b[38;5;9mc");
        let line = serde_json::to_value(&screen.content().lines[0]).unwrap();
        assert_eq!(line, serde_json::json!([[0, "a"], [35, "OK"], [0, " bc"]]));
    }

    proptest::proptest! {
        #[test]
        fn no_output_breaks_a_screen(output in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let mut screen = Screen::default();
            screen.write(&output);
            screen.write(b"\x1b[999;999H\x1b[999@\x1b[999P\x1b[999X\x1b[999C\x1b[1K");
            assert!(screen.content().lines.iter().all(|line| line.0.len() <= COLUMNS));
        }
    }
}
