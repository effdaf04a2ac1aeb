//! What a message says of the folders that a search could not list.

use std::fmt::Write as _;

use crate::error::Error;

/// How many failed folders an error message names.
const MOST_FAILURES: usize = 10;

/// One text for the folders that could not be listed, the first one first.
#[must_use]
pub fn failures_text(failed: &[(String, Error)]) -> Option<String> {
    let (first, rest) = failed.split_first()?;
    let mut text = first.1.to_string();
    for (_, error) in rest.iter().take(MOST_FAILURES - 1) {
        let _ = write!(text, "\n\n{error}");
    }
    if failed.len() > MOST_FAILURES {
        let _ = write!(text, "\n\n… and {} more folders", failed.len() - MOST_FAILURES);
    }
    Some(text)
}
