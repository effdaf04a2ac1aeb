//! The web server in front of the account's web apps and websites.

pub mod server;
mod static_files;
