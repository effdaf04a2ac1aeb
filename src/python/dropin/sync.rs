//! `PythonanywhereApi`: operations that wait.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::arguments::{self, console_id, texts};
use super::collector::{ItemCollector, collect};
use super::deploy::{self, deploy_request, diff_request};
use super::host_jobs::{self, AgentControl};
use super::iterator::FilesIterator;
use super::operations::{self, Finished};
use super::request::{Raw, file_content};
use super::service::{Call, Service};
use super::state::{Pickled, Shared, pickled, set_project, set_up, skipper, unpickle};
use crate::python::deploy::DeployDiff;
use crate::python::errors::IntoPy;
use crate::python::runtime::wait;

type Object<'py> = PyResult<Bound<'py, PyAny>>;

/// A project on the service. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", subclass, dict, weakref, frozen)]
pub(in crate::python) struct PythonanywhereApi {
    state: Shared,
}

impl PythonanywhereApi {
    fn run<'py, F>(slf: &Bound<'py, Self>, operation: impl FnOnce(Service) -> F) -> Object<'py>
    where
        F: Future<Output = Finished> + Send + 'static,
    {
        Self::run_call(slf.py(), Call::new(slf.as_any(), &slf.get().state)?, operation)
    }

    fn run_call<F>(py: Python<'_>, call: Call, operation: impl FnOnce(Service) -> F) -> Object<'_>
    where
        F: Future<Output = Finished> + Send + 'static,
    {
        wait(py, |caller| operation(call.on(caller)))?.into_pyobject(py)
    }
}

