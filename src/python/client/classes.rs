//! The two classes, but for their families of calls.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::options::Keywords;
use crate::client;
use crate::python::dropin::account_of_environment;
use crate::python::errors::IntoPy;
use crate::python::runtime::{Coroutine, awaitable};

/// An account on the service, whose calls wait. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", subclass, weakref, frozen)]
pub(in crate::python) struct Client {
    pub(super) core: client::Client,
}

/// An account on the service, whose calls are coroutines. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", subclass, weakref, frozen)]
pub(in crate::python) struct AsyncClient {
    pub(super) core: client::Client,
}

fn from_env<'py>(class: &Bound<'py, PyType>, kwargs: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
    let (host, user, token) = account_of_environment().into_py(class.py())?;
    class.call((user, token, host), kwargs)
}

fn repr(object: &Bound<'_, PyAny>, core: &client::Client) -> PyResult<String> {
    Ok(format!("{}('{}', host='{}')", object.get_type().name()?, core.user(), host(core)))
}

fn host(core: &client::Client) -> &str {
    core.host().as_str().trim_end_matches('/')
}

#[pymethods]
impl Client {
    #[new]
    #[pyo3(signature = (username, token, host="www.pythonanywhere.com", *, timeout=None, rate_limit=None, retries=None,
                        max_wait=None))]
    #[allow(clippy::too_many_arguments, reason = "the documented signature, all but three by name")]
    fn new(
        py: Python<'_>,
        username: &str,
        token: &str,
        host: &str,
        timeout: Option<f64>,
        rate_limit: Option<Bound<'_, PyAny>>,
        retries: Option<u32>,
        max_wait: Option<f64>,
    ) -> PyResult<Self> {
        let keywords = Keywords { timeout, rate_limit, retries, max_wait };
        Ok(Self { core: keywords.client(py, username, token, host)? })
    }

    #[classmethod]
    #[pyo3(signature = (**kwargs))]
    fn from_env<'py>(class: &Bound<'py, PyType>, kwargs: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        from_env(class, kwargs)
    }

    #[getter]
    fn username(&self) -> &str {
        self.core.user()
    }

    #[getter]
    fn host(&self) -> &str {
        host(&self.core)
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (_kind=None, _value=None, _traceback=None, /))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: Option<&Bound<'_, PyAny>>,
        _value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) {
        py.detach(|| self.core.persist_budget());
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        repr(slf.as_any(), &slf.get().core)
    }
}

#[pymethods]
impl AsyncClient {
    #[new]
    #[pyo3(signature = (username, token, host="www.pythonanywhere.com", *, timeout=None, rate_limit=None, retries=None,
                        max_wait=None))]
    #[allow(clippy::too_many_arguments, reason = "the documented signature, all but three by name")]
    fn new(
        py: Python<'_>,
        username: &str,
        token: &str,
        host: &str,
        timeout: Option<f64>,
        rate_limit: Option<Bound<'_, PyAny>>,
        retries: Option<u32>,
        max_wait: Option<f64>,
    ) -> PyResult<Self> {
        let keywords = Keywords { timeout, rate_limit, retries, max_wait };
        Ok(Self { core: keywords.client(py, username, token, host)? })
    }

    #[classmethod]
    #[pyo3(signature = (**kwargs))]
    fn from_env<'py>(class: &Bound<'py, PyType>, kwargs: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        from_env(class, kwargs)
    }

    #[getter]
    fn username(&self) -> &str {
        self.core.user()
    }

    #[getter]
    fn host(&self) -> &str {
        host(&self.core)
    }

    fn __aenter__(slf: Bound<'_, Self>) -> Coroutine {
        let client = slf.unbind();
        awaitable("__aenter__", move |_caller| async move { Ok(client) })
    }

    #[pyo3(signature = (_kind=None, _value=None, _traceback=None, /))]
    fn __aexit__(
        &self,
        _kind: Option<&Bound<'_, PyAny>>,
        _value: Option<&Bound<'_, PyAny>>,
        _traceback: Option<&Bound<'_, PyAny>>,
    ) -> Coroutine {
        let core = self.core.clone();
        awaitable("__aexit__", move |_caller| async move {
            core.persist_budget();
            Ok(())
        })
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        repr(slf.as_any(), &slf.get().core)
    }
}
