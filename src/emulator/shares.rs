//! The files that the account shares with everybody.
//!
//! A share names a path, not a content: it serves whatever file is there when somebody asks for it. Shares are kept in
//! memory and end with the emulator.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::account_path::AccountPath;

/// The shared paths by the ids in their addresses.
#[derive(Debug, Default)]
pub struct Shares {
    by_id: Mutex<HashMap<String, AccountPath>>,
}

impl Shares {
    /// The id under which a path is shared.
    pub(crate) fn id_of(&self, path: &AccountPath) -> Option<String> {
        self.lock().iter().find(|(_, shared)| *shared == path).map(|(id, _)| id.clone())
    }

    /// The shares, which do not change while this is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<String, AccountPath>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
