//! The command `pya`: [`run`] takes what was typed and returns the exit code.
//!
//! | file | duty |
//! |---|---|
//! | `args`, `options` | the commands and their options |
//! | `usage` | command lines as people type them |
//! | `account` | the account and where its token comes from |
//! | `budget` | the rate budget that is left for the next command |
//! | `settings` | what holds when an option is not given: environment, `pyproject.toml` |
//! | `context` | what every command works with |
//! | `paths` | paths in the account as people type them |
//! | `run`, `signals` | runtime, Ctrl-C, from a command to its exit code |
//! | `commands` | one file per command |
//! | `endpoints` | a command for each endpoint of the service |
//! | `output`, `progress`, `waits` | data to stdout, messages and bars to stderr |
//! | `manual` | the manual page |
//! | `prompt` | questions to the person at the terminal |
//! | `terminal`, `table` | what may reach a terminal, and how it is laid out |
//! | `exit` | the exit codes |
//! | `github` | annotations and the job summary in GitHub Actions |

mod account;
#[allow(clippy::doc_markdown, reason = "clap turns the doc comments of these items into help texts")]
mod args;
mod budget;
mod commands;
mod context;
mod endpoints;
mod exit;
mod github;
mod listing;
mod log;
mod manual;
#[allow(clippy::doc_markdown, reason = "clap turns the doc comments of these items into help texts")]
mod options;
mod output;
mod paint;
mod progress;
mod prompt;
mod report;
mod run;
mod settings;
mod signals;
mod step_line;
mod table;
mod terminal;
mod usage;
mod waits;

pub use context::HostPython;
pub use exit::Exit;
pub use run::run;
