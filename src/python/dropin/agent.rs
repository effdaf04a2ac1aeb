//! The attribute `agent` of the classes: the agent in a web app, and the variables that its WSGI file sets.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use serde::Serialize;

use super::arguments::mapping;
use super::host_jobs::{self, Job};
use super::service::Call;
use super::state::Shared;
use crate::deploy::{ExecutorOptions, Project, variables};
use crate::error::Result;
use crate::host::{Agents, Variables};
use crate::python::errors::IntoPy;
use crate::python::runtime::run;

const AGENT: &str = "managing the agent";
const VARIABLES: &str = "working on the variables of a web app";

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

    /// Runs a job whose answer is JSON.
    fn run<'py, T, F>(
        &self,
        py: Python<'py>,
        method: &'static str,
        task: &'static str,
        job: impl FnOnce(Project) -> F + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        T: Serialize,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let call = Call::new(self.api.bind(py), &self.state)?;
        let job = Job::json(ExecutorOptions::default(), |project, _| job(project)).with_task(task);
        run(py, self.state.is_async, method, move |caller| host_jobs::perform(call.on(caller), job))
    }
}

#[pymethods]
impl AgentControl {
    #[pyo3(signature = (domain, site_url=None))]
    fn install<'py>(&self, py: Python<'py>, domain: String, site_url: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, "install", AGENT, |project| async move {
            Ok(Agents::new(&project.client, &domain, site_url.as_deref())?.install().await?.to_json())
        })
    }

    #[pyo3(signature = (domain, site_url=None))]
    fn status<'py>(&self, py: Python<'py>, domain: String, site_url: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, "status", AGENT, |project| async move {
            Ok(Agents::new(&project.client, &domain, site_url.as_deref())?.status().await?.to_json())
        })
    }

    #[pyo3(signature = (domain))]
    fn variables<'py>(&self, py: Python<'py>, domain: String) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, "variables", VARIABLES, |project| async move { variables::list(&project.client, &domain).await })
    }

    // Those that have no value go.
    #[pyo3(signature = (domain, values, site_url=None))]
    fn set_variables<'py>(
        &self,
        py: Python<'py>,
        domain: String,
        values: &Bound<'py, PyAny>,
        site_url: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let wrong = "values must be a mapping of str to str or None";
        let pairs: BTreeMap<String, Option<String>> = mapping(values, wrong)?;
        let unset = pairs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.clone()).collect();
        let set = Variables::new(pairs.into_iter().filter_map(|(name, value)| Some((name, value?)))).into_py(py)?;
        self.run(py, "set_variables", VARIABLES, move |project| async move {
            let executors = ExecutorOptions { domain: Some(domain), site_url, ..ExecutorOptions::default() };
            variables::change(&project, &executors, &set, &unset).await.map(|changed| changed.names)
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
        self.run(py, "remove", AGENT, move |project| async move {
            Ok(Agents::new(&project.client, &domain, site_url.as_deref())?.remove(force).await?.to_json())
        })
    }
}
