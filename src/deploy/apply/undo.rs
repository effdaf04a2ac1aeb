//! The way back after a failure: the old files are put back, if that is wanted and can be done.

use std::collections::BTreeSet;

use super::context::Run;
use crate::deploy::operations::maintenance::Maintenance;
use crate::deploy::operations::reload::reload as reload_site;
use crate::deploy::operations::rollback::{changed_since, leave};
use crate::deploy::plan::steps::StepReport;
use crate::deploy::remote::Remote;
use crate::deploy::state::history::DeployOutcome;
use crate::deploy::state::intent::Intent;
use crate::deploy::state::lease::Lease;
use crate::error::Result;

impl<R: Remote> Run<'_, R> {
    /// After a failure: puts the old files back, if that is wanted and can be done, and reloads.
    pub(crate) async fn roll_back(&self, lease: &Lease<R>, id: &str) {
        if !self.options.rollback_on_failure {
            return;
        }
        let steps = self.recorder.lock().steps.clone();
        if let Some(why) = self.no_way_back(&steps) {
            self.recorder.warn(why);
            return;
        }
        self.warn_of_migrations(&steps);
        match self.put_back(lease, id).await {
            Ok(own) => {
                self.recorder.lock().rolled_back = true;
                self.reload_old(own).await;
            }
            Err(error) => self.recorder.warn(format!("the rollback failed as well: {}", error.chain())),
        }
    }

    /// Why the old files are not put back, if they cannot be.
    fn no_way_back(&self, steps: &[StepReport]) -> Option<String> {
        if !self.strategy.in_bulk || !self.recorder.lock().kept_for_rollback {
            let why = if self.strategy.in_bulk {
                "what was replaced could not be kept"
            } else {
                "no files were sent as a bundle"
            };
            return Some(format!("nothing was rolled back: {why}"));
        }
        let name = &steps.iter().find(|step| step.exit_status.is_none())?.step;
        Some(format!(
            "nothing was rolled back, as {name} may still be running: check that it is not, then run pya rollback"
        ))
    }

    /// Warns of what the rollback leaves in the database.
    fn warn_of_migrations(&self, steps: &[StepReport]) {
        if let Some(half) = steps.iter().find_map(StepReport::half_migration) {
            self.recorder.warn(format!(
                "the migration {half} started but did not finish: check what it left in the database, which the \
                 rollback does not touch"
            ));
        }
        let migrations: Vec<String> = steps.iter().flat_map(StepReport::migrations).collect();
        if !migrations.is_empty() {
            let names = migrations.join(", ");
            self.recorder.warn(format!("these migrations ran, and are not undone by the rollback: {names}"));
        }
    }

    /// Lets the sites run the old files again. Without that the rollback's note stays, so that the next deploy does it.
    async fn reload_old(&self, own: Lease<R>) {
        let mut is_owed = false;
        for domain in &self.work.reload {
            if let Err(error) = reload_site(self.remote, domain).await {
                let reason = error.chain();
                self.recorder.warn(format!("the old files are restored, but {domain} was not reloaded: {reason}"));
                is_owed = true;
            }
        }
        if is_owed {
            leave(own).await;
            return;
        }
        if let Err(error) = own.remove().await {
            self.recorder
                .warn(format!("the intent of the rollback is still on the host and will expire: {}", error.chain()));
        }
    }

    /// The intent of the rollback, which takes the place of that of the deploy `id`.
    fn intent_to_undo(&self, lease: &Lease<R>, id: &str) -> Intent {
        let mut intent = Intent::new(self.remote.server_time());
        intent.history.clone_from(&lease.intent().history);
        intent.pending.extend(self.work.uploads.iter().map(|upload| upload.path.clone()));
        intent.pending.extend(self.work.deletes.values().flatten().cloned());
        intent.reload.clone_from(&self.work.reload);
        // The debts of earlier deploys are in the intent of this one only, which goes after the rollback.
        let known = &self.base.known;
        intent.pending.extend(known.pending.iter().chain(known.done.keys()).cloned());
        intent.deletes.extend(known.deletes.iter().cloned());
        intent.contested = self.base.contested();
        intent.takes_over = BTreeSet::from([id.to_owned()]);
        intent
    }

    async fn put_back(&self, lease: &Lease<R>, id: &str) -> Result<Lease<R>> {
        let (client, executor) = self.strategy.needed()?;
        self.settle(lease, DeployOutcome::Failed);
        let intent = self.intent_to_undo(lease, id);
        lease.guard().check()?;
        let maintenance = Maintenance {
            remote: self.remote,
            folder: &self.folder,
            root: &self.base.remote_root,
            job_folder: self.job_folder(client),
            executor,
        };
        let own = intent.id.clone();
        let (lease, applied) = maintenance.roll_back(intent, id, self.generation() + 1).await?;
        if let Some(words) = changed_since(&applied, &own) {
            self.recorder.warn(words);
        }
        Ok(lease)
    }
}
