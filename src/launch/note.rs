//! The note of the last whole launch, in the project's state folder on the host.
//!
//! It goes before the first change and is written after the last step, so one that is there says that everything was done
//! for what it describes: then the next launch need not do it again, or even look. It holds digests, no values.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::api::found;
use crate::client::{Client, RemotePath};
use crate::deploy::StateFolder;
use crate::error::{ErrorKind, Result};

/// Its name.
const FILE: &str = "launch.json";

/// More than one has, in bytes.
const MOST_BYTES: usize = 64 << 10;

/// What a launch made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LaunchNote {
    pub format: u32,
    pub domain: String,
    /// The deploy whose files were there.
    pub deploy: Option<String>,
    /// The folder of the virtualenv.
    pub virtualenv: String,
    /// Digest of the requirements file.
    pub requirements: Option<String>,
    /// Digest of the environment file's variables.
    pub variables: Option<String>,
    /// The static files mappings: address to folder.
    pub mappings: BTreeMap<String, String>,
}

/// The format that this version writes.
pub(super) const FORMAT: u32 = 1;

impl LaunchNote {
    /// Reads it; `None` if there is none that this version can use.
    pub async fn read(client: &Client, folder: &StateFolder) -> Result<Option<Self>> {
        let content = client.read_file_at_most(&place(folder)?, MOST_BYTES).await;
        let content = found(content, &[ErrorKind::NotFound, ErrorKind::Decode])?;
        let note = content.and_then(|content| serde_json::from_slice(&content).ok());
        Ok(note.filter(|note: &Self| note.format == FORMAT))
    }

    /// Writes it.
    pub async fn write(&self, client: &Client, folder: &StateFolder) -> Result<()> {
        let text = serde_json::to_vec(self).expect("texts make JSON");
        client.upload_file(&place(folder)?, Bytes::from(text)).await.map(drop)
    }

    /// Removes it, if it is there.
    pub async fn remove(client: &Client, folder: &StateFolder) -> Result<()> {
        match client.delete_path(&place(folder)?).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

fn place(folder: &StateFolder) -> Result<RemotePath> {
    folder.path().join(FILE)
}
