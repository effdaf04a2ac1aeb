//! A future for a synchronous caller.
//!
//! The waiting thread drives the future itself and leaves it where it is to run a callback, so that this may call the
//! package again, and to check signals, so that Ctrl-C can end the wait.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::caller_thread::{CallerQueue, CallerThread, Job};
use super::{executor, logging, shutdown};
use crate::cleanup;
use crate::driver::{Driver, settle};

/// How often signals are checked: Ctrl-C must take effect within 200 ms.
const WAKE: Duration = Duration::from_millis(50);

/// How long an interrupted call may take to end what it started on the host and to remove what it left there; usually
/// there is nothing.
pub(super) const LEAVE_WITHIN: Duration = Duration::from_secs(20);

/// What a waiting thread comes back for.
enum Step<T> {
    Done(T),
    Run(Job),
    CheckSignals,
}

/// Runs a future that may call back to this thread, until it ends or a signal handler raises.
pub(in crate::python) fn wait<T, F>(py: Python<'_>, make: impl FnOnce(CallerThread) -> F) -> PyResult<T>
where
    T: Send,
    F: Future<Output = T> + Send,
{
    let queue = CallerQueue::new();
    let future = make(queue.caller());
    wait_on(py, &queue, future)
}

/// As [`wait`], with a queue that outlives the call: work that came in between two calls is run in the second.
pub(in crate::python) fn wait_on<T, F>(py: Python<'_>, queue: &CallerQueue, future: F) -> PyResult<T>
where
    T: Send,
    F: Future<Output = T> + Send,
{
    let driver = executor::driver()?;
    let _wait = logging::Wait::begin();
    let mut future = Box::pin(async move {
        settle().await;
        future.await
    });
    loop {
        // Between the end of the wait and the return to the interpreter it must not exit.
        let (step, inside) = py.detach(|| (driver.drive(next(&mut future, queue)), shutdown::enter_or_stay()));
        drop(inside);
        match step {
            Step::Done(outcome) => {
                // A callback that raised has ended what went on beside it.
                drop(future);
                clean_up(py, &driver);
                return logging::Wait::take_raised().map_or(Ok(outcome), Err);
            }
            Step::Run(job) => {
                queue.leave_alone()?;
                job(py);
            }
            Step::CheckSignals => {}
        }
        if queue.is_from_parent() {
            // What it holds belongs to threads that are in the parent only.
            std::mem::forget(future);
            return Err(PyRuntimeError::new_err(
                "the process was forked inside a callback; the call continues in the parent",
            ));
        }
        if let Err(raised) = logging::Wait::take_raised().map_or_else(|| py.check_signals(), Err) {
            py.detach(|| cancel(&driver, future));
            clean_up(py, &driver);
            return Err(raised);
        }
    }
}

async fn next<T>(future: &mut Pin<Box<impl Future<Output = T>>>, queue: &CallerQueue) -> Step<T> {
    tokio::select! {
        biased;
        job = queue.next() => Step::Run(job),
        outcome = future => Step::Done(outcome),
        () = tokio::time::sleep(WAKE) => Step::CheckSignals,
    }
}

/// Drops a future, and lets what it had under way end, so that its state no longer changes.
fn cancel(driver: &Driver, future: impl Future) {
    driver.drive(async {
        drop(future);
        settle().await;
    });
}

/// Runs what dropped futures have left to do. Another Ctrl-C ends this at once.
fn clean_up(py: Python<'_>, driver: &Driver) {
    if !cleanup::is_due() {
        return;
    }
    let mut work = Box::pin(cleanup::run_pending(LEAVE_WITHIN));
    let mut is_over = false;
    while !is_over {
        is_over = py.detach(|| {
            driver.drive(async {
                tokio::select! {
                    biased;
                    () = &mut work => true,
                    () = tokio::time::sleep(WAKE) => false,
                }
            })
        });
        if !is_over && py.check_signals().is_err() {
            log::warn!("interrupted again: what was started on the host may go on there");
            return;
        }
    }
}
