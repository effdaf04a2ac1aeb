//! What an examination finds: for each thing that it looks at, how it is, and what mends it.

use std::fmt;

use serde_json::{Value, json};

/// What is looked at, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The options and the table in `pyproject.toml`.
    Configuration,
    /// Whether the service can be reached, and is the right one of its two systems.
    Host,
    /// The proxy on the way to it.
    Proxy,
    /// The API token.
    Token,
    /// This machine's clock.
    Clock,
    /// The web app's domain.
    Domain,
    /// The web app.
    WebApp,
    /// How long it will be served.
    Expiry,
    /// Its WSGI file.
    WsgiFile,
    /// Its virtualenv, and the Python in it.
    Virtualenv,
    /// The agent in it.
    Agent,
    /// The Django settings module.
    Settings,
    /// `ALLOWED_HOSTS`.
    AllowedHosts,
    /// `DEBUG`.
    Debug,
    /// `SECRET_KEY`.
    SecretKey,
    /// Whether each of the `DATABASES` is the same one everywhere.
    Databases,
    /// `STATIC_ROOT`, and the mapping that serves it.
    StaticFiles,
    /// `MEDIA_ROOT`, likewise.
    MediaFiles,
    /// Whether the disk takes another file.
    Disk,
    /// The page at `/`, as a visitor sees it.
    Page,
    /// The last exception in the site's error log.
    ErrorLog,
}

impl Check {
    /// Its name, as reports spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Host => "host",
            Self::Proxy => "proxy",
            Self::Token => "token",
            Self::Clock => "clock",
            Self::Domain => "domain",
            Self::WebApp => "web app",
            Self::Expiry => "expiry",
            Self::WsgiFile => "WSGI file",
            Self::Virtualenv => "virtualenv",
            Self::Agent => "agent",
            Self::Settings => "settings",
            Self::AllowedHosts => "ALLOWED_HOSTS",
            Self::Debug => "DEBUG",
            Self::SecretKey => "SECRET_KEY",
            Self::Databases => "DATABASES",
            Self::StaticFiles => "static files",
            Self::MediaFiles => "media files",
            Self::Disk => "disk",
            Self::Page => "page",
            Self::ErrorLog => "error log",
        }
    }
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Ok,
    /// It works, or could not be looked at.
    Warning,
    /// Something does not work because of it.
    Error,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it is.
    pub health: Health,
    /// What was found, and what has to be changed by hand.
    pub message: String,
    /// The command that mends it, or that brings what was changed by hand to the host.
    pub command: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(check: Check, message: impl Into<String>) -> Self {
        Self { check, health: Health::Ok, message: message.into(), command: None }
    }

    /// Something works, but will not for long, or is not as one would want it.
    pub fn warning(check: Check, message: impl Into<String>, command: impl Into<String>) -> Self {
        Self { check, health: Health::Warning, message: message.into(), command: Some(command.into()) }
    }

    /// Something does not work.
    pub fn error(check: Check, message: impl Into<String>, command: impl Into<String>) -> Self {
        Self { check, health: Health::Error, message: message.into(), command: Some(command.into()) }
    }
}

impl Finding {
    fn document(&self) -> Value {
        let (check, state) = (self.check.name(), self.health.to_string());
        json!({ "check": check, "state": state, "message": self.message, "command": self.command })
    }
}

/// All that was found, in the order in which it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// One for each thing.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// How many things are like this.
    #[must_use]
    pub fn count(&self, health: Health) -> usize {
        self.findings.iter().filter(|finding| finding.health == health).count()
    }

    /// As it is printed with `--json`, and returned in Python.
    #[must_use]
    pub fn document(&self) -> Value {
        let (errors, warnings) = (self.count(Health::Error), self.count(Health::Warning));
        let checks: Vec<Value> = self.findings.iter().map(Finding::document).collect();
        json!({ "ok": errors == 0, "errors": errors, "warnings": warnings, "checks": checks })
    }
}
