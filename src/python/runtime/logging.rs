//! Rust's log records in Python's `logging`, under the names `pythonanywhere_api.…`.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use log::{LevelFilter, Log, Metadata, Record};
use pyo3::prelude::*;
use pyo3_log::{Caching, Logger};

use super::shutdown;

const OWN: &str = "pythonanywhere_api";

thread_local! {
    /// What `logging` raised on this thread. Python code runs signal handlers, so it may well be a Ctrl-C.
    static RAISED: Cell<Option<PyErr>> = const { Cell::new(None) };
    /// The calls under way that wait on this thread: one, and more inside callbacks.
    static WAITS: Cell<u32> = const { Cell::new(0) };
}

/// A call that waits on this thread, and passes on what `logging` raises there meanwhile.
pub(super) struct Wait(());

impl Wait {
    pub(super) fn begin() -> Self {
        WAITS.set(WAITS.get() + 1);
        Self(())
    }

    /// Takes what `logging` raised since the last time.
    pub(super) fn take_raised() -> Option<PyErr> {
        RAISED.take()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        WAITS.set(WAITS.get() - 1);
        // It must not be raised by the next call.
        drop(RAISED.take());
    }
}

/// Passes records on unless the interpreter is exiting.
///
/// `logging` is imported for the first record: that takes ten times as long as a request, and most programs never see
/// a record of ours.
struct Gated(OnceLock<Logger>);

impl Gated {
    /// `None` where `logging` cannot be imported.
    fn logger(&self) -> Option<&Logger> {
        if self.0.get().is_none() {
            let logger = Python::attach(|py| Logger::new(py, Caching::Loggers)).ok()?;
            // Another thread may have been faster; its logger does the same.
            let _ = self.0.set(logger.filter(LevelFilter::Debug));
        }
        self.0.get()
    }
}

impl Log for Gated {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with(OWN)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(_inside) = shutdown::enter()
            && let Some(logger) = self.logger()
        {
            Python::attach(|py| {
                logger.log(record);
                match PyErr::take(py) {
                    Some(raised) if WAITS.get() > 0 => RAISED.set(Some(raised)),
                    Some(raised) => raised.write_unraisable(py, None),
                    None => {}
                }
            });
        }
    }

    fn flush(&self) {}
}

/// Installs the logger at the first call, rather than at import: `pya` may want its own.
///
/// Levels are not cached: whoever raises one in `logging` expects it to count from then on. Records are few (waits,
/// retries, throttles), so each may take the interpreter's lock.
pub(super) fn install_once() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.swap(true, Ordering::Relaxed) {
        return;
    }
    // An error means that another part of the process installed a logger, which then gets our records.
    if log::set_boxed_logger(Box::new(Gated(OnceLock::new()))).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}
