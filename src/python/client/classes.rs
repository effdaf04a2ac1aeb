//! The two classes and their base, but for the families of calls.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::options::Keywords;
use crate::client;
use crate::client::Environment;
use crate::python::errors::IntoPy;
use crate::python::runtime::{Coroutine, awaitable};

/// What both classes share: the account.
#[pyclass(name = "_ClientBase", module = "pythonanywhere_api._core", subclass, weakref, frozen)]
pub(in crate::python) struct ClientBase {
    pub(super) core: client::Client,
}

#[pymethods]
impl ClientBase {
    #[classmethod]
    #[pyo3(signature = (**kwargs))]
    fn from_env<'py>(class: &Bound<'py, PyType>, kwargs: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        let (host, user, token) = Environment::read().account().into_py(class.py())?;
        class.call((user, token, host), kwargs)
    }

    #[getter]
    fn username(&self) -> &str {
        self.core.user()
    }

    #[getter]
    fn host(&self) -> &str {
        self.core.host().as_str().trim_end_matches('/')
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let this = slf.get();
        Ok(format!("{}('{}', host='{}')", slf.get_type().name()?, this.core.user(), this.host()))
    }
}

/// A class of clients: the constructor is the same, and what differs follows.
macro_rules! client_class {
    ($(#[doc = $doc:literal])* $class:ident { $($methods:item)* }) => {
        $(#[doc = $doc])*
        #[pyclass(module = "pythonanywhere_api", extends = ClientBase, subclass, frozen)]
        pub(in crate::python) struct $class;

        #[pymethods]
        impl $class {
            #[new]
            #[pyo3(signature = (username, token, host="www.pythonanywhere.com", *, timeout=None, rate_limit=None,
                                retries=None, max_wait=None))]
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
            ) -> PyResult<PyClassInitializer<Self>> {
                let core = Keywords { timeout, rate_limit, retries, max_wait }.client(py, username, token, host)?;
                Ok(PyClassInitializer::from(ClientBase { core }).add_subclass(Self))
            }

            $($methods)*
        }
    };
}

client_class! {
    /// An account on the service, whose calls wait. Documented in `_core.pyi`.
    Client {
        fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
            slf
        }

        #[pyo3(signature = (*_raised))]
        fn __exit__(slf: &Bound<'_, Self>, _raised: &Bound<'_, PyTuple>) {
            let core = &slf.as_super().get().core;
            slf.py().detach(|| core.persist_budget());
        }
    }
}

client_class! {
    /// An account on the service, whose calls are coroutines. Documented in `_core.pyi`.
    AsyncClient {
        fn __aenter__(slf: Bound<'_, Self>) -> Coroutine {
            let client = slf.unbind();
            awaitable("__aenter__", move |_caller| async move { Ok(client) })
        }

        #[pyo3(signature = (*_raised))]
        fn __aexit__(slf: &Bound<'_, Self>, _raised: &Bound<'_, PyTuple>) -> Coroutine {
            let core = slf.as_super().get().core.clone();
            awaitable("__aexit__", move |_caller| async move {
                core.persist_budget();
                Ok(())
            })
        }
    }
}
