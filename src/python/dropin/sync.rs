//! `PythonanywhereApi`: the class whose methods wait.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::base::PythonanywhereBase;
use super::collector::ItemCollector;
use super::iterator::FilesIterator;
use super::operations;

/// A project on the service. Documented in `_core.pyi`.
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

    fn _from_json<'py>(slf: &Bound<'py, Self>, response: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        operations::from_json(slf.as_super().get().state(), response)
    }

    fn _prepare_collector(slf: &Bound<'_, Self>, skip: &Bound<'_, PyAny>) -> PyResult<ItemCollector> {
        ItemCollector::new(slf.as_any(), skip)
    }

    #[pyo3(signature = (path_mask, level_index=0))]
    fn files_iterator(slf: &Bound<'_, Self>, path_mask: String, level_index: usize) -> PyResult<FilesIterator> {
        FilesIterator::new(PythonanywhereBase::call(slf.as_super())?, slf.as_any(), path_mask, level_index)
    }
}
