//! `WebFaction`'s XML-RPC API, for private servers that still offer it after the service closed.
//!
//! Separate from everything else: only `cli` and `python` use it, and it uses only the transport of
//! [`client`](crate::client).
//!
//! | file | duty |
//! |---|---|
//! | `calls` | the 48 calls as data: names, parameters, defaults. Source of methods and command line |
//! | `service` | a server, a session, and calls in it |
//! | `wire` | turns calls into XML, and XML into answers |
//! | `secrets` | what messages must not show |
//!
//! The types are those of the crate `dxr`, re-exported as [`Value`] and [`DateTime`].

mod calls;
mod secrets;
mod service;
mod wire;

pub use calls::{CALLS, WebfactionCall, find};
pub use dxr::{DateTime, Value};
pub use service::{CallError, DEFAULT_TIMEOUT, DEFAULT_URL, Service};
pub use wire::{Fault, MAX_DEPTH};
