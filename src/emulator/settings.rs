//! What an emulator is started with.
//!
//! Where the service's behaviour is not documented a default had to be chosen; [`Undocumented`] holds those choices,
//! so that a client can be tried under every reading.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The settings of an emulator. [`Settings::default`] is a free account with the service's limits on a free port.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account's directory; `None` is a temporary directory that is removed with the emulator.
    pub root: Option<PathBuf>,
    /// The port to listen on; 0 chooses a free one.
    pub port: u16,
    /// The account's user name.
    pub user: String,
    /// The API token; `None` is 40 random hexadecimal digits, as in the service's tokens.
    pub token: Option<String>,
    /// Requests per minute for each endpoint; `None` turns the limit off.
    pub rate_limit: Option<u32>,
    /// Requests per minute for the consoles' `send_input`; `None` turns this limit off.
    pub send_input_limit: Option<u32>,
    /// The kind of account at the start, which decides what is allowed.
    pub account: AccountKind,
    /// The account's `MySQL` databases, which are listed but not served.
    pub mysql_databases: Vec<String>,
    /// The user names of the account's students.
    pub students: Vec<String>,
    /// Disk space in bytes; `None` is the limit of the account kind, [`u64::MAX`] is no limit.
    pub disk_quota: Option<u64>,
    /// Time added to each response at first, of the service and of the sites, measured by [`crate::clock`].
    pub latency: Duration,
    /// Serve HTTPS, and write the certificate authority to trust to `ca.pem` in this directory.
    pub tls: Option<PathBuf>,
    /// The Python that consoles, tasks and web apps use.
    pub python: PathBuf,
    /// Let processes see `/home/<user>`, `/var/www` and `/var/log` at exactly these paths, if the system allows it.
    pub private_paths: bool,
    /// How long a web app may take to answer a request, to its last byte, before its process is killed.
    pub request_limit: Duration,
    /// How long it may take for the first request after it was started, including loading.
    pub first_request_limit: Duration,
    /// How many days a web app of a free account lives. As on the service no call of the API extends it.
    pub webapp_days: u32,
    /// A folder of packages that pip in the account installs from instead of the Python package index.
    pub package_index: Option<PathBuf>,
    /// Serve the page to look at, at `/` of the API's address.
    pub page: bool,
    /// The uWSGI that serves web apps, as on the service; `None` is a small server of the emulator's own.
    pub uwsgi: Option<PathBuf>,
    /// The behaviours that the service's documentation leaves open.
    pub undocumented: Undocumented,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            root: None,
            port: 0,
            user: "demo".to_owned(),
            token: None,
            rate_limit: Some(40),
            send_input_limit: Some(120),
            account: AccountKind::Free,
            mysql_databases: Vec::new(),
            students: Vec::new(),
            disk_quota: None,
            latency: Duration::ZERO,
            tls: None,
            python: PathBuf::from("python3"),
            private_paths: true,
            request_limit: Duration::from_secs(300),
            first_request_limit: Duration::from_secs(20),
            webapp_days: 31,
            package_index: None,
            page: true,
            uwsgi: None,
            undocumented: Undocumented::default(),
        }
    }
}

/// The kind of account, which decides what the service allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// One web app, two consoles, no tasks, 512 MiB.
    #[default]
    Free,
    /// No such limits.
    Paid,
}

impl AccountKind {
    /// The kind of this name, `free` or `paid`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "free" => Some(Self::Free),
            "paid" => Some(Self::Paid),
            _ => None,
        }
    }

    /// CPU seconds per day.
    #[must_use]
    pub fn cpu_seconds(self) -> u32 {
        match self {
            Self::Free => 100,
            Self::Paid => 2000,
        }
    }

    /// How many consoles there may be at a time.
    #[must_use]
    pub fn consoles(self) -> usize {
        match self {
            Self::Free => 2,
            Self::Paid => usize::MAX,
        }
    }

    /// Disk space in bytes, if it is limited.
    #[must_use]
    pub fn disk_quota(self) -> Option<u64> {
        match self {
            Self::Free => Some(512 << 20),
            Self::Paid => None,
        }
    }
}

/// A switch of [`Undocumented`], to be set to what its type holds.
#[derive(Debug)]
pub enum Switch<'a> {
    /// A yes or no.
    Flag(&'a mut bool),
    /// A limit, if there is one.
    Limit(&'a mut Option<u64>),
}

impl<'a> From<&'a mut bool> for Switch<'a> {
    fn from(flag: &'a mut bool) -> Self {
        Self::Flag(flag)
    }
}

impl<'a> From<&'a mut Option<u64>> for Switch<'a> {
    fn from(limit: &'a mut Option<u64>) -> Self {
        Self::Limit(limit)
    }
}

/// The switches: each once, with its type and its default.
macro_rules! switches {
    (
        $(#[$attribute:meta])*
        pub struct $class:ident {
            $($(#[$doc:meta])* pub $name:ident: $type:ty = $default:expr,)*
        }
    ) => {
        $(#[$attribute])*
        pub struct $class {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Default for $class {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl $class {
            /// The switch of this name.
            pub fn switch(&mut self, name: &str) -> Option<Switch<'_>> {
                match name {
                    $(stringify!($name) => Some(Switch::from(&mut self.$name)),)*
                    _ => None,
                }
            }
        }
    };
}

switches! {
    /// Behaviours of the service that are not documented. Each default is the more likely one.
    #[derive(Debug, Clone)]
    #[allow(clippy::struct_excessive_bools, reason = "independent switches, each a yes or no about the service")]
    pub struct Undocumented {
        /// Whether a 429 carries `Retry-After`.
        pub retry_after: bool = true,
        /// Whether each method of an endpoint has its own rate limit instead of a shared one.
        pub bucket_per_method: bool = false,
        /// The largest upload in bytes, above which the answer is 413; `None` accepts any size.
        pub upload_limit: Option<u64> = Some(100 << 20),
        /// Whether an upload replaces a file atomically (by a rename) instead of truncating and rewriting it.
        pub atomic_overwrite: bool = true,
        /// Whether a replaced file keeps its mode bits.
        pub keep_mode: bool = true,
        /// Whether a downloaded file's content type includes a charset.
        pub download_charset: bool = false,
        /// Whether a path without its trailing slash is redirected to the one with it instead of answered with 404.
        pub append_slash: bool = true,
        /// Whether consecutive slashes count as one in every path, not only in file paths.
        pub merge_slashes: bool = true,
        /// Whether `DELETE` accepts the path of a file with a trailing slash.
        pub delete_with_slash: bool = true,
        /// Whether `files/tree` is sorted; otherwise the order is reversed.
        pub sorted_tree: bool = true,
        /// Whether web apps handle requests in several threads.
        pub webapp_threads: bool = false,
        /// Whether a certificate's expiry is written as `20180824T171623Z` instead of `2018-08-24T17:16:23+00:00`.
        pub compact_not_after: bool = true,
        /// Whether a reload returns 409 `cname_error` although the web app was reloaded.
        pub cname_error: bool = false,
        /// Whether a second web app at the same domain is refused with 400 instead of 200 with an error in the body.
        pub taken_domain_400: bool = false,
    }
}
