//! Who may change the list of logins: one process at a time.
//!
//! A list that is read, changed and replaced by two at once keeps the change of one of them. The list itself cannot be
//! what is locked, as each change puts another file in its place; so an empty file beside it is. It stays there: were it
//! removed, somebody could still wait for the one that is gone while somebody else locks a new one.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::platform::{make_private, try_lock};

/// A change takes milliseconds. Who takes longer than this is stuck.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before the next attempt.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until nobody else changes the list at `path`, which nobody else may do then until the value is dropped. `None`
/// where no file can be locked: some file systems have no locks, and in a folder that cannot be written to the change
/// itself fails, and says why.
///
/// # Errors
/// `Config` if somebody else has the lock for longer than `patience`.
pub(super) async fn lock(path: &Path, patience: Duration) -> Result<Option<File>> {
    let place = path.with_extension("lock");
    if let Some(folder) = place.parent()
        && let Err(error) = make_private(folder)
    {
        log::debug!("{}: {error}", folder.display());
    }
    let attempts = async {
        loop {
            match try_lock(&place) {
                Ok(None) => sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    };
    match timeout(patience, attempts).await {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(error)) => {
            log::debug!("the list of logins is changed without a lock, as {} cannot be had: {error}", place.display());
            Ok(None)
        }
        Err(_) => Err(Error::config(format!(
            "another process has held {} for {} s: end it, and try again",
            place.display(),
            patience.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_is_had_by_one_and_free_again_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/logins.json");
        let held = lock(&path, PATIENCE).await.unwrap();
        assert!(held.is_some());
        let why = lock(&path, Duration::ZERO).await.unwrap_err().to_string();
        assert!(why.contains("logins.lock") && why.contains("another process"), "{why}");
        drop(held);
        assert!(lock(&path, PATIENCE).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_cannot_be_locked_is_done_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.json");
        std::fs::create_dir(path.with_extension("lock")).unwrap();
        assert!(lock(&path, PATIENCE).await.unwrap().is_none());
    }
}
