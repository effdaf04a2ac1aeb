//! A command for every endpoint of the service, made of the table of calls: `pya webapps static-files list DOMAIN`.
//!
//! Families and verbs are named as on the service, with dashes. What a call needs is positional, the rest are options.

mod arguments;
mod command;
mod table;

pub use command::{EndpointCommand, usage};
pub use table::text;
