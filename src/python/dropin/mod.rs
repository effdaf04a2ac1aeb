//! `PythonanywhereApi` and `AsyncPythonanywhereApi`: a project on the service, errors collected in `error_message`.
//!
//! Each operation is written once, as an async function on a [`service`] that calls the engine, or the caller's own
//! `_request`, `_folder_items` or `files_iterator` where these were replaced ([`overrides`]). The two classes share a
//! [`base`]; an instance knows whether its operations are waited for or returned as coroutines. What needs no Python, such
//! as the rules of `error_message`, is in [`crate::dropin`].
//!
//! The attributes of an instance live in its `__dict__` and are read at each call, so that whatever a caller sets or
//! patches counts from the next call on. A constructor therefore checks types only; values are checked when used.

mod agent;
mod arguments;
mod base;
mod collector;
mod deploy;
mod finished;
mod host_jobs;
mod iterator;
mod keywords;
mod operations;
mod overrides;
mod request;
mod response;
mod search;
mod service;
mod state;

pub(super) use agent::AgentControl;
pub(super) use arguments::never_skip;
pub(super) use base::{AsyncPythonanywhereApi, PythonanywhereApi, PythonanywhereBase};
pub(super) use host_jobs::CommandResult;
pub(super) use iterator::{AsyncFilesIterator, FilesIterator};
pub(super) use overrides::remember_originals;
pub(super) use request::file_content;
pub(super) use response::Response;
