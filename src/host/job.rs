//! Jobs for the runner on the host, and the receipts that it writes.
//!
//! A job is JSON, either sent to the agent in a signed request or uploaded as `job.json` beside the runner. Its outcome
//! is never read from a terminal or a page, but only from the receipt: through the API, or in an answer that the agent
//! signed. Both are read and written by the runner's modules `entry` and `job`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bundle::Part;
use super::variables::Variables;
use crate::error::Error;
use crate::text::cut;

/// The longest reason of a failure that is told, in characters: a traceback fits.
const REASON: usize = 4000;

/// What to do about a disk that is full.
pub const FREE_SPACE: &str = "Delete what the account does not need, such as what is in ~/.cache, and try again";

/// For how many seconds after its creation the runner starts a job.
pub const LIFETIME: u64 = 30 * 60;

/// Something to do on the host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    format: u32,
    /// 16 hexadecimal digits, which name the job, its work folder and its receipt.
    pub id: String,
    /// When it was created, in seconds since 1970 by the service's clock.
    pub created: u64,
    /// The project's folder.
    pub root: String,
    /// What to do.
    #[serde(flatten)]
    pub operation: Operation,
    /// The variables of a command. The job only says that there are some: they go in a file of their own.
    #[serde(skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "the fields say it; paths are relative to the project, sizes in bytes, times in seconds"
)]
pub enum Operation {
    /// Put the files of a bundle in place, as its plan says.
    Apply {
        parts: Vec<Part>,
        bytes: u64,
        /// What the host copies besides.
        copies: u64,
        generation: u64,
        /// What it turned out not to have.
        #[serde(skip_serializing_if = "Option::is_none")]
        more: Option<More>,
    },
    /// Restore what the deploy `target` replaced.
    Rollback {
        target: String,
        generation: u64,
        /// What the new manifest's history says beside that of the newest one; the last entry is the rollback.
        history: Vec<Value>,
    },
    /// Hash all files.
    Hash { prune: Vec<String> },
    /// Pack files for download.
    Archive { include: Vec<String>, exclude: Vec<String>, prune: Vec<String> },
    /// Run `manage.py`. The agent knows the web app's folder and module search path better than we do.
    Manage {
        args: Vec<String>,
        manage: String,
        #[serde(flatten)]
        environment: JobEnvironment,
        timeout: u64,
    },
    /// Install requirements.
    Pip { requirements: String, virtualenv: Option<String>, python: Option<String>, timeout: u64 },
    /// Make a virtualenv in `~/.virtualenvs`, unless it is there.
    Venv { name: String, python: String },
    /// Import the Django settings and return those that decide how the project is served. None of them is a secret.
    Inspect {
        manage: String,
        #[serde(flatten)]
        environment: JobEnvironment,
        timeout: u64,
    },
    /// Install requirements in a virtualenv, unless they are installed, in steps that each end before the request limit.
    Requirements { requirements: String, virtualenv: String, timeout: u64 },
    /// Change the variables of a web app. The values of those in `set` are the job's own variables.
    Variables { domain: String, set: BTreeSet<String>, unset: BTreeSet<String> },
    /// Run any command; the agent refuses this.
    Run { command: Vec<String>, folder: String, timeout: u64 },
}

/// What a job that runs the project's code is told of the web app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JobEnvironment {
    /// Where its packages are, if in a virtualenv.
    pub virtualenv: Option<String>,
    /// Its version of Python, as `3.13`.
    pub python: Option<String>,
    /// Its Django settings, or those that were asked for.
    pub settings: Option<String>,
    /// Where it looks for modules, by its WSGI file.
    pub path: Vec<String>,
    /// Its working folder.
    pub folder: Option<String>,
    /// Its domain, by which the job finds the variables that it keeps.
    pub domain: Option<String>,
    /// Which of the variables that are sent with the job the web app's own win over.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub defaults: BTreeSet<String>,
}

/// A second bundle, without a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as in `Operation`")]
pub struct More {
    pub parts: Vec<Part>,
    pub bytes: u64,
}

impl Job {
    /// A job created at `created` by the service's clock.
    #[must_use]
    pub fn new(id: &str, created: u64, root: &str, operation: Operation) -> Self {
        let variables = Variables::default();
        Self { format: 1, id: id.to_owned(), created, root: root.to_owned(), operation, variables }
    }

