//! The one gate for everything that deletes files of the project.
//!
//! The folder is listed just before, and only what is still a file goes; a folder goes only when a listing shows it
//! empty. The service deletes folders with all they hold, so a path that became a folder meanwhile must never be sent.

use std::collections::BTreeSet;
use std::time::Duration;

use super::progress::Watcher;
use super::report::Recorder;
use crate::api::Entry;
use crate::client::RemotePath;
use crate::clock::{self, Tick};
use crate::deploy::diff::compare::Obstacle;
use crate::deploy::paths::{is_due, name_of, parent_of, place};
use crate::deploy::remote::{Remote, delete_if_there, list_if_folder, list_if_there};
use crate::deploy::state::lease::LeaseGuard;
use crate::deploy::state::manifest::Files;
use crate::error::{ErrorKind, Result};

/// How old a listing may be when something that it shows as a file is deleted: at 40 requests a minute a folder of
/// hundreds takes many minutes.
const LISTING_HOLDS: Duration = Duration::from_secs(60);

/// Deletes files, and records in the report what it did.
pub(crate) struct Remover<'a, R> {
    pub remote: &'a R,
    pub root: &'a RemotePath,
    pub recorder: &'a Recorder,
    pub watcher: &'a Watcher,
    /// What stays.
    pub kept: &'a Files,
    pub guard: &'a LeaseGuard<R>,
}

