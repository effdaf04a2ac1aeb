//! The Python environment of a web app, as far as a command on the host must be told, and how long commands may run.

use std::time::Duration;

use bytes::Bytes;

use crate::client::Client;
use crate::error::{ErrorKind, Result};
use crate::host::{Executor, Operation, settings_module, wsgi_file};

/// How long a command may run inside a web app, in seconds, where a request may take 5 minutes.
pub const COMMAND_LIMIT: u64 = 240;

/// How long one may run elsewhere.
const LONG_COMMAND_LIMIT: u64 = 3600;

/// How long a receipt may come later than its command's limit: a scheduled task begins within two minutes.
const RECEIPT_LATER: Duration = Duration::from_secs(6 * 60);

/// How long a command may run where `executor` starts it, in seconds.
pub(crate) fn limit_of(executor: &Executor) -> u64 {
    if matches!(executor, Executor::Webapp(_)) { COMMAND_LIMIT } else { LONG_COMMAND_LIMIT }
}

/// How long to wait for the receipt of a command that `executor` starts.
pub(crate) fn receipt_within(executor: &Executor) -> Duration {
    Duration::from_secs(limit_of(executor)) + RECEIPT_LATER
}

/// What the web app runs with, as far as a command must be told.
#[derive(Debug, Clone, Default)]
pub(crate) struct PythonEnvironment {
    /// Where its packages are, if in a virtualenv.
    virtualenv: Option<String>,
    /// Its version of Python, as `3.13`.
    python: Option<String>,
    /// Its Django settings.
    settings: Option<String>,
    /// How long a command may run, in seconds.
    timeout: u64,
}

impl PythonEnvironment {
    /// That of the web app `domain`. Inside it, the agent knows its Python and its settings; anything else is told what
    /// the web app's record and its WSGI file say.
    pub(crate) async fn of(client: &Client, domain: Option<&str>, executor: &Executor) -> Result<Self> {
        let timeout = limit_of(executor);
        let Some(domain) = domain else { return Ok(Self { timeout, ..Self::default() }) };
        let record = client.webapp(domain).await?;
        let field = |name: &str| record[name].as_str().filter(|value| !value.is_empty()).map(str::to_owned);
        let virtualenv = field("virtualenv_path");
        if matches!(executor, Executor::Webapp(_)) {
            return Ok(Self { virtualenv, timeout, ..Self::default() });
        }
        let wsgi = match client.read_file(&wsgi_file(domain)?).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Bytes::new(),
            wsgi => wsgi?,
        };
        let settings = settings_module(&String::from_utf8_lossy(&wsgi)).map(str::to_owned);
        Ok(Self { virtualenv, python: field("python_version"), settings, timeout })
    }

    /// `manage.py` with these arguments.
    pub(crate) fn manage(&self, args: Vec<String>, manage: Option<String>) -> Operation {
        Operation::Manage {
            args,
            manage: manage.unwrap_or_else(|| "manage.py".to_owned()),
            virtualenv: self.virtualenv.clone(),
            python: self.python.clone(),
            settings: self.settings.clone(),
            timeout: self.timeout,
        }
    }

    pub(crate) fn pip(&self, requirements: String) -> Operation {
        let (virtualenv, python) = (self.virtualenv.clone(), self.python.clone());
        Operation::Pip { requirements, virtualenv, python, timeout: self.timeout }
    }
}