    /// The same with variables, if it is a command.
    #[must_use]
    pub fn with_variables(self, variables: Variables) -> Self {
        Self { variables, ..self }
    }
}

impl Operation {
    /// Whether this receipt was written before the job got what it lacked, and says nothing of how it went on.
    pub(super) fn outdates(&self, receipt: &Receipt) -> bool {
        receipt.state == State::Incomplete && matches!(self, Self::Apply { more: Some(_), .. })
    }

    /// The name by which runner and agent know it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "apply",
            Self::Rollback { .. } => "rollback",
            Self::Hash { .. } => "hash",
            Self::Archive { .. } => "archive",
            Self::Manage { .. } => "manage",
            Self::Pip { .. } => "pip",
            Self::Venv { .. } => "venv",
            Self::Inspect { .. } => "inspect",
            Self::Requirements { .. } => "requirements",
            Self::Variables { .. } => "variables",
            Self::Run { .. } => "run",
        }
    }

    /// The time limit on the host, in seconds, if it is a command, which is never started twice.
    #[must_use]
    pub fn timeout(&self) -> Option<u64> {
        match self {
            Self::Manage { timeout, .. } | Self::Pip { timeout, .. } | Self::Run { timeout, .. } => Some(*timeout),
            _ => None,
        }
    }

    /// Whether it runs a program that is ended when nobody waits for it any more.
    #[must_use]
    pub(super) fn is_ended_by_note(&self) -> bool {
        let is_resumed = matches!(self, Self::Venv { .. } | Self::Inspect { .. } | Self::Requirements { .. });
        is_resumed || self.timeout().is_some()
    }
}

/// The outcome of a job. Fields of later versions are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Receipt {
    /// The job's id.
    pub id: String,
    /// The job's operation.
    pub operation: String,
    /// How far the job is.
    pub state: State,
    /// The exit status of the command, if there is one; else 0 or 1.
    pub exit_status: Option<i32>,
    /// How many steps it took so far.
    #[serde(default)]
    pub steps: u32,
    /// What the command printed, or messages of the runner.
    #[serde(default)]
    pub output: String,
    /// Whether the middle of the output is missing.
    #[serde(default)]
    pub truncated: bool,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<Failure>,
    /// What the job found or did; its form depends on the operation.
    #[serde(default)]
    pub result: Value,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A step is done, and another one is due.
    Running,
    /// It goes on once it is sent what is missing.
    Incomplete,
    /// It succeeded.
    Done,
    /// It failed.
    Failed,
    /// It was not started.
    Refused,
    /// It is a command that was ended, or not started, since nobody waits for it any more.
    Cancelled,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// One of the runner's kinds of error, such as `space`, `digest`, `not_current`.
    pub kind: String,
    /// Human-readable.
    pub message: String,
}

/// What an apply or a rollback did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Applied {
    /// How many files were written.
    pub written: u64,
    /// Which files were deleted.
    pub deleted: Vec<String>,
    /// Which files could not be deleted, and why.
    pub not_deleted: BTreeMap<String, String>,
    /// Whether what was replaced can be restored.
    pub kept_for_rollback: bool,
    /// The size of that in bytes.
    pub rollback_bytes: u64,
    /// Migrations that ran in the deploy that a rollback undid, and since.
    pub migrations: Vec<String>,
    /// Files that a rollback replaced although they had been changed after the deploy.
    pub overwritten: Vec<String>,
    /// The folder with what was in those, where there was no room to keep it for a rollback.
    pub left_in: String,
    /// Whether it failed and everything was restored.
    pub undone: bool,
    /// Files that could not be copied on the host: nothing is changed until they are sent.
    pub missing: Vec<String>,
}

/// A virtualenv on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VenvResult {
    /// Its folder, as the API names it.
    pub path: String,
    /// Its version of Python, as `3.13`.
    pub python: String,
    /// Whether it was made now.
    pub created: bool,
}

