//! `PythonanywhereApi` and `AsyncPythonanywhereApi`: a project on the service, errors collected in `error_message`.
//!
//! Each operation is written once, in [`operations`], as an async function on a [`service`] that calls the engine, or
//! the caller's own `_request`, `_folder_items` or `files_iterator` where these were replaced. The two classes hold
//! the same state and differ in how they run the operation: `wait` or `awaitable`.
//!
//! The attributes of an instance live in its `__dict__` and are read at each call, so that whatever a caller sets or
//! patches counts from the next call on. A constructor therefore checks types only; values are checked when used.

mod arguments;
mod asynchronous;
mod collector;
mod deploy;
mod host_jobs;
mod iterator;
mod keywords;
mod operations;
mod request;
mod response;
mod service;
mod state;
mod sync;

pub(super) use arguments::account_of_environment;
pub(super) use asynchronous::AsyncPythonanywhereApi;
pub(super) use collector::ItemCollector;
pub(super) use host_jobs::{AgentControl, CommandResult};
pub(super) use iterator::{AsyncFilesIterator, FilesIterator};
pub(super) use request::file_content;
pub(super) use response::{Headers, Response};
pub(super) use state::{never_skip, remember_originals};
pub(super) use sync::PythonanywhereApi;
