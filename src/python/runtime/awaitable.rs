//! A future for an asynchronous caller.
//!
//! An asyncio future needs a running loop and is not a coroutine: `asyncio.run(…)` and `create_task` refuse it. So callers
//! get a [`Coroutine`] that starts the operation when it is first awaited, and no loop is kept between calls.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;

use super::caller_thread::CallerThread;
use super::executor::attended_driver;
use super::loop_link::LoopLink;
use super::shutdown;
use super::wait::LEAVE_WITHIN;
use crate::locks::lock;

type Start = Box<dyn for<'py> FnOnce(Python<'py>) -> PyResult<(Bound<'py, PyAny>, Task)> + Send>;

enum State {
    New(Start),
    /// The operation, and the iterator that awaits its asyncio future.
    Running {
        task: Task,
        iterator: Py<PyAny>,
    },
    Ended,
}

/// Wraps a future that may call back to the loop's thread in a coroutine. Cancelling it drops the future.
pub(in crate::python) fn awaitable<T, F>(
    name: &'static str,
    make: impl FnOnce(CallerThread) -> F + Send + 'static,
) -> Coroutine
where
    T: for<'py> IntoPyObject<'py> + Send + 'static,
    F: Future<Output = PyResult<T>> + Send + 'static,
{
    let start: Start = Box::new(move |py| {
        if shutdown::is_closed() {
            return Err(PyRuntimeError::new_err("the interpreter is exiting"));
        }
        // A runtime that cannot be created is reported here.
        let driver = attended_driver()?;
        let locals = TaskLocals::with_running_loop(py)?.copy_context(py)?;
        let event_loop = locals.event_loop(py);
        let link = LoopLink::to(&event_loop);
        let future = event_loop.call_method0(intern!(py, "create_future"))?;
        let waiting = future.clone().unbind();
        let operation = make(CallerThread::Loop(locals));
        let ended = driver.clone();
        let (handle, registration) = AbortHandle::new_pair();
        let has_ended = Arc::new(AtomicBool::new(false));
        let task = Task { handle, process: process::id(), has_ended: Arc::clone(&has_ended) };
        drop(driver.spawn(async move {
            let outcome = Abortable::new(AssertUnwindSafe(operation).catch_unwind(), registration).await;
            if let Ok(outcome) = outcome {
                link.hand_over(
                    &ended,
                    waiting,
                    Box::new(move |py| match outcome {
                        Ok(result) => result?.into_py_any(py),
                        Err(panic) => Err(PanicException::new_err((words_of(&*panic),))),
                    }),
                );
            }
            // If it was cancelled, something may be left on the host.
            let was_cancelled = has_ended.swap(true, Ordering::SeqCst);
            crate::cleanup::run_pending(LEAVE_WITHIN).await;
            if was_cancelled {
                shutdown::end_leaving();
            }
        }));
        Ok((future, task))
    });
    Coroutine { name, state: Mutex::new(State::New(start)) }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "the operation panicked".to_owned())
}

/// A running operation. Dropping it cancels the operation unless it has ended.
struct Task {
    handle: AbortHandle,
    /// The process that runs it: a forked child leaves it alone.
    process: u32,
    /// Whether it has ended, or was cancelled.
    has_ended: Arc<AtomicBool>,
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.process == process::id() && !self.has_ended.swap(true, Ordering::SeqCst) {
            shutdown::begin_leaving();
            self.handle.abort();
        }
    }
}

/// What the methods of the asynchronous classes return. Await it once.
#[pyclass(name = "Coroutine", module = "pythonanywhere_api._core", frozen)]
pub(in crate::python) struct Coroutine {
    name: &'static str,
    state: Mutex<State>,
}

impl Coroutine {
    fn take(&self) -> State {
        std::mem::replace(&mut *lock(&self.state), State::Ended)
    }

    fn put(&self, state: State) {
        *lock(&self.state) = state;
    }

    /// Calls `method` of the iterator, and keeps it for the next time unless it raised: then the operation has ended, or
    /// nobody waits for it any more.
    fn step<'py>(
        &self,
        py: Python<'py>,
        task: Task,
        iterator: Py<PyAny>,
        method: &str,
        args: impl pyo3::call::PyCallArgs<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // Not called under the lock, since it runs Python.
        let yielded = iterator.bind(py).call_method1(method, args)?;
        self.put(State::Running { task, iterator });
        Ok(yielded)
    }
}

#[pymethods]
impl Coroutine {
    #[getter(__name__)]
    fn name(&self) -> &'static str {
        self.name
    }

    #[getter(__qualname__)]
    fn qualname(&self) -> &'static str {
        self.name
    }

    fn __repr__(&self) -> String {
        format!("<coroutine {}>", self.name)
    }

    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.send(py, py.None().into_bound(py))
    }

    fn send<'py>(&self, py: Python<'py>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self.take() {
            State::New(_) if !value.is_none() => {
                Err(PyTypeError::new_err("can't send non-None value to a just-started coroutine"))
            }
            State::New(start) => {
                let (future, task) = start(py)?;
                let iterator = future.call_method0(intern!(py, "__await__"))?;
                self.step(py, task, iterator.unbind(), "send", (value,))
            }
            State::Running { task, iterator } => self.step(py, task, iterator, "send", (value,)),
            State::Ended => Err(PyRuntimeError::new_err("cannot reuse already awaited coroutine")),
        }
    }

    #[pyo3(signature = (kind, value=None, traceback=None))]
    fn throw<'py>(
        &self,
        py: Python<'py>,
        kind: Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
        traceback: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.take() {
            State::Running { task, iterator } => match (value, traceback) {
                // One argument where one was given: the other form is deprecated.
                (None, None) => self.step(py, task, iterator, "throw", (kind,)),
                (value, traceback) => self.step(py, task, iterator, "throw", (kind, value, traceback)),
            },
            State::New(_) | State::Ended => Err(PyErr::from_value(value.unwrap_or(kind))),
        }
    }

    /// Cancels what was not awaited to its end.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let State::Running { task, iterator } = self.take() {
            drop(task);
            iterator.bind(py).call_method0(intern!(py, "close"))?;
        }
        Ok(())
    }
}
