//! The search for the project's files, by the engine or by the caller's own `files_iterator`.

use std::sync::Arc;

use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PySet, PyString, PyTuple};

use super::finished::{Finished, none};
use super::service::{Callable, Service};
use crate::api::Entry;
use crate::dropin::Failed;
use crate::error::{Error, Result};
use crate::finder::{DEFAULT_CONCURRENCY, Found, Lister, Mask, Skipper, failures_text, find};
use crate::python::convert::refuse_awaitable;

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
    let skipper = Callback::new(service, skip);
    let Found { files, failed } =
        find(lister, &masks, skipper, concurrency(service, DEFAULT_CONCURRENCY)).await.map_err(Failed::doing(task))?;
    failures_text(&failed).map_or(Ok(files), |text| Err(Failed::text(text)))
}

/// Searches with the caller's own `files_iterator`; it asks `skip_enter_folder` for folders, as ours does.
async fn find_with(
    service: &Service,
    replacement: &Callable,
    masks: Vec<String>,
    skip: Option<Callable>,
) -> Result<Vec<String>, Failed> {
    let before = match skip.clone() {
        Some(skip) => Some(service.on_caller(move |py, object| replace_skipper(object, skip.bind(py))).await?),
        None => None,
    };
    let outcome = drain_all(service, replacement, masks).await;
    // It counts for this search alone.
    if let Some(before) = before {
        service.on_caller(move |py, object| replace_skipper(object, before.bind(py)).map(drop)).await?;
    }
    let mut found = outcome?;
    found.sort_unstable();
    found.dedup();
    let callback = Callback::new(service, skip);
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

impl Callback {
    /// Asks for files and folders.
    pub(super) fn new(service: &Service, skip: Option<Callable>) -> Self {
        Self { service: service.clone(), skip, folders_only: false }
    }
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

/// Whether a callback leaves out a path.
///
/// # Errors
/// What it raised; `TypeError` for one that must be awaited, which would otherwise be taken for true.
pub(super) fn is_skipped(callback: &Bound<'_, PyAny>, path: &str) -> PyResult<bool> {
    let answer = callback.call1((path,))?;
    refuse_awaitable(&answer, "the callback that skips files")?;
    answer.is_truthy()
}

async fn drain_all(service: &Service, replacement: &Callable, masks: Vec<String>) -> Result<Vec<String>, Failed> {
    let mut found = Vec::new();
    for mask in masks {
        found.extend(drain_replacement(service, replacement, mask).await?);
    }
    Ok(found)
}

/// Exhausts the caller's own `files_iterator` and returns the paths it gave.
async fn drain_replacement(service: &Service, replacement: &Callable, mask: String) -> Result<Vec<String>, Failed> {
    let drain = async {
        let arguments = move |py: Python<'_>| Ok((PyTuple::new(py, [mask])?.unbind(), None));
        let items = service.caller().call_object(replacement, arguments).await.map_err(Failed::Raised)?;
        let items = Arc::new(items);
        let shared = Arc::clone(&items);
        let is_async = service.on_caller(move |py, _| shared.bind(py).hasattr(intern!(py, "__anext__"))).await?;
        if is_async {
            drain_async(service, &items).await
        } else {
            service.on_caller(move |py, _| items.bind(py).try_iter()?.map(|item| path_of(&item?)).collect()).await
        }
    };
    match service.with_error_message(drain).await? {
        (paths, error) if error.is_empty() => Ok(paths),
        (_, error) => Err(Failed::text(error)),
    }
}

async fn drain_async(service: &Service, items: &Callable) -> Result<Vec<String>, Failed> {
    let mut paths = Vec::new();
    loop {
        let shared = Arc::clone(items);
        let step = service
            .on_caller(move |py, _| shared.bind(py).call_method0(intern!(py, "__anext__")).map(Bound::unbind))
            .await?;
        match service.caller().resolve(step).await {
            Ok(item) => paths.push(service.on_caller(move |py, _| path_of(item.bind(py))).await?),
            Err(error) => {
                service.caught::<PyStopAsyncIteration>(error).await?;
                return Ok(paths);
            }
        }
    }
}

/// The path of an item: a text, or a dict with `file_path`.
pub(super) fn path_of(item: &Bound<'_, PyAny>) -> PyResult<String> {
    match item.cast::<PyString>() {
        Ok(text) => text.extract(),
        Err(_) => item.get_item("file_path")?.extract(),
    }
}
