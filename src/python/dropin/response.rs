//! What `_request` returns: a response like those of requests.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use super::request::requests_helper;
use crate::client;
use crate::python::convert::from_items;
use crate::python::errors::{exception, to_py};
use crate::text::charset;

/// The answer to a request. Without one, `status_code` is 0 and `reason` says why.
#[pyclass(module = "pythonanywhere_api", frozen)]
pub(in crate::python) struct Response {
    answer: Option<client::Response>,
    #[pyo3(get)]
    status_code: u16,
    #[pyo3(get)]
    ok: bool,
    #[pyo3(get)]
    reason: String,
    #[pyo3(get)]
    url: String,
    headers: HeaderMap,
    content: PyOnceLock<Py<PyBytes>>,
}

impl Response {
    pub(super) fn new(answer: client::Response) -> Self {
        let status = answer.status;
        Self {
            status_code: status.as_u16(),
            ok: (200..400).contains(&status.as_u16()),
            reason: status.canonical_reason().unwrap_or_default().to_owned(),
            url: answer.url.as_str().to_owned(),
            headers: answer.headers.clone(),
            content: PyOnceLock::new(),
            answer: Some(answer),
        }
    }

    /// Stands for an answer that never came.
    pub(super) fn unanswered(reason: String) -> Self {
        Self {
            answer: None,
            status_code: 0,
            ok: false,
            reason,
            url: String::new(),
            headers: HeaderMap::new(),
            content: PyOnceLock::new(),
        }
    }
}

#[pymethods]
impl Response {
    /// Names are looked up whatever their case; the values of a name that came several times are joined by commas.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let pairs: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        from_items(py, "Headers", (pairs,))
    }

    #[getter]
    fn content<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let body = self.answer.as_ref().map_or(&[][..], |answer| &answer.body);
        self.content.get_or_init(py, || PyBytes::new(py, body).unbind()).bind(py).clone()
    }

    /// The content in the encoding that the answer names, else in UTF-8.
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let content = self.content(py);
        let charset = self.headers.get(CONTENT_TYPE).and_then(|value| charset(value.to_str().ok()?));
        match content.call_method1("decode", (charset.unwrap_or("utf-8"), "replace")) {
            Err(error) if error.is_instance_of::<pyo3::exceptions::PyLookupError>(py) => {
                content.call_method1("decode", ("utf-8", "replace"))
            }
            decoded => decoded,
        }
    }

    /// The content as JSON; `json.JSONDecodeError`, a `ValueError`, if it is not JSON.
    #[pyo3(signature = (**kwargs))]
    fn json<'py>(&self, py: Python<'py>, kwargs: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?.call_method("loads", (self.text(py)?,), kwargs)
    }

    /// Raises the exception for an error status, and for an answer that never came.
    fn raise_for_status(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, response) = (slf.py(), slf.get());
        let error = match &response.answer {
            Some(_) if response.status_code < 400 => return Ok(()),
            Some(answer) => to_py(py, answer.to_error()),
            None => exception(py, "TransportError", (&response.reason,)),
        };
        let raised = requests_helper(py, "as_http_error")?.call1((error.into_value(py), slf))?;
        Err(PyErr::from_value(raised))
    }

    fn __bool__(&self) -> bool {
        self.ok
    }

    fn __repr__(&self) -> String {
        format!("<Response [{}]>", self.status_code)
    }
}
