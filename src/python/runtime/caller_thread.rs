//! Python work on the caller's own thread.
//!
//! A future that needs a callback sends it to its [`CallerThread`]. Under a synchronous call this is the thread that
//! waits, which looks into its [`CallerQueue`] between waits; under an asynchronous one the loop's thread, where the
//! callback runs with the caller's context variables.

use std::future::poll_fn;
use std::process;
use std::sync::{Arc, Mutex, OnceLock};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3_async_runtimes::{TaskLocals, into_future_with_locals};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::{executor, shutdown};
use crate::driver::Owed;
use crate::error::{Error, Result};
use crate::locks::lock;

/// Work that needs the interpreter.
pub(in crate::python) type Job = Box<dyn FnOnce(Python<'_>) + Send>;

/// Where a synchronous operation's Python work waits for the caller's thread.
pub(in crate::python) struct CallerQueue {
    sender: UnboundedSender<Job>,
    /// Locked by the one thread that waits.
    receiver: Mutex<UnboundedReceiver<Job>>,
    process: u32,
    left_alone: OnceLock<Owed>,
}

impl CallerQueue {
    pub(in crate::python) fn new() -> Self {
        let (sender, receiver) = unbounded_channel();
        Self { sender, receiver: Mutex::new(receiver), process: process::id(), left_alone: OnceLock::new() }
    }

    /// The caller's thread, reached through this queue.
    pub(in crate::python) fn caller(&self) -> CallerThread {
        CallerThread::Waiting(self.sender.clone())
    }

    /// Whether the operation was begun before a fork: its tasks are in the parent only.
    pub(in crate::python) fn is_from_parent(&self) -> bool {
        self.process != process::id()
    }

    /// The next piece of work.
    pub(super) async fn next(&self) -> Job {
        poll_fn(|context| {
            let job = lock(&self.receiver).poll_recv(context);
            // It cannot be closed: the queue holds a sender itself.
            job.map(|job| job.expect("a queue that holds a sender is open"))
        })
        .await
    }

    /// Lets the operation go on while no thread waits for it, for as long as this queue lives.
    ///
    /// # Errors
    /// `RuntimeError` if no thread can be started.
    pub(in crate::python) fn leave_alone(&self) -> PyResult<()> {
        if self.left_alone.get().is_none() {
            let owed = executor::driver()?.leave_alone().map_err(|error| executor::cannot_start(&error))?;
            // No other thread can be faster: the one that waits is alone with the queue.
            let _ = self.left_alone.set(owed);
        }
        Ok(())
    }
}

/// The caller's thread, as seen from a future.
#[derive(Clone)]
pub(in crate::python) enum CallerThread {
    /// It waits in `wait`.
    Waiting(UnboundedSender<Job>),
    /// It runs this event loop.
    Loop(TaskLocals),
}

impl CallerThread {
    /// Runs `work` on the caller's thread.
    ///
    /// # Errors
    /// `Callback` with what `work` raised; `Closed` if the caller is no longer there.
    pub(in crate::python) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(Python<'_>) -> PyResult<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.post(Box::new(move |py| {
            // Nobody listens any more if the operation was cancelled meanwhile.
            let _ = reply.send(work(py).map_err(|error| no_stop_iteration(py, error)));
        }))?;
        match answer.await {
            Ok(outcome) => outcome.map_err(callback_error),
            Err(_) => Err(Error::Closed),
        }
    }

    /// Calls a Python callable on the caller's thread; an awaitable result is awaited on the loop.
    pub(in crate::python) async fn call_object(
        &self,
        callable: &Arc<Py<PyAny>>,
        arguments: impl FnOnce(Python<'_>) -> PyResult<(Py<PyTuple>, Option<Py<PyDict>>)> + Send + 'static,
    ) -> Result<Py<PyAny>> {
        let callable = Arc::clone(callable);
        let result = self
            .call(move |py| {
                let (args, kwargs) = arguments(py)?;
                callable.bind(py).call(args.bind(py), kwargs.as_ref().map(|kwargs| kwargs.bind(py))).map(Bound::unbind)
            })
            .await?;
        self.resolve(result).await
    }

    /// Awaits `object` on the loop if it is awaitable, else gives it back.
    pub(in crate::python) async fn resolve(&self, object: Py<PyAny>) -> Result<Py<PyAny>> {
        let Self::Loop(locals) = self else { return Ok(object) };
        let locals = locals.clone();
        let started = self
            .call(move |py| {
                if object.bind(py).hasattr(pyo3::intern!(py, "__await__"))? {
                    into_future_with_locals(&locals, object.into_bound(py)).map(|future| (Some(future), None))
                } else {
                    Ok((None, Some(object)))
                }
            })
            .await?;
        match started {
            (Some(future), _) => future.await.map_err(callback_error),
            (None, object) => object.ok_or(Error::Closed),
        }
    }

    fn post(&self, job: Job) -> Result<()> {
        match self {
            Self::Waiting(sender) => sender.send(job).map_err(|_| Error::Closed),
            Self::Loop(locals) => {
                let locals = locals.clone();
                // Waiting for the interpreter's lock would hold up the runtime's other tasks.
                tokio::task::spawn_blocking(move || {
                    if let Some(_inside) = shutdown::enter() {
                        Python::attach(|py| post_to_loop(py, &locals, job));
                    }
                });
                Ok(())
            }
        }
    }
}

fn post_to_loop(py: Python<'_>, locals: &TaskLocals, job: Job) {
    let posted = Bound::new(py, LoopJob { job: Mutex::new(Some(job)) }).and_then(|job| {
        let kwargs = PyDict::new(py);
        kwargs.set_item(pyo3::intern!(py, "context"), locals.context(py))?;
        locals.event_loop(py).call_method(pyo3::intern!(py, "call_soon_threadsafe"), (job,), Some(&kwargs))
    });
    if let Err(error) = posted {
        // The loop is closed. The job is dropped with its reply channel, which tells the operation.
        log::debug!("a callback found its event loop closed: {error}");
    }
}

/// A job as an event loop takes it.
#[pyclass(name = "_LoopJob", module = "pythonanywhere_api._core", frozen)]
struct LoopJob {
    job: Mutex<Option<Job>>,
}

#[pymethods]
impl LoopJob {
    fn __call__(&self, py: Python<'_>) {
        // Not run under the lock: the job may run Python that comes back here.
        let job = lock(&self.job).take();
        if let Some(job) = job {
            job(py);
        }
    }
}

fn callback_error(error: PyErr) -> Error {
    Error::Callback(Box::new(error))
}

/// `StopIteration` cannot be carried by an asyncio future, and would end a caller's generator in silence.
fn no_stop_iteration(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<pyo3::exceptions::PyStopIteration>(py) {
        return error;
    }
    let wrapped = pyo3::exceptions::PyRuntimeError::new_err("a callback raised StopIteration");
    wrapped.set_cause(py, Some(error));
    wrapped
}
