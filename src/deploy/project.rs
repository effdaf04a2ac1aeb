//! A project: a folder on this machine and its place in an account.

use std::path::PathBuf;

use crate::client::{Client, RemotePath};

/// A local project and its place in an account.
#[derive(Debug, Clone)]
pub struct Project<R = Client> {
    /// The account.
    pub client: R,
    /// The project's folder on this machine.
    pub local_root: PathBuf,
    /// Its folder on the host.
    pub remote_root: RemotePath,
}
