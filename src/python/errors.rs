//! The one map from [`ErrorKind`] to the classes of `pythonanywhere_api.exceptions`.
//!
//! Those are ordinary Python classes, so that they have attributes, pickle and docs.

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::convert::json_to_py;
use crate::error::{Error, ErrorKind};

/// The class for a kind; `None` for what is raised as it came: a callback's own exception, and the `OSError` of a
/// local file, whose class Python picks by `errno`.
fn class_of(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Config => Some("ConfigError"),
        ErrorKind::Transport => Some("TransportError"),
        ErrorKind::Timeout => Some("RequestTimeoutError"),
        // What is at the path is of another kind than the call is for.
        ErrorKind::Decode | ErrorKind::WrongType => Some("DecodeError"),
        ErrorKind::BadRequest => Some("BadRequestError"),
        ErrorKind::Authentication => Some("AuthenticationError"),
        ErrorKind::Forbidden => Some("ForbiddenError"),
        ErrorKind::NotFound => Some("NotFoundError"),
        ErrorKind::Conflict => Some("ConflictError"),
        ErrorKind::ConsoleNotStarted => Some("ConsoleNotStartedError"),
        ErrorKind::RateLimited => Some("RateLimitedError"),
        ErrorKind::Server => Some("ServerError"),
        ErrorKind::OtherStatus => Some("ApiError"),
        ErrorKind::Held | ErrorKind::Job | ErrorKind::Closed => Some("PythonAnywhereError"),
        ErrorKind::Local | ErrorKind::Callback => None,
    }
}

/// Turns an error into the exception that stands for it.
pub(super) fn to_py(py: Python<'_>, error: Error) -> PyErr {
    match error {
        Error::Callback(source) => match source.downcast::<PyErr>() {
            Ok(raised) => *raised,
            Err(other) => pyo3::exceptions::PyRuntimeError::new_err(other.to_string()),
        },
        Error::Local { path, source } => match source.raw_os_error() {
            Some(errno) => PyOSError::new_err((errno, system_words(&source), path)),
            None => PyOSError::new_err(format!("{}: {source}", path.display())),
        },
        other => build(py, &other).unwrap_or_else(|error| error),
    }
}

/// What the system says, without Rust's "(os error 2)".
fn system_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Raises what went wrong in a job, if anything did.
pub(super) fn raise_failure(py: Python<'_>, failure: Option<String>) -> PyResult<()> {
    failure.map_or(Ok(()), |text| Err(exception(py, "PythonAnywhereError", (text,))))
}

/// A class of `pythonanywhere_api.exceptions`.
pub(super) fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("pythonanywhere_api.exceptions")?.getattr(name)
}

/// An exception of the package, by the name of its class.
pub(super) fn exception<'py>(py: Python<'py>, name: &str, args: impl PyCallArgs<'py>) -> PyErr {
    let made = class(py, name).and_then(|class| class.call1(args));
    made.map_or_else(|error| error, PyErr::from_value)
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let class = class(py, class_of(error.kind()).unwrap_or("PythonAnywhereError"))?;
    let facts = json_to_py(py, &error.facts())?.cast_into::<PyDict>()?;
    Ok(PyErr::from_value(class.call((error.chain(),), Some(&facts))?))
}

/// `?` for crate errors where the interpreter is at hand.
pub(super) trait IntoPy<T> {
    /// The value, or the exception that stands for the error.
    fn into_py(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> IntoPy<T> for crate::error::Result<T> {
    fn into_py(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| to_py(py, error))
    }
}

/// Name of the class of each kind, for the test that walks them all.
#[pyfunction]
#[pyo3(name = "_error_classes")]
pub(super) fn error_classes() -> Vec<(String, Option<&'static str>)> {
    ErrorKind::ALL.iter().map(|kind| (format!("{kind:?}"), class_of(*kind))).collect()
}
