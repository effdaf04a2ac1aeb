//! `pya demo`: a real site from its first launch to a rollback, without an account and without a network.
//!
//! The service is the emulator in this process. The commands are real ones: processes of `pya`, typed as a reader of the
//! README would type them, so that what is shown is what everybody gets.

mod command;
mod host;
mod project;
mod python;
mod snapshot;
mod story;

pub use story::run;
