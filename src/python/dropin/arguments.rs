//! Arguments of methods that pyo3 alone would accept too freely.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction, PyDict, PyString};

use super::service::Callable;
use crate::python::convert::is_int;

/// A sequence of texts. A single text is one too, letter by letter, but that is never what is meant.
pub(super) fn texts(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let wrong = || PyTypeError::new_err(format!("{name} must be a sequence of str: put a single one into a list"));
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() {
        return Err(wrong());
    }
    value.try_iter().map_err(|_| wrong())?.map(|text| text?.extract().map_err(|_| wrong())).collect()
}

/// What `dict` makes a dict of, as a map of names; `wrong` says what else it must be.
pub(super) fn mapping<T>(value: &Bound<'_, PyAny>, wrong: &'static str) -> PyResult<BTreeMap<String, T>>
where
    for<'py> BTreeMap<String, T>: FromPyObjectOwned<'py>,
{
    let dict = value.py().get_type::<PyDict>().call1((value,));
    dict.and_then(|dict| dict.extract().map_err(Into::into)).map_err(|_| PyTypeError::new_err(wrong))
}

/// The number of a console, also as text.
pub(super) fn console_id(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if is_int(value) || value.is_instance_of::<PyString>() {
        return value.str()?.extract();
    }
    Err(PyTypeError::new_err(format!("con_id must be an int or str, not {}", value.get_type().name()?)))
}

/// The default of `skip_enter_folder`: leaves nothing out. Known by its name, and not called.
#[pyfunction]
#[pyo3(name = "_never_skip")]
pub(in crate::python) fn never_skip(_path: &Bound<'_, PyAny>) -> bool {
    false
}

/// A callback that leaves out files and folders; `None` for one that never does.
pub(super) fn skipper(callback: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Callable>> {
    let Some(callback) = callback.filter(|callback| !callback.is_none()) else { return Ok(None) };
    if !callback.is_callable() {
        return Err(PyTypeError::new_err(format!(
            "the callback that skips files must be callable, not {}",
            callback.get_type().name()?
        )));
    }
    let is_default = callback
        .cast::<PyCFunction>()
        .is_ok_and(|function| function.getattr("__name__").is_ok_and(|name| name.eq("_never_skip").unwrap_or(false)));
    Ok((!is_default).then(|| Arc::new(callback.clone().unbind())))
}
