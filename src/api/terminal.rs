//! The screen of a terminal as plain text.
//!
//! The width of the terminal is not known, so a line is as long as it needs to be. Text that a program overwrote is
//! gone, as on the screen, but no line is broken at the edge of the screen.

use vte::{Params, Parser, Perform};

/// The text without escapes, with `\r`, backspaces and movements within a line applied.
pub(super) fn plain(output: &str) -> String {
    let mut lines = Lines { done: String::with_capacity(output.len()), line: Vec::new(), column: 0, up: 0 };
    Parser::new().advance(&mut lines, output.as_bytes());
    lines.done.extend(lines.line);
    lines.done
}

/// The last line: the prompt, where a program waits for input.
pub(super) fn last_line(output: &str) -> String {
    plain(output).rsplit('\n').next().unwrap_or_default().to_owned()
}

/// The text after the echo of an input that ends with `mark`, `None` if the mark is missing.
///
/// Where an input is longer than a line of the terminal, its echo has a space and `\r`, or escapes, between any two
/// characters.
pub(super) fn after_echo<'a>(output: &'a str, mark: &str) -> Option<&'a str> {
    let printed = Printed::of(output);
    let end = (0..printed.characters.len()).rev().find_map(|from| printed.after_mark(from, mark))?;
    // What edits lines itself, such as Python from 3.13 on, ends them with "\n\r".
    if output[..end].ends_with('\n') {
        return Some(&output[end..]);
    }
    output[end..].find('\n').map(|newline| &output[end + newline + 1..])
}

/// The line under way, and those before it.
struct Lines {
    done: String,
    line: Vec<char>,
    column: usize,
    /// How many lines up the cursor went. What Python from 3.13 on does before its prompt: up, and down again.
    up: usize,
}

impl Lines {
    /// Blanks the line up to the cursor.
    fn blank(&mut self) {
        let end = (self.column + 1).min(self.line.len());
        self.line[..end].fill(' ');
    }

    /// Deletes characters from the cursor on.
    fn delete(&mut self, count: usize) {
        let from = self.column.min(self.line.len());
        let to = (from + count).min(self.line.len());
        self.line.drain(from..to);
    }
}

impl Perform for Lines {
    fn print(&mut self, character: char) {
        // What is done is not written over.
        self.up = 0;
        if self.line.len() < self.column {
            self.line.resize(self.column, ' ');
        }
        match self.line.get_mut(self.column) {
            Some(place) => *place = character,
            None => self.line.push(character),
        }
        self.column += 1;
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' if self.up > 0 => {
                self.up -= 1;
                self.column = 0;
            }
            b'\n' => {
                self.done.extend(self.line.drain(..));
                self.done.push('\n');
                self.column = 0;
            }
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.saturating_sub(1),
            // Not expanded: it is part of the text.
            b'\t' => self.print('\t'),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _ignore: bool, action: char) {
        if !intermediates.is_empty() {
            return;
        }
        // No line of a terminal is longer, whatever a program asks for.
        let number =
            params.iter().next().and_then(|part| part.first()).map_or(0, |number| usize::from(*number).min(10_000));
        match (action, number) {
            ('A', count) => self.up += count.max(1),
            ('C', count) => self.column += count.max(1),
            ('D', count) => self.column = self.column.saturating_sub(count.max(1)),
            ('G', column) => self.column = column.max(1) - 1,
            ('K', 0) => self.line.truncate(self.column),
            ('K', 1) => self.blank(),
            ('K', 2) => self.line.clear(),
            ('P', count) => self.delete(count.max(1)),
            _ => {}
        }
    }
}

/// The printed characters in order, each with its end in the output.
#[derive(Default)]
struct Printed {
    characters: Vec<(usize, char)>,
    end: usize,
}

impl Printed {
    fn of(output: &str) -> Self {
        let (mut printed, mut parser) = (Self::default(), Parser::new());
        for (index, byte) in output.bytes().enumerate() {
            printed.end = index + 1;
            parser.advance(&mut printed, &[byte]);
        }
        printed
    }

    /// Where the character after the mark ends, if the mark begins with the character `from`.
    fn after_mark(&self, from: usize, mark: &str) -> Option<usize> {
        let mut wanted = mark.chars().peekable();
        for (end, character) in &self.characters[from..] {
            match wanted.peek() {
                None => return Some(*end),
                Some(next) if next == character => drop(wanted.next()),
                // The edge of the screen.
                Some(_) if matches!(character, ' ' | '\r') => {}
                Some(_) => return None,
            }
        }
        None
    }
}

impl Perform for Printed {
    fn print(&mut self, character: char) {
        self.characters.push((self.end, character));
    }

    fn execute(&mut self, byte: u8) {
        if matches!(byte, b'\r' | b'\n') {
            self.characters.push((self.end, char::from(byte)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_gone_and_movements_carried_out() {
        for (output, text) in [
            ("\x1b[01;32mgreen\x1b[0m text", "green text"),
            ("\x1b]0;title\x07after", "after"),
            ("\x1b]2;title\x1b\\after", "after"),
            ("\x1b[?2004hprompt", "prompt"),
            ("one\r\ntwo\r\n", "one\ntwo\n"),
            ("10%\r20%\r100%\n", "100%\n"),
            ("long line\rshort\x1b[K\n", "short\n"),
            ("abc\x08\x08XY", "aXY"),
            ("abc\x1b[2D\x1b[Kx", "ax"),
            ("a\tb", "a\tb"),
            ("\x1b[3Cx", "   x"),
            ("\x1b(Bplain", "plain"),
            ("42\r\n\x1b[?25l\x1b[1A\n\x1b[1;35m>>> \x1b[0m\x1b[4D\x1b[4C", "42\n>>> "),
            ("10%\n\x1b[1A100%\nend", "10%\n100%\nend"),
            ("caf\u{e9} \u{1f600}", "caf\u{e9} \u{1f600}"),
            ("", ""),
        ] {
            assert_eq!(plain(output), text, "{output:?}");
        }
    }

    #[test]
    fn a_huge_movement_does_not_use_up_memory() {
        assert!(plain(&"\x1b[65535Cx\n".repeat(3)).len() < 40_000);
    }

    #[test]
    fn the_last_line_is_the_prompt() {
        assert_eq!(last_line("hi\r\n\x1b[?2004h10:12 ~ $ "), "10:12 ~ $ ");
        assert_eq!(last_line("10:12 ~ $ ls\r\n"), "");
    }

    #[test]
    fn an_echo_is_found_where_the_screen_wrapped_it() {
        for output in [
            ">>> x  # 3f9a2c\r\n42\r\n>>> ",
            ">>> x  # 3f9 \ra2c\r\n42\r\n>>> ",
            ">>> x  # 3f9\x1b[K\ra2c\r\n42\r\n>>> ",
            ">>> \x1b[31mx  # 3f9a2c\x1b[0m\r\n42\r\n>>> ",
            ">>> x  # 3f9a2\x1b[12D>>> x  # 3f9a2c\x1b[13D\n42\r\n>>> ",
        ] {
            assert_eq!(after_echo(output, "3f9a2c"), Some("42\r\n>>> "), "{output:?}");
        }
        assert_eq!(after_echo("2c\r\n42\r\n>>> ", "3f9a2c"), None);
        assert_eq!(after_echo(">>> x  # 3f9a2c", "3f9a2c"), None);
    }
}
