//! One file a command. Each takes its arguments and the [`Context`](super::run::Context), and returns the exit code
//! or the error that ended it.

mod cat;
mod demo;
mod deploy;
mod diff;
mod dispatch;
mod emulator;
mod ls;
mod project;
mod put;
mod reload;
mod rm;
mod webfaction;

pub use dispatch::run;
pub use emulator::run as emulate;
