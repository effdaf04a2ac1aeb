//! Where output goes: data to stdout, messages to stderr.
//!
//! With `--json`, stdout gets exactly one JSON document, even when the command fails. A reader that goes away
//! (`| head`) ends the output, not the command: what a deploy does must not depend on who reads its output.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::MultiProgress;
use serde_json::{Value, json};

use crate::error::Error;

/// The output of a command.
pub struct Output {
    json: bool,
    quiet: bool,
    colour: bool,
    /// A document went out already; a second one would make stdout unreadable.
    answered: AtomicBool,
    /// The reader of stdout has gone away.
    broken: AtomicBool,
    /// Output could not be written although its reader is still there.
    lost: AtomicBool,
    /// Progress bars are drawn on stderr; messages there must not break them.
    bars: MultiProgress,
}

impl Output {
    /// `json` and `quiet` as asked for on the command line.
    #[must_use]
    pub fn new(json: bool, quiet: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            quiet,
            colour: !no_colour && io::stderr().is_terminal(),
            answered: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            bars: MultiProgress::new(),
        }
    }

    /// Whether `--json` was given.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether `--quiet` was given.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether stderr is a terminal on which progress bars may be drawn.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Where progress bars are drawn.
    #[must_use]
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Prints the answer of a command: `text` for people, `value` with `--json`.
    pub fn answer(&self, text: &str, value: &Value) {
        if self.json {
            self.document(value);
        } else if !text.is_empty() {
            self.write(format!("{}\n", text.trim_end_matches('\n')).as_bytes());
        }
    }

    /// Prints one JSON document on a line of its own.
    pub fn document(&self, value: &Value) {
        if !self.answered.swap(true, Ordering::Relaxed) {
            self.write(format!("{value}\n").as_bytes());
        }
    }

    /// Prints bytes as they are.
    pub fn write(&self, bytes: &[u8]) {
        if self.broken.load(Ordering::Relaxed) {
            return;
        }
        let sent = self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        });
        if let Err(error) = sent
            && !self.broken.swap(true, Ordering::Relaxed)
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.lost.store(true, Ordering::Relaxed);
            self.failure(&format!("cannot write the output: {error}"));
        }
    }

    /// Whether output was lost, as on a full disk; a reader that went away does not count.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Prints a message, unless `--quiet`.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.to_stderr(text);
        }
    }

    /// Prints a warning.
    pub fn warn(&self, text: &str) {
        self.to_stderr(&format!("{} {text}", self.painted("33", "warning:")));
    }

    /// Prints the error that ended the command.
    pub fn error(&self, error: &Error) {
        self.failure(&error.chain());
        if self.json {
            self.document(&error_document(error));
        }
    }

    /// With `--json`, prints the document of a command that ended without an answer.
    pub fn refuse(&self, kind: &str, message: &str) {
        if self.json {
            self.document(&json!({ "ok": false, "error": { "kind": kind, "status": null, "message": message } }));
        }
    }

    /// Prints a failure as a message, without a JSON document.
    pub fn failure(&self, text: &str) {
        self.to_stderr(&format!("{} {text}", self.painted("31", "error:")));
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[1;{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn to_stderr(&self, text: &str) {
        // If stderr has no reader either, there is no one left to tell.
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }
}

/// What `--json` prints for an error that ended the command.
fn error_document(error: &Error) -> Value {
    json!({
        "ok": false,
        "error": { "kind": format!("{:?}", error.kind()), "status": error.status(), "message": error.chain() },
    })
}

/// Rows as aligned columns, two spaces apart.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A name as it can be shown on a terminal: control characters, which could rewrite the screen, are escaped.
#[must_use]
pub fn shown(name: &str) -> String {
    if name.chars().any(char::is_control) { name.escape_debug().to_string() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_without_blanks_at_the_end() {
        let rows = [vec!["a".into(), "b".into()], vec!["long".into()], vec!["ü".into(), "c".into()]];
        assert_eq!(table(&rows), "a     b\nlong\nü     c");
    }

    #[test]
    fn names_cannot_rewrite_the_screen() {
        assert_eq!(shown("a\x1b[2J"), "a\\u{1b}[2J");
        assert_eq!(shown("grün"), "grün");
    }

    #[test]
    fn errors_say_their_kind_and_status() {
        let error = Error::config("no token");
        let document = error_document(&error);
        assert_eq!(document["error"]["kind"], "Config");
        assert_eq!(document["error"]["message"], "no token");
        assert!(document["error"]["status"].is_null());
    }
}
