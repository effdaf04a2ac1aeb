//! What all phases of a deploy share.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::progress::Watcher;
use super::report::Recorder;
use crate::client::Client;
use crate::deploy::diff::model::DiffSnapshot;
use crate::deploy::plan::options::DeployOptions;
use crate::deploy::plan::planner::ResolvedPlan;
use crate::deploy::plan::strategy::Strategy;
use crate::deploy::remote::Remote;
use crate::deploy::selection::git::Revision;
use crate::deploy::state::folder::StateFolder;
use crate::deploy::state::manifest::{FileState, Files};
use crate::host::{JobFolder, LeftTasks};

pub(crate) struct Run<'a, R> {
    pub remote: &'a R,
    pub folder: StateFolder,
    pub base: &'a DiffSnapshot,
    pub work: &'a ResolvedPlan,
    pub options: &'a DeployOptions,
    pub strategy: &'a Strategy,
    pub recorder: &'a Recorder,
    pub watcher: &'a Arc<Watcher>,
    /// Of the local files, if git knows.
    pub revision: Option<Revision>,
    /// Kinds of tasks of ours that could not be deleted.
    pub left: LeftTasks,
}

impl<R: Remote> Run<'_, R> {
    /// Where the jobs of this deploy are done.
    pub(crate) fn job_folder(&self, client: &Client) -> JobFolder {
        JobFolder { left: LeftTasks::clone(&self.left), ..JobFolder::new(client, self.folder.path()) }
    }

    pub(crate) fn is_flawless(&self) -> bool {
        let report = self.recorder.lock();
        report.failed.is_empty() && report.stopped.is_none()
    }

    /// What is ours once all uploads are there. What is about to be deleted is in the intent, not here.
    pub(crate) fn files_after(&self, done: &Files) -> Files {
        let mut files = self.base.known.ours.clone();
        let obstacles = self.work.obstacles.iter().flat_map(|obstacle| &obstacle.files);
        for path in obstacles.chain(self.work.deletes.values().flatten()).chain(&self.base.vanished) {
            files.remove(path);
        }
        files.extend(self.base.adopted.iter().map(|(path, state)| (path.clone(), state.clone())));
        files.extend(done.iter().map(|(path, state)| (path.clone(), state.clone())));
        count_as_unknown(&mut files, &self.base.contested());
        files
    }

    /// Of the manifest that this deploy writes.
    pub(crate) fn generation(&self) -> u64 {
        self.base.next_generation()
    }

    /// The names of the notes that mean nothing any more once this deploy has written its own.
    pub(crate) fn old_notes(&self) -> Vec<String> {
        let manifests = self.base.generations.iter().copied().chain(self.base.fence());
        manifests.map(|generation| format!("manifest-{generation}.json")).collect()
    }
}

/// What a deploy that was taken over may still change is unknown, whatever we sent.
pub(crate) fn count_as_unknown(files: &mut Files, contested: &BTreeSet<String>) {
    for path in contested {
        if let Some(state) = files.get_mut(path) {
            *state = FileState::unknown();
        }
    }
}
