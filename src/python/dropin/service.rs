//! The service as an operation sees it: the engine, or what the caller put in its place.
//!
//! A replaced `_request` reports its verdict in `error_message` (a text there afterwards means failure, even one from
//! before); of its answer only `status_code`, `content` and `json()` are read. Where anything is replaced, one
//! request goes out at a time, since verdicts would mix otherwise.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::PyTypeInfo;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{IntoPyDict, PyBytes, PyDict, PyTuple};
use serde_json::{Map, Value};

use super::overrides::replacements;
use super::state::{Shared, read_client, read_root};
use crate::api::Entry;
use crate::client::{Client, RemotePath, Request, Response, check_typed, quote};
use crate::dropin::Failed;
use crate::error::{Error, Result};
use crate::python::convert::from_items;
use crate::python::runtime::CallerThread;

/// A Python object that a future holds: shared, since counting its references needs the interpreter.
pub(super) type Callable = Arc<Py<PyAny>>;

/// An instance as it is at the moment of a call.
pub(super) struct Call {
    object: Callable,
    state: Shared,
    client: Result<Client>,
    root: Result<RemotePath>,
    consoles: String,
    request: Option<Callable>,
    folder_items: Option<Callable>,
    files_iterator: Option<Callable>,
}

impl Call {
    /// Reads everything from the instance's attributes.
    ///
    /// # Errors
    /// `AttributeError` and `TypeError` for attributes that are missing or of a wrong type. Wrong values are
    /// reported when the operation runs.
    pub(super) fn new(object: &Bound<'_, PyAny>, state: &Shared) -> PyResult<Self> {
        let replaced = replacements(object, state.is_async)?;
        let consoles: String = object.getattr(intern!(object.py(), "consoles_url_part"))?.extract()?;
        Ok(Self {
            object: Arc::new(object.clone().unbind()),
            state: Arc::clone(state),
            client: read_client(object, state)?,
            root: read_root(object, state)?,
            consoles,
            request: replaced.request.map(Arc::new),
            folder_items: replaced.folder_items.map(Arc::new),
            files_iterator: replaced.files_iterator.map(Arc::new),
        })
    }

    /// For `_folder_items` itself, which a replacement may call.
    pub(super) fn without_folder_items(mut self) -> Self {
        self.folder_items = None;
        self
    }

    pub(super) fn on(self, caller: CallerThread) -> Service {
        Service(Arc::new(Inner { call: self, caller }))
    }
}

struct Inner {
    call: Call,
    caller: CallerThread,
}

/// An instance at work. Cheap to clone.
#[derive(Clone)]
pub(super) struct Service(Arc<Inner>);

/// What a replaced `_request` is given to send.
enum Body {
    None,
    File(Bytes),
    Input(String),
}

/// The answer of a replaced `_request`.
struct Answer {
    object: Callable,
    service: Service,
}

impl Service {
    pub(super) fn state(&self) -> &Shared {
        &self.0.call.state
    }

    pub(super) fn caller(&self) -> &CallerThread {
        &self.0.caller
    }

    pub(super) fn files_iterator(&self) -> Option<&Callable> {
        self.0.call.files_iterator.as_ref()
    }

    /// Whether requests run in the caller's Python.
    pub(super) fn is_replaced(&self) -> bool {
        self.0.call.request.is_some() || self.0.call.folder_items.is_some()
    }

    /// The engine's client.
    pub(super) fn client(&self, task: &str) -> Result<&Client, Failed> {
        self.0.call.client.as_ref().map_err(|error| Failed::text(format!("{task}: {}", error.chain())))
    }

    /// Saves this process's requests of the last minute for later processes.
    pub(super) fn persist_budget(&self) {
        if let Ok(client) = &self.0.call.client {
            client.persist_budget();
        }
    }

    /// The project's folder. An error in the account is reported before errors that follow from it.
    pub(super) fn root(&self, task: &str) -> Result<&RemotePath, Failed> {
        if !self.is_replaced() {
            self.client(task)?;
        }
        self.0.call.root.as_ref().map_err(|error| Failed::text(format!("{task}: {}", error.chain())))
    }

    /// A file or folder of the project; the empty path is its root.
    fn path(&self, task: &str, relative: &str) -> Result<RemotePath, Failed> {
        let root = self.root(task)?;
        if relative.is_empty() { Ok(root.clone()) } else { root.join(relative).map_err(Failed::doing(task)) }
    }

    /// What a search finds in a folder of the project; `None` if there is no such folder.
    pub(super) async fn list(&self, folder: &str) -> Result<Option<Vec<Entry>>, Failed> {
        if let Some(replacement) = &self.0.call.folder_items {
            return self.list_with(replacement, folder, &format!("listing the folder {folder:?}")).await;
        }
        Ok(self.items(folder).await?.map(|items| items.into_iter().map(Item::into_entry).collect()))
    }

