//! What deploys give and tell: diff, report and progress events as Python values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;

use super::convert::json_to_py;
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
        json_to_py(py, &self.diff.plan.to_json())
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
pub(super) struct DeployReport(pub deploy::DeployReport);

fn sorted(paths: &[String]) -> Vec<String> {
    let mut paths = paths.to_vec();
    paths.sort_unstable();
    paths
}

#[pymethods]
impl DeployReport {
    #[getter]
    fn ok(&self) -> bool {
        self.0.ok
    }

    #[getter]
    fn dry_run(&self) -> bool {
        self.0.dry_run
    }

    #[getter]
    fn uploaded(&self) -> Vec<String> {
        sorted(&self.0.uploaded)
    }

    #[getter]
    fn deleted(&self) -> Vec<String> {
        sorted(&self.0.deleted)
    }

    #[getter]
    fn failed(&self) -> BTreeMap<String, String> {
        self.0.failed.clone()
    }

    #[getter]
    fn protected(&self) -> Vec<String> {
        self.0.protected.clone()
    }

    #[getter]
    fn reloaded(&self) -> Vec<String> {
        self.0.reloaded.clone()
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.0.warnings.clone()
    }

    #[getter]
    fn stopped(&self) -> Option<String> {
        self.0.stopped.clone()
    }

    #[getter]
    fn executor(&self) -> &str {
        &self.0.executor
    }

    #[getter]
    fn why(&self) -> &str {
        &self.0.why
    }

    #[getter]
    fn ways<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &serde_json::json!(self.0.ways))
    }

    #[getter]
    fn steps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &serde_json::json!(self.0.steps))
    }

    #[getter]
    fn error_log(&self) -> Vec<String> {
        self.0.error_log.clone()
    }

    #[getter]
    fn kept_for_rollback(&self) -> bool {
        self.0.kept_for_rollback
    }

    #[getter]
    fn rolled_back(&self) -> bool {
        self.0.rolled_back
    }

    #[getter]
    fn untouched(&self) -> bool {
        self.0.untouched
    }

    #[getter]
    fn requests(&self) -> u64 {
        self.0.requests
    }

    #[getter]
    fn seconds(&self) -> f64 {
        self.0.seconds
    }

    #[getter]
    fn plan<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &self.0.plan.to_json())
    }

    fn to_json(&self) -> String {
        self.0.to_json().to_string()
    }

    fn raise_for_failures(&self, py: Python<'_>) -> PyResult<()> {
        let Some(text) = self.0.error_message() else { return Ok(()) };
        let class = py.import("pythonanywhere_api.exceptions")?.getattr("PythonAnywhereError")?;
        Err(PyErr::from_value(class.call1((text,))?))
    }

    fn __bool__(&self) -> bool {
        self.0.ok
    }

    fn __repr__(&self) -> String {
        let report = &self.0;
        format!(
            "<DeployReport: {}, {} uploaded, {} deleted, {} failed, {} requests>",
            if report.ok { "ok" } else { "not ok" },
            report.uploaded.len(),
            report.deleted.len(),
            report.failed.len(),
            report.requests
        )
    }
}

/// What a deploy tells while it works; one class for each kind. Documented in `_core.pyi`.
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
