//! Arguments to JSON, and answers to Python.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use serde_json::{Number, Value};

use super::upload::Upload;
use crate::api::calls::{EndpointCall, Sends};
use crate::api::{CallAnswer, CommandOutput};
use crate::parameters::{Kind, Parameter};
use crate::python::convert::{from_items, is_int, json_to_py, type_name};
use crate::python::errors::class;
use crate::python::method::Arguments;

/// The arguments of a call.
pub(super) enum Given {
    /// One for each parameter.
    Values(Vec<Option<Value>>),
    /// A path, and what is to be written there.
    Upload(String, Upload),
}

/// Reads the arguments of a call.
///
/// # Errors
/// `TypeError` for one of a wrong type.
pub(super) fn given(call: &EndpointCall, arguments: &Arguments<'_>) -> PyResult<Given> {
    if call.sends == Sends::File {
        let path = argument(call.name, &call.parameters[0], &arguments.value(0)?)?;
        let content = Upload::of(call.name, &arguments.value(1)?)?;
        return Ok(Given::Upload(path.as_str().unwrap_or_default().to_owned(), content));
    }
    let value = |(index, parameter): (usize, &Parameter)| match arguments.given(index) {
        Some(given) => argument(call.name, parameter, given).map(Some),
        None => Ok(None),
    };
    call.parameters.iter().enumerate().map(value).collect::<PyResult<_>>().map(Given::Values)
}

/// An argument as text: a text, or an identifier.
///
/// # Errors
/// `TypeError` for anything else.
pub(super) fn text_argument(name: &str, parameter: &Parameter, given: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(match argument(name, parameter, given)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

fn argument(name: &str, parameter: &Parameter, given: &Bound<'_, PyAny>) -> PyResult<Value> {
    let wrong = |expected: &str| {
        let found = type_name(given);
        PyTypeError::new_err(format!("{name}: {} must be {expected}, not {found}", parameter.name))
    };
    let is_optional = parameter.default.is_some() && given.is_none();
    let is_number = is_int(given);
    match parameter.kind {
        _ if is_optional => Ok(Value::Null),
        Kind::Text if !given.is_instance_of::<PyString>() => Err(wrong("a str")),
        Kind::Integer if !is_number => Err(wrong("an int")),
        Kind::Flag if !given.is_instance_of::<PyBool>() => Err(wrong("a bool")),
        // Identifiers, the one kind of argument in the table that is either.
        Kind::Any if !is_number && !given.is_instance_of::<PyString>() => Err(wrong("an int or a str")),
        _ => json(given).map_err(|error| {
            let message = format!("{name}: {}: {}", parameter.name, error.value(given.py()));
            if error.is_instance_of::<PyTypeError>(given.py()) { PyTypeError::new_err(message) } else { error }
        }),
    }
}

/// A value as JSON.
///
/// # Errors
/// `TypeError` for what cannot be converted.
fn json(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if value.is_none() {
        Ok(Value::Null)
    } else if value.is_instance_of::<PyBool>() {
        value.extract().map(Value::Bool)
    } else if value.is_instance_of::<PyInt>() {
        value.extract::<i64>().map(Value::from)
    } else if value.is_instance_of::<PyFloat>() {
        let number = Number::from_f64(value.extract()?);
        number.map(Value::Number).ok_or_else(|| PyTypeError::new_err("JSON has no infinity and no NaN"))
    } else if value.is_instance_of::<PyString>() {
        value.extract().map(Value::String)
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        value.try_iter()?.map(|item| json(&item?)).collect::<PyResult<_>>().map(Value::Array)
    } else if let Ok(mapping) = value.cast::<PyMapping>() {
        mapping.items()?.iter().map(|item| field(&item)).collect::<PyResult<_>>().map(Value::Object)
    } else {
        Err(PyTypeError::new_err(format!("{} cannot be converted to JSON", type_name(value))))
    }
}

/// A field of a JSON object, from an item of a mapping.
fn field(item: &Bound<'_, PyAny>) -> PyResult<(String, Value)> {
    let (name, value): (String, Bound<'_, PyAny>) =
        item.extract().map_err(|_| PyTypeError::new_err("the names of fields must be str"))?;
    Ok((name, json(&value)?))
}

/// What a call gave.
pub(super) fn answer(py: Python<'_>, answer: CallAnswer) -> PyResult<Bound<'_, PyAny>> {
    match answer {
        CallAnswer::Nothing => Ok(py.None().into_bound(py)),
        CallAnswer::Json(value) => json_to_py(py, &value),
        CallAnswer::Bytes(content) => Ok(PyBytes::new(py, &content).into_any()),
        CallAnswer::Certificate(value) => certificate(py, &value),
        CallAnswer::Reloaded(answer, warning) => {
            if let Some(warning) = warning {
                warn(py, &warning)?;
            }
            json_to_py(py, &answer)
        }
    }
}

/// With the end of its validity as an aware datetime too, where the service's text is one.
fn certificate<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    let certificate = json_to_py(py, value)?;
    if let (Ok(dict), Some(text)) = (certificate.cast::<PyDict>(), value.get("not_after").and_then(Value::as_str)) {
        dict.set_item("not_after_datetime", from_items(py, "parse_time", (text,))?)?;
    }
    Ok(certificate)
}

fn warn(py: Python<'_>, message: &str) -> PyResult<()> {
    let category = class(py, "PythonAnywhereWarning")?;
    py.import("warnings")?.call_method1("warn", (message, category)).map(drop)
}

/// What a command in a console gave.
pub(super) fn command_output(py: Python<'_>, output: CommandOutput) -> PyResult<Bound<'_, PyAny>> {
    from_items(py, "ConsoleOutput", (output.text, output.exit_status, output.is_complete))
}
