//! The account's real processes: consoles and web apps.

use std::io;
use std::sync::Arc;

use super::account::Account;
use super::settings::Settings;

/// All processes of one account.
#[derive(Debug)]
pub struct Processes {}

impl Processes {
    /// Gets ready to start processes; starts none yet.
    ///
    /// # Errors
    /// If the launcher cannot be set up.
    pub fn new(_settings: &Settings, _account: &Arc<Account>) -> io::Result<Self> {
        Ok(Self {})
    }

    /// `"host"` if processes see the account at its own paths, `"root"` if only below the root.
    #[must_use]
    pub fn paths(&self) -> &'static str {
        "root"
    }

    /// Ends every process.
    #[allow(clippy::unused_async, reason = "ending processes waits for them")]
    pub async fn stop(&self) {}
}
