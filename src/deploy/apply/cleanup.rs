//! What goes at the end of a deploy: replaced notes, and what deploys left that were cut off.

use super::context::Run;
use crate::deploy::remote::{Remote, delete_if_there};
use crate::deploy::state::recovery::remove_work;
use crate::host::sweep_own;

impl<R: Remote> Run<'_, R> {
    /// Removes the notes that were replaced. What cannot be removed is still true, so it is worth a warning only.
    pub(super) async fn clean_up(&self) -> bool {
        if !self.sweep_tasks().await {
            return false;
        }
        for id in self.base.abandoned_works() {
            if let Err(error) = remove_work(self.remote, &self.folder, id).await {
                self.recorder
                    .warn(format!("files of a deploy that was cut off are still on the host: {}", error.chain()));
            }
        }
        if self.strategy.in_bulk {
            // The runner did the rest.
            return true;
        }
        self.remove_stale().await
    }

    /// Deletes the tasks of deploys that ours took over: those of one that was passed by force are there still.
    async fn sweep_tasks(&self) -> bool {
        let Some(client) = self.remote.as_client() else { return true };
        for other in &self.base.intents {
            for &kind in &other.tasks {
                if let Err(error) = sweep_own(client, kind, self.folder.path().name(), &other.id).await {
                    self.recorder.warn(format!("a task of an earlier deploy may be left: {}", error.chain()));
                    return false;
                }
            }
        }
        true
    }

    /// Removes manifests that were replaced, as planned.
    pub(super) async fn remove_stale(&self) -> bool {
        for &generation in &self.work.stale {
            let removed = match self.folder.manifest(generation) {
                Ok(place) => delete_if_there(self.remote, &place).await,
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                self.recorder.warn(format!("an old manifest is still on the host: {}", error.chain()));
                return false;
            }
        }
        true
    }
}
