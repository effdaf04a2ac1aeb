//! Deploy Django projects to [PythonAnywhere](https://www.pythonanywhere.com/) with as few requests as can be.
//!
//! The crate is the core of the Python package `pythonanywhere_api` and knows no Python itself, except for the
//! module `python`, which translates. Dependencies point down this list only:
//!
//! | module | duty |
//! |---|---|
//! | `python` | the extension module: threads, signals, exceptions, classes (feature `python`) |
//! | [`cli`] | the command `pya` |
//! | [`deploy`] | local selection, diff, plan, state on the host, apply, report |
//! | [`host`] | what runs on the host: bundles, jobs, their executors, the agent in the web app |
//! | [`finder`] | recursive search of remote files with masks |
//! | [`api`] | one file per endpoint family of the service |
//! | [`client`] | HTTP: connections, quoting, rate budget, retries, errors; knows no endpoint |
//! | [`error`], [`clock`], [`parameters`] | what everything above shares |
//! | [`webfaction`] | another service's XML-RPC API, over the transport of `client` |
//! | [`emulator`] | the service on this machine; shares nothing with the client but the clock |

pub mod api;
mod blocking;
mod cleanup;
#[cfg(unix)]
pub mod cli;
pub mod client;
pub mod clock;
pub mod deploy;
mod digest;
#[cfg(unix)]
pub mod emulator;
pub mod error;
pub mod finder;
pub mod host;
pub mod parameters;
mod per_process;
#[cfg(feature = "python")]
mod python;
pub mod setting;
mod text;
mod tls;
pub mod webfaction;

pub use client::{BaseUrl, Client, Options, RemotePath, Token};
pub use error::{Error, ErrorKind, Result};
