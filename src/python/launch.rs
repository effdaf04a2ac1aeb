//! `launch` and `launch_async`: from a project to a served page.
//!
//! Local mistakes raise before anything is sent; what stops a launch on the host is in its report. A progress callback gets
//! its events in order on the caller's thread; what it raises ends the launch.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use serde_json::json;

use super::convert::{Json, interpreter};
use super::errors::{IntoPy, raise_failure};
use super::progress::{Callback, Tell, callback, with_progress};
use super::runtime::{CallerThread, run};
use crate::error::Result;
use crate::launch as core;
use crate::launch::{
    DetectOptions, LaunchOptions, LaunchRecorder, LaunchRequest, LocalOptions, PreparedLaunch, StepRecord,
};
use crate::project_table::environments;

/// A step of a launch, as it begins or ends. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen, get_all)]
pub(super) struct LaunchEvent {
    step: &'static str,
    state: &'static str,
    detail: String,
}

#[pymethods]
impl LaunchEvent {
    fn __repr__(&self) -> String {
        format!("<LaunchEvent: {} {}>", self.step, self.state)
    }
}

impl From<&StepRecord> for LaunchEvent {
    fn from(record: &StepRecord) -> Self {
        Self { step: record.step, state: record.state.as_str(), detail: record.detail.clone() }
    }
}

/// What a launch did. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen)]
pub(super) struct LaunchReport {
    report: core::LaunchReport,
    #[pyo3(get)]
    ok: bool,
    #[pyo3(get)]
    dry_run: bool,
    #[pyo3(get)]
    url: String,
    #[pyo3(get)]
    domain: String,
    #[pyo3(get)]
    remote_root: String,
    #[pyo3(get)]
    steps: Json,
    #[pyo3(get)]
    failed_step: Option<&'static str>,
    #[pyo3(get)]
    error: Option<String>,
    #[pyo3(get)]
    warnings: Vec<String>,
    #[pyo3(get)]
    next: Vec<String>,
    #[pyo3(get)]
    requests: u64,
    #[pyo3(get)]
    seconds: f64,
}

impl From<core::LaunchReport> for LaunchReport {
    fn from(report: core::LaunchReport) -> Self {
        Self {
            ok: report.ok,
            dry_run: report.dry_run,
            url: report.url.clone(),
            domain: report.domain.clone(),
            remote_root: report.remote_root.clone(),
            steps: Json(json!(report.steps)),
            failed_step: report.failed_step,
            error: report.error.clone(),
            warnings: report.warnings.clone(),
            next: report.next.clone(),
            requests: report.requests,
            seconds: report.seconds,
            report,
        }
    }
}

#[pymethods]
impl LaunchReport {
    fn to_json(&self) -> String {
        self.report.to_json().to_string()
    }

    fn raise_for_failures(&self, py: Python<'_>) -> PyResult<()> {
        raise_failure(py, self.report.error_message())
    }

    fn __bool__(&self) -> bool {
        self.ok
    }

    fn __repr__(&self) -> String {
        let end = self.failed_step.map_or_else(|| "ok".to_owned(), |step| format!("failed at {step}"));
        format!("<LaunchReport: {}, {end}, {} requests>", self.url, self.requests)
    }
}

/// The functions, which differ in how the caller waits.
macro_rules! launch_function {
    ($name:ident, $is_async:literal) => {
        #[pyfunction]
        #[pyo3(signature = (root, *, username=None, token=None, host=None, project=None, domain=None, site_url=None,
            python=None, settings=None, wsgi=None, asgi=None, virtualenv=None, env_file=None, replace_wsgi=false,
            superuser=None, dry_run=false, env=None, progress=None))]
        #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "keywords of Python's")]
        pub(super) fn $name<'py>(
            py: Python<'py>,
            root: PathBuf,
            username: Option<String>,
            token: Option<String>,
            host: Option<String>,
            project: Option<String>,
            domain: Option<String>,
            site_url: Option<String>,
            python: Option<String>,
            settings: Option<String>,
            wsgi: Option<String>,
            asgi: Option<String>,
            virtualenv: Option<String>,
            env_file: Option<PathBuf>,
            replace_wsgi: bool,
            superuser: Option<(String, String)>,
            dry_run: bool,
            env: Option<String>,
            progress: Option<Bound<'py, PyAny>>,
        ) -> PyResult<Bound<'py, PyAny>> {
            let interpreter = interpreter(py).ok();
            let detect = DetectOptions { settings, wsgi, asgi, env_file, interpreter, ..DetectOptions::default() };
            let local = LocalOptions {
                detect,
                project,
                domain: domain.unwrap_or_default(),
                environment: environments::chosen(env),
                ..LocalOptions::default()
            };
            let options = LaunchOptions { site_url, python, virtualenv, replace_wsgi, dry_run, ..LaunchOptions::default() };
            let request = LaunchRequest { root, username, token, host, local, options, superuser };
            let prepared = request.prepare().into_py(py)?;
            let callback = callback(progress)?;
            run(py, $is_async, stringify!($name), move |caller| perform(caller, prepared, callback))
        }
    };
}

launch_function!(launch, false);
launch_function!(launch_async, true);

/// A report, or the exception.
pub(super) struct Ended(Result<core::LaunchReport>);

impl<'py> IntoPyObject<'py> for Ended {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(Bound::new(py, LaunchReport::from(self.0.into_py(py)?))?.into_any())
    }
}

async fn perform(caller: CallerThread, prepared: PreparedLaunch, callback: Option<Callback>) -> Ended {
    let PreparedLaunch { client, local, options } = prepared;
    let job = |tell: Tell<LaunchEvent>| async move {
        let recorder = LaunchRecorder::new(Arc::new(move |record: &StepRecord| tell.event(record.into())));
        Ok(core::launch(&client, &local, &options, &recorder).await)
    };
    Ended(with_progress(&caller, callback, job).await)
}
