//! One operation for both kinds of caller.

use std::future::Future;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use super::awaitable::awaitable;
use super::caller_thread::CallerThread;
use super::wait::wait;

/// Runs an operation that may use the caller's thread: at once, or when the coroutine that it returns is awaited.
pub(in crate::python) fn run<'py, T, F>(
    py: Python<'py>,
    is_async: bool,
    name: &'static str,
    make: impl FnOnce(CallerThread) -> F + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    T: for<'any> IntoPyObject<'any> + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    if is_async {
        let coroutine = awaitable(name, move |caller| {
            let operation = make(caller);
            async move { Ok(operation.await) }
        });
        return Ok(Bound::new(py, coroutine)?.into_any());
    }
    wait(py, make)?.into_bound_py_any(py)
}
