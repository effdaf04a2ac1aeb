//! The operations of the classes but for searches and deploys, each written once.

use bytes::Bytes;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::finished::{Finished, empty, none, text};
use super::request::Raw;
use super::response::Response;
use super::service::{Failed, Service};
use super::state::State;
use crate::api::Entry;
use crate::python::convert::json_to_py;
use crate::text::version_in;

/// How much of an answer that is not JSON an error message quotes.
const QUOTED_CHARACTERS: usize = 200;

pub(super) async fn available_consoles(service: Service) -> Finished {
    let outcome = service.consoles().await;
    Finished::new(&service, outcome, |py, consoles| json_to_py(py, &consoles), none)
}

pub(super) async fn console_execute(service: Service, console: String, command: String) -> Finished {
    let outcome = match service.type_into(&console, &command).await {
        Ok(()) => service.latest_output(&console).await,
        Err(failed) => Err(failed),
    };
    Finished::new(&service, outcome, text, empty)
}

pub(super) async fn deployed_file_content(service: Service, file: String) -> Finished {
    let outcome = service.read(&file).await;
    Finished::new(&service, outcome, |py, content| Ok(PyBytes::new(py, &content).into_any()), none)
}

/// A version file that is absent is no error: the project may not be deployed yet.
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
    let outcome = service.list(&folder).await;
    Finished::new(
        &service,
        outcome,
        move |py, entries| match entries {
            Some(entries) => items(py, &folder, &entries),
            None => none(py, ()),
        },
        none,
    )
}

fn items<'py>(py: Python<'py>, folder: &str, entries: &[Entry]) -> PyResult<Bound<'py, PyAny>> {
    let list = PyList::empty(py);
    for entry in entries {
        let item = PyDict::new(py);
        let path = if folder.is_empty() { entry.name.clone() } else { format!("{folder}/{}", entry.name) };
        item.set_item("file_path", path)?;
        item.set_item("type", if entry.is_dir { "directory" } else { "file" })?;
        list.append(item)?;
    }
    Ok(list.into_any())
}

/// `_from_json`: what the response's own `.json()` gives, or `None` and its first characters in the error message.
pub(super) fn from_json<'py>(state: &State, response: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = response.py();
    let error = match response.call_method0("json") {
        Ok(parsed) => return Ok(parsed),
        Err(error) if error.is_instance_of::<PyException>(py) => error,
        Err(error) => return Err(error),
    };
    let content = response.getattr("content").and_then(|content| content.extract::<Vec<u8>>()).unwrap_or_default();
    let quoted: String = state.mask(&String::from_utf8_lossy(&content)).chars().take(QUOTED_CHARACTERS).collect();
    state.add_error(&format!("the answer is not JSON ({}): {quoted}", error.value(py)));
    Ok(py.None().into_bound(py))
}

/// A direct `_request`: always answers with a response, also where none came.
pub(super) async fn request(service: Service, raw: Raw) -> Finished {
    let task = raw.task.clone();
    let outcome = async {
        let client = service.client(&task)?;
        client.send(raw.request.map_err(Failed::doing(&task))?).await.map_err(Failed::doing(&task))
    }
    .await;
    match outcome {
        Ok(response) => {
            let failure = (!raw.success_codes.contains(&response.status.as_u16()))
                .then(|| format!("{task}: {}", response.to_error().chain()));
            Finished::new(&service, Ok(response), |py, response| Response::new(response).into_bound_py_any(py), none)
                .and_failed(failure)
        }
        Err(failed) => Finished::new(&service, Err::<(), _>(failed), none, |py, text| {
            Response::unanswered(text).into_bound_py_any(py)
        }),
    }
}
