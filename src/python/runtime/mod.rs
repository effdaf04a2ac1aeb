//! How Rust futures run under a Python caller. Which thread drives them is decided in [`crate::driver`].
//!
//! - [`wait`] runs a future for a synchronous caller: detached from the interpreter, checking signals.
//! - [`awaitable`] wraps a future in a coroutine for an asynchronous caller; [`run`] does either.
//! - [`CallerThread`] takes Python work (callbacks, replaced methods) back to the caller's thread or loop; no Python of
//!   the caller ever runs on a thread of the runtime.
//! - [`shutdown`] keeps the runtime's threads away from an interpreter that is exiting.
//!
//! The tokio runtime is created at first use, once for each process: a forked child has its own.

mod awaitable;
mod caller_thread;
mod executor;
mod logging;
mod loop_link;
mod run;
pub(super) mod shutdown;
pub(super) mod wait;

pub(super) use awaitable::{Coroutine, awaitable};
pub(super) use caller_thread::{CallerQueue, CallerThread};
pub(super) use run::run;
pub(super) use wait::wait_on;
