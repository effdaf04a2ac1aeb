//! Diff, report and progress events of deploys as Python values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use serde_json::json;

use super::convert::{Json, json_to_py};
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

/// The methods of diffs: the lists of paths, which are attributes by the same name, and the rest as it is.
macro_rules! diff_methods {
    ($($list:ident),*; $($rest:tt)*) => {
        #[pymethods]
        impl DeployDiff {
            $(
                #[getter]
                fn $list(&self) -> Vec<String> {
                    self.diff.$list.clone()
                }
            )*

            $($rest)*
        }
    };
}

diff_methods! {
    added, changed, removed, left, unchanged, unmanaged, protected, warnings;

    #[getter]
    fn renamed(&self) -> BTreeMap<String, String> {
        self.diff.renamed.clone()
    }

    #[getter]
    fn skipped(&self) -> BTreeMap<String, String> {
        self.diff.skipped.clone()
    }

    #[getter]
    fn compare(&self) -> &'static str {
        self.diff.compare.as_str()
    }

    #[getter]
    fn plan<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &self.diff.plan().to_json())
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
    #[allow(clippy::struct_excessive_bools, reason = "as in `deploy::DeployReport`")]
    DeployReport of deploy::DeployReport, report => {
        ok: bool = report.ok,
        dry_run: bool = report.dry_run,
        id: Option<String> = report.id.clone(),
        commit: Option<String> = report.commit.clone(),
        branch: Option<String> = report.branch.clone(),
        dirty: Option<bool> = report.dirty,
        uploaded: Vec<String> = sorted(&report.uploaded),
        deleted: Vec<String> = sorted(&report.deleted),
        failed: BTreeMap<String, String> = report.failed.clone(),
        protected: Vec<String> = report.protected.clone(),
        reloaded: Vec<String> = report.reloaded.clone(),
        warnings: Vec<String> = report.warnings.clone(),
        stopped: Option<String> = report.stopped.clone(),
        executor: String = report.executor.clone(),
        why: String = report.why.clone(),
        estimates: Json = Json(json!(report.estimates)),
        steps: Json = Json(json!(report.steps)),
        error_log: Vec<String> = report.error_log.clone(),
        kept_for_rollback: bool = report.kept_for_rollback,
        rollback_bytes: u64 = report.rollback_bytes,
        rolled_back: bool = report.rolled_back,
        untouched: bool = report.untouched,
        requests: u64 = report.requests,
        seconds: f64 = report.seconds,
        plan: Json = Json(report.plan.to_json()),
    }

    fn __repr__(&self) -> String {
        format!(
            "<DeployReport: {}, {} uploaded, {} deleted, {} failed, {} requests>",
            if self.ok { "ok" } else { "not ok" },
            self.uploaded.len(),
            self.deleted.len(),
            self.failed.len(),
            self.requests
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
