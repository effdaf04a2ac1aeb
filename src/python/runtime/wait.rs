//! A future for a synchronous caller.
//!
//! The future is spawned and waited for, rather than driven on this thread, so that a callback may call the package
//! again, and so that Ctrl-C can abort it.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::executor::Handle;
use super::gate;
use super::host::{HostQueue, HostThread, Step};

/// How often signals are looked at; Ctrl-C promises 200 ms.
const WAKE: Duration = Duration::from_millis(50);

/// How long an aborted operation gets to drop what it holds before the caller goes on.
const ABORT_PATIENCE: Duration = Duration::from_millis(50);

/// Runs a future that may call back to this thread, until it ends or a signal handler raises.
pub(in crate::python) fn wait<T, F>(py: Python<'_>, make: impl FnOnce(HostThread) -> F) -> PyResult<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let queue = HostQueue::new();
    let future = make(queue.host());
    wait_on(py, &queue, future)
}

/// As [`wait`], with a queue that outlives the call: work that came in between two calls is run in the second.
pub(in crate::python) fn wait_on<T, F>(py: Python<'_>, queue: &HostQueue, future: F) -> PyResult<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (reply, mut answer) = oneshot::channel();
    let end = SendDone(queue.sender());
    let mut task = Abort(Some(Handle::for_call(py)?.spawn(async move {
        let _end = end;
        // Nobody listens any more if a signal ended the wait.
        let _ = reply.send(future.await);
    })));
    loop {
        // Between the end of the wait and the return to the interpreter it must not exit.
        let (step, inside) = py.detach(|| (queue.next(WAKE), gate::enter_or_stay()));
        drop(inside);
        match step {
            Some(Step::Run(job)) => job(py),
            Some(Step::Done) => match answer.try_recv() {
                Ok(outcome) => {
                    task.0 = None;
                    return Ok(outcome);
                }
                // Left by an operation that a signal ended.
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => return Err(task.failure(py)),
            },
            None if queue.is_from_parent() => {
                return Err(PyRuntimeError::new_err(
                    "the process was forked inside a callback; the call goes on in the parent",
                ));
            }
            None => {}
        }
        py.check_signals()?;
    }
}

/// Tells the waiting thread that the future ended, also if it panicked.
struct SendDone(Sender<Step>);

impl Drop for SendDone {
    fn drop(&mut self) {
        // The queue may be gone: a signal ended the wait.
        let _ = self.0.send(Step::Done);
    }
}

/// Aborts the task of a wait that ends early.
struct Abort(Option<JoinHandle<()>>);

impl Abort {
    /// Why a task ended without an answer: it panicked.
    fn failure(&mut self, py: Python<'_>) -> PyErr {
        let Some(task) = self.0.take() else { return PyRuntimeError::new_err("the operation was lost") };
        match py.detach(|| Handle::get().map(|handle| handle.block_on(task))) {
            Ok(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            Ok(_) => PyRuntimeError::new_err("the operation was lost"),
            Err(error) => error,
        }
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            // What the operation holds is dropped at its next await; after that its state no longer changes.
            let start = Instant::now();
            while !task.is_finished() && start.elapsed() < ABORT_PATIENCE {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
