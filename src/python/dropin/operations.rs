//! The operations of the classes, except searches and deploys, each written once.

use bytes::Bytes;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyException, PyOSError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::finished::{Finished, empty, none, text};
use super::request::{Raw, Sender};
use super::response::Response;
use super::service::{Callable, Item, Service};
use super::state::{State, read_client};
use crate::client::{self, Client, Request};
use crate::dropin::Failed;
use crate::error::Result;
use crate::python::convert::{json_to_py, refuse_awaitable};
use crate::text::version_in;

/// How much of an answer that is not JSON an error message quotes.
const QUOTED_CHARACTERS: usize = 200;

pub(super) async fn available_consoles(service: Service) -> Finished {
    Finished::json(&service, service.consoles().await)
}

pub(super) async fn console_execute(service: Service, console: String, command: String) -> Finished {
    let outcome = service.execute(&console, &command).await;
    Finished::new(&service, outcome, text, empty)
}

pub(super) async fn deployed_file_content(service: Service, file: String) -> Finished {
    let outcome = service.read(&file).await;
    Finished::new(&service, outcome, |py, content| Ok(PyBytes::new(py, &content).into_any()), none)
}

/// A missing version file is not an error: the project may not be deployed yet.
pub(super) async fn deployed_version(service: Service) -> Finished {
    let file = format!("{}/__init__.py", service.state().project());
    let outcome = match service.read(&file).await {
        Ok(content) => Ok(version_in(&String::from_utf8_lossy(&content)).unwrap_or_default()),
        Err(failed) if failed.is_not_found() => Ok(String::new()),
        Err(failed) => Err(failed),
    };
    Finished::new(&service, outcome, text, empty)
}

pub(super) async fn deploy_file(service: Service, file: String, content: Bytes) -> Finished {
    let outcome = service.upload(&file, content).await;
    Finished::new(&service, outcome, empty, text)
}

pub(super) async fn delete_file_or_folder(service: Service, path: String) -> Finished {
    let outcome = service.delete(&path).await;
    Finished::new(&service, outcome, empty, text)
}

pub(super) async fn folder_items(service: Service, path: String) -> Finished {
    let folder = match path.trim_matches('/') {
        "." => String::new(),
        folder => folder.to_owned(),
    };
    let outcome = service.items(&folder).await;
    Finished::new(
        &service,
        outcome,
        move |py, items| match items {
            Some(items) => dicts(py, &folder, &items),
            None => none(py, ()),
        },
        none,
    )
}

fn dicts<'py>(py: Python<'py>, folder: &str, items: &[Item]) -> PyResult<Bound<'py, PyAny>> {
    let list = PyList::empty(py);
    for Item { name, kind } in items {
        let dict = PyDict::new(py);
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        dict.set_item("file_path", path)?;
        dict.set_item("type", json_to_py(py, kind)?)?;
        list.append(dict)?;
    }
    Ok(list.into_any())
}

/// `_from_json`: what the response's own `.json()` gives, or `None` and its first characters in the error message.
pub(super) fn from_json<'py>(
    object: &Bound<'py, PyAny>,
    state: &State,
    response: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = response.py();
    let error = match response.call_method0("json") {
        Ok(parsed) => return Ok(parsed),
        Err(error) if error.is_instance_of::<PyException>(py) => error,
        Err(error) => return Err(error),
    };
    let client = read_client(object, state)?.ok();
    state.error_message.add(&format!(
        "the answer is not JSON ({}): {}",
        error.value(py),
        quoted(response, client.as_ref())
    ));
    Ok(py.None().into_bound(py))
}

/// The first characters of an answer's content, bytes or text, without secrets; `""` where these are not known.
fn quoted(answer: &Bound<'_, PyAny>, client: Option<&Client>) -> String {
    let (Ok(content), Some(client)) = (answer.getattr("content"), client) else { return String::new() };
    let text: String = match content.extract::<PyBackedBytes>() {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => content.extract().unwrap_or_default(),
    };
    // No secret is cut in two by the end of what is quoted.
    let head: String = text.chars().take(10 * QUOTED_CHARACTERS).collect();
    client.mask(&head).chars().take(QUOTED_CHARACTERS).collect()
}

