//! XML-RPC values as Python has them, both ways.
//!
//! What is refused is not quoted: it may be a password.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};

use crate::error::Error;
use crate::python::answer::Answer;
use crate::python::convert::{dict, list};
use crate::python::errors::{IntoPy, exception, to_py};
use crate::webfaction::{CallError, DateTime, MAX_DEPTH, Value};

/// A Python value as it goes over the wire; `what` names it in errors.
pub(super) fn to_value(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Value> {
    nested_value(value, what, MAX_DEPTH)
}

fn nested_value(value: &Bound<'_, PyAny>, what: &str, depth: usize) -> PyResult<Value> {
    let inner = |item: &Bound<'_, PyAny>| match depth.checked_sub(1) {
        Some(depth) => nested_value(item, what, depth),
        None => refuse(value.py(), what, &format!("nested deeper than {MAX_DEPTH} levels")),
    };
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        value.try_iter()?.map(|item| inner(&item?)).collect::<PyResult<_>>().map(Value::Array)
    } else if let Ok(dict) = value.cast::<PyDict>() {
        let member = |(name, value): (Bound<'_, PyAny>, _)| Ok((member_name(&name, what)?, inner(&value)?));
        dict.iter().map(member).collect::<PyResult<_>>().map(Value::Struct)
    } else {
        flat_value(value, what)
    }
}

fn flat_value(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Value> {
    if value.is_none() {
        Ok(Value::Nil)
    } else if let Ok(flag) = value.cast::<PyBool>() {
        Ok(Value::Boolean(flag.is_true()))
    } else if value.is_instance_of::<PyInt>() {
        integer(value, what)
    } else if value.is_instance_of::<PyFloat>() {
        Ok(Value::Double(value.extract()?))
    } else if let Ok(text) = value.cast::<PyString>() {
        self::text(text, what).map(Value::String)
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        Ok(Value::Base64(bytes.as_bytes().to_vec()))
    } else if let Ok(bytes) = value.cast::<PyByteArray>() {
        Ok(Value::Base64(bytes.to_vec()))
    } else {
        of_a_class(value, what)
    }
}

fn member_name(key: &Bound<'_, PyAny>, what: &str) -> PyResult<String> {
    match key.cast::<PyString>() {
        Ok(key) => text(key, what),
        Err(_) => Err(PyTypeError::new_err(format!("{what}: the keys of a dict must be str"))),
    }
}

fn integer(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Value> {
    let number: i64 = value.extract().map_err(|_| {
        PyOverflowError::new_err(format!("{what}: the int has more than the 64 bits of XML-RPC's i8; send it as str"))
    })?;
    Ok(i32::try_from(number).map_or(Value::Long(number), Value::Integer))
}

fn text(text: &Bound<'_, PyString>, what: &str) -> PyResult<String> {
    match text.extract() {
        Ok(text) => Ok(text),
        Err(_) => refuse(text.py(), what, "a str with lone surrogates, which UTF-8 cannot carry: send bytes"),
    }
}

/// Times, and the wrappers that scripts for `xmlrpc.client` use.
fn of_a_class(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Value> {
    let py = value.py();
    if value.is_instance(datetime_class(py)?)? {
        return of_datetime(value, what);
    }
    let class = value.get_type();
    let is_wrapper = class.module()? == "xmlrpc.client";
    match class.name()?.to_str()? {
        "Binary" if is_wrapper => Ok(Value::Base64(value.getattr("data")?.extract()?)),
        "DateTime" if is_wrapper => date_time(py, what, &value.getattr("value")?.extract::<String>()?),
        name => Err(PyTypeError::new_err(format!(
            "{what}: XML-RPC cannot carry {name}; it takes None, bool, int, float, str, bytes, datetime, list, tuple \
             and dict"
        ))),
    }
}

fn of_datetime(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Value> {
    if !value.getattr("tzinfo")?.is_none() {
        let why = "a datetime with a time zone, which XML-RPC cannot carry: convert it to the server's zone, and \
                   remove it with .replace(tzinfo=None)";
        return refuse(value.py(), what, why);
    }
    // Not `strftime`: it writes years before 1000 with fewer digits.
    let text: String = value.call_method1("isoformat", ("T", "seconds"))?.extract()?;
    date_time(value.py(), what, &text.replace('-', ""))
}

fn date_time(py: Python<'_>, what: &str, text: &str) -> PyResult<Value> {
    match text.parse() {
        Ok(time) => Ok(Value::DateTime(time)),
        Err(_) => refuse(py, what, "a time that XML-RPC cannot carry"),
    }
}

fn refuse<T>(py: Python<'_>, what: &str, why: &str) -> PyResult<T> {
    Err(Error::config(format!("{what}: it is {why}"))).into_py(py)
}

fn datetime_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "datetime", "datetime")
}

/// A value of the server as Python has it.
fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Integer(number) => number.into_bound_py_any(py),
        Value::Long(number) => number.into_bound_py_any(py),
        Value::Boolean(flag) => flag.into_bound_py_any(py),
        Value::String(text) => text.into_bound_py_any(py),
        Value::Double(number) => number.into_bound_py_any(py),
        Value::DateTime(time) => from_date_time(py, *time),
        Value::Base64(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
        Value::Array(items) => list(py, items, to_python),
        Value::Struct(members) => dict(py, members, to_python),
        Value::Nil => Ok(py.None().into_bound(py)),
        other => Err(PyTypeError::new_err(format!("the server sent a value of an unknown XML-RPC type: {other:?}"))),
    }
}

fn from_date_time(py: Python<'_>, time: DateTime) -> PyResult<Bound<'_, PyAny>> {
    let parts = (time.year(), time.month(), time.day(), time.hour(), time.minute(), time.second());
    datetime_class(py)?.call1(parts)
}

/// How a call ended.
pub(super) fn outcome(outcome: Result<Value, CallError>) -> Answer<Value, CallError> {
    Answer(outcome, |py, value| to_python(py, &value))
}

impl IntoPy<Value> for Result<Value, CallError> {
    fn into_py(self, py: Python<'_>) -> PyResult<Value> {
        self.map_err(|error| match error {
            CallError::Other(error) => to_py(py, error),
            CallError::Fault(fault) => exception(py, "WebfactionFault", (fault.code, fault.message)),
        })
    }
}
