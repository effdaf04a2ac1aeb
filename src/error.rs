//! The one error type of the crate.
//!
//! Each variant keeps the facts (method, URL, status, the service's own words) and its `Display` states this layer
//! only; [`Error::chain`] adds the causes. Decide by [`Error::kind`] or [`Error::status`], never by a message's text.
//! No variant ever holds the token: URLs carry none, and headers are not kept.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

/// A cause of any type.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The status, unless it would read as a success.
fn refusal(status: u16) -> String {
    if (200..300).contains(&status) { "refused:".to_owned() } else { status.to_string() }
}

/// What the user can do about an error status.
fn advice(path: &str, status: u16, recognised: bool) -> String {
    match (status, path.split_once("/user/").and_then(|(_, rest)| rest.split('/').next())) {
        (401, _) => {
            " (the API token is not accepted: compare it with the Account page of PythonAnywhere, tab 'API Token')"
                .to_owned()
        }
        (403, Some(user)) => {
            format!(" (the API token may belong to another account than {user:?}, or that account may not do this)")
        }
        (404, _) if !recognised => {
            " (not an answer of PythonAnywhere: a proxy may have given it, so it says nothing about what is there)"
                .to_owned()
        }
        _ => String::new(),
    }
}

/// Everything that can go wrong between the caller and the service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A mistake that is found without asking the service; the message says what to do.
    #[error("{message}")]
    Config {
        /// What is wrong and what to do about it.
        message: String,
    },
    /// Another deploy of the same project is under way, or happened since the diff; the message says what to do.
    #[error("{message}")]
    Held {
        /// Which deploy, and what to do about it.
        message: String,
    },
    /// A job on the host failed. The message says what it did nevertheless.
    #[error("{message}")]
    Job {
        /// Why.
        message: String,
    },
    /// No answer came: refused, reset, TLS, proxy, truncated.
    #[error("no answer to {method} {url}{}", hint.as_deref().map(|h| format!(" ({h})")).unwrap_or_default())]
    Transport {
        /// HTTP method.
        method: String,
        /// URL without secrets.
        url: String,
        /// What to check, if the cause suggests something.
        hint: Option<String>,
        /// What the transport said.
        source: BoxError,
    },
    /// No answer came in time.
    #[error("{method} {url}: no {phase} within {:.1} s", after.as_secs_f64())]
    Timeout {
        /// HTTP method.
        method: String,
        /// URL without secrets.
        url: String,
        /// What was waited for.
        phase: TimeoutPhase,
        /// How long it was waited for.
        after: Duration,
    },
    /// An answer that is not what the endpoint promises.
    #[error("{method} {path}: expected {expected}, got status {status} with {snippet:?}")]
    Decode {
        /// HTTP method.
        method: String,
        /// Path of the request.
        path: String,
        /// HTTP status of the answer.
        status: u16,
        /// What the endpoint promises.
        expected: &'static str,
        /// The first 200 characters of the answer.
        snippet: String,
    },
    /// A status that means success with an answer that the service does not give there: a page of a proxy or a login,
    /// or a status that the endpoint does not have. What the service did is unknown.
    #[error(
        "{method} {path}: something other than PythonAnywhere seems to have answered, with status {status} and {words:?}"
    )]
    Undocumented {
        /// HTTP method.
        method: String,
        /// Path of the request.
        path: String,
        /// HTTP status of the answer.
        status: u16,
        /// The first words of the answer.
        words: String,
    },
    /// The service answered with an error.
    #[error("{method} {path}: {} {detail}{}", refusal(*status), advice(path, *status, *recognised))]
    Api {
        /// HTTP method.
        method: String,
        /// Path of the request.
        path: String,
        /// HTTP status.
        status: u16,
        /// The service's own words, or the status' reason phrase.
        detail: String,
        /// The service's error code (`not_found`, `cname_error`, …).
        code: Option<String>,
        /// How long the service asked to wait.
        retry_after: Option<Duration>,
        /// The page that has to be opened in a browser first (consoles).
        browser_url: Option<String>,
        /// Whether it has one of the service's own shapes. The 404 of a proxy has not: it is no "not there".
        recognised: bool,
    },
    /// The rate budget would make the request wait longer than `max_wait` allows.
    #[error(
        "the rate limit of {endpoint} is used up for another {:.0} s, longer than the request may wait",
        wait.as_secs_f64().ceil()
    )]
    Budget {
        /// The endpoint whose budget is used up.
        endpoint: String,
        /// How long the wait would have been.
        wait: Duration,
    },
    /// A local file could not be read or written.
    #[error("{}", path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The error that a callback of the caller raised, passed on unchanged.
    #[error("a callback failed")]
    Callback(#[source] BoxError),
    /// A directory was expected and a file is there, or a file where a directory was expected.
    #[error("{path} is {found}, not {expected}")]
    WrongType {
        /// The remote path.
        path: String,
        /// What is there.
        found: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// The runtime was shut down while the operation was under way (the interpreter is exiting).
    #[error("the runtime was shut down before the operation ended")]
    Closed,
}

/// What a time-out waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeoutPhase {
    /// The connection, TLS handshake included.
    Connect,
    /// The next bytes.
    Read,
    /// The whole answer.
    Total,
    /// The end of a command in a console, where it continues.
    Command,
}

