//! What the classes do on the host other than deploys: commands, drift, history, rollback, pull.
//!
//! As everywhere in these classes, failures of the network or the service go to `error_message` and the method returns
//! `None`. Local mistakes raise, and so does the lack of an executor.

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryFutureExt};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use serde::Serialize;
use serde_json::{Value, json};

use super::arguments::texts;
use super::deploy::{failed, project};
use super::finished::{Finished, none};
use super::keywords::Keywords;
use super::service::{Failed, Service};
use crate::deploy::{self, ExecutorOptions, Inspection, Outcome, Project, PullOptions, SelectOptions};
use crate::doctor::{Examination, examine};
use crate::error::Result;
use crate::host::Variables;
use crate::python::convert::json_to_py;

/// A command that ran on the host. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen, get_all)]
pub(in crate::python) struct CommandResult {
    exit_status: i32,
    output: String,
    truncated: bool,
}

#[pymethods]
impl CommandResult {
    fn __bool__(&self) -> bool {
        self.exit_status == 0
    }

    fn __repr__(&self) -> String {
        format!("<CommandResult: exit status {}>", self.exit_status)
    }
}

/// What a job gives back.
enum Answer {
    Command(Outcome),
    Json(Value),
}

type Work = Box<dyn FnOnce(Project, ExecutorOptions) -> BoxFuture<'static, Result<Answer>> + Send>;

/// A job on the host other than a deploy, and what runs it.
pub(super) struct Request {
    pub method: &'static str,
    local_root: Option<PathBuf>,
    executors: ExecutorOptions,
    work: Work,
}

/// A job whose answer is JSON.
fn json_job<T, F>(work: impl FnOnce(Project, ExecutorOptions) -> F + Send + 'static) -> Work
where
    T: Serialize,
    F: Future<Output = Result<T>> + Send + 'static,
{
    Box::new(|project, executors| work(project, executors).map_ok(|answer| Answer::Json(json!(answer))).boxed())
}

fn command_job(command: deploy::Command, variables: Variables) -> Work {
    Box::new(|project, executors| {
        async move { deploy::command(&project, &executors, command, &variables).await.map(Answer::Command) }.boxed()
    })
}

/// Reads a job and its options.
fn request<'py>(
    py: Python<'py>,
    method: &'static str,
    options: Option<&Bound<'py, PyDict>>,
    job: impl FnOnce(&Keywords<'py>) -> PyResult<Work>,
) -> PyResult<Request> {
    let keywords = Keywords::new(py, method, options)?;
    let work = job(&keywords)?;
    let executors = keywords.executors()?;
    keywords.finish()?;
    Ok(Request { method, local_root: None, executors, work })
}

pub(super) fn manage<'py>(args: &Bound<'py, PyTuple>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    let wrong = || PyTypeError::new_err("manage() takes the words of a command as str, as in manage(\"migrate\")");
    let words: Vec<String> = args.iter().map(|word| word.extract().map_err(|_| wrong())).collect::<PyResult<_>>()?;
    if words.is_empty() {
        return Err(wrong());
    }
    request(args.py(), "manage", options, |keywords| {
        let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
        Ok(command_job(deploy::Command::Manage { args: words, manage, settings }, keywords.variables()?))
    })
}

pub(super) fn command<'py>(command: &Bound<'py, PyAny>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    // A text is for the shell, a sequence of words is not: as in `subprocess`.
    let words = match command.cast::<PyString>() {
        Ok(text) => vec!["bash".to_owned(), "-c".to_owned(), text.extract()?],
        Err(_) => texts("command", command)?,
    };
    if words.is_empty() {
        return Err(PyTypeError::new_err("the command is empty"));
    }
    request(command.py(), "run", options, |keywords| {
        Ok(command_job(deploy::Command::Run(words), keywords.variables()?))
    })
}

pub(super) fn verify<'py>(
    py: Python<'py>,
    local_root: Option<PathBuf>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    let is_local = local_root.is_some();
    let request = request(py, "verify", options, |keywords| {
        let select = selection(keywords, is_local)?;
        Ok(json_job(move |project, executors| async move {
            let drift = deploy::verify(&project, &executors, is_local.then_some(&select)).await?;
            let mut value = json!(drift);
            value["clean"] = drift.is_clean().into();
            Ok(value)
        }))
    })?;
    Ok(Request { local_root, ..request })
}

