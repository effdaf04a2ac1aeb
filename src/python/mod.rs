//! The extension module `pythonanywhere_api._core`: translates between Python and the crate, and decides nothing else.
//!
//! | module | duty |
//! |---|---|
//! | `runtime` | threads: sync and async calls, signals, callbacks, fork, exit |
//! | `errors` | the one map from [`ErrorKind`](crate::ErrorKind) to the classes of `pythonanywhere_api.exceptions` |
//! | `convert` | JSON and other values |
//! | `cli` | the entry point of `pya` |
//! | `dropin` | `PythonanywhereApi` and `AsyncPythonanywhereApi` |
//! | `deploy` | diff, report and progress events |
//! | `emulator` | `pythonanywhere_api.testing` |

#[cfg(unix)]
mod cli;
mod convert;
mod deploy;
mod dropin;
#[cfg(unix)]
mod emulator;
mod errors;
mod module;
mod runtime;
