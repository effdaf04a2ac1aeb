//! JSON as Python values, the names of types in messages, and what else all modules translate.

use std::path::PathBuf;

use pyo3::IntoPyObjectExt;
use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyInt, PyList};
use serde_json::{Number, Value};

/// Turns a JSON value into dicts, lists, strings, numbers, booleans and `None`.
pub(super) fn json_to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Bool(flag) => flag.into_bound_py_any(py),
        Value::Number(number) => number_to_py(py, number),
        Value::String(text) => text.into_bound_py_any(py),
        Value::Array(items) => list(py, items, json_to_py),
        Value::Object(fields) => dict(py, fields, json_to_py),
    }
}

fn number_to_py<'py>(py: Python<'py>, number: &Number) -> PyResult<Bound<'py, PyAny>> {
    match (number.as_i64(), number.as_u64()) {
        (Some(integer), _) => integer.into_bound_py_any(py),
        (None, Some(integer)) => integer.into_bound_py_any(py),
        (None, None) => number.as_f64().into_bound_py_any(py),
    }
}

/// A list of items, each converted.
pub(super) fn list<'py, T>(
    py: Python<'py>,
    items: &[T],
    convert: impl Fn(Python<'py>, &T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let items = items.iter().map(|item| convert(py, item)).collect::<PyResult<Vec<_>>>()?;
    Ok(PyList::new(py, items)?.into_any())
}

/// A dict of named values, each converted.
pub(super) fn dict<'py, 'a, T: 'a>(
    py: Python<'py>,
    fields: impl IntoIterator<Item = (&'a String, &'a T)>,
    convert: impl Fn(Python<'py>, &T) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let dict = PyDict::new(py);
    fields.into_iter().try_for_each(|(name, value)| dict.set_item(name, convert(py, value)?))?;
    Ok(dict.into_any())
}

/// Refuses what a coroutine function returned where a plain one is needed.
pub(super) fn refuse_awaitable(answer: &Bound<'_, PyAny>, what: &str) -> PyResult<()> {
    if !answer.hasattr(intern!(answer.py(), "__await__"))? {
        return Ok(());
    }
    // An unawaited coroutine would be warned about as well.
    answer.getattr_opt("close")?.map(|close| close.call0()).transpose()?;
    Err(PyTypeError::new_err(format!("{what} must be a plain function, not a coroutine function")))
}

/// A JSON value as an attribute of a class: a new Python value each time it is read.
pub(super) struct Json(pub Value);

impl<'py> IntoPyObject<'py> for Json {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json_to_py(py, &self.0)
    }
}

/// Whether it is an int; to Python a bool is one as well.
pub(super) fn is_int(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>()
}

/// The program of this Python.
pub(super) fn interpreter(py: Python<'_>) -> PyResult<PathBuf> {
    py.import("sys")?.getattr("executable")?.extract()
}

/// What a class or a function of `pythonanywhere_api._items` makes.
pub(super) fn from_items<'py>(py: Python<'py>, name: &str, args: impl PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
    static ITEMS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let items = ITEMS.get_or_try_init(py, || py.import("pythonanywhere_api._items").map(Bound::unbind))?;
    items.bind(py).getattr(name)?.call1(args)
}

/// The name of a value's type, for a message.
pub(super) fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "another type".to_owned(), |name| name.to_string())
}
