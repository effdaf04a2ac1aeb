//! The configured web apps. They outlive the emulator in a file of the root, as the service keeps them.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::emulator::account::Account;
use crate::emulator::persisted::Persisted;

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
    /// Where files are served from instead, in the order in which they are tried.
    #[serde(default)]
    pub static_files: Vec<StaticFile>,
    /// What is added to the answers with such files.
    #[serde(default)]
    pub static_headers: Vec<StaticHeader>,
}

/// A folder or file that is served below an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticFile {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The start of the address, as in `/static/`.
    pub url: String,
    /// The path in the account.
    pub path: String,
}

/// A header of the answers below an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticHeader {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The start of the address, as in `/static/`.
    pub url: String,
    /// The header's name.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// The path of a domain's WSGI file in the account.
#[must_use]
pub fn wsgi_path(domain: &str) -> String {
    format!("/var/www/{}_wsgi.py", domain.to_lowercase().replace('.', "_"))
}

/// The account's web apps, in the order in which they were made.
#[derive(Debug)]
pub struct WebApps {
    apps: Persisted<Vec<WebApp>>,
    /// Each as it was when it was last loaded, by its domain: what the web server in front of it goes by.
    loaded: Mutex<HashMap<String, WebApp>>,
}

impl WebApps {
    /// Reads those that an earlier emulator left.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn open(account: &Account) -> io::Result<Self> {
        Ok(Self { apps: Persisted::open(account, "webapps.json")?, loaded: Mutex::default() })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<WebApp> {
        self.apps.lock().clone()
    }

    /// That of a domain.
    #[must_use]
    pub fn get(&self, domain: &str) -> Option<WebApp> {
        self.apps.lock().iter().find(|app| app.domain_name.eq_ignore_ascii_case(domain)).cloned()
    }

    /// Changes the list and keeps it in the file.
    ///
    /// # Errors
    /// If the file cannot be written; the list stays as it was.
    pub fn change<T>(&self, change: impl FnOnce(&mut Vec<WebApp>) -> T) -> io::Result<T> {
        self.apps.change(change)
    }

    fn loaded(&self) -> MutexGuard<'_, HashMap<String, WebApp>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the web server goes by `app` as it is.
    pub fn load(&self, app: &WebApp) {
        self.loaded().insert(app.domain_name.clone(), app.clone());
    }

    /// Forgets what was loaded for a domain.
    pub fn unload(&self, domain: &str) {
        self.loaded().remove(domain);
    }

    /// `app` as it was when it was last loaded, which is now if it never was.
    #[must_use]
    pub fn as_loaded(&self, app: &WebApp) -> WebApp {
        self.loaded().entry(app.domain_name.clone()).or_insert_with(|| app.clone()).clone()
    }
}
