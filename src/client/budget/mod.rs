//! The rate budget: how many requests a minute each endpoint takes, shared by the process.

pub(super) mod file;
pub(super) mod window;
