//! Unmanaged files that only a link on the host leads to. They are elsewhere: files of ours under another name, or another
//! project's.
//!
//! A listing shows a link to a folder as a folder. The service's hint of a tree leaves links out, so a folder that it
//! shows is none; one that it does not show may be one.

use std::collections::BTreeSet;

use super::model::DeployDiff;
use crate::deploy::paths::{folders_of, name_of, parent_of, place};
use crate::deploy::remote::Remote;
use crate::error::{ErrorKind, Result};
use crate::text::{counted, first_few};

/// Takes the files that a link may lead to out of the unmanaged ones, with a warning. One request for each two levels of
/// folders with unmanaged files.
///
/// # Errors
/// What the service answers.
pub(super) async fn spare_linked<R: Remote>(remote: &R, diff: &mut DeployDiff) -> Result<()> {
    let linked = linked(remote, diff).await?;
    if linked.is_empty() {
        return Ok(());
    }
    let before = diff.unmanaged.len();
    diff.unmanaged.retain(|path| !folders_of(path).any(|folder| linked.contains(folder)));
    diff.warnings.push(format!(
        "{} below {} stay on the host: it may be a link there, so they may be other files",
        counted(before - diff.unmanaged.len(), "unmanaged file"),
        first_few(linked.into_iter())
    ));
    Ok(())
}

/// The topmost of the folders with unmanaged files that may be links.
async fn linked<R: Remote>(remote: &R, diff: &DeployDiff) -> Result<BTreeSet<String>> {
    let mut folders: Vec<&str> = diff.unmanaged.iter().flat_map(|path| folders_of(path)).collect();
    folders.sort_unstable_by_key(|folder| (folder.matches('/').count(), *folder));
    folders.dedup();
    let mut hint = Hint { remote, diff, asked: BTreeSet::new(), shown: BTreeSet::new() };
    let mut linked: BTreeSet<String> = BTreeSet::new();
    for folder in folders {
        if !folders_of(folder).any(|above| linked.contains(above)) && !hint.shows(folder).await? {
            linked.insert(folder.to_owned());
        }
    }
    Ok(linked)
}

/// What the service shows below the folders that it was asked about.
struct Hint<'a, R> {
    remote: &'a R,
    diff: &'a DeployDiff,
    asked: BTreeSet<String>,
    shown: BTreeSet<String>,
}

impl<R: Remote> Hint<'_, R> {
    /// Whether a folder is shown, so that it is no link. Names that begin with a dot never are: they are taken for what they
    /// look like.
    async fn shows(&mut self, folder: &str) -> Result<bool> {
        let parent = parent_of(folder);
        if name_of(folder).starts_with('.') {
            return Ok(true);
        }
        if !self.shown.contains(folder) && self.asked.insert(parent.to_owned()) {
            let root = &self.diff.base.remote_root;
            let tree = match self.remote.tree(&place(root, parent)?).await {
                // The folder is gone: nothing below it is left to be deleted.
                Err(error) if matches!(error.kind(), ErrorKind::BadRequest | ErrorKind::NotFound) => Vec::new(),
                tree => tree?,
            };
            let below = format!("{}/", root.as_str());
            let folders = tree.iter().filter_map(|path| path.strip_suffix('/')?.strip_prefix(&below));
            self.shown.extend(folders.map(str::to_owned));
        }
        Ok(self.shown.contains(folder))
    }
}
