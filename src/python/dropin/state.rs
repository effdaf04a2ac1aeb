//! What an instance keeps, and what is read from its attributes at each call.

use std::process;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::client::{BaseUrl, Client, Options, RemotePath};
use crate::error::{Error, Result};
use crate::locks::lock;

/// The part of an instance that is not in its `__dict__`.
///
/// Only threads that are attached to the interpreter take its locks, so none is held when a process forks.
#[derive(Default)]
pub(super) struct State {
    is_async: bool,
    project: Mutex<String>,
    /// `web_domain` as it was given, and the `base_url` made of it.
    host: Mutex<Option<(String, String)>>,
    remote_root: Mutex<Option<String>>,
    errors: Mutex<Errors>,
    client: Mutex<Option<KnownClient>>,
}

/// The client for the attributes as they were at the last call. Making one costs more than a small request's own work.
struct KnownClient {
    /// A child does not use its parent's: a thread that it does not have may hold a lock in it.
    process: u32,
    base_url: String,
    headers: Headers,
    client: Client,
}

type Headers = Vec<(String, String)>;

impl KnownClient {
    /// Whether it is the one that would be made of these attributes now.
    fn fits(&self, base_url: &str, headers: &Headers) -> bool {
        self.process == process::id()
            && self.base_url == base_url
            && self.headers == *headers
            && self.client.fits_environment()
    }
}

#[derive(Default)]
struct Errors {
    text: String,
    /// How many searches by a collector are under way: what they call must not clear each other's failures.
    collecting: usize,
    failed_while_collecting: bool,
}

impl State {
    /// That of an instance of the class whose methods are coroutines, or of the other one.
    pub(super) fn new(is_async: bool) -> Self {
        Self { is_async, ..Self::default() }
    }

    pub(super) fn is_async(&self) -> bool {
        self.is_async
    }

    pub(super) fn project(&self) -> String {
        lock(&self.project).clone()
    }

    pub(super) fn error_message(&self) -> String {
        lock(&self.errors).text.clone()
    }

    /// Appends a text, with an empty line between; an empty text clears.
    pub(super) fn add_error(&self, text: &str) {
        let mut errors = lock(&self.errors);
        errors.failed_while_collecting |= errors.collecting > 0 && !text.is_empty();
        errors.add(text);
    }

    /// Settles the error message at the end of an operation: success clears, failures are appended.
    pub(super) fn settle(&self, failures: &[String]) {
        let mut errors = lock(&self.errors);
        if failures.is_empty() && errors.collecting == 0 {
            errors.text.clear();
        }
        for text in failures {
            errors.failed_while_collecting |= errors.collecting > 0;
            errors.add(text);
        }
    }

    /// Begins a search by a collector; its parts fail together.
    pub(super) fn begin_collecting(&self) {
        let mut errors = lock(&self.errors);
        if errors.collecting == 0 {
            errors.failed_while_collecting = false;
        }
        errors.collecting += 1;
    }

    /// Ends it and returns whether any part of it failed.
    pub(super) fn end_collecting(&self) -> bool {
        let mut errors = lock(&self.errors);
        errors.collecting -= 1;
        errors.failed_while_collecting
    }
}

impl Errors {
    fn add(&mut self, text: &str) {
        if text.is_empty() {
            self.text.clear();
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
    }
}

/// Sets up an instance's attributes.
pub(super) fn set_up(
    object: &Bound<'_, PyAny>,
    state: &State,
    web_domain: &str,
    web_user: &str,
    web_token: &str,
    project_name: &str,
    remote_root: Option<&str>,
) -> PyResult<()> {
    let py = object.py();
    let scheme = if web_domain.contains("://") { "" } else { "https://" };
    let base_url = format!("{scheme}{}/api/v0/user/{web_user}/", web_domain.trim_end_matches('/'));
    *lock(&state.host) = Some((web_domain.to_owned(), base_url.clone()));
    *lock(&state.remote_root) = remote_root.map(str::to_owned);
    object.setattr(intern!(py, "base_url"), base_url)?;
    object.setattr(intern!(py, "consoles_url_part"), "consoles/")?;
    let headers = PyDict::new(py);
    headers.set_item("Authorization", format!("Token {web_token}"))?;
    object.setattr(intern!(py, "protocol_headers"), headers)?;
    object.setattr(intern!(py, "web_user"), web_user)?;
    let never_skip = py.import(intern!(py, "pythonanywhere_api._core"))?.getattr(intern!(py, "_never_skip"))?;
    object.setattr(intern!(py, "skip_enter_folder"), never_skip)?;
    set_project(object, state, project_name)
}

/// An instance's attributes and state, for `pickle`: spawned worker processes get their instances that way.
pub(super) type Pickled<'py> = (Bound<'py, PyAny>, String, Option<(String, String)>, Option<String>, String);

