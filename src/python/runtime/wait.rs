//! A future for a synchronous caller.
//!
//! The waiting thread drives the future itself and leaves it where it is to run a callback, so that this may call the
//! package again, and to look at signals, so that Ctrl-C can end the wait.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::driver::{Driver, settle};
use super::host::{HostQueue, HostThread, Job};
use super::{executor, gate};
use crate::cleanup;

/// How often signals are looked at; Ctrl-C promises 200 ms.
const WAKE: Duration = Duration::from_millis(50);

/// What an interrupted call may take to remove what it left on the host; as a rule there is nothing.
pub(super) const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// What a waiting thread comes back for.
enum Step<T> {
    Done(T),
    Run(Job),
    LookAtSignals,
}

/// Runs a future that may call back to this thread, until it ends or a signal handler raises.
pub(in crate::python) fn wait<T, F>(py: Python<'_>, make: impl FnOnce(HostThread) -> F) -> PyResult<T>
where
    T: Send,
    F: Future<Output = T> + Send,
{
    let queue = HostQueue::new();
    let future = make(queue.host());
    wait_on(py, &queue, future)
}

/// As [`wait`], with a queue that outlives the call: work that came in between two calls is run in the second.
pub(in crate::python) fn wait_on<T, F>(py: Python<'_>, queue: &HostQueue, future: F) -> PyResult<T>
where
    T: Send,
    F: Future<Output = T> + Send,
{
    let driver = executor::driver()?;
    let mut future = Box::pin(async move {
        settle().await;
        future.await
    });
    loop {
        // Between the end of the wait and the return to the interpreter it must not exit.
        let (step, inside) = py.detach(|| (driver.drive(next(&mut future, queue)), gate::enter_or_stay()));
        drop(inside);
        match step {
            Step::Done(outcome) => return Ok(outcome),
            Step::Run(job) => {
                queue.leave_alone()?;
                job(py);
            }
            Step::LookAtSignals => {}
        }
        if queue.is_from_parent() {
            // What it holds belongs to threads that are in the parent only.
            std::mem::forget(future);
            return Err(PyRuntimeError::new_err(
                "the process was forked inside a callback; the call goes on in the parent",
            ));
        }
        if let Err(raised) = py.check_signals() {
            py.detach(|| give_up(&driver, future));
            return Err(raised);
        }
    }
}

async fn next<T>(future: &mut Pin<Box<impl Future<Output = T>>>, queue: &HostQueue) -> Step<T> {
    tokio::select! {
        biased;
        job = queue.next() => Step::Run(job),
        outcome = future => Step::Done(outcome),
        () = tokio::time::sleep(WAKE) => Step::LookAtSignals,
    }
}

/// Drops a future, and lets what it had under way end, so that its state no longer changes.
fn give_up(driver: &Driver, future: impl Future) {
    driver.drive(async {
        drop(future);
        settle().await;
        cleanup::run_pending(LEAVE_WITHIN).await;
    });
}
