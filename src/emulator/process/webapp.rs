//! The configured web apps. They outlive the emulator in a file of the root, as the service keeps them.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::emulator::account::Account;

/// A web app as the service describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebApp {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The account's user.
    pub user: String,
    /// The domain it is served at.
    pub domain_name: String,
    /// As in `3.13`.
    pub python_version: String,
    /// Where the code is; shown, and not used by the service itself.
    pub source_directory: String,
    /// Where the web app starts.
    pub working_directory: String,
    /// The virtualenv, or empty.
    pub virtualenv_path: String,
    /// When a free web app goes offline unless it is extended.
    pub expiry: String,
    /// Whether plain http is redirected.
    pub force_https: bool,
    /// Whether visitors are asked for the password.
    pub password_protection_enabled: bool,
    /// The visitors' user name.
    pub password_protection_username: String,
    /// The visitors' password.
    pub password_protection_password: String,
    /// Whether it is served.
    pub enabled: bool,
}

/// The path of a domain's WSGI file in the account.
#[must_use]
pub fn wsgi_path(domain: &str) -> String {
    format!("/var/www/{}_wsgi.py", domain.to_lowercase().replace('.', "_"))
}

/// The account's web apps, in the order in which they were made.
#[derive(Debug)]
pub struct WebApps {
    file: PathBuf,
    apps: Mutex<Vec<WebApp>>,
}

impl WebApps {
    /// Reads those that an earlier emulator left.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn open(account: &Account) -> io::Result<Self> {
        let file = account.private().join("webapps.json");
        let apps = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { file, apps: Mutex::new(apps) })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<WebApp>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<WebApp> {
        self.lock().clone()
    }

    /// That of a domain.
    #[must_use]
    pub fn get(&self, domain: &str) -> Option<WebApp> {
        self.lock().iter().find(|app| app.domain_name.eq_ignore_ascii_case(domain)).cloned()
    }

    /// Changes the list and keeps it in the file.
    ///
    /// # Errors
    /// If the file cannot be written; the list stays as it was.
    pub fn change<T>(&self, change: impl FnOnce(&mut Vec<WebApp>) -> T) -> io::Result<T> {
        let mut apps = self.lock();
        let mut changed = apps.clone();
        let outcome = change(&mut changed);
        // Renamed into place: a kill in the middle must not leave half a file.
        let folder = self.file.parent().ok_or(io::ErrorKind::NotFound)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &changed)?;
        file.persist(&self.file)?;
        *apps = changed;
        Ok(outcome)
    }
}
