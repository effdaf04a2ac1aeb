//! The entry point of `pya`.

use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;

use crate::cli::{HostPython, run};

/// Runs the command line and returns its exit code. The interpreter's signal handlers should be reset before.
#[pyfunction]
pub(super) fn cli_main(py: Python<'_>, argv: Vec<OsString>) -> PyResult<i32> {
    let executable: PathBuf = py.import("sys")?.getattr("executable")?.extract()?;
    Ok(py.detach(|| run(argv, HostPython { executable })))
}
