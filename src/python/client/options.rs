//! The keyword arguments of both classes as options of the engine.

use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::client::{BaseUrl, Client, Options, RateLimit, Token};
use crate::python::errors::IntoPy;

/// What both classes take by name; `None` leaves the engine's default.
pub(super) struct Keywords<'py> {
    pub timeout: Option<f64>,
    pub rate_limit: Option<Bound<'py, PyAny>>,
    pub retries: Option<u32>,
    pub max_wait: Option<f64>,
}

impl Keywords<'_> {
    fn options(&self, py: Python<'_>) -> PyResult<Options> {
        let mut options = Options::default();
        if let Some(timeout) = self.timeout {
            let timeout = seconds("timeout", timeout)?;
            if timeout.is_zero() {
                return Err(PyValueError::new_err("timeout must be more than 0 seconds"));
            }
            options.read_timeout = timeout;
            options.connect_timeout = options.connect_timeout.min(timeout);
        }
        if let Some(limit) = self.rate_limit.as_ref().filter(|limit| !limit.is_none()) {
            options.rate_limit = rate_limit(py, limit)?;
        }
        if let Some(retries) = self.retries {
            options.retries = retries;
        }
        options.max_wait = self.max_wait.map(|wait| seconds("max_wait", wait)).transpose()?;
        Ok(options)
    }

    /// The client of these options.
    pub(super) fn client(&self, py: Python<'_>, username: &str, token: &str, host: &str) -> PyResult<Client> {
        let options = self.options(py)?;
        let host = BaseUrl::parse(host).into_py(py)?;
        let token = Token::new(token).into_py(py)?;
        Client::new(&host, username, &token, options).into_py(py)
    }
}

/// A number of seconds.
///
/// # Errors
/// `ValueError` for a negative number, and for what is not a number.
pub(super) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{name} must be a number of seconds that is not negative")))
}

/// `"off"`, or requests per minute.
fn rate_limit(py: Python<'_>, limit: &Bound<'_, PyAny>) -> PyResult<RateLimit> {
    let text: String = match limit.extract() {
        Ok(text) => text,
        Err(_) if limit.is_instance_of::<PyBool>() => String::new(),
        Err(_) => limit.extract::<i64>().map(|number| number.to_string()).unwrap_or_default(),
    };
    if text.is_empty() {
        return Err(PyTypeError::new_err("rate_limit must be \"off\" or a number of requests per minute"));
    }
    RateLimit::parse(&text).into_py(py)
}
