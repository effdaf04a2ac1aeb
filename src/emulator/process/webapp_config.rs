//! The configured web apps. As on the service, they are kept: they are in a file that outlives the emulator.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::emulator::account::Account;
use crate::emulator::calendar;
use crate::emulator::persisted::Persisted;
use crate::locks::lock;

/// A web app, with the fields that the service returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebApp {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The account's user.
    pub user: String,
    /// Its domain.
    pub domain_name: String,
    /// The Python version, such as `3.13`.
    pub python_version: String,
    /// The folder of the source code; it is displayed, but the service does not use it.
    pub source_directory: String,
    /// The working directory of the web app.
    pub working_directory: String,
    /// The path of the virtualenv, or empty.
    pub virtualenv_path: String,
    /// The last day on which a free web app is served unless it is extended, such as `2026-12-24`; empty on paid accounts.
    pub expiry: String,
    /// Whether HTTP is redirected to HTTPS.
    pub force_https: bool,
    /// Whether visitors need the password.
    pub password_protection_enabled: bool,
    /// The visitors' user name.
    pub password_protection_username: String,
    /// The visitors' password.
    pub password_protection_password: String,
    /// Whether it is served.
    pub enabled: bool,
    /// The static file mappings, in the order in which they are tried.
    #[serde(default)]
    pub static_files: Vec<StaticFile>,
    /// The headers to add to responses with static files.
    #[serde(default)]
    pub static_headers: Vec<StaticHeader>,
}

impl WebApp {
    /// Whether it is served at `now`: enabled, and not expired.
    #[must_use]
    pub fn is_served(&self, now: SystemTime) -> bool {
        // Days in this form sort like text.
        self.enabled && (self.expiry.is_empty() || calendar::day(now) <= self.expiry)
    }
}

/// A static file mapping: a folder or file that is served below an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticFile {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The beginning of the address, such as `/static/`.
    pub url: String,
    /// The path of the folder or file in the account.
    pub path: String,
}

/// A header for static files below an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticHeader {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The beginning of the address, such as `/static/`.
    pub url: String,
    /// The header's name.
    pub name: String,
    /// The header's value.
    pub value: String,
}

/// The path of a domain's WSGI file in the account.
#[must_use]
pub fn wsgi_path(domain: &str) -> String {
    format!("/var/www/{}_wsgi.py", domain.to_lowercase().replace('.', "_"))
}

/// The account's web apps, in the order in which they were created.
#[derive(Debug)]
pub struct WebApps {
    apps: Persisted<Vec<WebApp>>,
    /// The configuration with which each domain was last loaded, which is what the web server in front of it uses.
    loaded: Mutex<HashMap<String, WebApp>>,
}

impl WebApps {
    /// Reads the web apps that an earlier emulator stored.
    ///
    /// # Errors
    /// If the file exists but cannot be read.
    pub fn open(account: &Account) -> io::Result<Self> {
        Ok(Self { apps: Persisted::open(account, "webapps.json")?, loaded: Mutex::default() })
    }

    /// All web apps.
    #[must_use]
    pub fn all(&self) -> Vec<WebApp> {
        self.apps.lock().clone()
    }

    /// The web app at a domain.
    #[must_use]
    pub fn get(&self, domain: &str) -> Option<WebApp> {
        self.apps.lock().iter().find(|app| app.domain_name.eq_ignore_ascii_case(domain)).cloned()
    }

    /// Changes the list and stores it.
    ///
    /// # Errors
    /// If the file cannot be written; the list is then unchanged.
    pub fn change<T>(&self, change: impl FnOnce(&mut Vec<WebApp>) -> T) -> io::Result<T> {
        self.apps.change(change)
    }

    fn loaded(&self) -> MutexGuard<'_, HashMap<String, WebApp>> {
        lock(&self.loaded)
    }

    /// Makes the web server use `app` as it is now.
    pub fn load(&self, app: &WebApp) {
        self.loaded().insert(app.domain_name.clone(), app.clone());
    }

    /// Forgets the loaded configuration of a domain.
    pub fn unload(&self, domain: &str) {
        self.loaded().remove(domain);
    }

    /// `app` as it was when it was last loaded; it is loaded now if it never was.
    #[must_use]
    pub fn as_loaded(&self, app: &WebApp) -> WebApp {
        self.loaded().entry(app.domain_name.clone()).or_insert_with(|| app.clone()).clone()
    }
}
