//! `deploy_diff` and `deploy` of the classes.
//!
//! Local mistakes raise; failures of the network or the service go to `error_message`, and for single files to the
//! report. A progress callback gets its events in order on the caller's thread; what it raises ends the deploy as
//! Ctrl-C does, with the report so far as the exception's `report`.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::arguments::{skipper, texts};
use super::finished::{Finished, none};
use super::keywords::Keywords;
use super::search::Callback;
use super::service::{Callable, Service};
use crate::deploy::{
    self, Compare, DeployOptions, ExecutorOptions, Project, Recorder, SelectOptions, Steps, with_unmanaged,
};
use crate::dropin::Failed;
use crate::python::deploy::{DeployDiff, DeployReport, ProgressEvent};
use crate::python::errors::IntoPy;
use crate::python::progress::{Tell, callback, with_progress};

/// The arguments of `deploy_diff`.
pub(super) struct DiffRequest {
    pub local_root: PathBuf,
    pub options: SelectOptions,
    pub skip: Option<Callable>,
    pub compare: Option<Compare>,
    /// The web app whose agent may be asked instead of the API.
    pub executors: ExecutorOptions,
}

/// The arguments of `deploy`.
pub(super) struct DeployRequest {
    pub diff: Py<DeployDiff>,
    pub options: DeployOptions,
    pub progress: Option<Callable>,
    pub recorder: Recorder,
}

/// Reads the arguments of `deploy_diff`.
pub(super) fn diff_request<'py>(
    local_root: &Bound<'py, PyAny>,
    path_masks: Option<&Bound<'py, PyAny>>,
    skip_file_path: Option<&Bound<'py, PyAny>>,
    compare: Option<&str>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<DiffRequest> {
    let py = local_root.py();
    let keywords = Keywords::new(py, "deploy_diff", options)?;
    let options = select_options(path_masks, &keywords)?;
    let executors = keywords.site()?;
    keywords.finish()?;
    let compare = compare.map(str::parse).transpose().into_py(py)?;
    Ok(DiffRequest { local_root: local_root.extract()?, options, skip: skipper(skip_file_path)?, compare, executors })
}

fn select_options(path_masks: Option<&Bound<'_, PyAny>>, keywords: &Keywords<'_>) -> PyResult<SelectOptions> {
    let default = SelectOptions::default();
    Ok(SelectOptions {
        masks: path_masks.map_or(Ok(default.masks), |given| texts("path_masks", given))?,
        protected: keywords.optional_texts("protected")?,
        include: keywords.texts("include")?,
        include_if_there: Vec::new(),
        strict: keywords.flag("strict")?,
        no_git: keywords.flag("no_git")?,
        allow_lfs_pointers: keywords.flag("allow_lfs_pointers")?,
        delete_untracked: keywords.flag("delete_untracked")?,
        max_file_size: keywords.number("max_file_size")?.map_or(default.max_file_size, |size| size as u64),
    })
}

/// Reads the arguments of `deploy`.
pub(super) fn deploy_request<'py>(
    diff: &Bound<'py, DeployDiff>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<DeployRequest> {
    let keywords = Keywords::new(diff.py(), "deploy", options)?;
    let progress = callback(keywords.take("progress")?)?;
    let reload = keywords.texts("reload")?;
    let options = DeployOptions {
        delete: keywords.flag("delete")?,
        delete_unmanaged: keywords.flag("delete_unmanaged")?,
        max_delete: keywords.number("max_delete")?,
        include: keywords.texts("include")?,
        dry_run: keywords.flag("dry_run")?,
        // Nothing is reloaded unasked.
        keep_owed_reloads: reload.is_empty(),
        reload,
        force: keywords.flag("force")?,
        concurrency: 0,
        executors: keywords.executors()?,
        steps: steps(&keywords)?,
        health: keywords.text("health_url")?,
        rollback_on_failure: keywords.flag("rollback_on_failure")?,
    };
    keywords.finish()?;
    Ok(DeployRequest { diff: diff.clone().unbind(), options, progress, recorder: Recorder::default() })
}

fn steps(keywords: &Keywords<'_>) -> PyResult<Steps> {
    Ok(Steps {
        requirements: keywords.text("requirements")?,
        collectstatic: keywords.flag("collectstatic")?,
        migrate: keywords.flag("migrate")?,
        manage: keywords.text("manage")?,
        settings: keywords.text("settings")?,
        variables: keywords.variables()?,
    })
}

pub(super) fn project(service: &Service, task: &str, local_root: PathBuf) -> Result<Project, Failed> {
    let remote_root = service.root(task).map_err(Failed::raised)?.clone();
    let client = service.client(task).map_err(Failed::raised)?.clone();
    Ok(Project { client, local_root, remote_root })
}

pub(super) async fn deploy_diff(service: Service, request: DiffRequest) -> Finished {
    let task = "comparing";
    let DiffRequest { local_root, options, skip, compare, executors } = request;
    let outcome = async {
        let project = project(&service, task, local_root.clone())?;
        let skipper = Callback::new(&service, skip.clone());
        executors.check().map_err(Failed::raising_mistakes(task))?;
        let lane = executors.lane(&project.client);
        let diff = deploy::diff_by_site(&project, &options, &skipper, compare, lane.as_ref()).await;
        let diff = diff.map_err(Failed::raising_mistakes(task))?;
        Ok(DeployDiff { diff, local_root, skip })
    }
    .await;
    Finished::new(&service, outcome, |py, diff| diff.into_bound_py_any(py), none)
}

pub(super) async fn deploy(service: Service, request: DeployRequest) -> Finished {
    let outcome = run(&service, &request).await;
    let failure = outcome.as_ref().ok().and_then(deploy::DeployReport::error_message);
    let recorder = request.recorder;
    Finished::new(
        &service,
        outcome,
        |py, report| DeployReport::from(report).into_bound_py_any(py),
        move |py, _| DeployReport::from(recorder.report()).into_bound_py_any(py),
    )
    .and_failed(failure)
}

async fn run(service: &Service, request: &DeployRequest) -> Result<deploy::DeployReport, Failed> {
    let task = "deploying";
    request.options.check().map_err(Failed::raising_mistakes(task))?;
    let made = request.diff.get();
    let project = project(service, task, made.local_root.clone())?;
    let complete;
    let diff = if request.options.delete_unmanaged {
        let skipper = Callback::new(service, made.skip.clone());
        complete = with_unmanaged(&project, &made.diff, &skipper).await.map_err(Failed::raising_mistakes(task))?;
        &complete
    } else {
        &made.diff
    };
    let job = |tell: Tell<ProgressEvent>| {
        let progress: Arc<dyn deploy::Progress> = match &request.progress {
            Some(_) => Arc::new(move |event| tell.event(ProgressEvent::from(event))),
            None => Arc::new(()),
        };
        deploy::deploy(&project, diff, &request.options, progress, &request.recorder)
    };
    with_progress(service.caller(), request.progress.clone(), job).await.map_err(Failed::raising_mistakes(task))
}

/// Adds the report so far to an exception that ended a deploy, if it takes one.
pub(super) fn with_report(py: Python<'_>, error: PyErr, recorder: &Recorder) -> PyErr {
    let report = DeployReport::from(recorder.report()).into_bound_py_any(py);
    // An exception that takes no attribute, as that of a frozen dataclass, still says what ended the deploy.
    let _ = report.and_then(|report| error.value(py).setattr("report", report));
    error
}