    /// What is in a folder of the project, with the types that the service names; `None` if there is no such folder.
    pub(super) async fn items(&self, folder: &str) -> Result<Option<Vec<Item>>, Failed> {
        let task = format!("listing the folder {folder:?}");
        let path = self.path(&task, folder)?;
        let listed = match &self.0.call.request {
            Some(replacement) => self.ask_listing(replacement, &path, &task).await,
            None => self.client(&task)?.listing(&path).await.map_err(Failed::doing(&task)),
        };
        match listed {
            Ok(listing) => Ok(Some(listing.into_iter().map(Item::new).collect())),
            Err(failed) if failed.is_not_found() => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    async fn list_with(&self, replacement: &Callable, folder: &str, task: &str) -> Result<Option<Vec<Entry>>, Failed> {
        let (asked, folder) = (folder.to_owned(), folder.to_owned());
        let (items, error) = self
            .with_error_message(async {
                let arguments = move |py: Python<'_>| Ok((PyTuple::new(py, [asked])?.unbind(), None));
                self.caller().call_object(replacement, arguments).await.map_err(Failed::Raised)
            })
            .await?;
        match self.on_caller(move |py, _| entries_of_items(items.bind(py), &folder)).await? {
            None if !error.is_empty() => Err(Failed::text(format!("{task}: {error}"))),
            entries => Ok(entries),
        }
    }

    /// Runs a replacement and returns what it left in `error_message`, apart from what was there before.
    pub(super) async fn with_error_message<T>(
        &self,
        replacement: impl Future<Output = Result<T, Failed>>,
    ) -> Result<(T, String), Failed> {
        let failed = self.has_failed().await?;
        let before = self.swap_error_message(String::new(), failed).await?;
        let outcome = replacement.await;
        let after = self.swap_error_message(before, failed).await?;
        Ok((outcome?, after))
    }

    /// Reads a file of the project.
    pub(super) async fn read(&self, file: &str) -> Result<Bytes, Failed> {
        let task = format!("reading {file:?}");
        let path = self.path(&task, &checked(file, &task)?)?;
        if let Some(replacement) = &self.0.call.request {
            return self.ask_file(replacement, "GET", &path, &task, Body::None).await?.content(&task).await;
        }
        self.client(&task)?.read_file(&path).await.map_err(Failed::doing(&task))
    }

    /// Writes a file of the project.
    pub(super) async fn upload(&self, file: &str, content: Bytes) -> Result<(), Failed> {
        let task = format!("uploading {file:?}");
        let path = self.path(&task, &checked(file, &task)?)?;
        if let Some(replacement) = &self.0.call.request {
            return self.ask_file(replacement, "POST", &path, &task, Body::File(content)).await.map(drop);
        }
        self.client(&task)?.upload_file(&path, content).await.map(drop).map_err(Failed::doing(&task))
    }

    /// Deletes a file of the project, or a folder and everything in it. Never the project itself.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Failed> {
        let task = format!("deleting {path:?}");
        let relative = checked(path.strip_suffix('/').unwrap_or(path), &task)?;
        let path = self.path(&task, &relative)?;
        if let Some(replacement) = &self.0.call.request {
            return self.ask_file(replacement, "DELETE", &path, &task, Body::None).await.map(drop);
        }
        self.client(&task)?.delete_path(&path).await.map_err(Failed::doing(&task))
    }

    /// Lists the consoles.
    pub(super) async fn consoles(&self) -> Result<Value, Failed> {
        let task = "listing the consoles";
        let consoles = self.get_json(self.0.call.consoles.clone(), task).await?;
        if consoles.is_array() { Ok(consoles) } else { Err(Failed::text(format!("{task}: the answer is not a list"))) }
    }

    /// Types a command into a console, and reads the console's latest output.
    pub(super) async fn execute(&self, console: &str, command: &str) -> Result<String, Failed> {
        self.type_into(console, command).await?;
        self.latest_output(console).await
    }

    /// Types a command into a console.
    async fn type_into(&self, console: &str, command: &str) -> Result<(), Failed> {
        let task = format!("sending a command to console {console}");
        let path = format!("{}{}/send_input/", self.0.call.consoles, quote(console));
        let line = if command.ends_with('\n') { command.to_owned() } else { format!("{command}\n") };
        if let Some(replacement) = &self.0.call.request {
            return self.ask(replacement, "POST", path, &task, Body::Input(line)).await.map(drop);
        }
        self.engine(Request::post(path).form([("input", line)]), &task).await.map(drop)
    }

    /// The latest output of a console.
    async fn latest_output(&self, console: &str) -> Result<String, Failed> {
        let task = format!("reading the output of console {console}");
        let path = format!("{}{}/get_latest_output/", self.0.call.consoles, quote(console));
        let answer = self.get_json(path, &task).await?;
        match answer.get("output").and_then(Value::as_str) {
            Some(output) => Ok(output.to_owned()),
            None => Err(Failed::text(format!("{task}: the answer has no output"))),
        }
    }

    async fn get_json(&self, path: String, task: &str) -> Result<Value, Failed> {
        if let Some(replacement) = &self.0.call.request {
            return self.ask(replacement, "GET", path, task, Body::None).await?.json(task).await;
        }
        self.engine(Request::get(path), task).await?.json("JSON").map_err(Failed::doing(task))
    }

    async fn engine(&self, request: Request, task: &str) -> Result<Response, Failed> {
        let answer = self.client(task)?.send(request).await.and_then(Response::error_for_status);
        answer.map_err(Failed::doing(task))
    }

    /// A request about a file of the project, sent by the replaced `_request`.
    async fn ask_file(
        &self,
        replacement: &Callable,
        method: &'static str,
        path: &RemotePath,
        task: &str,
        body: Body,
    ) -> Result<Answer, Failed> {
        self.ask(replacement, method, format!("files/path{}", path.quoted()), task, body).await
    }

    /// The listing of a folder, from the replaced `_request`.
    async fn ask_listing(
        &self,
        replacement: &Callable,
        path: &RemotePath,
        task: &str,
    ) -> Result<Map<String, Value>, Failed> {
        let path = format!("files/path{}/", path.quoted());
        match self.ask(replacement, "GET", path, task, Body::None).await?.json(task).await? {
            Value::Object(listing) => Ok(listing),
            _ => Err(Failed::text(format!("{task}: the answer is not a folder listing"))),
        }
    }

    /// Calls the replaced `_request` and reads its verdict.
    async fn ask(
        &self,
        replacement: &Callable,
        method: &'static str,
        path: String,
        task: &str,
        body: Body,
    ) -> Result<Answer, Failed> {
        let named = task.to_owned();
        let arguments = move |py: Python<'_>| {
            let args = PyTuple::new(py, [path, named])?.unbind();
            let kwargs = (method != "GET").then(|| request_keywords(py, method, body)).transpose()?;
            Ok((args, kwargs.map(Bound::unbind)))
        };
        let failed = self.has_failed().await?;
        let object = self.caller().call_object(replacement, arguments).await.map_err(Failed::Raised)?;
        let text = self.swap_error_message(String::new(), failed).await?;
        Answer { object: Arc::new(object), service: self.clone() }.judged(text, task).await
    }

