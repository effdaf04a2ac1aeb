//! What an instance keeps, and what is read from its attributes at each call.

use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::client::{Client, RemotePath};
use crate::dropin::{ErrorMessage, KnownClient, attributes};
use crate::error::Result;
use crate::locks::lock;

/// The part of an instance that is not in its `__dict__`.
///
/// Only threads that are attached to the interpreter take its locks, so none is held when a process forks.
#[derive(Default)]
pub(super) struct State {
    pub is_async: bool,
    pub error_message: ErrorMessage,
    project: Mutex<String>,
    /// `web_domain` as it was given, and the `base_url` made of it.
    host: Mutex<Option<(String, String)>>,
    remote_root: Mutex<Option<String>>,
    client: KnownClient,
}

impl State {
    /// That of an instance of the class whose methods are coroutines, or of the other one.
    pub(super) fn new(is_async: bool) -> Self {
        Self { is_async, ..Self::default() }
    }

    pub(super) fn project(&self) -> String {
        lock(&self.project).clone()
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
    let base_url = attributes::base_url(web_domain, web_user);
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
    Ok((attributes, state.project(), host, remote_root, state.error_message.text()))
}

pub(super) fn unpickle(object: &Bound<'_, PyAny>, state: &State, pickled: Pickled<'_>) -> PyResult<()> {
    let (attributes, project, host, remote_root, error) = pickled;
    let name = intern!(object.py(), "__dict__");
    object.getattr(name)?.call_method1(intern!(object.py(), "update"), (attributes,))?;
    *lock(&state.project) = project;
    *lock(&state.host) = host;
    *lock(&state.remote_root) = remote_root;
    state.error_message.add(&error);
    Ok(())
}

/// Sets the project, and with it the address of its files.
pub(super) fn set_project(object: &Bound<'_, PyAny>, state: &State, project_name: &str) -> PyResult<()> {
    let py = object.py();
    project_name.clone_into(&mut lock(&state.project));
    let root = lock(&state.remote_root).clone();
    let folder = if let Some(root) = &root {
        attributes::given_folder(root).to_owned()
    } else {
        let user: String = object.getattr(intern!(py, "web_user"))?.extract()?;
        attributes::project_folder(&user, project_name)
    };
    object.setattr(intern!(py, "pkg_files_url_part"), attributes::files_url_part(&folder))
}

fn text_attribute(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<String> {
    object.getattr(name)?.extract().map_err(|_| PyTypeError::new_err(format!("the attribute {name} must be a str")))
}

/// The account that the attributes `base_url` and `protocol_headers` name; its requests are counted from 0.
pub(super) fn read_client(object: &Bound<'_, PyAny>, state: &State) -> PyResult<Result<Client>> {
    let base_url = text_attribute(object, intern!(object.py(), "base_url"))?;
    let host = lock(&state.host).clone().filter(|(_, made)| *made == base_url);
    Ok(state.client.get(base_url, read_headers(object)?, host.map(|(web_domain, _)| web_domain).as_deref()))
}

/// The attribute `protocol_headers`. Errors quote none of it: this is where the token is.
fn read_headers(object: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let attribute = object.getattr(intern!(object.py(), "protocol_headers"))?;
    let copy = PyDict::new(object.py());
    copy.update(attribute.cast().map_err(|_| PyTypeError::new_err("protocol_headers must be a mapping"))?)?;
    let headers = copy.iter().map(|(name, value)| Ok((name.extract()?, value.extract()?))).collect::<PyResult<_>>();
    headers.map_err(|_| PyTypeError::new_err("the names and values of protocol_headers must be str"))
}

/// The folder of the project that the attribute `pkg_files_url_part` names.
pub(super) fn read_root(object: &Bound<'_, PyAny>, state: &State) -> PyResult<Result<RemotePath>> {
    let part = text_attribute(object, intern!(object.py(), "pkg_files_url_part"))?;
    Ok(attributes::project_root(&state.project(), &part, lock(&state.remote_root).as_deref()))
}

/// A shared handle to an instance's state.
pub(super) type Shared = Arc<State>;
