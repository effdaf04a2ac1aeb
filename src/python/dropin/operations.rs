//! The operations of the class, each written once.
//!
//! An operation ends in a [`Finished`]: what it does to `error_message` and what it returns, for the moment when it is
//! back with the interpreter.

use std::fmt::Write as _;

use bytes::Bytes;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PySet, PyString};

use super::iterator::drain_replacement;
use super::request::Raw;
use super::response::Response;
use super::service::{Callable, Failed, Service};
use super::state::Shared;
use crate::api::Entry;
use crate::error::{Error, Result};
use crate::finder::{DEFAULT_CONCURRENCY, Found, Lister, Mask, Skipper, find};
use crate::python::convert::json_to_py;
use crate::python::errors::{IntoPy, to_py};

/// How many failed folders an error message names.
const MOST_FAILURES: usize = 10;

/// How much of an answer that is no JSON an error message quotes.
const QUOTED_CHARACTERS: usize = 200;

type Present<'a> = Box<dyn for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>> + Send + 'a>;

/// The end of an operation.
pub(super) struct Finished {
    state: Shared,
    failures: Vec<String>,
    raised: Option<Error>,
    present: Present<'static>,
}

impl Finished {
    /// Success and failure, each with what the operation returns then; a failure's text is handed on.
    pub(super) fn new<T: Send + 'static>(
        service: &Service,
        outcome: Result<T, Failed>,
        success: impl for<'py> FnOnce(Python<'py>, T) -> PyResult<Bound<'py, PyAny>> + Send + 'static,
        failure: impl for<'py> FnOnce(Python<'py>, String) -> PyResult<Bound<'py, PyAny>> + Send + 'static,
    ) -> Self {
        let state = Shared::clone(service.state());
        service.persist_budget();
        match outcome {
            Ok(value) => {
                Self { state, failures: Vec::new(), raised: None, present: Box::new(move |py| success(py, value)) }
            }
            Err(Failed::Told { text, .. }) => Self {
                state,
                failures: vec![text.clone()],
                raised: None,
                present: Box::new(move |py| failure(py, text)),
            },
            Err(Failed::Raised(error)) => Self {
                state,
                failures: Vec::new(),
                raised: Some(error),
                present: Box::new(|py| Ok(py.None().into_bound(py))),
            },
        }
    }

    /// With a failure to tell although there is a result.
    pub(super) fn and_failed(mut self, failure: Option<String>) -> Self {
        self.failures.extend(failure);
        self
    }
}

impl<'py> IntoPyObject<'py> for Finished {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(error) = self.raised {
            return Err(to_py(py, error));
        }
        self.state.settle(&self.failures);
        (self.present)(py)
    }
}

