//! `pya mcp`: the project for programs that speak the [Model Context Protocol](https://modelcontextprotocol.io/), such as AI
//! assistants. The protocol is the official crate's; what the tools do is what the commands of the same names do.
//!
//! Two things may be hostile here: what the host says, which reaches a program that may take it for instructions, and the
//! program itself, once it has done so. Against the first all of it is marked ([`untrusted`]); against the second the tools
//! only read, show no secrets ([`secrets`]), and deploy only what was planned before their user's eyes ([`deploys`]).
//!
//! | file | duty |
//! |---|---|
//! | `session` | stdin to stdout; the calls that are at work |
//! | `server`, `input` | the protocol's side of a call, and the end of stdin |
//! | `calls` | from a call to its answer |
//! | `tools`, `schema`, `arguments` | what the tools are called, take and answer |
//! | `reads`, `deploys` | what they do |
//! | `answer`, `untrusted`, `secrets`, `wrapped` | what may be shown, and how |

mod answer;
mod arguments;
mod calls;
mod deploys;
mod input;
mod reads;
mod schema;
mod secrets;
mod server;
mod session;
mod tools;
mod untrusted;
mod wrapped;

pub use session::run;
