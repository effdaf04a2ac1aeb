//! What the classes do on the host other than deploys: commands, drift, history, rollback, pull, and what `agent` does.
//!
//! As everywhere in these classes, failures of the network or the service go to `error_message` and the method returns
//! `None`. Local mistakes raise, and so does the lack of an executor.

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryFutureExt};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use serde::Serialize;
use serde_json::{Value, json};

use super::arguments::texts;
use super::deploy::project;
use super::finished::{Finished, none};
use super::keywords::Keywords;
use super::service::Service;
use crate::deploy::{self, ExecutorOptions, Inspection, Outcome, Project, PullOptions, SelectOptions};
use crate::doctor::{Examination, examine};
use crate::dropin::Failed;
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
pub(super) struct Job {
    /// What it does, for errors.
    task: &'static str,
    local_root: PathBuf,
    executors: ExecutorOptions,
    work: Work,
}

impl Job {
    fn new(executors: ExecutorOptions, work: Work) -> Self {
        Self { task: "working on the host", local_root: PathBuf::new(), executors, work }
    }

    /// A job whose answer is JSON.
    pub(super) fn json<T, F>(
        executors: ExecutorOptions,
        work: impl FnOnce(Project, ExecutorOptions) -> F + Send + 'static,
    ) -> Self
    where
        T: Serialize,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let work = |project, executors| work(project, executors).map_ok(|answer| Answer::Json(json!(answer))).boxed();
        Self::new(executors, Box::new(work))
    }

    fn command(executors: ExecutorOptions, command: deploy::Command, variables: Variables) -> Self {
        let work = |project, executors| async move {
            deploy::command(&project, &executors, command, &variables).await.map(Answer::Command)
        };
        Self::new(executors, Box::new(|project, executors| work(project, executors).boxed()))
    }

    /// What errors say was being done.
    pub(super) fn with_task(self, task: &'static str) -> Self {
        Self { task, ..self }
    }

    fn with_local_root(self, local_root: Option<PathBuf>) -> Self {
        Self { local_root: local_root.unwrap_or_default(), ..self }
    }
}

pub(super) fn manage(keywords: &Keywords<'_>, args: &Bound<'_, PyTuple>) -> PyResult<Job> {
    let wrong = || PyTypeError::new_err("manage() takes the words of a command as str, as in manage(\"migrate\")");
    let args: Vec<String> = args.iter().map(|word| word.extract().map_err(|_| wrong())).collect::<PyResult<_>>()?;
    if args.is_empty() {
        return Err(wrong());
    }
    let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
    let variables = keywords.variables()?;
    Ok(Job::command(keywords.executors()?, deploy::Command::Manage { args, manage, settings }, variables))
}

pub(super) fn command(keywords: &Keywords<'_>, command: &Bound<'_, PyAny>) -> PyResult<Job> {
    // A text is for the shell, a sequence of words is not: as in `subprocess`.
    let words = match command.cast::<PyString>() {
        Ok(text) => vec!["bash".to_owned(), "-c".to_owned(), text.extract()?],
        Err(_) => texts("command", command)?,
    };
    if words.is_empty() {
        return Err(PyTypeError::new_err("the command is empty"));
    }
    let variables = keywords.variables()?;
    Ok(Job::command(keywords.executors()?, deploy::Command::Run(words), variables))
}

pub(super) fn verify(keywords: &Keywords<'_>, local_root: Option<PathBuf>) -> PyResult<Job> {
    let is_local = local_root.is_some();
    let select = selection(keywords, is_local)?;
    let job = Job::json(keywords.executors()?, move |project, executors| async move {
        let drift = deploy::verify(&project, &executors, is_local.then_some(&select)).await?;
        let mut value = json!(drift);
        value["clean"] = drift.is_clean().into();
        Ok(value)
    });
    Ok(job.with_local_root(local_root))
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

pub(super) fn status(keywords: &Keywords<'_>, local_root: Option<PathBuf>) -> PyResult<Job> {
    let is_local = local_root.is_some();
    let select = selection(keywords, is_local)?;
    let job = Job::json(keywords.site()?, move |project, executors| async move {
        let (domains, local) = (Vec::from_iter(executors.domain.clone()), is_local.then_some(&select));
        deploy::status(&project.client, &domains, &executors, Some(&project), local).await
    });
    Ok(job.with_local_root(local_root))
}

pub(super) fn history(domain: Option<String>, site_url: Option<String>) -> Job {
    // The history is read like any other file: no executor is needed, only the site that may tell it.
    let executors = ExecutorOptions { domain, site_url, ..ExecutorOptions::default() };
    Job::json(executors, |project, executors| async move {
        deploy::history(&project, executors.lane(&project.client).as_ref()).await
    })
}

pub(super) fn rollback(keywords: &Keywords<'_>, deploy: Option<String>) -> PyResult<Job> {
    let (reload, yes) = (keywords.texts("reload")?, keywords.flag("yes")?);
    Ok(Job::json(keywords.executors()?, move |project, executors| async move {
        let confirm = async move |question: String| if yes { Ok(()) } else { Err(deploy::unconfirmed(&question)) };
        deploy::rollback(&project, &executors, deploy.as_deref(), &reload, confirm).await
    }))
}

pub(super) fn pull(keywords: &Keywords<'_>, to: PathBuf) -> PyResult<Job> {
    let (include, exclude) = (keywords.texts("include")?, keywords.texts("exclude")?);
    let overwrite = keywords.flag("overwrite")?;
    let max_size = keywords.number("max_size")?.map_or(PullOptions::default().max_size, |size| size as u64);
    let options = PullOptions { include, exclude, overwrite, max_size };
    Ok(Job::json(keywords.executors()?, |project, executors| async move {
        deploy::pull(&project, &executors, &options, &to).await
    }))
}

pub(super) fn virtualenv(keywords: &Keywords<'_>, name: String, python: String) -> PyResult<Job> {
    Ok(Job::json(keywords.executors()?, |project, executors| async move {
        deploy::make_virtualenv(&project, &executors, &name, &python).await
    }))
}

pub(super) fn requirements(keywords: &Keywords<'_>, requirements: String, virtualenv: String) -> PyResult<Job> {
    Ok(Job::json(keywords.executors()?, |project, executors| async move {
        deploy::install_requirements(&project, &executors, &requirements, &virtualenv).await
    }))
}

pub(super) fn inspect(keywords: &Keywords<'_>) -> PyResult<Job> {
    let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
    let inspection = Inspection { manage, settings, virtualenv: keywords.text("virtualenv")?, folder: None };
    Ok(Job::json(keywords.executors()?, |project, executors| async move {
        deploy::inspect_settings(&project, &executors, &inspection).await
    }))
}

pub(super) fn doctor(keywords: &Keywords<'_>) -> PyResult<Job> {
    let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
    Ok(Job::json(keywords.site()?, |project, ExecutorOptions { domain, site_url, .. }| async move {
        Ok(examine(&Examination { project, domain, site_url, manage, settings, may_write: true }).await.document())
    }))
}

/// Runs a job.
pub(super) async fn perform(service: Service, job: Job) -> Finished {
    let Job { task, local_root, executors, work } = job;
    let outcome = match project(&service, task, local_root) {
        Ok(project) => work(project, executors).await.map_err(Failed::raising_mistakes(task)),
        Err(failed) => Err(failed),
    };
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
