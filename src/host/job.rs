//! Jobs for the runner on the host, and the receipts that it leaves.
//!
//! A job is JSON, either sent to the agent in a signed request or uploaded as `job.json` beside the runner. What came of
//! it is never read from a terminal or from the site's answer, only from the receipt, through the API. The shapes are
//! those that the runner reads and writes: its modules `entry` and `job`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bundle::Part;
use crate::error::Error;

/// How many seconds after a job was made the runner still begins it.
pub const LIFETIME: u64 = 30 * 60;

/// Something to be done on the host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    format: u32,
    /// Names the job, its work folder and its receipt: 16 hexadecimal digits.
    pub id: String,
    /// When it was made, in seconds since 1970 by the service's clock.
    pub created: u64,
    /// The project's folder.
    pub root: String,
    /// What to do.
    #[serde(flatten)]
    pub operation: Operation,
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "the fields say it; paths are relative to the project, sizes in bytes, times in seconds"
)]
pub enum Operation {
    /// Put the files of a bundle in their places, as its plan says.
    Apply { parts: Vec<Part>, bytes: u64, generation: u64, rollback: Retention },
    /// Put back what the deploy `target` replaced.
    Rollback { target: String, generation: u64, rollback: Retention },
    /// Hash everything.
    Hash { prune: Vec<String> },
    /// Pack files for download.
    Archive { include: Vec<String>, exclude: Vec<String>, prune: Vec<String> },
    /// Run `manage.py`.
    Manage {
        args: Vec<String>,
        manage: String,
        virtualenv: Option<String>,
        python: Option<String>,
        settings: Option<String>,
        timeout: u64,
    },
    /// Install requirements.
    Pip { requirements: String, virtualenv: Option<String>, python: Option<String>, timeout: u64 },
    /// Run any command; the agent refuses it.
    Run { command: Vec<String>, folder: String, timeout: u64 },
}

/// How much is kept of what a deploy replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// So many deploys.
    pub versions: u32,
    /// At most so many bytes each; a deploy that replaces more keeps nothing.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { versions: 1, bytes: 50 << 20 }
    }
}

impl Job {
    /// A job made at `created` by the service's clock.
    #[must_use]
    pub fn new(id: &str, created: u64, root: &str, operation: Operation) -> Self {
        Self { format: 1, id: id.to_owned(), created, root: root.to_owned(), operation }
    }
}

impl Operation {
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
            Self::Run { .. } => "run",
        }
    }

    /// How long it may take on the host if it is one command, in seconds.
    #[must_use]
    pub fn timeout(&self) -> Option<u64> {
        match self {
            Self::Manage { timeout, .. } | Self::Pip { timeout, .. } | Self::Run { timeout, .. } => Some(*timeout),
            _ => None,
        }
    }
}

/// What came of a job. Fields of later versions are ignored.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Receipt {
    /// The job's.
    pub id: String,
    /// The job's.
    pub operation: String,
    /// How far it is.
    pub state: State,
    /// Of the command, where there is one; else 0 or 1.
    pub exit_status: Option<i32>,
    /// In how many steps it came so far.
    #[serde(default)]
    pub steps: u32,
    /// What the command printed, or what the runner has to say.
    #[serde(default)]
    pub output: String,
    /// Whether the middle of the output is missing.
    #[serde(default)]
    pub truncated: bool,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<Failure>,
    /// What it found or did; the shape depends on the operation.
    #[serde(default)]
    pub result: Value,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A step of it is done, another one is due.
    Running,
    /// It did what it should.
    Done,
    /// It did not.
    Failed,
    /// It was not begun.
    Refused,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// One of the runner's words, as `space`, `digest`, `not_current`.
    pub kind: String,
    /// For people.
    pub message: String,
}

/// What an apply or a rollback did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Applied {
    /// How many files it wrote.
    pub written: u64,
    /// Which it deleted.
    pub deleted: Vec<String>,
    /// Which it could not delete, and why.
    pub not_deleted: BTreeMap<String, String>,
    /// Whether what it replaced can be put back.
    pub kept_for_rollback: bool,
    /// How many bytes that is, kept or not.
    pub rollback_bytes: u64,
    /// Files that were other than the deploy left them when a rollback put the old ones back.
    pub overwritten: Vec<String>,
    /// Whether it failed and put everything back.
    pub undone: bool,
}

impl Receipt {
    /// Whether no further step is due.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state != State::Running
    }

    /// Whether it was not begun because another command is at work.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.state == State::Refused && self.error.as_ref().is_some_and(|error| error.kind == "busy")
    }

    /// Whether it did what it should.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.state == State::Done && self.exit_status == Some(0)
    }

    /// Why it did not, for people.
    #[must_use]
    pub fn reason(&self) -> String {
        match (&self.error, self.exit_status) {
            (Some(error), _) => error.message.clone(),
            (None, Some(status)) => format!("{} ended with exit status {status}", self.operation),
            (None, None) => format!("{} did not end", self.operation),
        }
    }

    /// What this is for a caller who needed it done.
    #[must_use]
    pub fn to_error(&self) -> Error {
        let kind = self.error.as_ref().map_or("", |error| error.kind.as_str());
        match (self.state, kind) {
            (State::Refused, "not_current" | "not_latest" | "busy") => Error::held(self.reason()),
            (State::Refused, "missing" | "interpreter") => Error::config(self.reason()),
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
    }

    #[test]
    fn a_receipt_says_why() {
        let receipt = |value: Value| -> Receipt { serde_json::from_value(value).unwrap() };
        let running =
            receipt(json!({"id": "1", "operation": "hash", "state": "running", "exit_status": null, "new": 1}));
        assert!(!running.is_over() && !running.is_ok());
        let failed = receipt(json!({"id": "1", "operation": "manage", "state": "failed", "exit_status": 3}));
        assert_eq!(failed.reason(), "manage ended with exit status 3");
        let refused = receipt(json!({"id": "1", "operation": "apply", "state": "refused", "exit_status": 1,
            "error": {"kind": "stale", "message": "too old"}, "result": {"undone": true}}));
        assert_eq!((refused.reason().as_str(), refused.applied().undone), ("too old", true));
    }
}
