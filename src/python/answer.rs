//! How an operation ended, for the moment when it is back with the interpreter.

use pyo3::prelude::*;

use super::errors::IntoPy;
use crate::error::Error;

/// A value with the function that makes it one of Python's; or an error, which is raised.
pub(super) struct Answer<T, E = Error>(
    pub Result<T, E>,
    pub for<'py> fn(Python<'py>, T) -> PyResult<Bound<'py, PyAny>>,
);

impl<'py, T, E> IntoPyObject<'py> for Answer<T, E>
where
    Result<T, E>: IntoPy<T>,
{
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        (self.1)(py, self.0.into_py(py)?)
    }
}
