//! `AsyncPythonanywhereApi`: the class whose methods are coroutines. Arguments and attributes are read at the call.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::base::PythonanywhereBase;
use super::collector::ItemCollector;
use super::finished::Raising;
use super::iterator::AsyncFilesIterator;
use super::operations;
use crate::python::runtime::{Coroutine, awaitable};

/// A project on the service. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", extends = PythonanywhereBase, subclass, frozen)]
pub(in crate::python) struct AsyncPythonanywhereApi;

#[pymethods]
impl AsyncPythonanywhereApi {
    /// Takes anything: subclasses have signatures of their own, and `__init__` sets up.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(PythonanywhereBase::new(true)).add_subclass(Self)
    }

    #[allow(clippy::needless_pass_by_value, reason = "pyo3 hands owned values to coroutines")]
    fn _from_json(slf: &Bound<'_, Self>, response: Py<PyAny>) -> Coroutine {
        let state = slf.as_super().get().state().clone();
        awaitable("_from_json", move |caller| async move {
            let parsed =
                caller.call(move |py| operations::from_json(&state, response.bind(py)).map(Bound::unbind)).await;
            Ok(Raising(parsed))
        })
    }

    fn _prepare_collector(slf: &Bound<'_, Self>, skip: &Bound<'_, PyAny>) -> PyResult<Coroutine> {
        let collector = ItemCollector::new(slf.as_any(), skip)?;
        Ok(awaitable("_prepare_collector", move |_caller| async move { Ok(collector) }))
    }

    #[pyo3(signature = (path_mask, level_index=0))]
    fn files_iterator(slf: &Bound<'_, Self>, path_mask: String, level_index: usize) -> PyResult<AsyncFilesIterator> {
        AsyncFilesIterator::new(PythonanywhereBase::call(slf.as_super())?, slf.as_any(), path_mask, level_index)
    }
}
