//! Whether a deploy may go on: it announces itself first, then looks whether it is alone.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::context::{Run, count_as_unknown};
use crate::deploy::diff::snapshot::unreadable_intent;
use crate::deploy::remote::{Remote, delete_if_there};
use crate::deploy::state::intent::{Intent, IntentState};
use crate::deploy::state::lease::Lease;
use crate::deploy::state::manifest::Manifest;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Executor;

impl<R: Remote> Run<'_, R> {
    /// Everything that may change, and everything that others owe and we pay from now on.
    pub(super) fn intent(&self) -> Intent {
        let (work, known) = (self.work, &self.base.known);
        let mut intent = Intent::new(self.remote.server_time());
        intent.pending.extend(work.uploads.iter().map(|upload| upload.path.clone()));
        intent.pending.extend(work.obstacles.iter().flat_map(|obstacle| obstacle.files.iter().cloned()));
        intent.pending.extend(known.pending.iter().cloned());
        // What goes now is not ours any more, whoever sent it.
        let going: BTreeSet<&String> = work.deletes.values().flatten().collect();
        let carried = known.done.iter().filter(|(path, _)| !intent.pending.contains(*path) && !going.contains(path));
        intent.done = carried.map(|(path, state)| (path.clone(), state.clone())).collect();
        intent.deletes.extend(work.deletes.values().flatten().cloned());
        intent.deletes.extend(known.deletes.iter().cloned());
        intent.reload.extend(work.reload.iter().chain(&known.reload).cloned());
        intent.manifests.extend(self.base.fence().into_iter().chain([self.generation()]));
        intent.tasks.extend(self.strategy.executor().map_or(&[][..], Executor::task_kinds));
        intent.steps.extend(self.options.steps.names().map(str::to_owned));
        self.take_over(&mut intent);
        self.record(&mut intent);
        intent
    }

    /// Names the deploys whose place ours takes, and what their intents say besides files and reloads.
    fn take_over(&self, intent: &mut Intent) {
        // Without force a running one is not taken over: we stop when we see it, and it must not mind us.
        let taken = self.base.intent_ids().filter(|id| self.options.force || !self.base.running.contains(*id));
        intent.takes_over.extend(taken.cloned());
        intent.takes_over.extend(self.base.abandoned_works().into_iter().cloned());
        intent.contested = self.base.contested();
        // A damaged manifest is explained by the intent of its deploy, which goes now.
        let begun = self.base.intents.iter().flat_map(|other| &other.manifests);
        intent.manifests.extend(begun.filter(|generation| self.base.set_aside.contains(generation)));
        intent.tasks.extend(self.base.intents.iter().flat_map(|other| &other.tasks));
        intent.steps.extend(self.base.intents.iter().flat_map(|other| other.steps.iter().cloned()));
    }

    /// Takes our own intent back and says why.
    pub(super) async fn withdraw(&self, lease: Lease<R>, why: Error) -> Error {
        if let Err(error) = lease.remove().await {
            self.recorder
                .warn(format!("the intent of this deploy is still on the host and will expire: {}", error.chain()));
        }
        why
    }

    /// Removes the intents that ours takes over: all their debts are in it, and they would be read by each later deploy.
    ///
    /// One of a running deploy goes before anything is changed, which is how that deploy learns of it; then the manifest
    /// follows that keeps it from writing its own.
    pub(super) async fn fold(&self, lease: &Lease<R>) -> Result<()> {
        let guard = lease.guard();
        for id in self.base.intent_ids() {
            let place = self.folder.intent(id)?;
            let removed = guard.run(|| delete_if_there(self.remote, &place)).await;
            match removed {
                Err(error) if self.is_ended(id) && error.kind() != ErrorKind::Held => {
                    self.recorder
                        .warn(format!("the intent of an earlier deploy is still on the host: {}", error.chain()));
                }
                outcome => outcome?,
            }
        }
        match self.base.fence() {
            Some(generation) => self.write_fence(lease, generation).await,
            None => Ok(()),
        }
    }

    /// Writes the manifest that keeps a deploy which is taken over by force from writing its own.
    async fn write_fence(&self, lease: &Lease<R>, generation: u64) -> Result<()> {
        let mut files = self.base.known.ours.clone();
        count_as_unknown(&mut files, &lease.intent().paths());
        // Of no deploy, so that our intent stays what tells about our files.
        let history = lease.intent().history_before(&self.base.history);
        let manifest = Manifest::new(generation, "", &self.base.remote_root, files).with_history(history);
        let place = self.folder.manifest(generation)?;
        let text = Bytes::from(manifest.to_text());
        lease.guard().run(|| self.remote.write(&place, text.clone())).await
    }

    fn is_ended(&self, id: &str) -> bool {
        !self.base.running.contains(id) && !self.base.unreadable.contains(id)
    }

    /// Whether the diff has read this intent, and it never changes any more.
    fn knows_end_of(&self, id: &str) -> bool {
        self.is_ended(id) && self.base.intents.iter().any(|known| known.id == id)
    }

    /// The listing that decides whether we may go on.
    pub(super) async fn check_alone(&self, id: &str) -> Result<()> {
        let contents = self.folder.list(self.remote).await?;
        if !contents.intents.contains(id) {
            return Err(Error::held("the intent of this deploy was removed by someone else: nothing was changed"));
        }
        if contents.newest() != self.base.generation {
            let name = |generation: Option<u64>| generation.map_or("none".to_owned(), |number| number.to_string());
            return Err(Error::held(format!(
                "another deploy has finished since this diff was made (manifest generation {} instead of {}): \
                 deploy again with a new diff",
                name(contents.newest()),
                name(self.base.generation)
            )));
        }
        for other in contents.intents.iter().filter(|other| *other != id && !self.knows_end_of(other)) {
            self.check_other(other).await?;
        }
        Ok(())
    }

    async fn check_other(&self, id: &str) -> Result<()> {
        if self.base.unreadable.contains(id) {
            return if self.options.force { Ok(()) } else { Err(Error::held(unreadable_intent(&self.folder, id)?)) };
        }
        let other = self.read_other(id).await?;
        let is_over = other.standing(self.remote.server_time()) == IntentState::Ended;
        if !is_over && !self.options.force {
            return Err(Error::held(format!("{}: try again when it has finished", other.describe())));
        }
        let known = self.base.intents.iter().find(|known| known.id == id);
        // One that has ended must be as the diff read it; one still running must not name other files.
        if known.is_some_and(|known| if is_over { *known == other } else { known.same_scope(&other) }) {
            return Ok(());
        }
        Err(Error::held(format!(
            "{}, and this diff does not cover all of it: deploy again with a new diff",
            other.describe()
        )))
    }

    /// The intent of another deploy, which may have gone since the listing.
    async fn read_other(&self, id: &str) -> Result<Intent> {
        self.folder.read_intent(self.remote, id).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::held("another deploy has just finished: deploy again with a new diff"),
            _ => error,
        })
    }
}
