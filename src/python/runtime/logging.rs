//! Rust's log records in Python's `logging`, under the names `pythonanywhere_api.…`.

use std::sync::atomic::{AtomicBool, Ordering};

use log::{LevelFilter, Log, Metadata, Record};
use pyo3::prelude::*;
use pyo3_log::{Caching, Logger};

use super::gate;

const OWN: &str = "pythonanywhere_api";

/// Passes records on unless the interpreter is exiting.
struct Gated(Logger);

impl Log for Gated {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(OWN) && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !record.target().starts_with(OWN) {
            return;
        }
        if let Some(_inside) = gate::enter() {
            self.0.log(record);
        }
    }

    fn flush(&self) {}
}

/// Installs the logger, at the first call rather than at import: `logging` is not free to import.
///
/// Levels are not cached: whoever raises one in `logging` expects it to count from then on. Records are few (waits,
/// retries, throttles), so each may take the interpreter's lock.
pub(super) fn install_once(py: Python<'_>) -> PyResult<()> {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let logger = Logger::new(py, Caching::Loggers)?.filter(LevelFilter::Debug);
    // An error means that another part of the process installed a logger, which then gets our records.
    if log::set_boxed_logger(Box::new(Gated(logger))).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
    Ok(())
}
