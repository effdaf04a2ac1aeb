//! Diff, report and progress events of deploys as Python values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use serde_json::json;

use super::convert::{Json, json_to_py};
use super::errors::exception;
use crate::deploy;

/// How a local project differs from the host. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen)]
pub(super) struct DeployDiff {
    pub(super) diff: deploy::DeployDiff,
    pub(super) local_root: PathBuf,
    /// The skipper it was made with, for when the listing has to be completed.
    pub(super) skip: Option<Arc<Py<PyAny>>>,
}

#[pymethods]
impl DeployDiff {
    #[getter]
    fn added(&self) -> Vec<String> {
        self.diff.added.clone()
    }

    #[getter]
    fn changed(&self) -> Vec<String> {
        self.diff.changed.clone()
    }

    #[getter]
    fn removed(&self) -> Vec<String> {
        self.diff.removed.clone()
    }

    #[getter]
    fn left(&self) -> Vec<String> {
        self.diff.left.clone()
    }

    #[getter]
    fn unchanged(&self) -> Vec<String> {
        self.diff.unchanged.clone()
    }

    #[getter]
    fn unmanaged(&self) -> Vec<String> {
        self.diff.unmanaged.clone()
    }

    #[getter]
    fn protected(&self) -> Vec<String> {
        self.diff.protected.clone()
    }

    #[getter]
    fn skipped(&self) -> BTreeMap<String, String> {
        self.diff.skipped.clone()
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.diff.warnings.clone()
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

/// What a deploy did. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen)]
#[allow(clippy::struct_excessive_bools, reason = "as in `deploy::DeployReport`")]
pub(super) struct DeployReport {
    /// The core's, for what is not an attribute.
    report: deploy::DeployReport,
    #[pyo3(get)]
    ok: bool,
    #[pyo3(get)]
    dry_run: bool,
    #[pyo3(get)]
    uploaded: Vec<String>,
    #[pyo3(get)]
    deleted: Vec<String>,
    #[pyo3(get)]
    failed: BTreeMap<String, String>,
    #[pyo3(get)]
    protected: Vec<String>,
    #[pyo3(get)]
    reloaded: Vec<String>,
    #[pyo3(get)]
    warnings: Vec<String>,
    #[pyo3(get)]
    stopped: Option<String>,
    #[pyo3(get)]
    executor: String,
    #[pyo3(get)]
    why: String,
    #[pyo3(get)]
    estimates: Json,
    #[pyo3(get)]
    steps: Json,
    #[pyo3(get)]
    error_log: Vec<String>,
    #[pyo3(get)]
    kept_for_rollback: bool,
    #[pyo3(get)]
    rolled_back: bool,
    #[pyo3(get)]
    untouched: bool,
    #[pyo3(get)]
    requests: u64,
    #[pyo3(get)]
    seconds: f64,
    #[pyo3(get)]
    plan: Json,
}

fn sorted(paths: &[String]) -> Vec<String> {
    let mut paths = paths.to_vec();
    paths.sort_unstable();
    paths
}

impl From<deploy::DeployReport> for DeployReport {
    fn from(report: deploy::DeployReport) -> Self {
        Self {
            ok: report.ok,
            dry_run: report.dry_run,
            uploaded: sorted(&report.uploaded),
            deleted: sorted(&report.deleted),
            failed: report.failed.clone(),
            protected: report.protected.clone(),
            reloaded: report.reloaded.clone(),
            warnings: report.warnings.clone(),
            stopped: report.stopped.clone(),
            executor: report.executor.clone(),
            why: report.why.clone(),
            estimates: Json(json!(report.estimates)),
            steps: Json(json!(report.steps)),
            error_log: report.error_log.clone(),
            kept_for_rollback: report.kept_for_rollback,
            rolled_back: report.rolled_back,
            untouched: report.untouched,
            requests: report.requests,
            seconds: report.seconds,
            plan: Json(report.plan.to_json()),
            report,
        }
    }
}

#[pymethods]
impl DeployReport {
    fn to_json(&self) -> String {
        self.report.to_json().to_string()
    }

    fn raise_for_failures(&self, py: Python<'_>) -> PyResult<()> {
        let failure = self.report.error_message();
        failure.map_or(Ok(()), |text| Err(exception(py, "PythonAnywhereError", (text,))))
    }

    fn __bool__(&self) -> bool {
        self.ok
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

/// An event during a deploy; one class for each kind. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen)]
#[allow(missing_docs, reason = "as in `deploy::ProgressEvent`")]
pub(super) enum ProgressEvent {
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

impl From<deploy::ProgressEvent> for ProgressEvent {
    fn from(event: deploy::ProgressEvent) -> Self {
        use deploy::ProgressEvent as Event;
        match event {
            Event::Planned { uploads, deletes, bytes, requests, seconds } => {
                Self::Planned { uploads, deletes, bytes, requests, seconds }
            }
            Event::Started { path, size } => Self::Started { path, size },
            Event::Bytes { path, sent, size } => Self::Bytes { path, sent, size },
            Event::Done { path } => Self::Done { path },
            Event::Failed { path, reason } => Self::Failed { path, reason },
            Event::Deleted { path } => Self::Deleted { path },
            Event::Waiting { endpoint, seconds } => Self::Waiting { endpoint, seconds },
            Event::Resumed { endpoint } => Self::Resumed { endpoint },
            Event::Working { executor } => Self::Working { executor },
            Event::Running { step } => Self::Running { step },
            Event::Reloading { domain } => Self::Reloading { domain },
            Event::Reloaded { domain } => Self::Reloaded { domain },
        }
    }
}
