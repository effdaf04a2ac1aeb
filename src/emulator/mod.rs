//! An emulator of PythonAnywhere: an account in a real directory, behind the service's HTTP API.
//!
//! Users try their deploy scripts on it, so it follows the service as closely as the service is known. Where a
//! behaviour is not documented there is a switch for it ([`Undocumented`]). It listens on loopback only. It shares
//! nothing with the client but the clock: a wrong belief that both shared would go unnoticed in every test.
//!
//! What is in the account's directory outlives the emulator: the files and, in a private folder, the web apps with
//! their static file mappings and headers ([`process::WebApps`]) and the certificates ([`certificates`]). Everything
//! else is in memory, and every process ends with its emulator.

pub mod account;
pub mod account_path;
pub mod certificates;
pub mod fault;
pub mod latency;
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
mod files;
mod listener;
mod middleware;
mod named_host;
mod package_index;
mod page;
mod persisted;
pub(crate) mod response;
mod tls;
mod upload;

pub use account::Account;
pub use fault::hold::HeldRequest;
pub use fault::rules::{FaultKind, FaultRule, Faults, Stage};
pub use fault::spec::FaultSpec;
pub use request_log::LoggedRequest;
pub use server::Emulator;
pub use settings::{AccountKind, Settings, Switch, Undocumented};
pub use state::EmulatorState;
