//! The files that the account shares publicly.
//!
//! A share refers to a path, not to content: it serves the file that is there when it is requested. Shares are kept in
//! memory and end with the emulator.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use super::account_path::AccountPath;
use crate::locks::lock;

/// The shared paths, by the ids in their URLs.
#[derive(Debug, Default)]
pub struct Shares {
    by_id: Mutex<HashMap<String, AccountPath>>,
}

impl Shares {
    /// The id under which a path is shared, if it is.
    pub(crate) fn id_of(&self, path: &AccountPath) -> Option<String> {
        self.lock().iter().find(|(_, shared)| *shared == path).map(|(id, _)| id.clone())
    }

    /// Locks the shares.
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<String, AccountPath>> {
        lock(&self.by_id)
    }
}
