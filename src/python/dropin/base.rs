//! The two classes, and `_PythonanywhereBase`, which does the work of both.
//!
//! An instance knows its class, and so whether an operation is waited for or returned as a coroutine. Arguments
//! and attributes are read at the call, not when a coroutine is awaited.

use std::path::PathBuf;

use bytes::Bytes;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::agent::AgentControl;
use super::arguments::{console_id, skipper, texts};
use super::collector::collect;
use super::deploy::{self, deploy_request, diff_request};
use super::finished::Finished;
use super::host_jobs::{self, Job};
use super::keywords::Keywords;
use super::request::{Raw, file_content};
use super::search::find_files;
use super::service::{Call, Service};
use super::state::{Pickled, Shared, State, pickled, set_project, set_up, unpickle};
use super::{iterator, operations};
use crate::client::Environment;
use crate::error::Error;
use crate::python::answer::Answer;
use crate::python::convert::from_items;
use crate::python::deploy::DeployDiff;
use crate::python::errors::IntoPy;
use crate::python::runtime::run;
use crate::python::twins::twin;

type Object<'py> = PyResult<Bound<'py, PyAny>>;

/// The keyword arguments of a method, as its `signature` collects them.
type Options<'py> = Bound<'py, PyDict>;

/// The base of `PythonanywhereApi` and `AsyncPythonanywhereApi`.
#[pyclass(name = "_PythonanywhereBase", module = "pythonanywhere_api._core", subclass, dict, weakref, frozen)]
pub(in crate::python) struct PythonanywhereBase {
    state: Shared,
}

twin! {
    /// A project on the service, whose methods wait. Documented in `_core.pyi`.
    #[pyclass(module = "pythonanywhere_api", extends = PythonanywhereBase, subclass, frozen)]
    PythonanywhereApi: PythonanywhereBase, is_async: false
}

twin! {
    /// A project on the service, whose methods are coroutines. Documented in `_core.pyi`.
    #[pyclass(module = "pythonanywhere_api", extends = PythonanywhereBase, subclass, frozen)]
    AsyncPythonanywhereApi: PythonanywhereBase, is_async: true
}

impl PythonanywhereBase {
    fn new(is_async: bool) -> Self {
        Self { state: Shared::new(State::new(is_async)) }
    }

    /// The instance as it is now.
    pub(super) fn call(slf: &Bound<'_, Self>) -> PyResult<Call> {
        Call::new(slf.as_any(), &slf.get().state)
    }

    fn run<'py, F>(
        slf: &Bound<'py, Self>,
        name: &'static str,
        operation: impl FnOnce(Service) -> F + Send + 'static,
    ) -> Object<'py>
    where
        F: Future<Output = Finished> + Send + 'static,
    {
        Self::run_call(slf, name, Self::call(slf)?, operation)
    }

    fn run_call<'py, F>(
        slf: &Bound<'py, Self>,
        name: &'static str,
        call: Call,
        operation: impl FnOnce(Service) -> F + Send + 'static,
    ) -> Object<'py>
    where
        F: Future<Output = Finished> + Send + 'static,
    {
        run(slf.py(), slf.get().state.is_async, name, move |caller| operation(call.on(caller)))
    }

    /// Runs a job on the host. `job` takes its options out of the keywords; any that are left are refused.
    fn run_job<'py>(
        slf: &Bound<'py, Self>,
        name: &'static str,
        options: Option<&Options<'_>>,
        job: impl FnOnce(&Keywords<'_>) -> PyResult<Job>,
    ) -> Object<'py> {
        let keywords = Keywords::new(slf.py(), name, options)?;
        let job = job(&keywords)?;
        keywords.finish()?;
        Self::run(slf, name, |service| host_jobs::perform(service, job))
    }
}

