//! Questions to the person at the terminal.
//!
//! What is typed in answer to a hidden question is not shown. Ctrl-C ends the command while a line is read, so the
//! terminal's echo is switched off by a guard that the command's future holds, not by the thread that reads.

use std::io::{self, IsTerminal};

use super::output::Output;
use crate::blocking::blocking;
use crate::error::{Error, Result};

/// Whether somebody can answer.
pub fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line; empty if nothing was typed.
///
/// # Errors
/// `Config` if the input ends; `Local` if it cannot be read.
pub async fn line(output: &Output, question: &str) -> Result<String> {
    output.ask(question);
    read().await
}

/// The same for a secret, which is not shown.
///
/// # Errors
/// As for [`line`].
pub async fn hidden(output: &Output, question: &str) -> Result<String> {
    let hidden = Hidden::start()?;
    output.ask(question);
    let line = read_hidden().await;
    drop(hidden);
    if cfg!(unix) {
        // The line break that was typed was not shown either.
        output.end_line();
    }
    line
}

/// A line of stdin where that is no terminal: a secret that was piped. Somebody who types it would see it.
///
/// # Errors
/// As for [`line`]; `Config` if stdin is a terminal.
pub async fn piped() -> Result<String> {
    if io::stdin().is_terminal() {
        return Err(Error::config("the question cannot be shown, as stderr is not a terminal"));
    }
    read().await
}

/// A line of stdin, without its line break.
async fn read() -> Result<String> {
    blocking(|| {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map_err(|source| Error::Local { path: "stdin".into(), source })?;
        if read == 0 {
            return Err(Error::config("the input ended before the answer"));
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    })
    .await
}

#[cfg(unix)]
use read as read_hidden;

/// Reads key by key, which shows nothing but the line break: there is no mode that would have to be restored.
#[cfg(not(unix))]
async fn read_hidden() -> Result<String> {
    blocking(|| {
        let read = console::Term::stderr().read_secure_line();
        read.map_err(|source| Error::Local { path: "the terminal".into(), source })
    })
    .await
}

/// The terminal without echo, until it is dropped.
struct Hidden {
    #[cfg(unix)]
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Hidden {
    fn start() -> Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let failed = |error: rustix::io::Errno| Error::Local { path: "the terminal".into(), source: error.into() };
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut without = before.clone();
        without.local_modes.remove(LocalModes::ECHO);
        // What was typed before the question was shown, and so is no answer to it.
        tcsetattr(io::stdin(), OptionalActions::Flush, &without).map_err(failed)?;
        Ok(Self { before })
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Err(error) = tcsetattr(io::stdin(), OptionalActions::Now, &self.before) {
            log::warn!("the terminal's echo could not be switched on again (\"stty echo\" does it): {error}");
        }
    }
}

#[cfg(not(unix))]
impl Hidden {
    #[allow(clippy::unnecessary_wraps, reason = "as on other systems")]
    fn start() -> Result<Self> {
        Ok(Self {})
    }
}
