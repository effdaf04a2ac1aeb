//! The arguments of `_request`, which are those of requests' functions, as a request of the engine or of the caller.
//!
//! A verb is sent by the engine, and so is one of requests' own functions. Any other callable sends the request itself;
//! so does requests, where a keyword is given that only it has. Its keywords take many forms, which
//! `pythonanywhere_api._requests` brings into one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyDict, PyMemoryView};

use super::service::Callable;
use crate::client::Request;
use crate::error::{Error, Result};

/// A request as a caller of `_request` states it.
pub(super) struct Raw {
    pub task: String,
    pub success_codes: Vec<u16>,
    pub sender: Sender,
}

/// What sends a request.
pub(super) enum Sender {
    /// The engine. A value that cannot be sent is reported when the request is to be sent, like any failure.
    Engine(Result<Request>),
    /// A callable that takes the URL, `headers=` and these keywords. The request is for the rules and the budget.
    Callable { callable: Callable, keywords: Py<PyDict>, request: Request },
}

impl Raw {
    /// Reads the arguments.
    ///
    /// # Errors
    /// `TypeError` for arguments of a wrong type, and for keywords that need requests where it is not installed;
    /// `ValueError` for a text that is not a verb.
    pub(super) fn new(
        url_path: &str,
        task: &str,
        method: Option<&Bound<'_, PyAny>>,
        success_codes: Option<&Bound<'_, PyAny>>,
        keywords: &Bound<'_, PyDict>,
        is_async: bool,
    ) -> PyResult<Self> {
        let py = keywords.py();
        let success_codes = success_codes.map_or_else(|| Ok(vec![200, 201]), codes)?;
        let method = method.filter(|method| !method.is_none());
        let (verb, callable): (String, Option<Bound<'_, PyAny>>) = match method {
            None if keywords.is_empty() => ("GET".to_owned(), None),
            _ => requests_helper(py, "choose")?.call1((method, keywords, is_async))?.extract()?,
        };
        let verb = Method::from_bytes(verb.as_bytes()).unwrap_or(Method::GET);
        let request = Request::new(verb, url_path);
        let sender = match callable {
            Some(callable) => {
                let keywords = keywords.clone().unbind();
                Sender::Callable { callable: Arc::new(callable.unbind()), keywords, request }
            }
            None if keywords.is_empty() => Sender::Engine(Ok(request)),
            None => Sender::Engine(with_keywords(request, keywords)?),
        };
        Ok(Self { task: task.to_owned(), success_codes, sender })
    }
}

fn codes(given: &Bound<'_, PyAny>) -> PyResult<Vec<u16>> {
    let codes = given.try_iter().and_then(|codes| codes.map(|code| code?.extract()).collect());
    codes.map_err(|_| PyTypeError::new_err("success_codes must be a sequence of int"))
}

/// A function of `pythonanywhere_api._requests`.
pub(super) fn requests_helper<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import(intern!(py, "pythonanywhere_api._requests"))?.getattr(name)
}

type Pairs = Vec<(String, String)>;

/// What `_requests.prepare` makes of the keywords: query, headers, time-out, and the body in one of four forms.
type Prepared = (
    Pairs,
    Pairs,
    Option<f64>,
    Option<Pairs>,
    Option<Vec<(String, String, PyBackedBytes)>>,
    Option<PyBackedBytes>,
    Option<String>,
);

fn with_keywords(request: Request, keywords: &Bound<'_, PyDict>) -> PyResult<Result<Request>> {
    let prepared = requests_helper(keywords.py(), "prepare")?.call((), Some(keywords))?;
    Ok(with_prepared(request, prepared.extract()?))
}

fn with_prepared(request: Request, prepared: Prepared) -> Result<Request> {
    let (query, headers, timeout, fields, files, raw, json) = prepared;
    let mut request = query.into_iter().fold(request, |request, (name, value)| request.query(name, value));
    if let Some(seconds) = timeout {
        request = request.timeout(positive(seconds)?);
    }
    let request = match (fields, files, raw, json) {
        (fields, Some(files), ..) => {
            let request = fields.unwrap_or_default().into_iter().fold(request, |it, (name, text)| it.field(name, text));
            files.into_iter().fold(request, |it, (field, name, file)| it.file(field, name, Bytes::from_owner(file)))
        }
        (Some(fields), ..) => request.form(fields),
        (_, _, Some(content), _) => request.raw(Bytes::from_owner(content)),
        (_, _, _, Some(text)) => request.content(text, "application/json"),
        _ => request,
    };
    // After the body, so that a caller's content type replaces that of the body.
    headers.iter().try_fold(request, |request, (name, value)| request.header(name, value))
}

fn positive(seconds: f64) -> Result<Duration> {
    let timeout = Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero());
    timeout.ok_or_else(|| Error::config(format!("the timeout of {seconds} s must be more than 0")))
}

/// The content of anything bytes-like that is not a file.
///
/// # Errors
/// `TypeError` for anything else.
pub(in crate::python) fn file_content(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(content) = value.extract::<PyBackedBytes>() {
        return Ok(Bytes::from_owner(content));
    }
    let py = value.py();
    let wrong = || -> PyResult<PyErr> {
        Ok(PyTypeError::new_err(format!("file_content must be bytes, not {}", value.get_type().name()?)))
    };
    if value.hasattr(intern!(py, "read"))? {
        return Err(wrong()?);
    }
    match py.get_type::<PyMemoryView>().call1((value,)) {
        Ok(view) => Ok(Bytes::from_owner(view.call_method0("tobytes")?.extract::<PyBackedBytes>()?)),
        Err(error) if error.is_instance_of::<PyTypeError>(py) => Err(wrong()?),
        Err(error) => Err(error),
    }
}
