//! Searches by a caller's collector: an object with `.collect(mask)` and `.files`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PySet};

use super::arguments::skipper;
use super::search::{is_skipped, path_of};
use super::service::Callable;
use super::state::State;
use crate::text::extension;

/// What `_prepare_collector` returns: called with a mask, it gives pairs of file extension and path.
#[pyclass(module = "pythonanywhere_api", frozen)]
pub(in crate::python) struct ItemCollector {
    api: Py<PyAny>,
    skip: Option<Callable>,
}

impl ItemCollector {
    /// Sets `skip_enter_folder` too, so that folders are left out before they are listed.
    pub(super) fn new(api: &Bound<'_, PyAny>, skip: &Bound<'_, PyAny>) -> PyResult<Self> {
        let checked = skipper(Some(skip))?;
        api.setattr(intern!(api.py(), "skip_enter_folder"), skip)?;
        Ok(Self { api: api.clone().unbind(), skip: checked })
    }
}

#[pymethods]
impl ItemCollector {
    /// Calls `files_iterator`, be it ours or the caller's own.
    fn __call__<'py>(&self, py: Python<'py>, path_mask: &str) -> PyResult<Bound<'py, PyList>> {
        let pairs = PyList::empty(py);
        for item in self.api.bind(py).call_method1(intern!(py, "files_iterator"), (path_mask,))?.try_iter()? {
            let item = item?;
            let path = path_of(&item)?;
            let skipped = match &self.skip {
                Some(skip) => is_skipped(skip.bind(py), &path)?,
                None => false,
            };
            if !skipped {
                pairs.append((extension(&path), &path))?;
            }
        }
        Ok(pairs)
    }
}

/// `find_project_files` with a collector; everything it calls on the instance fails or succeeds as one.
pub(super) fn collect<'py>(
    collector: &Bound<'py, PyAny>,
    state: &State,
    path_mask: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let py = collector.py();
    state.begin_collecting();
    let outcome = collector.call_method1(intern!(py, "collect"), (path_mask,));
    let failed = state.end_collecting();
    outcome?;
    if failed {
        return Ok(py.None().into_bound(py));
    }
    state.settle(&[]);
    let files = PySet::empty(py)?;
    for file in collector.getattr(intern!(py, "files"))?.try_iter()? {
        files.add(file?)?;
    }
    Ok(files.into_any())
}
