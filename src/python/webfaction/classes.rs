//! The two classes, but for the methods of the table.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use secrecy::{ExposeSecret, SecretString};

use super::methods::{self, Outcome};
use super::values::to_value;
use crate::python::errors::IntoPy;
use crate::python::runtime::{Coroutine, awaitable, wait};
use crate::webfaction::{DEFAULT_TIMEOUT, Service, Value};

/// What both classes hold: a service, once `__init__` ran.
#[derive(Default)]
pub(super) struct Held(ArcSwapOption<Service>);

impl Held {
    fn set_up(&self, py: Python<'_>, url: &str, timeout: Option<f64>) -> PyResult<()> {
        let timeout = match timeout {
            None => DEFAULT_TIMEOUT,
            Some(seconds) => Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|timeout| !timeout.is_zero())
                .ok_or_else(|| PyValueError::new_err("timeout must be a positive number of seconds"))?,
        };
        self.0.store(Some(Arc::new(Service::new(url, timeout).into_py(py)?)));
        Ok(())
    }

    /// The service.
    pub(super) fn service(&self) -> PyResult<Arc<Service>> {
        self.0.load_full().ok_or_else(|| PyRuntimeError::new_err("__init__ was not called: call super().__init__(url)"))
    }

    fn session_id(&self) -> PyResult<Option<String>> {
        Ok(self.service()?.session().map(|session| session.expose_secret().to_owned()))
    }

    fn set_session_id(&self, session: Option<String>) -> PyResult<()> {
        self.service()?.set_session(session.map(SecretString::from));
        Ok(())
    }

    fn repr(&self, object: &Bound<'_, PyAny>) -> PyResult<String> {
        let service = self.service()?;
        // A query may hold anything.
        let url = service.url().split('?').next().unwrap_or_default();
        Ok(format!("{}('{url}')", object.get_type().name()?))
    }
}

fn raw_arguments(name: &str, args: &Bound<'_, PyTuple>) -> PyResult<Vec<Value>> {
    args.iter().enumerate().map(|(index, value)| to_value(&value, &format!("{name}: argument {}", index + 1))).collect()
}

/// The API with calls that wait. Documented in `webfaction.pyi`.
#[pyclass(module = "pythonanywhere_api.webfaction", subclass, dict, weakref, frozen)]
pub(in crate::python) struct WebfactionApi {
    pub(super) held: Held,
}

#[pymethods]
impl WebfactionApi {
    /// Takes anything: subclasses have signatures of their own, and `__init__` sets up.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { held: Held::default() }
    }

    #[pyo3(signature = (url="https://api.webfaction.com/", *, timeout=None))]
    fn __init__(&self, py: Python<'_>, url: &str, timeout: Option<f64>) -> PyResult<()> {
        self.held.set_up(py, url, timeout)
    }

    #[getter]
    fn url(&self) -> PyResult<String> {
        Ok(self.held.service()?.url().to_owned())
    }

    #[getter]
    fn session_id(&self) -> PyResult<Option<String>> {
        self.held.session_id()
    }

    #[setter]
    fn set_session_id(&self, session: Option<String>) -> PyResult<()> {
        self.held.set_session_id(session)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        slf.get().held.repr(slf.as_any())
    }

    #[pyo3(signature = (name, /, *args))]
    fn call<'py>(&self, py: Python<'py>, name: String, args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let (service, arguments) = (self.held.service()?, raw_arguments(&name, args)?);
        let operation = async move { Outcome(service.call_raw(&name, arguments).await) };
        wait(py, |_caller| operation)?.into_pyobject(py)
    }
}

/// The API with calls as coroutines. Documented in `webfaction.pyi`.
#[pyclass(module = "pythonanywhere_api.webfaction", subclass, dict, weakref, frozen)]
pub(in crate::python) struct AsyncWebfactionApi {
    pub(super) held: Held,
}

#[pymethods]
impl AsyncWebfactionApi {
    /// Takes anything: subclasses have signatures of their own, and `__init__` sets up.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { held: Held::default() }
    }

    #[pyo3(signature = (url="https://api.webfaction.com/", *, timeout=None))]
    fn __init__(&self, py: Python<'_>, url: &str, timeout: Option<f64>) -> PyResult<()> {
        self.held.set_up(py, url, timeout)
    }

    #[getter]
    fn url(&self) -> PyResult<String> {
        Ok(self.held.service()?.url().to_owned())
    }

    #[getter]
    fn session_id(&self) -> PyResult<Option<String>> {
        self.held.session_id()
    }

    #[setter]
    fn set_session_id(&self, session: Option<String>) -> PyResult<()> {
        self.held.set_session_id(session)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        slf.get().held.repr(slf.as_any())
    }

    #[pyo3(signature = (name, /, *args))]
    fn call(&self, name: String, args: &Bound<'_, PyTuple>) -> PyResult<Coroutine> {
        let (service, arguments) = (self.held.service()?, raw_arguments(&name, args)?);
        Ok(awaitable("call", move |_caller| async move { Ok(Outcome(service.call_raw(&name, arguments).await)) }))
    }
}

/// `WebfactionApi` and `AsyncWebfactionApi`, with their methods.
#[pyfunction]
#[pyo3(name = "_webfaction_classes")]
pub(in crate::python) fn webfaction_classes(py: Python<'_>) -> PyResult<(Py<PyType>, Py<PyType>)> {
    static CLASSES: PyOnceLock<(Py<PyType>, Py<PyType>)> = PyOnceLock::new();
    let (sync, asynchronous) = CLASSES.get_or_try_init(py, || {
        let classes = (py.get_type::<WebfactionApi>(), py.get_type::<AsyncWebfactionApi>());
        methods::add(&classes.0, &classes.1)?;
        Ok::<_, PyErr>((classes.0.unbind(), classes.1.unbind()))
    })?;
    Ok((sync.clone_ref(py), asynchronous.clone_ref(py)))
}
