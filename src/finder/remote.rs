//! Lists the folders of a project on the service.

use super::entry::Lister;
use crate::api::{Entry, found};
use crate::client::{Client, RemotePath};
use crate::error::{ErrorKind, Result};

/// Lists folders below `root`.
#[derive(Debug, Clone)]
pub struct RemoteLister {
    /// The client of the account.
    pub client: Client,
    /// The folder that relative paths start from.
    pub root: RemotePath,
}

impl Lister for RemoteLister {
    /// A file in place of a folder contains nothing either, so `WrongType` becomes `None` as well.
    async fn list(&self, folder: &str) -> Result<Option<Vec<Entry>>> {
        let path = if folder.is_empty() { self.root.clone() } else { self.root.join(folder)? };
        found(self.client.list_dir(&path).await, &[ErrorKind::NotFound, ErrorKind::WrongType])
    }
}
