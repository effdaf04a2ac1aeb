//! The page at `/`: what the emulator does, for a person to look at, and switches for what it should do.
//!
//! It is one file of HTML with plain JavaScript, which needs nothing from the network. It is not part of the service: its
//! own addresses are below `/emulator/`, and what it asks is neither logged nor limited. Whoever can use it can type into
//! consoles, so [`guard`] admits this machine's browser with the page's token only.

mod accounts;
mod consoles;
mod curl;
mod events;
mod faults;
mod files;
mod guard;
mod json;
mod requests;
mod routes;
mod sites;
mod tasks;

pub(crate) use routes::{answer, is_at, router};