pub(super) fn pickled<'py>(object: &Bound<'py, PyAny>, state: &State) -> PyResult<Pickled<'py>> {
    let attributes = object.getattr(intern!(object.py(), "__dict__"))?;
    let (host, remote_root) = (lock(&state.host).clone(), lock(&state.remote_root).clone());
    Ok((attributes, state.project(), host, remote_root, state.error_message()))
}

pub(super) fn unpickle(object: &Bound<'_, PyAny>, state: &State, pickled: Pickled<'_>) -> PyResult<()> {
    let (attributes, project, host, remote_root, error) = pickled;
    let name = intern!(object.py(), "__dict__");
    object.getattr(name)?.call_method1(intern!(object.py(), "update"), (attributes,))?;
    *lock(&state.project) = project;
    *lock(&state.host) = host;
    *lock(&state.remote_root) = remote_root;
    state.add_error(&error);
    Ok(())
}

/// Sets the project, and with it the address of its files.
pub(super) fn set_project(object: &Bound<'_, PyAny>, state: &State, project_name: &str) -> PyResult<()> {
    let py = object.py();
    project_name.clone_into(&mut lock(&state.project));
    let root = lock(&state.remote_root).clone();
    let part = if let Some(root) = root {
        format!("files/path{}/", root.trim_end_matches('/'))
    } else {
        let user: String = object.getattr(intern!(py, "web_user"))?.extract()?;
        format!("files/path/home/{user}/{project_name}/")
    };
    object.setattr(intern!(py, "pkg_files_url_part"), part)
}

fn text_attribute(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<String> {
    object.getattr(name)?.extract().map_err(|_| PyTypeError::new_err(format!("the attribute {name} must be a str")))
}

/// The account that the attributes `base_url` and `protocol_headers` name; its requests are counted from 0.
pub(super) fn read_client(object: &Bound<'_, PyAny>, state: &State) -> PyResult<Result<Client>> {
    let base_url = text_attribute(object, intern!(object.py(), "base_url"))?;
    let headers = read_headers(object)?;
    let mut known = lock(&state.client);
    if let Some(known) = known.as_ref().filter(|known| known.fits(&base_url, &headers)) {
        return Ok(Ok(known.client.counting_anew()));
    }
    let host = lock(&state.host).clone().filter(|(_, made)| *made == base_url);
    let client = host
        .map_or(Ok(()), |(web_domain, _)| BaseUrl::parse(&web_domain).map(drop))
        .and_then(|()| Client::with_base(&base_url, &headers, Options::default()));
    let process = process::id();
    *known = client.as_ref().ok().map(|client| KnownClient { process, base_url, headers, client: client.clone() });
    Ok(client)
}

/// The attribute `protocol_headers`. Errors quote none of it: this is where the token is.
fn read_headers(object: &Bound<'_, PyAny>) -> PyResult<Headers> {
    let attribute = object.getattr(intern!(object.py(), "protocol_headers"))?;
    let copy = PyDict::new(object.py());
    copy.update(attribute.cast().map_err(|_| PyTypeError::new_err("protocol_headers must be a mapping"))?)?;
    let headers = copy.iter().map(|(name, value)| Ok((name.extract()?, value.extract()?))).collect::<PyResult<_>>();
    headers.map_err(|_| PyTypeError::new_err("the names and values of protocol_headers must be str"))
}

/// The folder of the project that the attribute `pkg_files_url_part` names.
pub(super) fn read_root(object: &Bound<'_, PyAny>, state: &State) -> PyResult<Result<RemotePath>> {
    let part = text_attribute(object, intern!(object.py(), "pkg_files_url_part"))?;
    Ok(check_project(&state.project()).and_then(|()| match part.strip_prefix("files/path/") {
        Some(path) => RemotePath::parse(&format!("/{path}")),
        None => Err(Error::config(format!(
            "pkg_files_url_part is {part:?}: it must be \"files/path/\" followed by the project's folder"
        ))),
    }))
}

fn check_project(name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..") {
        return Err(Error::config(format!(
            "{name:?} cannot be a project name: give the name of the project's folder, without \"/\" and \"..\""
        )));
    }
    Ok(())
}

/// A shared handle to an instance's state.
pub(super) type Shared = Arc<State>;
