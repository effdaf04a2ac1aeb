//! The arguments of `_request`, which are those of requests' functions, as a request of the engine.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBool, PyBytes, PyDict, PyMapping, PyString, PyTuple};

use crate::client::Request;
use crate::error::{Error, Result};

/// A request as a caller of `_request` states it.
pub(super) struct Raw {
    pub task: String,
    pub success_codes: Vec<u16>,
    /// A value that cannot be sent is reported when the request is to be sent, like any failure.
    pub request: Result<Request>,
}

/// Pairs of names and values; a name may come several times.
type Pairs = Vec<(String, String)>;

impl Raw {
    /// Reads the arguments.
    ///
    /// # Errors
    /// `TypeError` for arguments of a wrong type and for unknown keywords.
    pub(super) fn new(
        url_path: &str,
        task: &str,
        method: Option<&Bound<'_, PyAny>>,
        success_codes: Option<&Bound<'_, PyAny>>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let method = verb(method)?;
        let success_codes = match success_codes {
            None => vec![200, 201],
            Some(codes) => codes
                .try_iter()
                .and_then(|codes| codes.map(|code| code?.extract()).collect())
                .map_err(|_| PyTypeError::new_err("success_codes must be a sequence of int"))?,
        };
        let request = match keywords {
            None => Ok(Request::new(method, url_path)),
            Some(keywords) => with_keywords(Request::new(method, url_path), keywords)?,
        };
        Ok(Self { task: task.to_owned(), success_codes, request })
    }
}

/// An HTTP verb: a text, or any callable that is named like one, as `requests.post` is.
fn verb(method: Option<&Bound<'_, PyAny>>) -> PyResult<Method> {
    let Some(method) = method.filter(|method| !method.is_none()) else { return Ok(Method::GET) };
    let name: String = match method.extract() {
        Ok(text) => text,
        Err(_) => method
            .getattr(intern!(method.py(), "__name__"))
            .and_then(|name| name.extract())
            .map_err(|_| PyTypeError::new_err("method must be an HTTP verb, or a callable named like one"))?,
    };
    match name.to_ascii_uppercase().as_str() {
        known @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS") => {
            Ok(Method::from_bytes(known.as_bytes()).unwrap_or(Method::GET))
        }
        _ => Err(PyValueError::new_err(format!("method {name:?} is not an HTTP verb"))),
    }
}