    /// Whether anything failed in the search by a collector that this is a part of.
    async fn has_failed(&self) -> Result<bool, Failed> {
        let state = Arc::clone(self.state());
        if !state.error_message.is_searching() {
            return Ok(false);
        }
        self.on_caller(move |_, _| Ok(state.error_message.has_failed_here())).await
    }

    /// Replaces `error_message` by `text`; what was in it becomes the operation's own, and fails no search by itself.
    async fn swap_error_message(&self, text: String, failed: bool) -> Result<String, Failed> {
        let state = Arc::clone(self.state());
        self.on_caller(move |py, object| {
            let name = intern!(py, "error_message");
            let taken: String = object.getattr(name)?.extract()?;
            // A text that is set is appended, and an empty one clears.
            [String::new(), text].into_iter().try_for_each(|text| object.setattr(name, text))?;
            state.error_message.forget_failed_here(failed);
            Ok(taken)
        })
        .await
    }

    /// What an exception of the caller's code says, if it is of this class; any other is raised.
    pub(super) async fn caught<E: PyTypeInfo>(&self, error: Error) -> Result<String, Failed> {
        let Error::Callback(source) = error else { return Err(Failed::Raised(error)) };
        let raised = source.downcast::<PyErr>().map_err(|other| Failed::Raised(Error::Callback(other)))?;
        let sort = move |py: Python<'_>, _: &Bound<'_, PyAny>| {
            Ok(if raised.is_instance_of::<E>(py) { Ok(raised.to_string()) } else { Err(raised) })
        };
        self.on_caller(sort).await?.map_err(|raised| Failed::Raised(Error::Callback(raised)))
    }

