//! The two classes and their base, but for the methods of the table.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use secrecy::{ExposeSecret, SecretString};

use super::values::{outcome, to_value};
use crate::python::errors::IntoPy;
use crate::python::runtime::run;
use crate::python::twins::twin;
use crate::webfaction::{DEFAULT_TIMEOUT, Service, Value};

/// The base of both classes: a service, once `__init__` ran.
#[pyclass(name = "_WebfactionBase", module = "pythonanywhere_api._core", subclass, dict, weakref, frozen)]
pub(in crate::python) struct WebfactionBase {
    is_async: bool,
    service: ArcSwapOption<Service>,
}

impl WebfactionBase {
    fn new(is_async: bool) -> Self {
        Self { is_async, service: ArcSwapOption::empty() }
    }

    /// The service.
    pub(super) fn service(&self) -> PyResult<Arc<Service>> {
        self.service
            .load_full()
            .ok_or_else(|| PyRuntimeError::new_err("__init__ was not called: call super().__init__(url)"))
    }
}

#[pymethods]
impl WebfactionBase {
    #[pyo3(signature = (url="https://api.webfaction.com/", *, timeout=None))]
    fn __init__(&self, py: Python<'_>, url: &str, timeout: Option<f64>) -> PyResult<()> {
        let timeout = match timeout {
            None => DEFAULT_TIMEOUT,
            Some(seconds) => Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|timeout| !timeout.is_zero())
                .ok_or_else(|| PyValueError::new_err("timeout must be a positive number of seconds"))?,
        };
        self.service.store(Some(Arc::new(Service::new(url, timeout).into_py(py)?)));
        Ok(())
    }

    #[getter]
    fn url(&self) -> PyResult<String> {
        Ok(self.service()?.url().to_owned())
    }

    #[getter]
    fn session_id(&self) -> PyResult<Option<String>> {
        Ok(self.service()?.session().map(|session| session.expose_secret().to_owned()))
    }

    #[setter]
    fn set_session_id(&self, session: Option<String>) -> PyResult<()> {
        self.service()?.set_session(session.map(SecretString::from));
        Ok(())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let service = slf.get().service()?;
        // A query may hold anything.
        let url = service.url().split('?').next().unwrap_or_default();
        Ok(format!("{}('{url}')", slf.get_type().name()?))
    }

    #[pyo3(signature = (name, /, *args))]
    fn call<'py>(&self, py: Python<'py>, name: String, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let (service, arguments) = (self.service()?, raw_arguments(&name, args)?);
        run(py, self.is_async, "call", move |_caller| async move { outcome(service.call_raw(&name, arguments).await) })
    }
}

fn raw_arguments(name: &str, args: &Bound<'_, PyTuple>) -> PyResult<Vec<Value>> {
    args.iter().enumerate().map(|(index, value)| to_value(&value, &format!("{name}: argument {}", index + 1))).collect()
}

twin! {
    /// The API with calls that wait. Documented in `webfaction.pyi`.
    #[pyclass(module = "pythonanywhere_api.webfaction", extends = WebfactionBase, subclass, frozen)]
    WebfactionApi: WebfactionBase, is_async: false
}

twin! {
    /// The API with calls as coroutines. Documented in `webfaction.pyi`.
    #[pyclass(module = "pythonanywhere_api.webfaction", extends = WebfactionBase, subclass, frozen)]
    AsyncWebfactionApi: WebfactionBase, is_async: true
}
