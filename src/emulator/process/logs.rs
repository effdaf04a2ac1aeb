//! The account's log folder, `/var/log`.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;

use crate::emulator::account::Account;

/// The kinds of log that each site has.
const SITE_LOGS: [&str; 3] = ["access", "error", "server"];

/// The name of a site's log of a kind: `access`, `error` or `server`.
#[must_use]
pub fn site_log(domain: &str, kind: &str) -> String {
    format!("{domain}.{kind}.log")
}

/// Opens the account's logs.
#[derive(Debug, Clone)]
pub struct Logs {
    folder: PathBuf,
}

impl Logs {
    /// The logs of an account.
    #[must_use]
    pub fn new(account: &Account) -> Self {
        Self { folder: account.root().join("var/log") }
    }

    /// Opens a log for appending, and creates it if it does not exist.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.folder.join(name))
    }

    /// Creates the logs of a new site.
    ///
    /// # Errors
    /// If one of them cannot be created.
    pub fn create_for(&self, domain: &str) -> io::Result<()> {
        SITE_LOGS.iter().try_for_each(|kind| self.open(&site_log(domain, kind)).map(drop))
    }
}
