//! The rate budget: how many requests a minute each endpoint takes, shared by the process.

mod file;
pub(super) mod owner;
pub(super) mod window;
