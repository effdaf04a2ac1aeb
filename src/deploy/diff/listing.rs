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
        let mut listings = Vec::with_capacity(level.len());
        for folder in level {
            let path = place(root, &folder)?;
            let remote = remote.clone();
            listings.push(async move {
                let entries = list_if_there(&remote, &path).await?;
                Ok::<_, crate::Error>((folder, entries.unwrap_or_default()))
            });
        }
        let listed: Vec<(String, Vec<Entry>)> =
            futures_util::stream::iter(listings).buffer_unordered(DEFAULT_CONCURRENCY).try_collect().await?;
        let mut found = Vec::new();
        for (folder, entries) in listed {
            if !folder.is_empty() && entries.iter().any(|entry| entry.name == ENVIRONMENT_MARK && !entry.is_dir) {
                // A virtualenv made on the host: never ours, and not to be taken for files that nobody wants.
                continue;
            }
            for entry in entries {
                let path = if folder.is_empty() { entry.name } else { format!("{folder}/{}", entry.name) };
                if entry.is_dir {
                    found.push(path);
                } else {
                    tree.files.insert(path);
                }
            }
        }
        found.sort_unstable();
        tree.folders.extend(found.iter().cloned());
        level = filter.enters(found, skipper).await?;
    }
    Ok(tree)
}
