//! Searches by a caller's collector: an object with `.collect(mask)` and `.files`.
//!
//! What `_prepare_collector` makes for it runs in Python on both sides, and so is written there: `_items.ItemCollector`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PySet;

use super::state::State;

/// `find_project_files` with a collector; everything it calls on the instance fails or succeeds as one.
pub(super) fn collect<'py>(
    collector: &Bound<'py, PyAny>,
    state: &State,
    path_mask: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let py = collector.py();
    let search = state.error_message.begin_search();
    let outcome = collector.call_method1(intern!(py, "collect"), (path_mask,));
    let failed = search.end();
    outcome?;
    if failed {
        return Ok(py.None().into_bound(py));
    }
    state.error_message.settle(&[]);
    py.get_type::<PySet>().call1((collector.getattr(intern!(py, "files"))?,))
}
