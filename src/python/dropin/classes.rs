//! `PythonanywhereApi` and `AsyncPythonanywhereApi`: their base, told which of the two it is.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::base::PythonanywhereBase;

/// A project on the service, whose methods wait. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", extends = PythonanywhereBase, subclass, frozen)]
pub(in crate::python) struct PythonanywhereApi;

#[pymethods]
impl PythonanywhereApi {
    /// Takes anything: subclasses have signatures of their own, and `__init__` sets up.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(PythonanywhereBase::new(false)).add_subclass(Self)
    }
}

/// A project on the service, whose methods are coroutines. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", extends = PythonanywhereBase, subclass, frozen)]
pub(in crate::python) struct AsyncPythonanywhereApi;

#[pymethods]
impl AsyncPythonanywhereApi {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(PythonanywhereBase::new(true)).add_subclass(Self)
    }
}
