//! The table `[tool.pythonanywhere]` of a project's `pyproject.toml`: found, read and checked, the same for the command line
//! and for Python.

pub mod environments;
mod find;
mod model;

pub use find::{find, load};
pub use model::{OneOrMore, Table, check_project, first_given};