impl<R: Remote> Remover<'_, R> {
    /// Deletes `paths`, all of them files in `folder`, in order. Ends at the first failure. `left` are the folders whose
    /// turn comes later; `gone` is told of each path that is not there any more.
    pub(crate) async fn delete_from(
        &self,
        folder: &str,
        paths: &[String],
        left: &BTreeSet<&str>,
        mut gone: impl FnMut(&str),
    ) -> bool {
        let mut entries = Vec::new();
        let mut listed = None;
        for (index, path) in paths.iter().enumerate() {
            if listed.is_none_or(|listed| clock::now() - listed > LISTING_HOLDS) {
                listed = Some(clock::now());
                entries = match self.list_for_deletes(folder).await {
                    Ok(entries) => entries,
                    Err(error) => {
                        for path in &paths[index..] {
                            self.recorder.fail(path, format!("not deleted: {}", error.chain()));
                        }
                        return false;
                    }
                };
            }
            if let Some(entry) = entries.iter().find(|entry| entry.name == name_of(path))
                && let Err(why) = self.delete_listed(path, entry).await
            {
                self.recorder.fail(path, why);
                return false;
            }
            gone(path);
        }
        let is_going = |entry: &Entry| paths.iter().any(|path| name_of(path) == entry.name);
        if folder.is_empty() || entries.is_empty() || !entries.iter().all(is_going) {
            return true;
        }
        self.delete_emptied(folder, left).await
    }

    /// Deletes what a listing shows as a file; otherwise says why it is still there.
    async fn delete_listed(&self, path: &str, entry: &Entry) -> Result<(), String> {
        if entry.is_dir {
            return Err("not deleted: it is now a folder on the host".to_owned());
        }
        if !entry.is_file {
            return Err("not deleted: the service does not say that it is a file".to_owned());
        }
        self.delete(path).await.map_err(|error| format!("not deleted: {}", error.chain()))
    }

    async fn list_for_deletes(&self, folder: &str) -> Result<Vec<Entry>> {
        list_if_folder(self.remote, &place(self.root, folder)?).await
    }

    /// Removes a folder that lost its last file, and those above it that are empty then.
    async fn delete_emptied(&self, folder: &str, left: &BTreeSet<&str>) -> bool {
        let mut folder = folder;
        while !folder.is_empty() && !self.holds_ours(folder) && !is_due(left, folder) {
            match self.delete_if_empty(folder).await {
                Ok(true) => folder = parent_of(folder),
                Ok(false) => return true,
                Err(error) => {
                    self.recorder.fail(folder, format!("the emptied folder is still there: {}", error.chain()));
                    return false;
                }
            }
        }
        true
    }

    /// Whether a listing is needless, because files of ours stay below.
    fn holds_ours(&self, folder: &str) -> bool {
        let prefix = format!("{folder}/");
        self.kept.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    async fn delete_if_empty(&self, folder: &str) -> Result<bool> {
        let is_empty = self.list(folder).await?.is_empty();
        if is_empty {
            self.delete(folder).await?;
        }
        Ok(is_empty)
    }

    /// Clears the way for an upload.
    pub(crate) async fn clear(&self, obstacle: &Obstacle) -> bool {
        if !obstacle.is_dir {
            return self.clear_file(&obstacle.path).await;
        }
        match self.clear_folder(obstacle).await {
            Ok(None) => true,
            Ok(Some(strange)) => {
                let why = format!(
                    "the folder is in the way and contains {strange}, which no deploy put there: it was left alone"
                );
                self.recorder.fail(&obstacle.path, why);
                false
            }
            Err(error) => {
                self.recorder.fail(&obstacle.path, format!("the folder in the way is still there: {}", error.chain()));
                false
            }
        }
    }

    /// Removes a file where a folder is needed. If there is a folder already, nothing is in the way.
    async fn clear_file(&self, path: &str) -> bool {
        let cleared = async {
            let entries = self.list(parent_of(path)).await?;
            if entries.iter().any(|entry| entry.name == name_of(path) && entry.is_file) {
                self.delete(path).await
            } else {
                Ok(())
            }
        };
        match cleared.await {
            Ok(()) => true,
            Err(error) => {
                self.recorder.fail(path, format!("the file in the way is still there: {}", error.chain()));
                false
            }
        }
    }

    /// Removes a folder in which every file is ours; gives back one that is not, before anything is deleted.
    async fn clear_folder(&self, obstacle: &Obstacle) -> Result<Option<String>> {
        let mut folders = vec![obstacle.path.clone()];
        let mut files: Vec<Vec<String>> = Vec::new();
        let listed = clock::now();
        while let Some(folder) = folders.get(files.len()).cloned() {
            let mut here = Vec::new();
            let entries = match self.list(&folder).await {
                // It is a file by now: an earlier deploy got that far.
                Err(error) if error.kind() == ErrorKind::WrongType && folder == obstacle.path => return Ok(None),
                entries => entries?,
            };
            for entry in entries {
                let path = format!("{folder}/{}", entry.name);
                if entry.is_dir {
                    folders.push(path);
                } else if entry.is_file && obstacle.files.contains(&path) {
                    here.push(path);
                } else {
                    return Ok(Some(path));
                }
            }
            files.push(here);
        }
        self.delete_below(&folders, &files, listed).await
    }

    /// Deletes the `files` of each of `folders`, the deepest first, and then the folder; gives back what came between since
    /// they were `listed`.
    async fn delete_below(
        &self,
        folders: &[String],
        files: &[Vec<String>],
        mut listed: Tick,
    ) -> Result<Option<String>> {
        for (folder, files) in folders.iter().zip(files).rev() {
            let mut entries: Option<Vec<Entry>> = None;
            for path in files {
                if clock::now() - listed > LISTING_HOLDS {
                    listed = clock::now();
                    entries = Some(self.list(folder).await?);
                }
                if entries.iter().flatten().any(|entry| entry.name == name_of(path) && !entry.is_file) {
                    return Ok(Some(format!("the folder {path}")));
                }
                self.delete(path).await?;
            }
            if !self.delete_if_empty(folder).await? {
                return Ok(Some(format!("something new in {folder}")));
            }
        }
        Ok(None)
    }

    async fn list(&self, folder: &str) -> Result<Vec<Entry>> {
        Ok(list_if_there(self.remote, &place(self.root, folder)?).await?.unwrap_or_default())
    }

    pub(super) async fn delete(&self, path: &str) -> Result<()> {
        let place = self.root.join(path)?;
        self.guard.run(|| delete_if_there(self.remote, &place)).await?;
        self.recorder.lock().deleted.push(path.to_owned());
        self.watcher.deleted(path);
        Ok(())
    }
}
