//! The tokio runtime of the process.

use std::io;
use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::logging;
use crate::driver::Driver;
use crate::per_process::PerProcess;

static DRIVER: PerProcess<io::Result<Arc<Driver>>> = PerProcess::new(|_parent| Driver::new().map(Arc::new));

/// The runtime of this process, made at first use.
///
/// # Errors
/// `RuntimeError` if the system refuses what it needs.
pub(super) fn driver() -> PyResult<Arc<Driver>> {
    logging::install_once();
    DRIVER.get().as_ref().as_ref().map(Arc::clone).map_err(cannot_start)
}

/// As [`driver`], for calls that no thread waits for.
pub(super) fn attended_driver() -> PyResult<Arc<Driver>> {
    let driver = driver()?;
    driver.attend().map_err(|error| cannot_start(&error))?;
    Ok(driver)
}

pub(super) fn cannot_start(error: &io::Error) -> PyErr {
    PyRuntimeError::new_err(format!("the threads for requests cannot be started: {error}"))
}
