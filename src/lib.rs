//! Deploy Django projects to [PythonAnywhere](https://www.pythonanywhere.com/) with as few requests as can be.
//!
//! The crate is the core of the Python package `pythonanywhere_api` and knows no Python itself, except for the
//! module `python`, which translates. From top to bottom, each layer names only layers below it, which
//! `tests/rust/architecture` proves:
//!
//! | module | duty |
//! |---|---|
//! | `python` | the extension module: threads, signals, exceptions, classes (feature `python`) |
//! | [`cli`] | the command `pya` |
//! | [`doctor`] | what is wrong with a project and its account, and the command that mends it |
//! | [`launch`] | from a project to a served page in one go: detection, generated files, steps on the host |
//! | [`project_table`] | the table `[tool.pythonanywhere]` of a project, read and checked |
//! | [`deploy`] | local selection, diff, plan, state on the host, apply, report |
//! | [`host`] | what runs on the host: bundles, jobs, their executors, the agent in the web app |
//! | [`dropin`] | the rules of the drop-in class that need no Python: attributes, error message, failures |
//! | [`finder`] | recursive search of remote files with masks |
//! | [`api`] | one file per endpoint family of the service |
//! | [`login`] | tokens that a person keeps on this machine for the command; stands beside `api` |
//! | [`client`] | HTTP: connections, quoting, rate budget, retries, errors; knows no endpoint |
//! | [`error`], [`clock`], [`setting`], [`parameters`] | what all share, with some private helpers |
//! | [`driver`] | which thread drives the runtime, for the extension module |
//! | `platform` | what differs between operating systems |
//!
//! Beside them stand [`webfaction`], another service's XML-RPC API over the transport of `client`, and [`emulator`], the
//! service on this machine, if that is Linux or macOS. The emulator shares helpers with the client (the clock, digests, TLS), and no code that
//! knows the service.

// Tests write nothing that others may not read.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod api;
mod blocking;
mod cleanup;
pub mod cli;
pub mod client;
pub mod clock;
pub mod deploy;
mod digest;
pub mod doctor;
pub mod driver;
pub mod dropin;
#[cfg(unix)]
pub mod emulator;
pub mod error;
pub mod finder;
pub mod host;
pub mod launch;
mod locks;
pub mod login;
pub mod parameters;
mod per_process;
mod platform;
pub mod project_table;
#[cfg(feature = "python")]
mod python;
pub mod setting;
mod text;
mod tls;
pub mod webfaction;

pub use client::{BaseUrl, Client, Options, RemotePath, Token};
pub use error::{Error, ErrorKind, Result};
