//! `files_iterator`: a search that is pulled file by file.
//!
//! Listings run ahead by a few folders only, since whoever stops early should not have paid for more.

use std::process;
use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use super::arguments::skipper;
use super::finished::Finished;
use super::search::{Callback, ProjectLister, concurrency};
use super::service::{Call, Callable, Service};
use crate::dropin::{Failed, Stepped};
use crate::error::{Error, Result};
use crate::finder::{Mask, Walk, failures_text};
use crate::python::errors::{IntoPy, to_py};
use crate::python::runtime::{CallerQueue, CallerThread, Coroutine, awaitable, wait_on};

/// How many folders are listed ahead of the caller.
const AHEAD: usize = 8;

/// What a search is to look for.
struct Plan {
    call: Call,
    mask: String,
    level: usize,
    skip_folder: Option<Callable>,
}

/// An iterator of the class that suits the instance; nothing is searched before its first step.
pub(super) fn start<'py>(
    call: Call,
    object: &Bound<'py, PyAny>,
    mask: String,
    level: usize,
    is_async: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let skip_folder = skipper(Some(&object.getattr(intern!(py, "skip_enter_folder"))?))?;
    let plan = Box::new(Plan { call, mask, level, skip_folder });
    if is_async {
        let stage = Arc::new(tokio::sync::Mutex::new(AsyncStage::New(plan)));
        return AsyncFilesIterator { stage }.into_bound_py_any(py);
    }
    FilesIterator { stage: Stepped::new(Stage::New(plan)) }.into_bound_py_any(py)
}

impl Plan {
    fn begin(self, caller: CallerThread) -> Search {
        let task = "searching files";
        let service = self.call.on(caller);
        let walk = match (Mask::parse_from(&self.mask, self.level), service.root(task)) {
            (Ok(mask), Ok(_)) => {
                let skipper = Callback { service: service.clone(), skip: self.skip_folder, folders_only: true };
                let lister = ProjectLister(service.clone());
                Ok(Walk::new(lister, vec![mask], skipper, concurrency(&service, AHEAD)))
            }
            (Err(error), _) => Err(format!("{task}: {error}")),
            (_, Err(Failed::Told { text, .. })) => Err(text),
            (_, Err(Failed::Raised(error))) => Err(error.chain()),
        };
        Search { service, walk }
    }
}

type ProjectWalk = Walk<ProjectLister, Callback>;

/// A search under way, or why there is none.
struct Search {
    service: Service,
    walk: Result<ProjectWalk, String>,
}

impl Search {
    async fn next(&mut self) -> Result<Option<String>> {
        match &mut self.walk {
            Ok(walk) => walk.next().await,
            Err(_) => Ok(None),
        }
    }

    /// What goes into `error_message` at the end.
    fn failure(&self) -> Option<String> {
        match &self.walk {
            Ok(walk) => failures_text(walk.failed()),
            Err(text) => Some(text.clone()),
        }
    }

    fn end(&self) -> Finished {
        let outcome = self.failure().map_or(Ok(()), |text| Err(Failed::text(text)));
        Finished::new(&self.service, outcome, stop, stop)
    }
}