    /// Runs Python with the instance on the caller's thread.
    pub(super) async fn on_caller<T: Send + 'static>(
        &self,
        work: impl FnOnce(Python<'_>, &Bound<'_, PyAny>) -> PyResult<T> + Send + 'static,
    ) -> Result<T, Failed> {
        let object = Arc::clone(&self.0.call.object);
        self.caller().call(move |py| work(py, object.bind(py))).await.map_err(Failed::Raised)
    }
}

impl Answer {
    /// Reads something of the answer on the caller's thread.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T> + Send + 'static,
    ) -> Result<T, Failed> {
        let object = Arc::clone(&self.object);
        self.service.on_caller(move |py, _| read(object.bind(py))).await
    }

    /// The answer, unless the replacement left a text. Which statuses are a success is its own matter.
    async fn judged(self, text: String, task: &str) -> Result<Self, Failed> {
        if text.is_empty() {
            return Ok(self);
        }
        // An answer may have no status.
        let status = self.read(|answer| Ok(answer.getattr("status_code").and_then(|it| it.extract()).ok())).await?;
        let failed = Failed::answered(status, text);
        if !failed.is_not_found() {
            return Err(failed);
        }
        match self.json(task).await {
            Err(raised @ Failed::Raised(_)) => Err(raised),
            body => Err(failed.confirmed_by(body.ok().as_ref())),
        }
    }

    async fn content(&self, task: &str) -> Result<Bytes, Failed> {
        let content = self.read(|answer| Ok(answer.getattr("content")?.extract::<PyBackedBytes>().ok())).await?;
        content.map(Bytes::from_owner).ok_or_else(|| Failed::text(format!("{task}: the answer's content is not bytes")))
    }

    async fn json(&self, task: &str) -> Result<Value, Failed> {
        let text = self.read(|answer| {
            let py = answer.py();
            let loaded = match answer.call_method0("json") {
                Ok(loaded) => loaded,
                Err(error) if error.is_instance_of::<PyException>(py) => return Ok(None),
                Err(error) => return Err(error),
            };
            py.import("json")?.call_method1("dumps", (loaded,))?.extract().map(Some)
        });
        let value = text.await?.and_then(|text: String| serde_json::from_str(&text).ok());
        value.ok_or_else(|| Failed::text(format!("{task}: the answer is not JSON")))
    }
}

/// The keywords of a replaced `_request` that is to change something.
fn request_keywords<'py>(py: Python<'py>, method: &str, body: Body) -> PyResult<Bound<'py, PyDict>> {
    let kwargs = PyDict::new(py);
    kwargs.set_item("method", verb(py, method)?)?;
    // Deleting is answered with "no content".
    kwargs.set_item("success_codes", (200, 201, 204))?;
    match body {
        Body::None => {}
        Body::File(bytes) => kwargs.set_item("files", [("content", PyBytes::new(py, &bytes))].into_py_dict(py)?)?,
        Body::Input(text) => kwargs.set_item("data", [("input", text)].into_py_dict(py)?)?,
    }
    Ok(kwargs)
}

/// A verb that scripts can call, as they do the functions of requests.
fn verb<'py>(py: Python<'py>, method: &str) -> PyResult<Bound<'py, PyAny>> {
    from_items(py, "Verb", (method,))
}

/// A path that names something in the project rather than the project itself.
fn checked(path: &str, task: &str) -> Result<String, Failed> {
    if path.is_empty() {
        return Err(Failed::text(format!("{task}: the path is empty: give one relative to the project's root")));
    }
    check_typed(path).map(|()| path.to_owned()).map_err(Failed::doing(task))
}

/// An entry of a folder as `_folder_items` shows it.
pub(super) struct Item {
    pub name: String,
    /// As it came. Anything but `"directory"` counts as a file.
    pub kind: Value,
}

impl Item {
    fn new((name, mut facts): (String, Value)) -> Self {
        Self { name, kind: facts.get_mut("type").map_or_else(|| "file".into(), Value::take) }
    }

    fn into_entry(self) -> Entry {
        Entry { is_dir: self.kind == "directory", is_file: self.kind == "file", name: self.name }
    }
}

/// What a replaced `_folder_items` gave: `None` or dicts with `file_path`, relative to the project, and `type`.
fn entries_of_items(items: &Bound<'_, PyAny>, folder: &str) -> PyResult<Option<Vec<Entry>>> {
    if items.is_none() {
        return Ok(None);
    }
    let mut entries = Vec::new();
    for item in items.try_iter()? {
        let item = item?;
        let path: String = item.get_item("file_path")?.extract()?;
        let is_dir = item.get_item("type")?.eq("directory")?;
        let path = path.trim_matches('/');
        let name = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
        entries.push(Entry { name: name.to_owned(), is_dir, is_file: !is_dir });
    }
    Ok(Some(entries))
}