/// Which local files are looked at, if they are.
fn selection(keywords: &Keywords<'_>, is_local: bool) -> PyResult<SelectOptions> {
    let mut select = SelectOptions::default();
    let masks = keywords.optional_texts("path_masks")?;
    select.protected = keywords.optional_texts("protected")?;
    select.no_git = keywords.flag("no_git")?;
    if !is_local && (masks.is_some() || select.protected.is_some() || select.no_git) {
        return Err(PyTypeError::new_err(
            "path_masks, protected and no_git choose local files: give local_root as well",
        ));
    }
    select.masks = masks.unwrap_or(select.masks);
    Ok(select)
}

pub(super) fn status<'py>(
    py: Python<'py>,
    local_root: Option<PathBuf>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    let keywords = Keywords::new(py, "status", options)?;
    let is_local = local_root.is_some();
    let select = selection(&keywords, is_local)?;
    let executors = keywords.site()?;
    keywords.finish()?;
    let work = json_job(move |project, executors| async move {
        let (domains, local) = (Vec::from_iter(executors.domain.clone()), is_local.then_some(&select));
        deploy::status(&project.client, &domains, &executors, Some(&project), local).await
    });
    Ok(Request { method: "status", local_root, executors, work })
}

pub(super) fn history(domain: Option<String>, site_url: Option<String>) -> Request {
    // The history is read like any other file: no executor is needed, only the site that may tell it.
    let executors = ExecutorOptions { domain, site_url, ..ExecutorOptions::default() };
    let work = json_job(|project, executors| async move {
        deploy::history(&project, executors.lane(&project.client).as_ref()).await
    });
    Request { method: "history", local_root: None, executors, work }
}

pub(super) fn rollback<'py>(
    py: Python<'py>,
    deploy: Option<String>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    request(py, "rollback", options, |keywords| {
        let (reload, yes) = (keywords.texts("reload")?, keywords.flag("yes")?);
        Ok(json_job(move |project, executors| async move {
            let confirm = async move |question: String| if yes { Ok(()) } else { Err(deploy::unconfirmed(&question)) };
            deploy::rollback(&project, &executors, deploy.as_deref(), &reload, confirm).await
        }))
    })
}

pub(super) fn pull<'py>(py: Python<'py>, to: PathBuf, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    request(py, "pull", options, |keywords| {
        let (include, exclude) = (keywords.texts("include")?, keywords.texts("exclude")?);
        let overwrite = keywords.flag("overwrite")?;
        let max_size = keywords.number("max_size")?.map_or(PullOptions::default().max_size, |size| size as u64);
        let options = PullOptions { include, exclude, overwrite, max_size };
        Ok(json_job(|project, executors| async move { deploy::pull(&project, &executors, &options, &to).await }))
    })
}

pub(super) fn virtualenv<'py>(
    py: Python<'py>,
    name: String,
    python: String,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    request(py, "make_virtualenv", options, |_| {
        Ok(json_job(
            |project, executors| async move { deploy::make_virtualenv(&project, &executors, &name, &python).await },
        ))
    })
}

pub(super) fn requirements<'py>(
    py: Python<'py>,
    requirements: String,
    virtualenv: String,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    request(py, "install_requirements", options, |_| {
        Ok(json_job(|project, executors| async move {
            deploy::install_requirements(&project, &executors, &requirements, &virtualenv).await
        }))
    })
}

pub(super) fn inspect<'py>(py: Python<'py>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    request(py, "inspect_settings", options, |keywords| {
        let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
        let inspection = Inspection { manage, settings, virtualenv: keywords.text("virtualenv")?, folder: None };
        Ok(json_job(
            |project, executors| async move { deploy::inspect_settings(&project, &executors, &inspection).await },
        ))
    })
}

pub(super) fn doctor<'py>(py: Python<'py>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    let keywords = Keywords::new(py, "doctor", options)?;
    let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
    let executors = keywords.site()?;
    keywords.finish()?;
    let work = json_job(|project, ExecutorOptions { domain, site_url, .. }| async move {
        Ok(examine(&Examination { project, domain, site_url, manage, settings, may_write: true }).await.document())
    });
    Ok(Request { method: "doctor", local_root: None, executors, work })
}

/// Runs a job.
pub(super) async fn perform(service: Service, request: Request) -> Finished {
    let outcome = answer(&service, request).await;
    Finished::new(
        &service,
        outcome,
        |py, answer| match answer {
            Answer::Command(Outcome { exit_status, output, truncated }) => {
                CommandResult { exit_status, output, truncated }.into_bound_py_any(py)
            }
            Answer::Json(value) => json_to_py(py, &value),
        },
        none,
    )
}

async fn answer(service: &Service, request: Request) -> Result<Answer, Failed> {
    let task = "working on the host";
    let project = project(service, task, request.local_root.unwrap_or_default())?;
    (request.work)(project, request.executors).await.map_err(failed(task))
}
