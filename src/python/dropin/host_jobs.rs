//! What the classes do on the host other than deploys: commands, drift, history, rollback, pull, the agent.
//!
//! As everywhere in these classes, failures of the network or the service go to `error_message` and the method returns
//! `None`. Local mistakes raise, and so does the lack of an executor.

use std::collections::{BTreeMap, BTreeSet};
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
use super::service::{Call, Failed, Service};
use super::state::Shared;
use crate::deploy::{self, ExecutorOptions, Inspection, Outcome, Project, PullOptions, SelectOptions};
use crate::doctor::{Examination, examine};
use crate::error::Result;
use crate::host::{Agents, Variables};
use crate::python::convert::json_to_py;
use crate::python::errors::IntoPy;
use crate::python::runtime::run;

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
    local_root: Option<PathBuf>,
    executors: ExecutorOptions,
    work: Work,
}

/// A job whose answer is JSON.
fn told<T, F>(work: impl FnOnce(Project, ExecutorOptions) -> F + Send + 'static) -> Work
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
    Ok(Request { local_root: None, executors, work })
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
        Ok(told(move |project, executors| async move {
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
    let work = told(move |project, executors| async move {
        let (domains, local) = (Vec::from_iter(executors.domain.clone()), is_local.then_some(&select));
        deploy::status(&project.client, &domains, &executors, Some(&project), local).await
    });
    Ok(Request { local_root, executors, work })
}

pub(super) fn history(domain: Option<String>, site_url: Option<String>) -> Request {
    // The history is read like any other file: no executor is needed, only the site that may tell it.
    let executors = ExecutorOptions { domain, site_url, ..ExecutorOptions::default() };
    let work = told(|project, executors| async move {
        deploy::history(&project, executors.lane(&project.client).as_ref()).await
    });
    Request { local_root: None, executors, work }
}

pub(super) fn rollback<'py>(
    py: Python<'py>,
    deploy: Option<String>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    request(py, "rollback", options, |keywords| {
        let (reload, yes) = (keywords.texts("reload")?, keywords.flag("yes")?);
        Ok(told(move |project, executors| async move {
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
        Ok(told(|project, executors| async move { deploy::pull(&project, &executors, &options, &to).await }))
    })
}

pub(super) fn virtualenv<'py>(
    py: Python<'py>,
    name: String,
    python: String,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    request(py, "make_virtualenv", options, |_| {
        Ok(told(
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
        Ok(told(|project, executors| async move {
            deploy::install_requirements(&project, &executors, &requirements, &virtualenv).await
        }))
    })
}

pub(super) fn inspect<'py>(py: Python<'py>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    request(py, "inspect_settings", options, |keywords| {
        let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
        let inspection = Inspection { manage, settings, virtualenv: keywords.text("virtualenv")?, folder: None };
        Ok(told(|project, executors| async move { deploy::inspect_settings(&project, &executors, &inspection).await }))
    })
}

pub(super) fn doctor<'py>(py: Python<'py>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    let keywords = Keywords::new(py, "doctor", options)?;
    let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
    let executors = keywords.site()?;
    keywords.finish()?;
    let work = told(|project, ExecutorOptions { domain, site_url, .. }| async move {
        Ok(examine(&Examination { project, domain, site_url, manage, settings, may_write: true }).await.document())
    });
    Ok(Request { local_root: None, executors, work })
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

async fn answer(service: &Service, Request { local_root, executors, work }: Request) -> Result<Answer, Failed> {
    let task = "working on the host";
    let project = project(service, task, local_root.unwrap_or_default())?;
    work(project, executors).await.map_err(failed(task))
}

/// What to do with an agent.
#[derive(Clone, Copy)]
enum AgentVerb {
    Install,
    Status,
    Remove { force: bool },
}

/// Installs an agent, reports its status, or removes it.
async fn agent(service: Service, verb: AgentVerb, domain: String, site_url: Option<String>) -> Finished {
    let outcome = agent_answer(&service, verb, &domain, site_url.as_deref()).await;
    Finished::json(&service, outcome)
}

async fn agent_answer(
    service: &Service,
    verb: AgentVerb,
    domain: &str,
    site_url: Option<&str>,
) -> Result<Value, Failed> {
    let task = "managing the agent";
    let project = project(service, task, PathBuf::new())?;
    let answer = async {
        let agents = Agents::new(&project.client, domain, site_url)?;
        let change = match verb {
            AgentVerb::Install => agents.install().await?,
            AgentVerb::Remove { force } => agents.remove(force).await?,
            AgentVerb::Status => {
                let report = agents.status().await?;
                let status = report.status.to_string();
                return Ok(json!({ "ready": report.is_ready(), "status": status, "warnings": report.warnings }));
            }
        };
        Ok(json!({ "changed": change.changed, "renewed": change.renewed, "warnings": change.warnings }))
    };
    answer.await.map_err(failed(task))
}

/// Reads the variables of a web app, or changes them: those that have no value go.
async fn variables(
    service: Service,
    domain: String,
    site_url: Option<String>,
    change: Option<(Variables, BTreeSet<String>)>,
) -> Finished {
    let task = "working on the variables of a web app";
    let outcome = async {
        let project = project(&service, task, PathBuf::new())?;
        let answer = match change {
            None => deploy::variables::list(&project.client, &domain).await.map(|found| json!(found)),
            Some((set, unset)) => {
                let executors = ExecutorOptions { domain: Some(domain), site_url, ..ExecutorOptions::default() };
                deploy::variables::change(&project, &executors, &set, &unset).await.map(|changed| json!(changed.names))
            }
        };
        answer.map_err(failed(task))
    };
    Finished::json(&service, outcome.await)
}

/// The attribute `agent` of both classes. Documented in `_core.pyi`.
#[pyclass(name = "AgentOfWebApp", module = "pythonanywhere_api", frozen)]
pub(in crate::python) struct AgentControl {
    /// The instance and its state, which are read at each call.
    api: Py<PyAny>,
    state: Shared,
}

impl AgentControl {
    pub(super) fn of(api: &Bound<'_, PyAny>, state: &Shared) -> Self {
        Self { api: api.clone().unbind(), state: Shared::clone(state) }
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        name: &'static str,
        verb: AgentVerb,
        domain: String,
        site_url: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::new(self.api.bind(py), &self.state)?;
        run(py, self.state.is_async(), name, move |caller| agent(call.on(caller), verb, domain, site_url))
    }
}

#[pymethods]
impl AgentControl {
    #[pyo3(signature = (domain, site_url=None))]
    fn install<'py>(&self, py: Python<'py>, domain: String, site_url: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        self.call(py, "install", AgentVerb::Install, domain, site_url)
    }

    #[pyo3(signature = (domain, site_url=None))]
    fn status<'py>(&self, py: Python<'py>, domain: String, site_url: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        self.call(py, "status", AgentVerb::Status, domain, site_url)
    }

    #[pyo3(signature = (domain))]
    fn variables<'py>(&self, py: Python<'py>, domain: String) -> PyResult<Bound<'py, PyAny>> {
        let call = Call::new(self.api.bind(py), &self.state)?;
        run(py, self.state.is_async(), "variables", move |caller| variables(call.on(caller), domain, None, None))
    }

    #[pyo3(signature = (domain, values, site_url=None))]
    fn set_variables<'py>(
        &self,
        py: Python<'py>,
        domain: String,
        values: &Bound<'py, PyAny>,
        site_url: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let pairs = py.get_type::<PyDict>().call1((values,));
        let pairs = pairs.and_then(|values| values.extract::<BTreeMap<String, Option<String>>>());
        let pairs = pairs.map_err(|_| PyTypeError::new_err("values must be a mapping of str to str or None"))?;
        let unset = pairs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.clone()).collect();
        let set = Variables::new(pairs.into_iter().filter_map(|(name, value)| Some((name, value?)))).into_py(py)?;
        let call = Call::new(self.api.bind(py), &self.state)?;
        run(py, self.state.is_async(), "set_variables", move |caller| {
            variables(call.on(caller), domain, site_url, Some((set, unset)))
        })
    }

    #[pyo3(signature = (domain, site_url=None, *, force=false))]
    fn remove<'py>(
        &self,
        py: Python<'py>,
        domain: String,
        site_url: Option<String>,
        force: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.call(py, "remove", AgentVerb::Remove { force }, domain, site_url)
    }
}
