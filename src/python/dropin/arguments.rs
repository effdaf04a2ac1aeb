//! Arguments of constructors and methods: those that pyo3 alone would take too freely, and those of the environment.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyInt, PyString};

use crate::client::{BaseUrl, Environment};
use crate::error::{Error, Result};

/// A sequence of texts. A single text is one too, letter by letter, but never meant so.
pub(super) fn texts(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let wrong = || PyTypeError::new_err(format!("{name} must be a sequence of str; for one write a list with it"));
    if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() {
        return Err(wrong());
    }
    value.try_iter().map_err(|_| wrong())?.map(|text| text?.extract().map_err(|_| wrong())).collect()
}

/// The number of a console, also as text.
pub(super) fn console_id(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let is_number = value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>();
    if is_number || value.is_instance_of::<PyString>() {
        return value.str()?.extract();
    }
    Err(PyTypeError::new_err(format!("con_id must be an int or str, not {}", value.get_type().name()?)))
}

/// Host, user and token for `from_env`, read from the environment now.
pub(in crate::python) fn account_of_environment() -> Result<(String, String, String)> {
    let Environment { token, user, host } = Environment::read();
    let token = token.ok_or_else(|| {
        Error::config(format!(
            "the API token is missing: set {} to the one that the Account page of PythonAnywhere shows, tab 'API Token'",
            Environment::TOKEN
        ))
    })?;
    let user = user.ok_or_else(|| {
        Error::config(format!(
            "the user name is missing: set {} to that of the PythonAnywhere account",
            Environment::USER
        ))
    })?;
    Ok((host.unwrap_or_else(|| BaseUrl::DEFAULT_HOST.to_owned()), user, token))
}