/// An object of Python's as an answer.
#[allow(clippy::unnecessary_wraps, reason = "the shape that `Answer` takes")]
fn bound(py: Python<'_>, object: Py<PyAny>) -> Object<'_> {
    Ok(object.into_bound(py))
}

#[pymethods]
impl PythonanywhereBase {
    #[pyo3(signature = (web_domain, web_user, web_token, project_name, *, remote_root=None))]
    fn __init__(
        slf: &Bound<'_, Self>,
        web_domain: &str,
        web_user: &str,
        web_token: &str,
        project_name: &str,
        remote_root: Option<&str>,
    ) -> PyResult<()> {
        set_up(slf.as_any(), &slf.get().state, web_domain, web_user, web_token, project_name, remote_root)
    }

    fn __getstate__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        pickled(slf.as_any(), &slf.get().state)
    }

    fn __setstate__<'py>(slf: &Bound<'py, Self>, state: Pickled<'py>) -> PyResult<()> {
        unpickle(slf.as_any(), &slf.get().state, state)
    }

    #[classmethod]
    #[pyo3(signature = (project_name, **kwargs))]
    fn from_env<'py>(class: &Bound<'py, PyType>, project_name: &str, kwargs: Option<&Options<'py>>) -> Object<'py> {
        let (host, user, token) = Environment::read().account().into_py(class.py())?;
        class.call((host, user, token, project_name), kwargs)
    }

    #[getter]
    fn error_message(&self) -> String {
        self.state.error_message.text()
    }

    #[setter]
    fn set_error_message(&self, text: &str) {
        self.state.error_message.add(text);
    }

    #[getter]
    fn project_name(&self) -> String {
        self.state.project()
    }

    #[setter]
    fn set_project_name(slf: &Bound<'_, Self>, name: &str) -> PyResult<()> {
        set_project(slf.as_any(), &slf.get().state, name)
    }

    fn _folder_items<'py>(slf: &Bound<'py, Self>, path: String) -> Object<'py> {
        let call = Self::call(slf)?.without_folder_items();
        Self::run_call(slf, "_folder_items", call, |service| operations::folder_items(service, path))
    }

    #[pyo3(
        signature = (url_path, task, method=None, success_codes=None, **request_kwargs),
        text_signature = "($self, url_path, task, method=None, success_codes=(200, 201), **request_kwargs)"
    )]
    fn _request<'py>(
        slf: &Bound<'py, Self>,
        url_path: &str,
        task: &str,
        method: Option<&Bound<'py, PyAny>>,
        success_codes: Option<&Bound<'py, PyAny>>,
        request_kwargs: Option<&Options<'py>>,
    ) -> Object<'py> {
        let (none, is_async) = (PyDict::new(slf.py()), slf.get().state.is_async);
        let raw = Raw::new(url_path, task, method, success_codes, request_kwargs.unwrap_or(&none), is_async)?;
        Self::run(slf, "_request", |service| operations::request(service, raw))
    }

    fn _from_json<'py>(slf: &Bound<'py, Self>, response: Bound<'py, PyAny>) -> Object<'py> {
        let (object, state) = (slf.as_any().clone(), Shared::clone(&slf.get().state));
        if !state.is_async {
            return operations::from_json(&object, &state, &response);
        }
        let (object, response) = (object.unbind(), response.unbind());
        let parse =
            move |py: Python<'_>| operations::from_json(object.bind(py), &state, response.bind(py)).map(Bound::unbind);
        run(slf.py(), true, "_from_json", |caller| async move { Answer(caller.call(parse).await, bound) })
    }

    fn _prepare_collector<'py>(slf: &Bound<'py, Self>, skip: &Bound<'py, PyAny>) -> Object<'py> {
        let collector = from_items(slf.py(), "ItemCollector", (slf, skip))?;
        if !slf.get().state.is_async {
            return Ok(collector);
        }
        let collector = collector.unbind();
        run(slf.py(), true, "_prepare_collector", |_caller| async move { Answer(Ok::<_, Error>(collector), bound) })
    }

    #[pyo3(signature = (path_mask, level_index=0))]
    fn files_iterator<'py>(slf: &Bound<'py, Self>, path_mask: String, level_index: usize) -> Object<'py> {
        iterator::start(Self::call(slf)?, slf.as_any(), path_mask, level_index, slf.get().state.is_async)
    }

    fn available_consoles<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        Self::run(slf, "available_consoles", operations::available_consoles)
    }

    fn console_execute<'py>(slf: &Bound<'py, Self>, con_id: &Bound<'_, PyAny>, command: String) -> Object<'py> {
        let console = console_id(con_id)?;
        Self::run(slf, "console_execute", |service| operations::console_execute(service, console, command))
    }

    #[pyo3(signature = (path_masks, skip_file_path=None))]
    fn deployed_code_files<'py>(
        slf: &Bound<'py, Self>,
        path_masks: &Bound<'_, PyAny>,
        skip_file_path: Option<&Bound<'_, PyAny>>,
    ) -> Object<'py> {
        let (masks, skip) = (texts("path_masks", path_masks)?, skipper(skip_file_path)?);
        Self::run(slf, "deployed_code_files", |service| find_files(service, masks, skip))
    }

    fn deployed_file_content<'py>(slf: &Bound<'py, Self>, file_path: String) -> Object<'py> {
        Self::run(slf, "deployed_file_content", |service| operations::deployed_file_content(service, file_path))
    }

    fn deployed_version<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        Self::run(slf, "deployed_version", operations::deployed_version)
    }

    fn deploy_file<'py>(slf: &Bound<'py, Self>, file_path: String, file_content: &Bound<'_, PyAny>) -> Object<'py> {
        let content: Bytes = self::file_content(file_content)?;
        Self::run(slf, "deploy_file", |service| operations::deploy_file(service, file_path, content))
    }

    fn delete_file_or_folder<'py>(slf: &Bound<'py, Self>, file_path: String) -> Object<'py> {
        Self::run(slf, "delete_file_or_folder", |service| operations::delete_file_or_folder(service, file_path))
    }

    #[pyo3(signature = (path_mask="", skip_file_path=None, collector=None))]
    fn find_project_files<'py>(
        slf: &Bound<'py, Self>,
        path_mask: &str,
        skip_file_path: Option<&Bound<'_, PyAny>>,
        collector: Option<&Bound<'py, PyAny>>,
    ) -> Object<'py> {
        let (mask, skip) = (path_mask.to_owned(), skipper(skip_file_path)?);
        let state = &slf.get().state;
        match collector {
            Some(_) if state.is_async => Err(PyTypeError::new_err(
                "a collector calls back synchronously: give it to PythonanywhereApi.find_project_files",
            )),
            Some(collector) => collect(collector, state, path_mask),
            None => Self::run(slf, "find_project_files", |service| find_files(service, vec![mask], skip)),
        }
    }

    #[pyo3(
        signature = (local_root, path_masks=None, skip_file_path=None, compare=None, **options),
        text_signature = "($self, local_root, path_masks=None, skip_file_path=None, compare=None, *, protected=None, \
            include=None, strict=False, max_file_size=None, no_git=False, allow_lfs_pointers=False, \
            delete_untracked=False, domain=None, site_url=None)"
    )]
    fn deploy_diff<'py>(
        slf: &Bound<'py, Self>,
        local_root: &Bound<'py, PyAny>,
        path_masks: Option<&Bound<'py, PyAny>>,
        skip_file_path: Option<&Bound<'py, PyAny>>,
        compare: Option<&str>,
        options: Option<&Options<'py>>,
    ) -> Object<'py> {
        let request = diff_request(local_root, path_masks, skip_file_path, compare, options)?;
        Self::run(slf, "deploy_diff", |service| deploy::deploy_diff(service, request))
    }

    #[pyo3(
        signature = (diff, **options),
        text_signature = "($self, diff, *, delete=False, delete_unmanaged=False, max_delete=None, include=None, \
            dry_run=False, reload=None, executor='auto', force=False, progress=None, console=None, domain=None, \
            site_url=None, allow_tasks=False, migrate=False, collectstatic=False, requirements=None, manage=None, \
            settings=None, env=None, health_url=None, rollback_on_failure=False)"
    )]
    fn deploy<'py>(
        slf: &Bound<'py, Self>,
        diff: &Bound<'py, DeployDiff>,
        options: Option<&Options<'py>>,
    ) -> Object<'py> {
        let request = deploy_request(diff, options)?;
        let recorder = request.recorder.clone();
        Self::run(slf, "deploy", |service| deploy::deploy(service, request))
            .map_err(|error| deploy::with_report(slf.py(), error, &recorder))
    }

    #[pyo3(
        signature = (*args, **options),
        text_signature = "($self, *args, manage=None, settings=None, env=None, executor='auto', console=None, domain=None, site_url=None, \
            allow_tasks=False)"
    )]
    fn manage<'py>(slf: &Bound<'py, Self>, args: &Bound<'_, PyTuple>, options: Option<&Options<'_>>) -> Object<'py> {
        Self::run_job(slf, "manage", options, |keywords| host_jobs::manage(keywords, args))
    }

    #[pyo3(
        name = "run",
        signature = (command, **options),
        text_signature = "($self, command, *, env=None, executor='auto', console=None, domain=None, site_url=None, \
            allow_tasks=False)"
    )]
    fn run_command<'py>(
        slf: &Bound<'py, Self>,
        command: &Bound<'_, PyAny>,
        options: Option<&Options<'_>>,
    ) -> Object<'py> {
        Self::run_job(slf, "run", options, |keywords| host_jobs::command(keywords, command))
    }

    #[pyo3(
        signature = (local_root=None, **options),
        text_signature = "($self, local_root=None, *, path_masks=None, protected=None, no_git=False, executor='auto', \
            console=None, domain=None, site_url=None, allow_tasks=False)"
    )]
    fn verify<'py>(slf: &Bound<'py, Self>, local_root: Option<PathBuf>, options: Option<&Options<'_>>) -> Object<'py> {
        Self::run_job(slf, "verify", options, |keywords| host_jobs::verify(keywords, local_root))
    }

    #[pyo3(signature = (*, domain=None, site_url=None))]
    fn history<'py>(slf: &Bound<'py, Self>, domain: Option<String>, site_url: Option<String>) -> Object<'py> {
        Self::run_job(slf, "history", None, |_| Ok(host_jobs::history(domain, site_url)))
    }

    #[pyo3(
        signature = (local_root=None, **options),
        text_signature = "($self, local_root=None, *, path_masks=None, protected=None, no_git=False, domain=None, \
            site_url=None)"
    )]
    fn status<'py>(slf: &Bound<'py, Self>, local_root: Option<PathBuf>, options: Option<&Options<'_>>) -> Object<'py> {
        Self::run_job(slf, "status", options, |keywords| host_jobs::status(keywords, local_root))
    }

    #[pyo3(
        signature = (**options),
        text_signature = "($self, *, domain=None, site_url=None, manage=None, settings=None)"
    )]
    fn doctor<'py>(slf: &Bound<'py, Self>, options: Option<&Options<'_>>) -> Object<'py> {
        Self::run_job(slf, "doctor", options, host_jobs::doctor)
    }

    #[pyo3(
        signature = (deploy_id=None, **options),
        text_signature = "($self, deploy_id=None, *, reload=None, yes=False, executor='auto', console=None, \
            domain=None, site_url=None, allow_tasks=False)"
    )]
    fn rollback<'py>(slf: &Bound<'py, Self>, deploy_id: Option<String>, options: Option<&Options<'_>>) -> Object<'py> {
        Self::run_job(slf, "rollback", options, |keywords| host_jobs::rollback(keywords, deploy_id))
    }

    #[pyo3(
        signature = (dest, **options),
        text_signature = "($self, dest, *, include=None, exclude=None, overwrite=False, max_size=2147483648, executor='auto', \
            console=None, domain=None, site_url=None, allow_tasks=False)"
    )]
    fn pull<'py>(slf: &Bound<'py, Self>, dest: PathBuf, options: Option<&Options<'_>>) -> Object<'py> {
        Self::run_job(slf, "pull", options, |keywords| host_jobs::pull(keywords, dest))
    }

    #[pyo3(
        signature = (name, python, **options),
        text_signature = "($self, name, python, *, executor='auto', console=None, domain=None, site_url=None, \
            allow_tasks=False)"
    )]
    fn make_virtualenv<'py>(
        slf: &Bound<'py, Self>,
        name: String,
        python: String,
        options: Option<&Options<'_>>,
    ) -> Object<'py> {
        Self::run_job(slf, "make_virtualenv", options, |keywords| host_jobs::virtualenv(keywords, name, python))
    }

    #[pyo3(
        signature = (requirements, virtualenv, **options),
        text_signature = "($self, requirements, virtualenv, *, executor='auto', console=None, domain=None, \
            site_url=None, allow_tasks=False)"
    )]
    fn install_requirements<'py>(
        slf: &Bound<'py, Self>,
        requirements: String,
        virtualenv: String,
        options: Option<&Options<'_>>,
    ) -> Object<'py> {
        let job = |keywords: &Keywords<'_>| host_jobs::requirements(keywords, requirements, virtualenv);
        Self::run_job(slf, "install_requirements", options, job)
    }

    #[pyo3(
        signature = (**options),
        text_signature = "($self, *, manage=None, settings=None, virtualenv=None, executor='auto', console=None, \
            domain=None, site_url=None, allow_tasks=False)"
    )]
    fn inspect_settings<'py>(slf: &Bound<'py, Self>, options: Option<&Options<'_>>) -> Object<'py> {
        Self::run_job(slf, "inspect_settings", options, host_jobs::inspect)
    }

    #[getter]
    fn agent(slf: &Bound<'_, Self>) -> AgentControl {
        AgentControl::of(slf.as_any(), &slf.get().state)
    }
}
