//! The command `pya`: [`run`] takes what was typed and returns the exit code.
//!
//! | file | duty |
//! |---|---|
//! | `args` | what can be typed |
//! | `settings` | what holds when something was not typed: environment, `pyproject.toml` |
//! | `run`, `signals` | runtime, Ctrl-C, from a command to its exit code |
//! | `commands` | one file a command |
//! | `output`, `progress` | data to stdout, talk and bars to stderr |
//! | `exit` | the exit codes |

#[allow(clippy::doc_markdown, reason = "clap turns the doc comments of these items into help texts")]
mod args;
mod commands;
mod context;
mod endpoints;
mod exit;
mod log;
#[allow(clippy::doc_markdown, reason = "clap turns the doc comments of these items into help texts")]
mod options;
mod output;
mod paths;
mod progress;
mod run;
mod settings;
mod signals;

pub use context::HostPython;
pub use exit::Exit;
pub use run::run;