fn with_keywords(mut request: Request, keywords: &Bound<'_, PyDict>) -> PyResult<Result<Request>> {
    let get = |name: &str| Ok::<_, PyErr>(keywords.get_item(name)?.filter(|value| !value.is_none()));
    for name in keywords.keys() {
        let name: String = name.extract()?;
        if !["params", "data", "json", "files", "headers", "timeout"].contains(&name.as_str()) {
            return Err(PyTypeError::new_err(format!(
                "_request() got an unexpected keyword argument {name:?}: it takes params, data, json, files, headers \
                 and timeout"
            )));
        }
    }
    if let Some(params) = get("params")? {
        for (name, value) in query(&params)? {
            request = request.query(name, value);
        }
    }
    if let Some(timeout) = get("timeout")? {
        match seconds(&timeout)? {
            Ok(Some(timeout)) => request = request.timeout(timeout),
            Ok(None) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    request = body(request, get("data")?.as_ref(), get("json")?.as_ref(), get("files")?.as_ref())?;
    // After the body, so that a caller's content type replaces that of the body.
    if let Some(headers) = get("headers")? {
        for (name, value) in pairs(&headers, "headers")? {
            request = match request.header(&name, &value) {
                Ok(request) => request,
                Err(error) => return Ok(Err(error)),
            };
        }
    }
    Ok(Ok(request))
}

fn body(
    mut request: Request,
    data: Option<&Bound<'_, PyAny>>,
    json: Option<&Bound<'_, PyAny>>,
    files: Option<&Bound<'_, PyAny>>,
) -> PyResult<Request> {
    if let Some(files) = files {
        if let Some(data) = data {
            for (name, value) in pairs(data, "data")? {
                request = request.field(name, value);
            }
        }
        for (field, value) in items(files, "files")? {
            let (name, content) = file(&field, &value)?;
            request = request.file(field, name, content);
        }
        return Ok(request);
    }
    match (data, json) {
        (Some(data), _) if data.is_instance_of::<PyString>() => Ok(request.raw(data.extract::<String>()?)),
        (Some(data), _) => match bytes(data)? {
            Some(content) => Ok(request.raw(content)),
            None => Ok(request.form(pairs(data, "data")?)),
        },
        (None, Some(json)) => {
            let text: String = json.py().import("json")?.call_method1("dumps", (json,))?.extract()?;
            Ok(request.content(text, "application/json"))
        }
        (None, None) => Ok(request),
    }
}

/// The content of bytes-like objects and, read to the end, of binary files; `None` for anything else.
///
/// # Errors
/// What reading a file raised.
fn bytes(value: &Bound<'_, PyAny>) -> PyResult<Option<Bytes>> {
    if let Ok(content) = value.extract::<PyBackedBytes>() {
        return Ok(Some(Bytes::from_owner(content)));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(None);
    }
    let py = value.py();
    let content = if value.hasattr(intern!(py, "read"))? {
        value.call_method0(intern!(py, "read"))?
    } else {
        match py.get_type::<pyo3::types::PyMemoryView>().call1((value,)) {
            Ok(view) => view.call_method0("tobytes")?,
            Err(error) if error.is_instance_of::<PyTypeError>(py) => return Ok(None),
            Err(error) => return Err(error),
        }
    };
    Ok(content.cast::<PyBytes>().ok().map(|content| Bytes::copy_from_slice(content.as_bytes())))
}

/// The content of anything bytes-like; `None` for anything else.
pub(in crate::python) fn file_content(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    let is_file = value.hasattr(intern!(value.py(), "read"))?;
    match if is_file { None } else { bytes(value)? } {
        Some(content) => Ok(content),
        None => Err(PyTypeError::new_err(format!("file_content must be bytes, not {}", value.get_type().name()?))),
    }
}

/// What requests takes as a file: content, or a tuple of name, content and possibly more.
fn file(field: &str, value: &Bound<'_, PyAny>) -> PyResult<(String, Bytes)> {
    let (name, content) = match value.cast::<PyTuple>() {
        Ok(tuple) if tuple.len() >= 2 => {
            let name: Option<String> = tuple.get_item(0)?.extract()?;
            (name, tuple.get_item(1)?)
        }
        _ => (None, value.clone()),
    };
    let content = match content.extract::<String>() {
        Ok(text) => Bytes::from(text),
        Err(_) => bytes(&content)?
            .ok_or_else(|| PyTypeError::new_err(format!("the file {field:?} must be bytes, str or a binary file")))?,
    };
    Ok((name.unwrap_or_else(|| field.to_owned()), content))
}

/// The items of a mapping, or a sequence of pairs.
fn items<'py>(value: &Bound<'py, PyAny>, what: &str) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
    let wrong = || PyTypeError::new_err(format!("{what} must be a dict, or a sequence of pairs"));
    let items = match value.cast::<PyMapping>() {
        Ok(mapping) => mapping.items()?.into_any(),
        Err(_) => value.clone(),
    };
    if items.is_instance_of::<PyString>() {
        return Err(wrong());
    }
    items.try_iter().map_err(|_| wrong())?.map(|item| item?.extract().map_err(|_| wrong())).collect()
}

/// Query parameters: pairs, or a text that is quoted already.
fn query(params: &Bound<'_, PyAny>) -> PyResult<Pairs> {
    let text = if params.is_instance_of::<PyString>() { Some(params.extract()?) } else { bytes_text(params) };
    match text {
        Some(text) => Ok(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()),
        None => pairs(params, "params"),
    }
}

/// As requests does it: several values for a name become several pairs, `None` is left out.
fn pairs(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Pairs> {
    let mut pairs = Vec::new();
    for (name, value) in items(value, what)? {
        if value.is_none() {
            continue;
        }
        let is_single = value.is_instance_of::<PyString>() || bytes_text(&value).is_some() || value.try_iter().is_err();
        if is_single {
            pairs.push((name, single(&value)?));
        } else {
            for part in value.try_iter()? {
                pairs.push((name.clone(), single(&part?)?));
            }
        }
    }
    Ok(pairs)
}

fn bytes_text(value: &Bound<'_, PyAny>) -> Option<String> {
    let bytes = value.cast::<PyBytes>().ok()?;
    Some(String::from_utf8_lossy(bytes.as_bytes()).into_owned())
}

fn single(value: &Bound<'_, PyAny>) -> PyResult<String> {
    match bytes_text(value) {
        Some(text) => Ok(text),
        None => Ok(value.str()?.extract()?),
    }
}

/// A time-out in seconds, or requests' pair for connecting and reading, of which the second counts.
fn seconds(value: &Bound<'_, PyAny>) -> PyResult<Result<Option<Duration>>> {
    let wrong = || PyTypeError::new_err("timeout must be a number of seconds, or a pair of them");
    let value = match value.cast::<PyTuple>() {
        Ok(pair) if pair.len() == 2 => pair.get_item(1)?,
        Ok(_) => return Err(wrong()),
        Err(_) => value.clone(),
    };
    if value.is_none() {
        return Ok(Ok(None));
    }
    if value.is_instance_of::<PyBool>() {
        return Err(wrong());
    }
    let seconds: f64 = value.extract().map_err(|_| wrong())?;
    Ok(match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if !timeout.is_zero() => Ok(Some(timeout)),
        _ => Err(Error::config(format!("the timeout of {seconds} s must be more than 0"))),
    })
}
