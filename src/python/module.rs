//! What the extension module holds.

use pyo3::prelude::*;

use super::{cli, deploy, dropin, emulator, runtime};

/// `gil_used` stays on: the classes are built for threads without a global lock, but nobody has tested them there.
#[pymodule(name = "_core", gil_used = true)]
mod core {
    use super::{Bound, PyModule, PyResult, cli, deploy, dropin, emulator, runtime};
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::super::errors::error_classes;
    #[pymodule_export]
    use cli::cli_main;
    #[pymodule_export]
    use deploy::{DeployDiff, DeployReport, ProgressEvent};
    #[pymodule_export]
    use dropin::{
        AsyncFilesIterator, AsyncPythonanywhereApi, FilesIterator, Headers, ItemCollector, PythonanywhereApi, Response,
        never_skip,
    };
    #[pymodule_export]
    use emulator::{Emulator, Faults, HeldRequest, LoggedRequest, advance_clock, set_clock_speed};
    #[pymodule_export]
    use runtime::Coroutine;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        dropin::remember_originals(py)?;
        let at_exit = pyo3::wrap_pyfunction!(runtime::gate::at_exit, module)?;
        py.import("atexit")?.call_method1("register", (at_exit,))?;
        Ok(())
    }
}