/// A direct `_request`: always answers with a response, also where none came.
pub(super) async fn request(service: Service, raw: Raw) -> Finished {
    let Raw { task, success_codes, sender } = raw;
    let answered = match sender {
        Sender::Engine(request) => by_engine(&service, &task, request, &success_codes).await,
        Sender::Callable { callable, keywords, request } => {
            by_callable(&service, &task, &callable, keywords, request, &success_codes).await
        }
    };
    let (answer, failure) = match answered {
        Ok((answer, failure)) => (Ok(answer), failure),
        Err(failed) => (Err(failed), None),
    };
    Finished::new(
        &service,
        answer,
        |py, answer| answer.present(py),
        |py, text| Response::unanswered(text).into_bound_py_any(py),
    )
    .and_failed(failure)
}

/// The answer to a `_request`, according to who sent it.
enum AnswerObject {
    Engine(Box<client::Response>),
    Caller(Py<PyAny>),
}

impl AnswerObject {
    fn present(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Engine(response) => Response::new(*response).into_bound_py_any(py),
            Self::Caller(object) => Ok(object.into_bound(py)),
        }
    }
}

/// An answer, and what `error_message` says of it if its status is not among the success codes.
type Answered = Result<(AnswerObject, Option<String>), Failed>;

async fn by_engine(service: &Service, task: &str, request: Result<Request>, success_codes: &[u16]) -> Answered {
    let request = request.map_err(Failed::doing(task))?;
    let response = service.client(task)?.send_within_host(request).await.map_err(Failed::doing(task))?;
    let is_success = success_codes.contains(&response.status.as_u16());
    let failure = (!is_success).then(|| format!("{task}: {}", response.to_error().chain()));
    Ok((AnswerObject::Engine(Box::new(response)), failure))
}

/// Lets the caller's callable send, at an address that was checked, once the budget allows it.
async fn by_callable(
    service: &Service,
    task: &str,
    callable: &Callable,
    keywords: Py<PyDict>,
    request: Request,
    success_codes: &[u16],
) -> Answered {
    let client = service.client(task)?;
    let admission = client.admit(&request).await.map_err(Failed::doing(task))?;
    let url = admission.url.clone();
    let arguments = service.on_caller(move |py, object| {
        let keywords = with_headers(object, keywords.bind(py))?;
        Ok((PyTuple::new(py, [url])?.unbind(), Some(keywords.unbind())))
    });
    let arguments = arguments.await?;
    let answer = match service.caller().call_object(callable, move |_| Ok(arguments)).await {
        Ok(answer) => answer,
        // Those of requests are `OSError`s.
        Err(error) => {
            let text = service.caught::<PyOSError>(error).await?;
            return Err(Failed::text(format!("{task}: {}", client.mask(&text))));
        }
    };
    drop(admission);
    let (codes, masking) = (success_codes.to_vec(), client.clone());
    let judged = service.on_caller(move |py, _| {
        let failure = refused(answer.bind(py), &codes, &masking)?;
        Ok((AnswerObject::Caller(answer), failure))
    });
    let (answer, failure) = judged.await?;
    Ok((answer, failure.map(|text| format!("{task}: {text}"))))
}

/// The keywords with all headers: those of the attribute, and the caller's, which replace what they name.
fn with_headers<'py>(object: &Bound<'py, PyAny>, keywords: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
    let (headers, keywords) = (PyDict::new(object.py()), keywords.copy()?);
    headers.update(object.getattr("protocol_headers")?.cast()?)?;
    if let Some(given) = keywords.get_item("headers")?.filter(|given| !given.is_none()) {
        headers.call_method1("update", (given,))?;
    }
    keywords.set_item("headers", headers)?;
    Ok(keywords)
}

/// What an answer says of itself, unless its status is among the success codes.
fn refused(answer: &Bound<'_, PyAny>, success_codes: &[u16], client: &Client) -> PyResult<Option<String>> {
    refuse_awaitable(answer, "the method that sends a request")?;
    let status = answer.getattr("status_code")?;
    if status.extract().is_ok_and(|status: u16| success_codes.contains(&status)) {
        return Ok(None);
    }
    let reason: String = answer.getattr("reason").and_then(|reason| reason.extract()).unwrap_or_default();
    Ok(Some(format!("{} {}: {}", status.str()?, client.mask(&reason), quoted(answer, Some(client)))))
}