#[pymethods]
impl PythonanywhereApi {
    /// Takes anything: subclasses have signatures of their own, and `__init__` sets up.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { state: Shared::default() }
    }

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
    fn from_env<'py>(
        class: &Bound<'py, PyType>,
        project_name: &str,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (host, user, token) = arguments::account_of_environment().into_py(class.py())?;
        class.call((host, user, token, project_name), kwargs)
    }

    #[getter]
    fn error_message(&self) -> String {
        self.state.error_message()
    }

    #[setter]
    fn set_error_message(&self, text: &str) {
        self.state.add_error(text);
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
        let call = Call::new(slf.as_any(), &slf.get().state)?.without_folder_items();
        Self::run_call(slf.py(), call, |service| operations::folder_items(service, path))
    }

    fn _from_json<'py>(&self, response: &Bound<'py, PyAny>) -> Object<'py> {
        operations::from_json(&self.state, response)
    }

    fn _prepare_collector(slf: &Bound<'_, Self>, skip: &Bound<'_, PyAny>) -> PyResult<ItemCollector> {
        ItemCollector::new(slf.as_any(), skip)
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
        request_kwargs: Option<&Bound<'py, PyDict>>,
    ) -> Object<'py> {
        let raw = Raw::new(url_path, task, method, success_codes, request_kwargs)?;
        let call = Call::new(slf.as_any(), &slf.get().state)?;
        Self::run_call(slf.py(), call, |service| operations::request(service, raw))
    }

    fn available_consoles<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        Self::run(slf, operations::available_consoles)
    }

    fn console_execute<'py>(slf: &Bound<'py, Self>, con_id: &Bound<'_, PyAny>, command: String) -> Object<'py> {
        let console = console_id(con_id)?;
        Self::run(slf, |service| operations::console_execute(service, console, command))
    }

    #[pyo3(signature = (path_masks, skip_file_path=None))]
    fn deployed_code_files<'py>(
        slf: &Bound<'py, Self>,
        path_masks: &Bound<'_, PyAny>,
        skip_file_path: Option<&Bound<'_, PyAny>>,
    ) -> Object<'py> {
        let masks = texts("path_masks", path_masks)?;
        let skip = skipper(skip_file_path)?.map(Arc::new);
        Self::run(slf, |service| operations::find_files(service, masks, skip))
    }

    fn deployed_file_content<'py>(slf: &Bound<'py, Self>, file_path: String) -> Object<'py> {
        Self::run(slf, |service| operations::deployed_file_content(service, file_path))
    }

    fn deployed_version<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        Self::run(slf, operations::deployed_version)
    }

    fn deploy_file<'py>(slf: &Bound<'py, Self>, file_path: String, file_content: &Bound<'_, PyAny>) -> Object<'py> {
        let content: Bytes = self::file_content(file_content)?;
        Self::run(slf, |service| operations::deploy_file(service, file_path, content))
    }

    fn delete_file_or_folder<'py>(slf: &Bound<'py, Self>, file_path: String) -> Object<'py> {
        Self::run(slf, |service| operations::delete_file_or_folder(service, file_path))
    }

    #[pyo3(signature = (path_mask, level_index=0))]
    fn files_iterator(slf: &Bound<'_, Self>, path_mask: String, level_index: usize) -> PyResult<FilesIterator> {
        let call = Call::new(slf.as_any(), &slf.get().state)?;
        FilesIterator::new(call, slf.as_any(), path_mask, level_index)
    }

    #[pyo3(signature = (path_mask="", skip_file_path=None, collector=None))]
    fn find_project_files<'py>(
        slf: &Bound<'py, Self>,
        path_mask: &str,
        skip_file_path: Option<&Bound<'_, PyAny>>,
        collector: Option<&Bound<'py, PyAny>>,
    ) -> Object<'py> {
        let skip = skipper(skip_file_path)?.map(Arc::new);
        if let Some(collector) = collector {
            return collect(collector, &slf.get().state, path_mask);
        }
        let mask = path_mask.to_owned();
        Self::run(slf, |service| operations::find_files(service, vec![mask], skip))
    }

    #[pyo3(signature = (
        local_root, path_masks=None, skip_file_path=None, compare=None, *, protected=None, include=None, strict=false,
        max_file_size=None
    ))]
    #[allow(clippy::too_many_arguments, reason = "keywords of Python")]
    fn deploy_diff<'py>(
        slf: &Bound<'py, Self>,
        local_root: PathBuf,
        path_masks: Option<&Bound<'_, PyAny>>,
        skip_file_path: Option<&Bound<'_, PyAny>>,
        compare: Option<&str>,
        protected: Option<&Bound<'_, PyAny>>,
        include: Option<&Bound<'_, PyAny>>,
        strict: bool,
        max_file_size: Option<u64>,
    ) -> Object<'py> {
        let py = slf.py();
        let request = diff_request(
            py,
            local_root,
            path_masks,
            skip_file_path,
            compare,
            protected,
            include,
            strict,
            max_file_size,
        )?;
        Self::run(slf, |service| deploy::deploy_diff(service, request))
    }

    #[pyo3(
        signature = (diff, **options),
        text_signature = "($self, diff, *, delete=False, delete_unmanaged=False, max_delete=None, include=None, \
            dry_run=False, reload=None, executor='auto', force=False, progress=None, console=None, domain=None, \
            site_url=None, allow_tasks=False, migrate=False, collectstatic=False, requirements=None, manage=None, \
            health_url=None, rollback_on_failure=False)"
    )]
    fn deploy<'py>(
        slf: &Bound<'py, Self>,
        diff: &Bound<'py, DeployDiff>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> Object<'py> {
        let request = deploy_request(diff, options)?;
        let recorder = request.recorder.clone();
        Self::run(slf, |service| deploy::deploy(service, request))
            .map_err(|error| deploy::with_report(slf.py(), error, &recorder))
    }

    #[pyo3(
        signature = (*args, **options),
        text_signature = "($self, *args, manage=None, executor='auto', console=None, domain=None, site_url=None, \
            allow_tasks=False)"
    )]
    fn manage<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'_, PyTuple>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> Object<'py> {
        let request = host_jobs::manage(args, options)?;
        Self::run(slf, |service| host_jobs::perform(service, request))
    }

    #[pyo3(
        name = "run",
        signature = (command, **options),
        text_signature = "($self, command, *, executor='auto', console=None, domain=None, site_url=None, \
            allow_tasks=False)"
    )]
    fn run_command<'py>(
        slf: &Bound<'py, Self>,
        command: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> Object<'py> {
        let request = host_jobs::run(command, options)?;
        Self::run(slf, |service| host_jobs::perform(service, request))
    }

    #[pyo3(
        signature = (local_root=None, **options),
        text_signature = "($self, local_root=None, *, path_masks=None, protected=None, executor='auto', console=None, \
            domain=None, site_url=None, allow_tasks=False)"
    )]
    fn verify<'py>(
        slf: &Bound<'py, Self>,
        local_root: Option<PathBuf>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> Object<'py> {
        let request = host_jobs::verify(slf.py(), local_root, options)?;
        Self::run(slf, |service| host_jobs::perform(service, request))
    }

    fn history<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        let request = host_jobs::history(slf.py())?;
        Self::run(slf, |service| host_jobs::perform(service, request))
    }

    #[pyo3(
        signature = (deploy_id=None, **options),
        text_signature = "($self, deploy_id=None, *, reload=None, executor='auto', console=None, domain=None, \
            site_url=None, allow_tasks=False)"
    )]
    fn rollback<'py>(
        slf: &Bound<'py, Self>,
        deploy_id: Option<String>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> Object<'py> {
        let request = host_jobs::rollback(slf.py(), deploy_id, options)?;
        Self::run(slf, |service| host_jobs::perform(service, request))
    }

    #[pyo3(
        signature = (dest, **options),
        text_signature = "($self, dest, *, include=None, exclude=None, overwrite=False, executor='auto', console=None, \
            domain=None, site_url=None, allow_tasks=False)"
    )]
    fn pull<'py>(slf: &Bound<'py, Self>, dest: PathBuf, options: Option<&Bound<'_, PyDict>>) -> Object<'py> {
        let request = host_jobs::pull(slf.py(), dest, options)?;
        Self::run(slf, |service| host_jobs::perform(service, request))
    }

    #[getter]
    fn agent(slf: &Bound<'_, Self>) -> AgentControl {
        AgentControl::of(slf.as_any())
    }

    #[pyo3(signature = (verb, domain, site_url, force))]
    fn _agent<'py>(
        slf: &Bound<'py, Self>,
        verb: &str,
        domain: String,
        site_url: Option<String>,
        force: bool,
    ) -> Object<'py> {
        let verb = host_jobs::agent_verb(verb, force)?;
        Self::run(slf, |service| host_jobs::agent(service, verb, domain, site_url))
    }
}
