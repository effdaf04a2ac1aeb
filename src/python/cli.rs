//! The entry point of `pya`.

use std::ffi::OsString;

use pyo3::prelude::*;

use super::convert::interpreter;
use crate::cli::{HostPython, run};

/// Runs the command line and returns its exit code. The interpreter's signal handlers should be reset before.
#[pyfunction]
pub(super) fn cli_main(py: Python<'_>, argv: Vec<OsString>) -> PyResult<i32> {
    let executable = interpreter(py)?;
    Ok(py.detach(|| run(argv, HostPython { executable })))
}
