//! The web server in front of the account's web apps and websites.

mod access_log;
mod local_name;
mod proxy;
pub mod server;
mod static_files;
