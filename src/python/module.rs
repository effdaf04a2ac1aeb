//! What the extension module holds.

use std::sync::atomic::{AtomicI64, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

#[cfg(unix)]
use super::emulator;
use super::{cli, client, deploy, dropin, runtime};

/// Refuses to be imported by a second interpreter of the process: classes, runtime and callbacks belong to the first.
/// Pyo3 has no such check for modules initialised in several phases, and hangs later.
fn check_interpreter(py: Python<'_>) -> PyResult<()> {
    static FIRST: AtomicI64 = AtomicI64::new(-1);
    // SAFETY: this thread is attached to an interpreter, as `py` shows.
    #[allow(unsafe_code, reason = "pyo3 has no safe way to ask which interpreter this is")]
    let current = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if current < 0 {
        return Err(PyErr::fetch(py));
    }
    match FIRST.compare_exchange(-1, current, Ordering::SeqCst, Ordering::SeqCst) {
        Err(first) if first != current => Err(PyImportError::new_err(
            "pythonanywhere_api is in use in another interpreter of this process, and can be imported in one of them \
             only: under mod_wsgi set `WSGIApplicationGroup %{GLOBAL}`, elsewhere use processes",
        )),
        _ => Ok(()),
    }
}

/// `gil_used` stays on: the classes are built for threads without a global lock, but nobody has tested them there.
#[pymodule(name = "_core", gil_used = true)]
mod core {
    #[cfg(unix)]
    use super::emulator;
    use super::{Bound, PyModule, PyResult, cli, client, deploy, dropin, runtime};
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::super::errors::error_classes;
    #[pymodule_export]
    use super::super::launch::{LaunchEvent, LaunchReport, launch, launch_async};
    #[pymodule_export]
    use super::super::webfaction::webfaction_classes;
    #[pymodule_export]
    use cli::cli_main;
    #[pymodule_export]
    use client::{AsyncClient, Client, ClientBase, Family};
    #[pymodule_export]
    use deploy::{DeployDiff, DeployReport, ProgressEvent};
    #[pymodule_export]
    use dropin::{
        AgentControl, AsyncFilesIterator, AsyncPythonanywhereApi, CommandResult, FilesIterator, PythonanywhereApi,
        PythonanywhereBase, Response, never_skip,
    };
    #[cfg(unix)]
    #[pymodule_export]
    use emulator::{Emulator, Faults, HeldRequest, LoggedRequest, advance_clock, restore_clock, set_clock_speed};
    #[pymodule_export]
    use runtime::Coroutine;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        super::check_interpreter(py)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        dropin::remember_originals([py.get_type::<PythonanywhereApi>(), py.get_type::<AsyncPythonanywhereApi>()])?;
        client::add(module)?;
        let at_exit = pyo3::wrap_pyfunction!(runtime::shutdown::at_exit, module)?;
        py.import("atexit")?.call_method1("register", (at_exit,))?;
        Ok(())
    }
}