/// The Django settings that decide how a project is served, and nothing else of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InspectResult {
    /// The settings module.
    pub settings: String,
    /// The version of Django.
    pub django: String,
    /// `DEBUG`.
    pub debug: bool,
    /// `ALLOWED_HOSTS`.
    pub allowed_hosts: Vec<String>,
    /// `CSRF_TRUSTED_ORIGINS`.
    pub csrf_trusted_origins: Vec<String>,
    /// `STATIC_URL`.
    pub static_url: Option<String>,
    /// `STATIC_ROOT`, as a path of the API if it is in the account's home folder.
    pub static_root: Option<String>,
    /// `MEDIA_URL`.
    pub media_url: Option<String>,
    /// `MEDIA_ROOT`, likewise.
    pub media_root: Option<String>,
    /// The engine of each of the `DATABASES`.
    pub engines: Vec<String>,
    /// The relative paths of `SQLite` databases: in another working folder they name other files.
    pub relative_databases: Vec<String>,
    /// Whether there is a `SECRET_KEY`.
    pub has_secret_key: bool,
    /// `WSGI_APPLICATION`.
    pub wsgi_application: Option<String>,
}

/// What an installation of requirements did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequirementsResult {
    /// Whether anything was installed: not where the virtualenv has what the file says already.
    pub installed: bool,
    /// How many packages were unpacked or built for it.
    pub packages: usize,
    /// How many requests to the site it took.
    pub rounds: u32,
    /// Why it was done by one call of pip, if it was.
    pub in_one_go: Option<String>,
}

impl Receipt {
    /// Whether no further step is due.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state != State::Running
    }

    /// Whether it was refused because another command is running.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.state == State::Refused && self.error.as_ref().is_some_and(|error| error.kind == "busy")
    }

    /// Whether it succeeded.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.state == State::Done && self.exit_status == Some(0)
    }

    /// Why it failed; human-readable.
    #[must_use]
    pub fn reason(&self) -> String {
        match (&self.error, self.exit_status) {
            (Some(error), _) => cut(&error.message, REASON).into_owned(),
            (None, Some(status)) => format!("{} exited with status {status}", self.operation),
            (None, None) => format!("{} did not finish", self.operation),
        }
    }

    /// The error for a caller who needed the job to succeed.
    #[must_use]
    pub fn to_error(&self) -> Error {
        let kind = self.error.as_ref().map_or("", |error| error.kind.as_str());
        match (self.state, kind) {
            (State::Refused, "not_current" | "not_latest" | "busy") => Error::held(self.reason()),
            (State::Refused, "missing" | "interpreter" | "too_long") => Error::config(self.reason()),
            (_, "space") => Error::job(format!("{}. {FREE_SPACE}", self.reason())),
            _ => Error::job(self.reason()),
        }
    }

    /// What an apply or a rollback did.
    #[must_use]
    pub fn applied(&self) -> Applied {
        serde_json::from_value(self.result.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_is_what_the_runner_reads() {
        let operation = Operation::Run { command: vec!["ls".into()], folder: String::new(), timeout: 60 };
        let job = serde_json::to_value(Job::new("00ff", 5, "/home/u/p", operation)).unwrap();
        let expected = json!({"format": 1, "id": "00ff", "created": 5, "root": "/home/u/p", "operation": "run",
            "command": ["ls"], "folder": "", "timeout": 60});
        assert_eq!(job, expected);
        let operation = Operation::Run { command: vec!["ls".into()], folder: String::new(), timeout: 60 };
        let variables = Variables::new([("PASSWORD".to_owned(), "s3cret".to_owned())]).unwrap();
        let job = serde_json::to_value(Job::new("00ff", 5, "/home/u/p", operation).with_variables(variables)).unwrap();
        assert_eq!(job["variables"], true);
        assert!(!job.to_string().contains("s3cret"));
    }

    #[test]
    fn a_receipt_says_why() {
        let receipt = |value: Value| -> Receipt { serde_json::from_value(value).unwrap() };
        let running =
            receipt(json!({"id": "1", "operation": "hash", "state": "running", "exit_status": null, "new": 1}));
        assert!(!running.is_over() && !running.is_ok());
        let failed = receipt(json!({"id": "1", "operation": "manage", "state": "failed", "exit_status": 3}));
        assert_eq!(failed.reason(), "manage exited with status 3");
        let refused = receipt(json!({"id": "1", "operation": "apply", "state": "refused", "exit_status": 1,
            "error": {"kind": "stale", "message": "too old"}, "result": {"undone": true}}));
        assert_eq!((refused.reason().as_str(), refused.applied().undone), ("too old", true));
    }
}
