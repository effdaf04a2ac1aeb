//! The service on this machine: an account in a real directory behind the HTTP API of PythonAnywhere.
//!
//! Users try their deploy scripts on it, so it is as true to the service as what is known of the service allows, and
//! where nobody documents a behaviour it has a switch ([`Undocumented`]). It listens on loopback only and shares
//! nothing with the client but the clock: one wrong belief in both would hide itself from every test.
//!
//! What is in the account's directory outlives an emulator: the files, and in a private folder the web apps with their
//! static file mappings and headers ([`process::WebApps`]) and the certificates ([`certificates`]). All else is in
//! memory, and every process ends with its emulator.

pub mod account;
pub mod account_path;
pub mod fault;
pub mod preferences;
pub mod process;
pub mod request_log;
pub mod routes;
pub mod server;
pub mod settings;
pub mod shares;
pub mod site;
pub mod state;
pub mod throttle;

mod api_path;
mod auth;
mod calendar;
pub mod certificates;
mod files;
mod listener;
mod middleware;
mod persisted;
mod random;
pub(crate) mod response;
mod tls;
mod upload;

pub use account::Account;
pub use fault::hold::HeldRequest;
pub use fault::rules::{FaultKind, FaultRule, Faults, Stage};
pub use request_log::LoggedRequest;
pub use server::Emulator;
pub use settings::{AccountKind, Settings, Undocumented};
pub use state::EmulatorState;
