//! Arguments that pyo3 alone would take too freely.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};

/// A sequence of masks. A single text is one too, letter by letter, but never meant so.
pub(super) fn masks(value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let wrong = || PyTypeError::new_err("path_masks must be a sequence of str; for one mask write [mask]");
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() {
        return Err(wrong());
    }
    value.try_iter().map_err(|_| wrong())?.map(|mask| mask?.extract().map_err(|_| wrong())).collect()
}

/// The number of a console, also as text.
pub(super) fn console_id(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyInt>() || value.is_instance_of::<PyString>() {
        return value.str()?.extract();
    }
    Err(PyTypeError::new_err(format!("con_id must be an int or str, not {}", value.get_type().name()?)))
}
