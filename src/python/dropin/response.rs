//! What `_request` returns: a response like those of requests.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderMap};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList};

use crate::client;
use crate::python::errors::{exception, to_py};

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
    headers: Arc<HeaderMap>,
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
            headers: Arc::new(answer.headers.clone()),
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
            headers: Arc::default(),
            content: PyOnceLock::new(),
        }
    }
}

#[pymethods]
impl Response {
    #[getter]
    fn headers(&self) -> Headers {
        Headers(Arc::clone(&self.headers))
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
    fn raise_for_status(&self, py: Python<'_>) -> PyResult<()> {
        match &self.answer {
            Some(_) if self.status_code < 400 => Ok(()),
            Some(answer) => Err(to_py(py, answer.to_error())),
            None => Err(exception(py, "TransportError", (&self.reason,))),
        }
    }

    fn __bool__(&self) -> bool {
        self.ok
    }

    fn __repr__(&self) -> String {
        format!("<Response [{}]>", self.status_code)
    }
}

fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// Headers of an answer. Names are looked up whatever their case; a name that came several times is joined by commas.
#[pyclass(module = "pythonanywhere_api", frozen, mapping)]
pub(in crate::python) struct Headers(Arc<HeaderMap>);

impl Headers {
    fn find(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.0.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn pairs(&self) -> Vec<(String, String)> {
        self.0.keys().map(|name| (name.as_str().to_owned(), self.find(name.as_str()).unwrap_or_default())).collect()
    }
}

#[pymethods]
impl Headers {
    fn __getitem__(&self, name: &str) -> PyResult<String> {
        self.find(name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    #[pyo3(signature = (name, default=None))]
    fn get<'py>(&self, py: Python<'py>, name: &str, default: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        match self.find(name) {
            Some(value) => Ok(value.into_pyobject(py)?.into_any()),
            None => Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
        }
    }

    fn __contains__(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn __len__(&self) -> usize {
        self.0.keys_len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.keys())?.try_iter()
    }

    fn keys(&self) -> Vec<String> {
        self.pairs().into_iter().map(|(name, _)| name).collect()
    }

    fn values(&self) -> Vec<String> {
        self.pairs().into_iter().map(|(_, value)| value).collect()
    }

    fn items(&self) -> Vec<(String, String)> {
        self.pairs()
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.pairs())
    }
}
