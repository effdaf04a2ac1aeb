//! `launch` and `launch_async`: from a project to a served page.
//!
//! Local mistakes raise before anything is sent; what stops a launch on the host is in its report. A progress callback gets
//! its events in order on the caller's thread; what it raises ends the launch.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use serde_json::json;

use super::answer::Answer;
use super::class_body::class_body;
use super::convert::{Json, interpreter};
use super::errors::IntoPy;
use super::progress::{Callback, Tell, callback, with_progress};
use super::report::report_class;
use super::runtime::{CallerThread, run};
use crate::launch as core;
use crate::launch::{LaunchRecorder, LaunchRequest, PreparedLaunch, StepRecord};

/// A step of a launch, as it begins or ends. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen)]
pub(super) struct LaunchEvent(StepRecord);

class_body! {
    LaunchEvent, this => {
        step: &'static str = this.0.step,
        state: &'static str = this.0.state.as_str(),
        detail: &str = &this.0.detail,
    }

    fn __repr__(&self) -> String {
        format!("<LaunchEvent: {} {}>", self.step(), self.state())
    }
}

report_class! {
    /// What a launch did. Documented in `_core.pyi`.
    LaunchReport of core::LaunchReport, this => {
        ok: bool = this.0.ok,
        dry_run: bool = this.0.dry_run,
        url: &str = &this.0.url,
        domain: &str = &this.0.domain,
        remote_root: &str = &this.0.remote_root,
        steps: Json = Json(json!(this.0.steps)),
        failed_step: Option<&'static str> = this.0.failed_step,
        error: Option<&str> = this.0.error.as_deref(),
        warnings: &[String] = &this.0.warnings,
        next: &[String] = &this.0.next,
        requests: u64 = this.0.requests,
        seconds: f64 = this.0.seconds,
    }

    fn __repr__(&self) -> String {
        let end = self.0.failed_step.map_or_else(|| "ok".to_owned(), |step| format!("failed at {step}"));
        format!("<LaunchReport: {}, {end}, {} requests>", self.0.url, self.0.requests)
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
            let request = LaunchRequest {
                root, username, token, host, project, domain, site_url, python, settings, wsgi, asgi, virtualenv,
                env_file, replace_wsgi, superuser, dry_run, env, interpreter: interpreter(py).ok(),
            };
            let prepared = request.prepare().into_py(py)?;
            let callback = callback(progress)?;
            run(py, $is_async, stringify!($name), move |caller| perform(caller, prepared, callback))
        }
    };
}

launch_function!(launch, false);
launch_function!(launch_async, true);

async fn perform(
    caller: CallerThread,
    prepared: PreparedLaunch,
    callback: Option<Callback>,
) -> Answer<core::LaunchReport> {
    let PreparedLaunch { client, local, options } = prepared;
    let job = |tell: Tell<LaunchEvent>| async move {
        let recorder =
            LaunchRecorder::new(Arc::new(move |record: &StepRecord| tell.event(LaunchEvent(record.clone()))));
        Ok(core::launch(&client, &local, &options, &recorder).await)
    };
    let outcome = with_progress(&caller, callback, job).await;
    Answer(outcome, |py, report| LaunchReport::from(report).into_bound_py_any(py))
}
