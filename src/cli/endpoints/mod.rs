//! A command for every endpoint of the service, made from the table of calls: `pya webapps static-files list DOMAIN`.
//!
//! Families and verbs are named as on the service, with dashes. Required parameters are positional, the rest options.

mod arguments;
mod command;
mod table;

pub use command::{EndpointCommand, usage};
pub use table::text;
