//! What the classes do on the host other than deploys: commands, drift, history, rollback, pull, the agent.
//!
//! As everywhere in these classes, failures of the network or the service go to `error_message` and the method returns
//! `None`. Local mistakes raise, and so does the lack of an executor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use serde_json::{Value, json};

use super::arguments::texts;
use super::deploy::{failed, project};
use super::finished::{Finished, none};
use super::keywords::Keywords;
use super::service::{Call, Failed, Service};
use super::state::Shared;
use crate::deploy::{self, ExecutorOptions, Inspection, Outcome, PullOptions, SelectOptions};
use crate::doctor::{Examination, examine};
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

/// A job on the host other than a deploy.
pub(super) enum HostJob {
    Command(deploy::Command, Variables),
    Verify { local_root: Option<PathBuf>, options: SelectOptions },
    History,
    Status { local_root: Option<PathBuf>, options: SelectOptions },
    Rollback { deploy: Option<String>, reload: Vec<String>, yes: bool },
    Pull { to: PathBuf, options: PullOptions },
    Virtualenv { name: String, python: String },
    Requirements { requirements: String, virtualenv: String },
    Inspect(Inspection),
    Doctor { manage: Option<String>, settings: Option<String> },
}

/// A job, and what runs it.
pub(super) struct Request {
    job: HostJob,
    executors: ExecutorOptions,
}

/// Reads a job and its options.
fn request<'py>(
    py: Python<'py>,
    method: &'static str,
    options: Option<&Bound<'py, PyDict>>,
    job: impl FnOnce(&Keywords<'py>) -> PyResult<HostJob>,
) -> PyResult<Request> {
    let keywords = Keywords::new(py, method, options)?;
    let job = job(&keywords)?;
    let executors = keywords.executors()?;
    keywords.finish()?;
    Ok(Request { job, executors })
}

pub(super) fn manage<'py>(args: &Bound<'py, PyTuple>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    let wrong = || PyTypeError::new_err("manage() takes the words of a command as str, as in manage(\"migrate\")");
    let words: Vec<String> = args.iter().map(|word| word.extract().map_err(|_| wrong())).collect::<PyResult<_>>()?;
    if words.is_empty() {
        return Err(wrong());
    }
    request(args.py(), "manage", options, |keywords| {
        let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
        Ok(HostJob::Command(deploy::Command::Manage { args: words, manage, settings }, keywords.variables()?))
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
        Ok(HostJob::Command(deploy::Command::Run(words), keywords.variables()?))
    })
}

pub(super) fn verify<'py>(
    py: Python<'py>,
    local_root: Option<PathBuf>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    request(py, "verify", options, |keywords| {
        let options = selection(keywords, local_root.is_some())?;
        Ok(HostJob::Verify { local_root, options })
    })
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
    let options = selection(&keywords, local_root.is_some())?;
    let (domain, site_url) = (keywords.text("domain")?, keywords.text("site_url")?);
    keywords.finish()?;
    let executors = ExecutorOptions { domain, site_url, ..ExecutorOptions::default() };
    Ok(Request { job: HostJob::Status { local_root, options }, executors })
}

pub(super) fn history(domain: Option<String>, site_url: Option<String>) -> Request {
    // The history is read like any other file: no executor is needed, only the site that may tell it.
    Request { job: HostJob::History, executors: ExecutorOptions { domain, site_url, ..ExecutorOptions::default() } }
}

pub(super) fn rollback<'py>(
    py: Python<'py>,
    deploy: Option<String>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    request(py, "rollback", options, |keywords| {
        Ok(HostJob::Rollback { deploy, reload: keywords.texts("reload")?, yes: keywords.flag("yes")? })
    })
}

pub(super) fn pull<'py>(py: Python<'py>, to: PathBuf, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    request(py, "pull", options, |keywords| {
        let (include, exclude) = (keywords.texts("include")?, keywords.texts("exclude")?);
        let overwrite = keywords.flag("overwrite")?;
        let max_size = keywords.number("max_size")?.map_or(PullOptions::default().max_size, |size| size as u64);
        Ok(HostJob::Pull { to, options: PullOptions { include, exclude, overwrite, max_size } })
    })
}