#[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "the shape that `Finished::new` takes")]
fn none<T>(py: Python<'_>, _: T) -> PyResult<Bound<'_, PyAny>> {
    Ok(py.None().into_bound(py))
}

fn text(py: Python<'_>, text: String) -> PyResult<Bound<'_, PyAny>> {
    text.into_bound_py_any(py)
}

#[allow(clippy::unnecessary_wraps, reason = "the shape that `Finished::new` takes")]
fn empty<T>(py: Python<'_>, _: T) -> PyResult<Bound<'_, PyAny>> {
    Ok(PyString::new(py, "").into_any())
}

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

/// The value in the first line `__version__ = "…"`.
fn version_in(source: &str) -> Option<String> {
    source.lines().find_map(|line| {
        let rest = line.strip_prefix("__version__")?.trim_start();
        // An annotation may stand between.
        let rest = rest.strip_prefix(':').map_or(rest, |annotated| annotated.trim_start_matches(|c| c != '='));
        let value = rest.strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value[1..].split(quote).next().map(str::to_owned)
    })
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
pub(super) fn from_json<'py>(state: &Shared, response: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = response.py();
    let error = match response.call_method0("json") {
        Ok(parsed) => return Ok(parsed),
        Err(error) if error.is_instance_of::<PyException>(py) => error,
        Err(error) => return Err(error),
    };
    let content = response.getattr("content").and_then(|content| content.extract::<Vec<u8>>()).unwrap_or_default();
    let quoted: String = String::from_utf8_lossy(&content).chars().take(QUOTED_CHARACTERS).collect();
    state.add_error(&format!("the answer is no JSON ({}): {quoted}", error.value(py)));
    Ok(py.None().into_bound(py))
}

/// A result of Python's, or the exception.
pub(super) struct Raising(pub Result<Py<PyAny>>);

impl<'py> IntoPyObject<'py> for Raising {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.into_py(py).map(|object| object.into_bound(py))
    }
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

/// `find_project_files` and `deployed_code_files`: a set of paths, or `None` if anything could not be read.
pub(super) async fn find_files(service: Service, masks: Vec<String>, skip: Option<Callable>) -> Finished {
    let outcome = match service.files_iterator() {
        Some(replacement) => find_with(&service, replacement, masks, skip).await,
        None => find_natively(&service, &masks, skip).await,
    };
    Finished::new(&service, outcome, |py, files| Ok(PySet::new(py, files)?.into_any()), none)
}

async fn find_natively(service: &Service, masks: &[String], skip: Option<Callable>) -> Result<Vec<String>, Failed> {
    let task = "searching files";
    let masks = masks.iter().map(|mask| Mask::parse(mask)).collect::<Result<Vec<_>>>().map_err(Failed::doing(task))?;
    service.root(task)?;
    let lister = ProjectLister(service.clone());
    let skipper = Callback { service: service.clone(), skip, folders_only: false };
    let Found { files, failed } =
        find(lister, &masks, skipper, concurrency(service, DEFAULT_CONCURRENCY)).await.map_err(Failed::doing(task))?;
    match failures(&failed) {
        None => Ok(files),
        Some(text) => Err(Failed::text(text)),
    }
}

/// Searches with the caller's own `files_iterator`; it asks `skip_enter_folder` for folders, as ours does.
async fn find_with(
    service: &Service,
    replacement: &Callable,
    masks: Vec<String>,
    skip: Option<Callable>,
) -> Result<Vec<String>, Failed> {
    let mut found = Vec::new();
    let before = match skip.clone() {
        Some(skip) => Some(service.on_caller(move |py, object| replace_skipper(object, skip.bind(py))).await?),
        None => None,
    };
    let mut outcome = Ok(());
    for mask in masks {
        match drain_replacement(service, replacement, mask).await {
            Ok(paths) => found.extend(paths),
            Err(failed) => {
                outcome = Err(failed);
                break;
            }
        }
    }
    // It counts for this search alone.
    if let Some(before) = before {
        service.on_caller(move |py, object| replace_skipper(object, before.bind(py)).map(drop)).await?;
    }
    outcome?;
    found.sort_unstable();
    found.dedup();
    let callback = Callback { service: service.clone(), skip, folders_only: false };
    let mut refused = callback.skip(found.clone()).await.map_err(Failed::Raised)?.into_iter();
    found.retain(|_| !refused.next().unwrap_or(false));
    Ok(found)
}

/// Sets `skip_enter_folder` and returns what it was.
fn replace_skipper(object: &Bound<'_, PyAny>, skip: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let name = intern!(object.py(), "skip_enter_folder");
    let before = object.getattr(name)?.unbind();
    object.setattr(name, skip)?;
    Ok(before)
}

/// How many folders are listed at a time: one where the caller's Python does it, whose verdicts would mix.
pub(super) fn concurrency(service: &Service, most: usize) -> usize {
    if service.is_replaced() { 1 } else { most }
}

/// One text for the folders that could not be listed, the first one first.
pub(super) fn failures(failed: &[(String, Error)]) -> Option<String> {
    let (first, rest) = failed.split_first()?;
    let mut text = first.1.to_string();
    for (_, error) in rest.iter().take(MOST_FAILURES - 1) {
        let _ = write!(text, "\n\n{error}");
    }
    if failed.len() > MOST_FAILURES {
        let _ = write!(text, "\n\n… and {} more folders", failed.len() - MOST_FAILURES);
    }
    Some(text)
}

/// Lists the project's folders through a [`Service`].
pub(super) struct ProjectLister(pub Service);

impl Lister for ProjectLister {
    /// A failure comes as an error whose text is complete already; nobody decides by its kind.
    async fn list(&self, folder: &str) -> Result<Option<Vec<Entry>>> {
        self.0.list(folder).await.map_err(|failed| match failed {
            Failed::Told { text, .. } => Error::config(text),
            Failed::Raised(error) => error,
        })
    }
}

/// Asks the caller's callback what to leave out.
pub(super) struct Callback {
    pub service: Service,
    pub skip: Option<Callable>,
    /// `skip_enter_folder` is asked for folders alone.
    pub folders_only: bool,
}

impl Skipper for Callback {
    async fn skip(&self, paths: Vec<String>) -> Result<Vec<bool>> {
        let Some(skip) = self.skip.clone() else { return Ok(vec![false; paths.len()]) };
        let folders_only = self.folders_only;
        self.service
            .caller()
            .call(move |py| {
                let ask = |path: &String| {
                    let is_asked = !folders_only || path.ends_with("/.");
                    Ok(is_asked && is_skipped(skip.bind(py), path)?)
                };
                paths.iter().map(ask).collect()
            })
            .await
    }
}

/// What a callback says of a path.
///
/// # Errors
/// What it raised; `TypeError` for one that must be awaited, which would otherwise be taken for true.
pub(super) fn is_skipped(callback: &Bound<'_, PyAny>, path: &str) -> PyResult<bool> {
    let answer = callback.call1((path,))?;
    if answer.hasattr(intern!(callback.py(), "__await__"))? {
        // An unawaited coroutine would be warned about as well.
        if answer.hasattr(intern!(callback.py(), "close"))? {
            answer.call_method0(intern!(callback.py(), "close"))?;
        }
        return Err(PyTypeError::new_err(
            "the callback that skips files must be a plain function, not a coroutine function",
        ));
    }
    answer.is_truthy()
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn the_version_is_read_from_its_assignment() {
        for (source, version) in [
            ("\"\"\" doc \"\"\"\n\n__version__ = '1.2.3'\n", Some("1.2.3")),
            ("__version__=\"0.1\"  # comment", Some("0.1")),
            ("__version__: str = \"2\"", Some("2")),
            ("  __version__ = '1'", None),
            ("__version_info__ = '1'", None),
            ("__version__ = version('x')", None),
            ("", None),
        ] {
            assert_eq!(version_in(source).as_deref(), version, "{source:?}");
        }
    }
}
