//! Keeps threads away from an interpreter that is exiting.
//!
//! A thread that asks an exiting interpreter for its lock is ended by it in the middle of our code, which aborts the
//! process. So whoever attaches from outside passes this guard, and `atexit` closes it and waits for those inside.
//! Requests that are under way then are abandoned when the process ends, but for those by which cancelled operations end
//! what they started on the host.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::per_process::PerProcess;

/// How long exiting waits for threads inside; they run one short callback.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long it waits for cancelled operations, which have their own time limits.
const LEAVING_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct ShutdownGuard {
    closed: AtomicBool,
    inside: AtomicUsize,
    /// How many cancelled operations are still ending what they started on the host.
    leaving: AtomicUsize,
    /// The thread on which the interpreter exits; it alone may go on using it.
    exiting: OnceLock<ThreadId>,
}

static GUARD: PerProcess<ShutdownGuard> = PerProcess::new(|_parent| ShutdownGuard::default());

/// The right to attach to the interpreter, or to be attached.
pub(super) struct Inside(Arc<ShutdownGuard>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Passes the guard; `None` once the interpreter exits.
pub(super) fn enter() -> Option<Inside> {
    let guard = GUARD.get();
    guard.inside.fetch_add(1, Ordering::SeqCst);
    let inside = Inside(guard);
    let may_pass = !inside.0.closed.load(Ordering::SeqCst) || inside.0.exiting.get() == Some(&current());
    may_pass.then_some(inside)
}

/// Passes the guard; once the interpreter exits, a thread that is not the exiting one stays here until the process
/// ends (it is a daemon thread in a call of ours: there is nothing it could return to).
pub(super) fn enter_or_stay() -> Inside {
    loop {
        match enter() {
            Some(inside) => return inside,
            None => std::thread::sleep(Duration::from_secs(3600)),
        }
    }
}

/// Notes that a cancelled operation has to end what it started on the host: exiting waits for that.
pub(super) fn begin_leaving() {
    GUARD.get().leaving.fetch_add(1, Ordering::SeqCst);
}

/// Notes that it has done so.
pub(super) fn end_leaving() {
    GUARD.get().leaving.fetch_sub(1, Ordering::SeqCst);
}

/// Whether the interpreter exits.
pub(super) fn is_closed() -> bool {
    GUARD.get().closed.load(Ordering::SeqCst)
}

fn current() -> ThreadId {
    std::thread::current().id()
}

/// Runs at exit, registered with `atexit`.
#[pyfunction]
#[pyo3(name = "_at_exit")]
pub(in crate::python) fn at_exit(py: Python<'_>) {
    let guard = GUARD.get();
    let start = Instant::now();
    // Before the guard is closed, so that what became of it can still be logged. Another Ctrl-C ends the wait.
    while guard.leaving.load(Ordering::SeqCst) > 0 && start.elapsed() < LEAVING_PATIENCE && py.check_signals().is_ok() {
        py.detach(|| std::thread::sleep(Duration::from_millis(10)));
    }
    // The first exit counts; it cannot fail in a way that matters.
    let _ = guard.exiting.set(current());
    guard.closed.store(true, Ordering::SeqCst);
    py.detach(|| {
        let start = Instant::now();
        while guard.inside.load(Ordering::SeqCst) > 0 && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}