pub(super) fn virtualenv<'py>(
    py: Python<'py>,
    name: String,
    python: String,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    request(py, "make_virtualenv", options, |_| Ok(HostJob::Virtualenv { name, python }))
}

pub(super) fn requirements<'py>(
    py: Python<'py>,
    requirements: String,
    virtualenv: String,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Request> {
    request(py, "install_requirements", options, |_| Ok(HostJob::Requirements { requirements, virtualenv }))
}

pub(super) fn inspect<'py>(py: Python<'py>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    request(py, "inspect_settings", options, |keywords| {
        let (manage, settings) = (keywords.text("manage")?, keywords.text("settings")?);
        let virtualenv = keywords.text("virtualenv")?;
        Ok(HostJob::Inspect(Inspection { manage, settings, virtualenv, folder: None }))
    })
}

pub(super) fn doctor<'py>(py: Python<'py>, options: Option<&Bound<'py, PyDict>>) -> PyResult<Request> {
    let keywords = Keywords::new(py, "doctor", options)?;
    let job = HostJob::Doctor { manage: keywords.text("manage")?, settings: keywords.text("settings")? };
    let (domain, site_url) = (keywords.text("domain")?, keywords.text("site_url")?);
    keywords.finish()?;
    Ok(Request { job, executors: ExecutorOptions { domain, site_url, ..ExecutorOptions::default() } })
}

/// What a job gives back.
enum Answer {
    Command(Outcome),
    Json(Value),
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

async fn answer(service: &Service, Request { job, executors }: Request) -> Result<Answer, Failed> {
    let task = "working on the host";
    let local_root = match &job {
        HostJob::Verify { local_root: Some(root), .. } | HostJob::Status { local_root: Some(root), .. } => root.clone(),
        _ => PathBuf::new(),
    };
    let project = project(service, task, local_root)?;
    match job {
        HostJob::Command(command, variables) => {
            deploy::command(&project, &executors, command, &variables).await.map(Answer::Command)
        }
        HostJob::Verify { local_root, options } => {
            let options = local_root.is_some().then_some(&options);
            deploy::verify(&project, &executors, options).await.map(|drift| {
                let mut value = json!(drift);
                value["clean"] = drift.is_clean().into();
                Answer::Json(value)
            })
        }
        HostJob::History => {
            let lane = executors.lane(&project.client);
            deploy::history(&project, lane.as_ref()).await.map(|entries| Answer::Json(json!(entries)))
        }
        HostJob::Status { local_root, options } => {
            let domains: Vec<String> = executors.domain.iter().cloned().collect();
            let local = local_root.is_some().then_some(&options);
            deploy::status(&project.client, &domains, &executors, Some(&project), local)
                .await
                .map(|report| Answer::Json(json!(report)))
        }
        HostJob::Rollback { deploy, reload, yes } => {
            let confirm = async move |question: String| if yes { Ok(()) } else { Err(deploy::unconfirmed(&question)) };
            deploy::rollback(&project, &executors, deploy.as_deref(), &reload, confirm)
                .await
                .map(|report| Answer::Json(json!(report)))
        }
        HostJob::Pull { to, options } => {
            deploy::pull(&project, &executors, &options, &to).await.map(|report| Answer::Json(json!(report)))
        }
        HostJob::Virtualenv { name, python } => {
            deploy::make_virtualenv(&project, &executors, &name, &python).await.map(|made| Answer::Json(json!(made)))
        }
        HostJob::Requirements { requirements, virtualenv } => {
            deploy::install_requirements(&project, &executors, &requirements, &virtualenv)
                .await
                .map(|done| Answer::Json(json!(done)))
        }
        HostJob::Inspect(inspection) => {
            deploy::inspect_settings(&project, &executors, &inspection).await.map(|found| Answer::Json(json!(found)))
        }
        HostJob::Doctor { manage, settings } => {
            let ExecutorOptions { domain, site_url, .. } = executors;
            Ok(Answer::Json(
                examine(&Examination { project, domain, site_url, manage, settings, may_write: true }).await.document(),
            ))
        }
    }
    .map_err(failed(task))
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
    Finished::new(&service, outcome, |py, value| json_to_py(py, &value), none)
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
    let outcome = outcome.await;
    Finished::new(&service, outcome, |py, value| json_to_py(py, &value), none)
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
