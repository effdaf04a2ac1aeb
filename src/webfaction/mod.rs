//! `WebFaction`'s XML-RPC API, for private servers that kept it after the service closed.
//!
//! Apart from everything else: nothing in the crate knows of it but `cli` and `python`, and of the crate it uses the
//! transport of [`client`](crate::client) alone.
//!
//! | file | duty |
//! |---|---|
//! | `calls` | the 48 calls as data: names, parameters, defaults. Methods and command line come from this table |
//! | `service` | a server, a session, and a call through it |
//! | `wire` | calls to XML and answers from it |
//! | `secrets` | what no message may show |
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