/// The end of an asynchronous search, however it went.
fn stop<T>(_: Python<'_>, _: T) -> PyResult<Bound<'_, PyAny>> {
    Err(PyStopAsyncIteration::new_err(()))
}

enum Stage {
    New(Box<Plan>),
    Running(CallerQueue, Box<Search>),
    Ended,
}

impl Stage {
    /// The search, which is begun if it is new; `None` if it has ended.
    fn resumed(self) -> Option<(CallerQueue, Box<Search>)> {
        match self {
            Self::New(plan) => {
                let queue = CallerQueue::new();
                let search = Box::new(plan.begin(queue.caller()));
                Some((queue, search))
            }
            Self::Running(queue, search) => Some((queue, search)),
            Self::Ended => None,
        }
    }
}

/// The files that `files_iterator` finds, in no particular order.
#[pyclass(module = "pythonanywhere_api", frozen)]
pub(in crate::python) struct FilesIterator {
    /// A thread in `__next__` has it.
    stage: Stepped<Stage>,
}

#[pymethods]
impl FilesIterator {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let stage = self.stage.take().ok_or_else(|| PyValueError::new_err("files_iterator is already executing"))?;
        let Some((queue, mut search)) = stage.resumed() else {
            self.stage.set(Stage::Ended);
            return Ok(None);
        };
        if queue.is_from_parent() {
            self.stage.set(Stage::Ended);
            // Its tasks are in the parent; dropping them here would touch a runtime that has no threads.
            std::mem::forget((queue, search));
            return Err(PyRuntimeError::new_err("files_iterator started before the process forked: start a new one"));
        }
        let outcome = next_file(py, &queue, &mut search);
        self.stage.put_back(match &outcome {
            Ok(Some(_)) => Stage::Running(queue, search),
            Ok(None) => {
                search.service.state().error_message.settle(search.failure().as_slice());
                search.service.persist_budget();
                Stage::Ended
            }
            Err(_) => Stage::Ended,
        });
        outcome?.map(|file| file_item(py, &file)).transpose()
    }

    /// Ends the search and cancels listings that are under way.
    fn close(&self) {
        self.stage.set(Stage::Ended);
    }
}

fn next_file(py: Python<'_>, queue: &CallerQueue, search: &mut Search) -> PyResult<Option<String>> {
    // Most files were listed along with others: no need to change threads for them.
    if let Some(known) = search.walk.as_mut().ok().and_then(Walk::take_found) {
        return Ok(Some(known));
    }
    // Listings run ahead while the caller works on what it got.
    queue.leave_alone()?;
    wait_on(py, queue, search.next())?.into_py(py)
}

/// The files that the asynchronous `files_iterator` finds, in no particular order.
#[pyclass(module = "pythonanywhere_api", frozen)]
pub(in crate::python) struct AsyncFilesIterator {
    stage: Arc<tokio::sync::Mutex<AsyncStage>>,
}

enum AsyncStage {
    New(Box<Plan>),
    Running(Search),
    Ended,
}

#[pymethods]
impl AsyncFilesIterator {
    fn __aiter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __anext__(&self) -> Coroutine {
        let stage = Arc::clone(&self.stage);
        let process = process::id();
        awaitable("files_iterator", move |caller| async move {
            if process != process::id() {
                return Err(PyRuntimeError::new_err("files_iterator started before the process forked"));
            }
            next_step(&stage, caller).await
        })
    }

    /// Ends the search and cancels listings that are under way.
    fn aclose(&self) -> Coroutine {
        let stage = Arc::clone(&self.stage);
        awaitable("aclose", move |_caller| async move {
            *stage.lock().await = AsyncStage::Ended;
            Ok(())
        })
    }
}

async fn next_step(stage: &tokio::sync::Mutex<AsyncStage>, caller: CallerThread) -> PyResult<Step> {
    let mut stage = stage.lock().await;
    let mut search = match std::mem::replace(&mut *stage, AsyncStage::Ended) {
        AsyncStage::New(plan) => plan.begin(caller),
        AsyncStage::Running(search) => search,
        AsyncStage::Ended => return Err(PyStopAsyncIteration::new_err(())),
    };
    match search.next().await {
        Ok(Some(file)) => {
            *stage = AsyncStage::Running(search);
            Ok(Step::File(file))
        }
        Ok(None) => Ok(Step::End(search.end())),
        Err(error) => Ok(Step::Raised(error)),
    }
}

/// What a step of the asynchronous search gives.
enum Step {
    File(String),
    End(Finished),
    Raised(Error),
}

impl<'py> IntoPyObject<'py> for Step {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::File(file) => file_item(py, &file),
            Self::End(finished) => finished.into_pyobject(py),
            Self::Raised(error) => Err(to_py(py, error)),
        }
    }
}

/// A path that also answers `["file_path"]` and `["type"]`.
fn file_item<'py>(py: Python<'py>, file: &str) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "pythonanywhere_api._items", "FileItem")?.call1((file,))
}
