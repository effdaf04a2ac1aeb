//! One file per command. Each takes its arguments and the [`Context`](super::context::Context), and returns the exit
//! code or the error that ended it.

mod agent;
mod api;
mod cat;
mod command;
mod demo;
mod deploy;
mod diff;
mod dispatch;
mod doctor;
mod emulator;
mod endpoint;
mod env;
mod get;
mod history;
mod init;
mod launch;
mod local_file;
mod logs;
mod ls;
mod project;
mod pull;
mod put;
mod reload;
mod rm;
mod rollback;
mod verify;
mod webfaction;

pub use dispatch::run;
pub use emulator::run as emulate;
