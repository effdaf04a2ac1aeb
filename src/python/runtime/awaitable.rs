//! A future for an asynchronous caller.
//!
//! `pyo3-async-runtimes` makes an asyncio future, which needs a running loop and is no coroutine: `asyncio.run(…)`
//! and `create_task` refuse it. So callers get a [`Coroutine`] that starts the future when it is first awaited, and no
//! loop is kept between calls.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3_async_runtimes::generic::{future_into_py_with_locals, get_current_locals};

use super::executor::{Executor, attended_driver};
use super::gate;
use super::host::HostThread;

type Start = Box<dyn for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>> + Send>;

enum State {
    New(Start),
    /// The asyncio future and the iterator that awaits it.
    Running {
        future: Py<PyAny>,
        iterator: Py<PyAny>,
    },
    Ended,
}

/// Makes a coroutine of a future that may call back to the loop's thread. Cancelling it drops the future.
pub(in crate::python) fn awaitable<T, F>(
    name: &'static str,
    make: impl FnOnce(HostThread) -> F + Send + 'static,
) -> Coroutine
where
    T: for<'py> IntoPyObject<'py> + Send + 'static,
    F: Future<Output = PyResult<T>> + Send + 'static,
{
    let start: Start = Box::new(move |py| {
        if gate::is_closed() {
            return Err(PyRuntimeError::new_err("the interpreter is exiting"));
        }
        // A runtime that cannot be made is told here.
        attended_driver()?;
        let locals = get_current_locals::<Executor>(py)?;
        let future = make(HostThread::Loop(locals.clone()));
        future_into_py_with_locals::<Executor, _, _>(py, locals, future)
    });
    Coroutine { name, state: Mutex::new(State::New(start)) }
}

/// What the methods of the asynchronous classes return. Await it once.
#[pyclass(name = "Coroutine", module = "pythonanywhere_api._core", frozen)]
pub(in crate::python) struct Coroutine {
    name: &'static str,
    state: Mutex<State>,
}

impl Coroutine {
    fn take(&self) -> State {
        std::mem::replace(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Ended)
    }

    fn put(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Hands `method` to the iterator, and keeps both for the next time unless it raised.
    fn step<'py>(
        &self,
        py: Python<'py>,
        future: Py<PyAny>,
        iterator: Py<PyAny>,
        method: &str,
        args: impl pyo3::call::PyCallArgs<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // Not called under the lock, since it runs Python.
        let yielded = iterator.bind(py).call_method1(method, args)?;
        self.put(State::Running { future, iterator });
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
                let future = start(py)?;
                let iterator = future.call_method0(pyo3::intern!(py, "__await__"))?;
                self.step(py, future.unbind(), iterator.unbind(), "send", (value,))
            }
            State::Running { future, iterator } => self.step(py, future, iterator, "send", (value,)),
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
            State::Running { future, iterator } => match (value, traceback) {
                // One argument where one was given: the other form is deprecated.
                (None, None) => self.step(py, future, iterator, "throw", (kind,)),
                (value, traceback) => self.step(py, future, iterator, "throw", (kind, value, traceback)),
            },
            State::New(_) | State::Ended => Err(PyErr::from_value(value.unwrap_or(kind))),
        }
    }

    /// Gives up what was not awaited to its end.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let State::Running { future, iterator } = self.take() {
            future.bind(py).call_method0(pyo3::intern!(py, "cancel"))?;
            iterator.bind(py).call_method0(pyo3::intern!(py, "close"))?;
        }
        Ok(())
    }
}
