//! One file per command. Each takes its arguments and the [`Context`](super::context::Context), and returns the exit
//! code or the error that ended it.

mod agent;
mod api;
mod cat;
mod command;
mod completions;
mod createsuperuser;
#[cfg(unix)]
mod demo;
mod deploy;
mod diff;
mod dispatch;
mod doctor;
#[cfg(unix)]
mod emulator;
mod endpoint;
mod env;
mod get;
mod history;
mod init;
mod launch;
mod local_file;
mod login;
mod logout;
mod logs;
mod ls;
mod man;
mod mcp;
#[cfg(not(unix))]
mod no_emulator;
mod open;
mod project;
mod pull;
mod put;
mod reload;
mod rm;
mod rollback;
mod status;
mod verify;
mod webfaction;
mod whoami;

pub use dispatch::run;
pub use emulator::run as emulate;
#[cfg(not(unix))]
use no_emulator::{demo, emulator};
