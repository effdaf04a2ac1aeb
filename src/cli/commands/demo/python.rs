//! Runs the Python that started us: it makes the site, and wheels of what the site needs.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::process::Command;

use crate::error::{Error, Result};

/// None of these programs should take longer, on a slow machine either.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Runs Python in `folder` and returns what it printed. `what` is its name in messages.
///
/// # Errors
/// `Config` with the last line that it printed, if it fails or takes too long.
pub async fn python(what: &str, executable: &Path, arguments: &[&str], folder: &Path) -> Result<String> {
    let run = Command::new(executable)
        .args(arguments)
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("DJANGO_SETTINGS_MODULE")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let failed = |source| Error::Local { path: executable.to_owned(), source };
    let Ok(done) = tokio::time::timeout(TIMEOUT, run).await else {
        return Err(Error::config(format!("{what} took too long")));
    };
    let done = done.map_err(failed)?;
    if !done.status.success() {
        return Err(Error::config(format!("{what} failed: {}", last_line(&done.stderr))));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The last line of a traceback says what went wrong; the rest is about other people's code.
fn last_line(printed: &[u8]) -> String {
    let words = String::from_utf8_lossy(printed);
    words.trim_end().lines().last().unwrap_or_default().to_owned()
}

/// The same for a program that prints one JSON document.
///
/// # Errors
/// As for [`python`]; `Config` if it prints something else.
pub async fn python_json<T: DeserializeOwned>(
    what: &str,
    executable: &Path,
    arguments: &[&str],
    folder: &Path,
) -> Result<T> {
    let answer = python(what, executable, arguments, folder).await?;
    serde_json::from_str(&answer)
        .map_err(|error| Error::config(format!("unexpected output of {what}: {answer:?}: {error}")))
}
