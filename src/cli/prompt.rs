//! Questions to the person at the terminal.
//!
//! What is typed in answer to a hidden question is not shown. Ctrl-C ends the command while a line is read, so the
//! terminal's echo is switched off by a guard that the command's future holds, not by the thread that reads.

use std::io::{self, IsTerminal};

use super::output::Output;
use crate::blocking::blocking;
use crate::error::{Error, Result};
use crate::platform::{self, Hidden};

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
    let failed = |source| Error::Local { path: "the terminal".into(), source };
    let hidden = Hidden::start().map_err(failed)?;
    output.ask(question);
    let line = blocking(move || platform::read_hidden().map_err(failed)).await;
    drop(hidden);
    if Hidden::HIDES_LINE_BREAK {
        // The line break that was typed was not shown either.
        output.end_line();
    }
    answer(line?)
}

/// Reads the answer to a question of yes or no; the end of the input means no.
///
/// # Errors
/// `Closed` if the runtime ends.
pub async fn is_yes() -> Result<bool> {
    // On a thread of its own: Ctrl-C must not wait for the line.
    let answer = blocking(|| Ok(io::stdin().lines().next().and_then(std::result::Result::ok))).await?;
    Ok(answer.is_some_and(|answer| matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
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
    answer(blocking(next_line).await?)
}

/// The next line of stdin with its break; `None` where the input has ended.
fn next_line() -> Result<Option<String>> {
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line).map_err(|source| Error::Local { path: "stdin".into(), source })?;
    Ok((read > 0).then_some(line))
}

/// A line without its break; `None` means that the input ended.
fn answer(line: Option<String>) -> Result<String> {
    let line = line.ok_or_else(|| Error::config("the input ended before the answer"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
