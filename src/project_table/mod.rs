//! The table `[tool.pythonanywhere]` of a project's `pyproject.toml`: found, read and checked, the same for the command line
//! and for Python.

pub mod environments;
mod find;
mod model;
mod work_tree;

pub use find::load;
pub use model::{Limit, OneOrMore, Size, Table, check_project, first_given, remote_root};
