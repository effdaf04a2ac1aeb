//! Where output goes: data to stdout, messages to stderr. Both are made safe for a terminal here, for all commands.
//!
//! With `--json`, stdout gets exactly one JSON document, even when the command fails. A reader that goes away
//! (`| head`) ends the output, not the command: what a deploy does must not depend on who reads its output.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use indicatif::MultiProgress;
use serde_json::{Value, json};

use super::github::{self, Level};
use super::paint::{Line, painted};
use super::terminal;
use crate::error::Error;
use crate::platform;

/// The output of a command.
#[allow(clippy::struct_excessive_bools, reason = "two options and two facts, none of which follows from another")]
pub struct Output {
    json: bool,
    quiet: bool,
    /// Stdout is a terminal.
    is_terminal: bool,
    /// Stderr is a terminal that takes colours and other control sequences.
    control: bool,
    /// Messages are annotations of a job of GitHub Actions.
    annotates: bool,
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
        Self {
            json,
            quiet,
            is_terminal: io::stdout().is_terminal(),
            control: !terminal::is_plain() && io::stderr().is_terminal(),
            annotates: github::is_runner(),
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

    /// Whether progress bars may be drawn on stderr.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        !self.quiet && self.control
    }

    /// Where progress bars are drawn.
    #[must_use]
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Whether somebody reads the answer as it comes, rather than a program or a file.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.is_terminal && !self.json
    }

    /// The columns that a line of the answer may take, if there is a limit.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        if self.is_read() { platform::width() } else { None }
    }

    /// The columns of the terminal that messages are shown on, if there is one.
    #[must_use]
    pub fn message_width() -> Option<usize> {
        if io::stderr().is_terminal() { platform::width() } else { None }
    }

    /// Prints the answer of a command: `text` for people, `value` with `--json`.
    pub fn answer(&self, text: &str, value: &Value) {
        if self.json {
            self.document(value);
        } else if !text.is_empty() {
            self.to_stdout(format!("{}\n", terminal::printable(text.trim_end_matches('\n'))).as_bytes());
        }
    }

    /// Prints an answer of lines for people, in colours if a terminal takes them or they are asked for; `value` with `--json`.
    pub fn lines(&self, lines: &[Line], colours: clap::ColorChoice, value: &Value) {
        if self.json {
            return self.document(value);
        }
        let colours = match colours {
            clap::ColorChoice::Always => ColorChoice::Always,
            clap::ColorChoice::Never => ColorChoice::Never,
            clap::ColorChoice::Auto if terminal::is_plain() => ColorChoice::Never,
            clap::ColorChoice::Auto => AutoStream::choice(&io::stdout()),
        };
        let text = painted(lines, colours != ColorChoice::Never);
        // Consoles of Windows have to be told that what comes may be coloured.
        self.sent(|stdout| AutoStream::new(stdout, colours).write_all(text.as_bytes()));
    }

    /// Prints an answer that is content of the account, such as a log, which goes into a file or a pipe as it is.
    pub fn content(&self, text: &str, value: &Value) {
        if self.is_terminal || self.json || text.is_empty() {
            return self.answer(text, value);
        }
        self.to_stdout(format!("{}\n", text.trim_end_matches('\n')).as_bytes());
    }

    /// Prints one JSON document on a line of its own. A terminal shows no passwords; a program gets them.
    pub fn document(&self, value: &Value) {
        if !self.answered.swap(true, Ordering::Relaxed) {
            let text = terminal::json(&self.visible(value).to_string());
            self.to_stdout(format!("{text}\n").as_bytes());
        }
    }

    /// A value as stdout may show it: a terminal shows no passwords.
    #[must_use]
    pub fn visible<'a>(&self, value: &'a Value) -> Cow<'a, Value> {
        if self.is_terminal { Cow::Owned(terminal::masked(value)) } else { Cow::Borrowed(value) }
    }

    /// Prints content of the account: bytes as they are, or on a terminal as text that cannot control it.
    pub fn write(&self, bytes: &[u8]) {
        if !self.is_terminal {
            return self.to_stdout(bytes);
        }
        self.to_stdout(terminal::printable(&String::from_utf8_lossy(bytes)).as_bytes());
    }

    fn to_stdout(&self, bytes: &[u8]) {
        self.sent(|mut stdout| stdout.write_all(bytes));
    }

    fn sent(&self, write: impl FnOnce(io::StdoutLock<'static>) -> io::Result<()>) {
        if self.broken.load(Ordering::Relaxed) {
            return;
        }
        let sent = self.bars.suspend(|| write(io::stdout().lock()).and_then(|()| io::stdout().flush()));
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
            self.to_stderr("", text);
        }
    }

    /// Prints a question and leaves the cursor behind it.
    pub fn ask(&self, question: &str) {
        self.bars.suspend(|| {
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "{} ", terminal::printable(question)).and_then(|()| stderr.flush());
        });
    }

    /// Ends the line of a question whose answer was not shown.
    pub fn end_line(&self) {
        self.to_stderr("", "");
    }

    /// Prints a warning.
    pub fn warn(&self, text: &str) {
        self.message(Level::Warning, text);
    }

    /// Prints warnings.
    pub fn warn_all(&self, texts: &[String]) {
        for text in texts {
            self.warn(text);
        }
    }

    /// Warns of something beside the command that failed.
    pub fn warn_of_failure(&self, outcome: Result<(), String>) {
        if let Err(reason) = outcome {
            self.warn(&reason);
        }
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
        self.message(Level::Error, text);
    }

    fn message(&self, level: Level, text: &str) {
        if self.annotates {
            return self.to_stderr("", &github::annotation(level, &terminal::printable(text)));
        }
        let start = match level {
            Level::Warning => self.painted("33", "warning: "),
            Level::Error => self.painted("31", "error: "),
        };
        self.to_stderr(&start, text);
    }

    /// Prints lines that the host wrote, below a title.
    pub fn quote<'a>(&self, title: &str, lines: impl Iterator<Item = &'a str>) {
        if self.annotates && !self.quiet {
            match github::group(title, lines) {
                Ok(group) => self.to_stderr("", &group),
                Err(error) => self.warn(&format!("the output of {title} is not shown: {error}")),
            }
            return;
        }
        self.say(title);
        for line in lines {
            self.say(&format!("    {line}"));
        }
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.control { format!("\x1b[1;{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Prints a line after `start`, which is ours and may be coloured.
    fn to_stderr(&self, start: &str, text: &str) {
        let text = terminal::printable(text);
        // If stderr has no reader either, there is no one left to tell.
        self.bars.suspend(|| {
            // Consoles of Windows have to be told that what comes may be coloured.
            let colours = if self.control { ColorChoice::Always } else { ColorChoice::Never };
            let _ = writeln!(AutoStream::new(io::stderr().lock(), colours), "{start}{text}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_their_kind_and_status() {
        let error = Error::config("no token");
        let document = error_document(&error);
        assert_eq!(document["error"]["kind"], "Config");
        assert_eq!(document["error"]["message"], "no token");
        assert!(document["error"]["status"].is_null());
    }
}
