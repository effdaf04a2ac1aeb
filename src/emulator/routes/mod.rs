//! The routes of the API: handlers (one file for each family of endpoints, as in the reference), table and router.

pub mod always_on;
pub mod consoles;
pub mod files;
pub mod mappings;
pub mod resources;
pub mod schedule;
pub mod sharing;
pub mod ssl;
pub mod tree;
pub mod webapps;
pub mod websites;

mod fields;
mod id;
mod paths;
mod router;
pub(crate) mod table;
mod validation;

pub use router::{router, unknown_path};
