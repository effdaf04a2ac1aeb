//! The complete listing of a project on the host.

use std::collections::BTreeSet;

use futures_util::stream::{StreamExt, TryStreamExt};

use crate::api::Entry;
use crate::client::RemotePath;
use crate::deploy::paths::place;
use crate::deploy::remote::{Remote, list_if_there};
use crate::deploy::selection::filter::Filter;
use crate::deploy::selection::walk::ENVIRONMENT_MARK;
use crate::error::Result;
use crate::finder::{DEFAULT_CONCURRENCY, Skipper};

/// What is on the host, in the folders that the filter enters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RemoteTree {
    pub files: BTreeSet<String>,
    pub folders: BTreeSet<String>,
}

impl RemoteTree {
    /// Takes the files in `folder`, and returns the folders.
    fn take(&mut self, folder: &str, entries: Vec<Entry>) -> Vec<String> {
        let mut folders = Vec::new();
        for entry in entries {
            let path = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
            if entry.is_dir {
                folders.push(path);
            } else {
                self.files.insert(path);
            }
        }
        folders
    }
}

/// Lists everything below `root`, level by level; a project that is not there is empty.
///
/// # Errors
/// If any folder could not be listed: what is missing from half a listing would look deleted.
pub(crate) async fn list_tree<R: Remote>(
    remote: &R,
    root: &RemotePath,
    filter: &mut Filter,
    skipper: &impl Skipper,
) -> Result<RemoteTree> {
    let mut tree = RemoteTree::default();
    let mut level = vec![String::new()];
    while !level.is_empty() {
        let mut found = Vec::new();
        for (folder, entries) in list_all(remote, root, level).await? {
            // A virtualenv made on the host: never ours, and not to be taken for files that nobody wants.
            if folder.is_empty() || !is_environment(&entries) {
                found.extend(tree.take(&folder, entries));
            }
        }
        found.sort_unstable();
        tree.folders.extend(found.iter().cloned());
        level = filter.enters(found, skipper).await?;
    }
    Ok(tree)
}

/// Lists each of `folders`; those that are gone are empty.
async fn list_all<R: Remote>(remote: &R, root: &RemotePath, folders: Vec<String>) -> Result<Vec<(String, Vec<Entry>)>> {
    let mut listings = Vec::with_capacity(folders.len());
    for folder in folders {
        let path = place(root, &folder)?;
        let remote = remote.clone();
        listings.push(async move {
            let entries = list_if_there(&remote, &path).await?;
            Ok::<_, crate::Error>((folder, entries.unwrap_or_default()))
        });
    }
    futures_util::stream::iter(listings).buffer_unordered(DEFAULT_CONCURRENCY).try_collect().await
}

fn is_environment(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.name == ENVIRONMENT_MARK && !entry.is_dir)
}