impl std::fmt::Display for TimeoutPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connection",
            Self::Read => "further bytes",
            Self::Total => "complete answer",
            Self::Command => "end of the command",
        })
    }
}

/// The class of an [`Error`]; one Python exception class belongs to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names say it; the variants of `Error` are documented")]
pub enum ErrorKind {
    Config,
    Held,
    Job,
    Transport,
    Timeout,
    Decode,
    BadRequest,
    Authentication,
    Forbidden,
    NotFound,
    Conflict,
    ConsoleNotStarted,
    RateLimited,
    Server,
    OtherStatus,
    Local,
    Callback,
    WrongType,
    Closed,
}

impl ErrorKind {
    /// Every kind, for tests that check a mapping is complete.
    pub const ALL: [Self; 19] = [
        Self::Config,
        Self::Held,
        Self::Job,
        Self::Transport,
        Self::Timeout,
        Self::Decode,
        Self::BadRequest,
        Self::Authentication,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::ConsoleNotStarted,
        Self::RateLimited,
        Self::Server,
        Self::OtherStatus,
        Self::Local,
        Self::Callback,
        Self::WrongType,
        Self::Closed,
    ];
}

impl Error {
    /// A mistake of the caller; the message says what to do.
    pub fn config(message: impl Into<String>) -> Self {
        Self::Config { message: message.into() }
    }

    /// Another deploy is under way; the message says what to do.
    pub fn held(message: impl Into<String>) -> Self {
        Self::Held { message: message.into() }
    }

    /// A job on the host failed; the message says why.
    pub fn job(message: impl Into<String>) -> Self {
        Self::Job { message: message.into() }
    }

    /// A temporary file or folder, which is made where the system wants them, cannot be used.
    pub(crate) fn temporary(source: std::io::Error) -> Self {
        Self::Local { path: std::env::temp_dir(), source }
    }

    /// The class of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config { .. } => ErrorKind::Config,
            Self::Held { .. } => ErrorKind::Held,
            Self::Job { .. } => ErrorKind::Job,
            Self::Transport { .. } => ErrorKind::Transport,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Decode { .. } | Self::Undocumented { .. } => ErrorKind::Decode,
            Self::Budget { .. } => ErrorKind::RateLimited,
            Self::Local { .. } => ErrorKind::Local,
            Self::Callback(_) => ErrorKind::Callback,
            Self::WrongType { .. } => ErrorKind::WrongType,
            Self::Closed => ErrorKind::Closed,
            Self::Api { status: 404, recognised: false, .. } => ErrorKind::OtherStatus,
            Self::Api { status, .. } => match status {
                400 => ErrorKind::BadRequest,
                401 => ErrorKind::Authentication,
                403 => ErrorKind::Forbidden,
                404 => ErrorKind::NotFound,
                409 => ErrorKind::Conflict,
                412 => ErrorKind::ConsoleNotStarted,
                429 => ErrorKind::RateLimited,
                500..=599 => ErrorKind::Server,
                _ => ErrorKind::OtherStatus,
            },
        }
    }

    /// The HTTP status, where an answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } | Self::Decode { status, .. } | Self::Undocumented { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The attributes of the exception for this error, as a JSON object: those of [`Error::Api`] (`browser_url` only where
    /// a console was not started), for [`Error::Budget`] those of a 429 that we gave ourselves, none for the rest.
    #[must_use]
    pub fn facts(&self) -> Value {
        match self {
            Self::Api { method, path, status, detail, code, retry_after, browser_url, .. } => {
                let retry_after = retry_after.map(|wait| wait.as_secs_f64());
                let mut facts = json!({
                    "status": status, "method": method, "path": path, "detail": detail, "code": code,
                    "retry_after": retry_after,
                });
                if self.kind() == ErrorKind::ConsoleNotStarted {
                    facts["browser_url"] = json!(browser_url);
                }
                facts
            }
            Self::Budget { endpoint, wait } => json!({
                "status": 429, "path": endpoint, "detail": self.to_string(), "retry_after": wait.as_secs_f64(),
            }),
            _ => json!({}),
        }
    }

    /// Whether it is unknown what the service did: no answer came, or something else answered in its place.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Timeout { .. } | Self::Undocumented { .. } | Self::Closed => true,
            Self::Api { status, .. } => matches!(status, 408 | 502..=504),
            _ => false,
        }
    }

    /// Whether the same question may well be answered a little later: the service, or what is before it, had a moment of
    /// trouble.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Closed => false,
            // What a proxy says of a path says nothing about it.
            Self::Api { status: 404, recognised, .. } => !recognised,
            _ => matches!(self.kind(), ErrorKind::Server | ErrorKind::RateLimited) || self.is_ambiguous(),
        }
    }

    /// Whether the connection failed, so that the request never left.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Transport { source, .. } => {
                source.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect)
            }
            Self::Timeout { phase, .. } => *phase == TimeoutPhase::Connect,
            _ => false,
        }
    }

    /// This error and its causes in one line, each stated once.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and its causes in one line, each stated once.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}
