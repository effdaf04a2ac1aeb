//! Diff, report and progress events of deploys as Python values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use serde_json::json;

use super::class_body::class_body;
use super::convert::Json;
use super::report::report_class;
use crate::deploy;

/// How a local project differs from the host. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen)]
pub(super) struct DeployDiff {
    pub(super) diff: deploy::DeployDiff,
    pub(super) local_root: PathBuf,
    /// The skipper it was made with, for when the listing has to be completed.
    pub(super) skip: Option<Arc<Py<PyAny>>>,
}

class_body! {
    DeployDiff, this => {
        added: &[String] = &this.diff.added,
        changed: &[String] = &this.diff.changed,
        removed: &[String] = &this.diff.removed,
        renamed: &BTreeMap<String, String> = &this.diff.renamed,
        unchanged: &[String] = &this.diff.unchanged,
        left: &[String] = &this.diff.left,
        unmanaged: &[String] = &this.diff.unmanaged,
        protected: &[String] = &this.diff.protected,
        skipped: &BTreeMap<String, String> = &this.diff.skipped,
        warnings: &[String] = &this.diff.warnings,
        compare: &'static str = this.diff.compare.as_str(),
        plan: Json = Json(this.diff.plan().to_json()),
    }

    fn is_clean(&self) -> bool {
        self.diff.is_clean()
    }

    fn to_json(&self) -> String {
        self.diff.to_json().to_string()
    }

    fn __str__(&self) -> String {
        self.diff.to_string()
    }

    fn __repr__(&self) -> String {
        let diff = &self.diff;
        format!(
            "<DeployDiff: {} added, {} changed, {} removed, {} unchanged>",
            diff.added.len(),
            diff.changed.len(),
            diff.removed.len(),
            diff.unchanged.len()
        )
    }
}

report_class! {
    /// What a deploy did. Documented in `_core.pyi`.
    DeployReport of deploy::DeployReport, this => {
        ok: bool = this.0.ok,
        dry_run: bool = this.0.dry_run,
        id: Option<&str> = this.0.id.as_deref(),
        commit: Option<&str> = this.0.commit.as_deref(),
        branch: Option<&str> = this.0.branch.as_deref(),
        dirty: Option<bool> = this.0.dirty,
        uploaded: Vec<String> = sorted(&this.0.uploaded),
        deleted: Vec<String> = sorted(&this.0.deleted),
        failed: &BTreeMap<String, String> = &this.0.failed,
        protected: &[String] = &this.0.protected,
        reloaded: &[String] = &this.0.reloaded,
        warnings: &[String] = &this.0.warnings,
        stopped: Option<&str> = this.0.stopped.as_deref(),
        executor: &str = &this.0.executor,
        why: &str = &this.0.why,
        estimates: Json = Json(json!(this.0.estimates)),
        steps: Json = Json(json!(this.0.steps)),
        error_log: &[String] = &this.0.error_log,
        kept_for_rollback: bool = this.0.kept_for_rollback,
        rollback_bytes: u64 = this.0.rollback_bytes,
        rolled_back: bool = this.0.rolled_back,
        untouched: bool = this.0.untouched,
        requests: u64 = this.0.requests,
        seconds: f64 = this.0.seconds,
        plan: Json = Json(this.0.plan.to_json()),
    }

    fn __repr__(&self) -> String {
        format!(
            "<DeployReport: {}, {} uploaded, {} deleted, {} failed, {} requests>",
            if self.0.ok { "ok" } else { "not ok" },
            self.0.uploaded.len(),
            self.0.deleted.len(),
            self.0.failed.len(),
            self.0.requests
        )
    }
}

fn sorted(paths: &[String]) -> Vec<String> {
    let mut paths = paths.to_vec();
    paths.sort_unstable();
    paths
}

/// The class of events: each kind once, as in `deploy::ProgressEvent`.
macro_rules! event_class {
    ($($kind:ident { $($field:ident: $type:ty),* },)*) => {
        /// An event during a deploy; one class for each kind. Documented in `_core.pyi`.
        #[pyclass(module = "pythonanywhere_api", frozen)]
        #[allow(missing_docs, reason = "as in `deploy::ProgressEvent`")]
        pub(super) enum ProgressEvent {
            $($kind { $($field: $type),* },)*
        }

        impl From<deploy::ProgressEvent> for ProgressEvent {
            fn from(event: deploy::ProgressEvent) -> Self {
                match event {
                    $(deploy::ProgressEvent::$kind { $($field),* } => Self::$kind { $($field),* },)*
                }
            }
        }
    };
}

event_class! {
    Planned { uploads: usize, deletes: usize, bytes: u64, requests: usize, seconds: f64 },
    Started { path: String, size: u64 },
    Bytes { path: String, sent: u64, size: u64 },
    Done { path: String },
    Failed { path: String, reason: String },
    Deleted { path: String },
    Waiting { endpoint: String, seconds: f64 },
    Resumed { endpoint: String },
    Working { executor: String },
    Running { step: String },
    Reloading { domain: String },
    Reloaded { domain: String },
}
