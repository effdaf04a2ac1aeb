//! A value that outlives the emulator, in a file in the account's private folder.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::account::Account;
use crate::locks::lock;

/// The value, and the file that stores it.
#[derive(Debug)]
pub(crate) struct Persisted<T> {
    file: PathBuf,
    value: Mutex<T>,
}

impl<T: Clone + Default + Serialize + DeserializeOwned> Persisted<T> {
    /// Reads what an earlier emulator stored in the file `name`.
    pub fn open(account: &Account, name: &str) -> io::Result<Self> {
        let file = account.private().join(name);
        let value = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => T::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { file, value: Mutex::new(value) })
    }

    /// Locks the value.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.value)
    }

    /// Changes the value and writes it. If it cannot be written, it stays as it was.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> io::Result<R> {
        let mut value = self.lock();
        let mut changed = value.clone();
        let outcome = change(&mut changed);
        // Renamed into place, so that a crash cannot leave half a file.
        let folder = self.file.parent().ok_or(io::ErrorKind::NotFound)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &changed)?;
        file.persist(&self.file)?;
        *value = changed;
        Ok(outcome)
    }
}
