//! The extension module `pythonanywhere_api._core`: translates between Python and the crate, and decides nothing else.
//!
//! | module | duty |
//! |---|---|
//! | `runtime` | threads: sync and async calls, signals, callbacks, fork, exit |
//! | `errors` | the one map from [`ErrorKind`](crate::ErrorKind) to the classes of `pythonanywhere_api.exceptions` |
//! | `convert`, `answer` | JSON and other values, and what becomes one when an operation has ended |
//! | `progress`, `report` | what a job tells meanwhile, and at its end |
//! | `method` | methods that come from a table |
//! | `twins`, `class_body` | classes that come in pairs, and attributes of a class as one list |
//! | `client` | `Client` and `AsyncClient` |
//! | `cli` | the entry point of `pya` |
//! | `dropin` | `PythonanywhereApi` and `AsyncPythonanywhereApi` |
//! | `deploy` | diff, report and progress events |
//! | `launch` | `launch` and `launch_async` |
//! | `emulator` | `pythonanywhere_api.testing` |
//! | `webfaction` | `pythonanywhere_api.webfaction` |

mod answer;
mod class_body;
mod cli;
mod client;
mod convert;
mod deploy;
mod dropin;
#[cfg(unix)]
mod emulator;
mod errors;
mod launch;
mod method;
mod module;
mod progress;
mod report;
mod runtime;
mod twins;
mod webfaction;
