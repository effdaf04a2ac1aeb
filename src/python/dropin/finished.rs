//! How an operation ends: what it does to `error_message` and what it returns, for the moment when it is back with the
//! interpreter.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde_json::Value;

use super::service::Service;
use super::state::Shared;
use crate::dropin::Failed;
use crate::error::{Error, Result};
use crate::python::convert::json_to_py;
use crate::python::errors::to_py;

type Present<'a> = Box<dyn for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>> + Send + 'a>;

/// The end of an operation.
pub(super) struct Finished {
    state: Shared,
    failures: Vec<String>,
    raised: Option<Error>,
    present: Present<'static>,
}

impl Finished {
    /// Success and failure, each with what the operation returns then; a failure's text is handed on.
    pub(super) fn new<T: Send + 'static>(
        service: &Service,
        outcome: Result<T, Failed>,
        success: impl for<'py> FnOnce(Python<'py>, T) -> PyResult<Bound<'py, PyAny>> + Send + 'static,
        failure: impl for<'py> FnOnce(Python<'py>, String) -> PyResult<Bound<'py, PyAny>> + Send + 'static,
    ) -> Self {
        let state = Shared::clone(service.state());
        service.persist_budget();
        let (mut failures, mut raised) = (Vec::new(), None);
        let present: Present<'static> = match outcome {
            Ok(value) => Box::new(move |py| success(py, value)),
            Err(Failed::Told { text, .. }) => {
                failures.push(text.clone());
                Box::new(move |py| failure(py, text))
            }
            Err(Failed::Raised(error)) => {
                raised = Some(error);
                Box::new(|py| none(py, ()))
            }
        };
        Self { state, failures, raised, present }
    }

    /// The same with JSON for a success, and `None` for a failure.
    pub(super) fn json(service: &Service, outcome: Result<Value, Failed>) -> Self {
        Self::new(service, outcome, |py, value| json_to_py(py, &value), none)
    }

    /// A result with a failure to report besides.
    pub(super) fn and_failed(mut self, failure: Option<String>) -> Self {
        self.failures.extend(failure);
        self
    }
}

impl<'py> IntoPyObject<'py> for Finished {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(error) = self.raised {
            return Err(to_py(py, error));
        }
        self.state.error_message.settle(&self.failures);
        (self.present)(py)
    }
}

#[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "the shape that `Finished::new` takes")]
pub(super) fn none<T>(py: Python<'_>, _: T) -> PyResult<Bound<'_, PyAny>> {
    Ok(py.None().into_bound(py))
}

pub(super) fn text(py: Python<'_>, text: String) -> PyResult<Bound<'_, PyAny>> {
    text.into_bound_py_any(py)
}

#[allow(clippy::unnecessary_wraps, reason = "the shape that `Finished::new` takes")]
pub(super) fn empty<T>(py: Python<'_>, _: T) -> PyResult<Bound<'_, PyAny>> {
    Ok(PyString::new(py, "").into_any())
}
