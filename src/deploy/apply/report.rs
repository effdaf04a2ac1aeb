//! The report: what a deploy did, readable at any moment, also after it was cancelled.

use crate::deploy::diff::model::FileChange;
use crate::deploy::plan::actions::Plan;
use crate::deploy::plan::cost::Estimate;
use crate::deploy::plan::steps::StepReport;
use crate::deploy::selection::git::Revision;
use crate::locks::lock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// What a deploy did so far. Paths are relative to the project.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub struct DeployReport {
    /// Whether everything that was planned is done. False while the deploy works.
    pub ok: bool,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// The id of the deploy, by which the history lists it; `None` if it changed nothing.
    pub id: Option<String>,
    /// The commit that the work tree was at, if git was asked and knows.
    pub commit: Option<String>,
    /// The branch; `None` also if the work tree was at none.
    pub branch: Option<String>,
    /// Whether what was deployed is not all in that commit.
    pub dirty: Option<bool>,
    /// Files uploaded, sorted.
    pub uploaded: Vec<String>,
    /// Files and emptied folders deleted.
    pub deleted: Vec<String>,
    /// What could not be done (a path, or a domain) and why.
    pub failed: BTreeMap<String, String>,
    /// Local files that were left alone.
    pub protected: Vec<String>,
    /// Domains reloaded.
    pub reloaded: Vec<String>,
    /// What to know about.
    pub warnings: Vec<String>,
    /// Why the deploy as a whole stopped early, if it did.
    pub stopped: Option<String>,
    /// Whether it stopped because another deploy is running, or finished since the diff; nothing was changed then.
    pub held: bool,
    /// Requests sent, retries included.
    pub requests: u64,
    /// How long it took, by the clock.
    pub seconds: f64,
    /// What was planned: the requests are those of single uploads, the copies and bytes those of the way that was taken.
    pub plan: Plan,
    /// What did the work on the host; `none` for one request per file.
    pub executor: String,
    /// Why this one.
    pub why: String,
    /// What each way costs.
    pub estimates: Vec<Estimate>,
    /// What was run on the host.
    pub steps: Vec<StepReport>,
    /// What is new in the error log, if the site does not work after the reload.
    pub error_log: Vec<String>,
    /// Whether what was replaced can be put back.
    pub kept_for_rollback: bool,
    /// How many bytes that takes; in a dry run, as far as the manifest knows what is replaced.
    pub rollback_bytes: u64,
    /// Whether the old files were put back, after a failure.
    pub rolled_back: bool,
    /// Whether everything is as it was, after a failure.
    pub untouched: bool,
    /// What the host is at: `bundle`, or a step. For those who interrupt us.
    pub running: Option<String>,
}

impl DeployReport {
    /// The way that was taken, with what it was to cost; `None` if there was nothing to do.
    #[must_use]
    pub fn estimate(&self) -> Option<&Estimate> {
        self.estimates.iter().find(|estimate| estimate.executor == self.executor)
    }

    /// What of the plan was done, or is to be done if it was a dry run: each file with its letter.
    #[must_use]
    pub fn changes(&self) -> Vec<FileChange<'_>> {
        let done: BTreeSet<&str> = self.uploaded.iter().chain(&self.deleted).map(String::as_str).collect();
        let mut changes = self.plan.changes();
        changes.retain(|change| self.dry_run || done.contains(change.path));
        changes
    }

    /// Notes the commit of the local files.
    pub(crate) fn tell_revision(&mut self, revision: Option<&Revision>) {
        if let Some(Revision { commit, branch, dirty }) = revision.cloned() {
            (self.commit, self.branch, self.dirty) = (commit, branch, Some(dirty));
        }
    }

    /// What went wrong, in one text; `None` if nothing did.
    #[must_use]
    pub fn error_message(&self) -> Option<String> {
        let failed = self.failed.iter().map(|(path, reason)| format!("{path}: {reason}"));
        let lines: Vec<String> = self.stopped.iter().cloned().chain(failed).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// Everything as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "ok": self.ok,
            "dry_run": self.dry_run,
            "id": self.id,
            "commit": self.commit,
            "branch": self.branch,
            "dirty": self.dirty,
            "uploaded": self.uploaded,
            "deleted": self.deleted,
            "failed": self.failed,
            "protected": self.protected,
            "reloaded": self.reloaded,
            "warnings": self.warnings,
            "stopped": self.stopped,
            "held": self.held,
            "requests": self.requests,
            "seconds": self.seconds,
            "plan": self.plan.to_json(),
            "executor": self.executor,
            "why": self.why,
            "estimates": self.estimates,
            "steps": self.steps,
            "error_log": self.error_log,
            "kept_for_rollback": self.kept_for_rollback,
            "rollback_bytes": self.rollback_bytes,
            "rolled_back": self.rolled_back,
            "untouched": self.untouched,
        })
    }
}

/// A handle on the report of a deploy. It stays readable when the deploy is dropped half-way.
#[derive(Clone, Default)]
pub struct Recorder {
    report: Arc<Mutex<DeployReport>>,
    requests: Arc<Mutex<Option<Counter>>>,
}

type Counter = Box<dyn Fn() -> (u64, f64) + Send>;

impl Recorder {
    /// The report as it stands.
    #[must_use]
    pub fn report(&self) -> DeployReport {
        let mut report = self.lock().clone();
        report.uploaded.sort_unstable();
        if let Some(counter) = &*self.counter() {
            (report.requests, report.seconds) = counter();
        }
        report
    }

    /// Where requests and seconds are read from, now and later.
    pub(crate) fn count_by(&self, counter: impl Fn() -> (u64, f64) + Send + 'static) {
        *self.counter() = Some(Box::new(counter));
    }

    /// Fixes requests and seconds at what they are now.
    pub(crate) fn close(&self) -> DeployReport {
        let report = self.report();
        *self.counter() = None;
        self.lock().clone_from(&report);
        report
    }

    /// How long the deploy has taken so far.
    pub(crate) fn seconds(&self) -> f64 {
        self.counter().as_ref().map_or_else(|| self.lock().seconds, |counter| counter().1)
    }

    fn counter(&self) -> MutexGuard<'_, Option<Counter>> {
        lock(&self.requests)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, DeployReport> {
        lock(&self.report)
    }

    pub(crate) fn fail(&self, what: &str, reason: impl Into<String>) {
        self.lock().failed.insert(what.to_owned(), reason.into());
    }

    pub(crate) fn warn(&self, warning: impl Into<String>) {
        self.lock().warnings.push(warning.into());
    }
}
