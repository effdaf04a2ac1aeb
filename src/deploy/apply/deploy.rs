//! The deploy: carries out a plan, in the order that keeps the host's notes true at every moment.
//!
//! Intent, listing of the state folder, what is in the way, uploads, new manifest, commands on the host, reloads, the
//! health check, deletes, old notes, and the intent last. A bundle does the uploads, the manifest and the deletes at once
//! ([`super::bundle`]), and where the account's site takes them the first steps and the last are one request to it each
//! ([`crate::deploy::state::by_site`]). Nothing is reloaded or deleted after an error: the next deploy does it, because the intent stays and says
//! that it is owed. Dropping the future sends nothing more and loses nothing, for the same reason.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::context::Run;
use super::pack::PackedBundle;
use super::progress::{Progress, ProgressEvent, Watcher};
use super::report::{DeployReport, Recorder};
use crate::blocking::blocking;
use crate::clock;
use crate::deploy::diff::live_data::spare_live_data;
use crate::deploy::diff::model::DeployDiff;
use crate::deploy::plan::options::DeployOptions;
use crate::deploy::plan::planner::ResolvedPlan;
use crate::deploy::plan::strategy::Strategy;
use crate::deploy::project::Project;
use crate::deploy::remote::Remote;
use crate::deploy::selection::git::Revision;
use crate::deploy::state::folder::StateFolder;
use crate::deploy::state::history::DeployOutcome;
use crate::deploy::state::lease::Lease;
use crate::deploy::state::recovery::note_tasks;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{LeftTasks, Receipt, host_time};
use crate::locks::lock;

/// Deploys what `diff` says, and reports what was done.
///
/// Whatever the service refuses is in the report, not an error: [`DeployReport::failed`] for a single file,
/// [`DeployReport::stopped`] if the deploy as a whole could not go on, for example because another deploy is running.
/// `recorder` shows the report at any moment, also after the future was dropped.
///
/// # Errors
/// `Config` or `Local`, before anything is sent: options that the diff does not allow, more deletes than allowed, a diff
/// of another project.
pub async fn deploy<R: Remote>(
    project: &Project<R>,
    diff: &DeployDiff,
    options: &DeployOptions,
    progress: Arc<dyn Progress>,
    recorder: &Recorder,
) -> Result<DeployReport> {
    diff.base.check(project)?;
    let mut work = ResolvedPlan::of(diff, options)?;
    let watcher = Arc::new(Watcher::new(progress));
    let remote = project.client.observed(Arc::clone(&watcher) as _);
    begin(recorder, diff, &work, options, &remote);
    let spared;
    let diff = if options.delete_unmanaged {
        spared = match spare_live_data(&remote, diff, &options.include).await {
            Ok(spared) => spared,
            Err(error) => return Ok(stopped(recorder, &error)),
        };
        work = ResolvedPlan::of(&spared, options)?;
        begin(recorder, &spared, &work, options, &remote);
        &spared
    } else {
        diff
    };
    let is_idle = options.dry_run || work.plan.actions.is_empty();
    let choice = Strategy::choose(remote.as_client(), diff, options, &work);
    let (strategy, revision) = tokio::join!(choice, revision(diff, !is_idle));
    let strategy = match strategy {
        Ok(strategy) => strategy,
        // Local mistakes are the caller's; what the service says belongs into the report.
        Err(error) if error.kind() == ErrorKind::Config => return Err(error),
        Err(error) => return Ok(stopped(recorder, &error)),
    };
    if strategy.in_bulk {
        work.copy_on_host();
    }
    report_strategy(recorder, &strategy, &work);
    if !is_idle {
        strategy.by_site.log();
    }
    recorder.lock().tell_revision(revision.as_ref());
    watcher.tell(planned(&strategy, &work));
    if is_idle {
        return Ok(idle(recorder));
    }
    let folder = StateFolder::of(remote.user(), &project.remote_root)?;
    let base = &diff.base;
    let run = Run {
        remote: &remote,
        folder,
        base,
        work: &work,
        options,
        strategy: &strategy,
        recorder,
        watcher: &watcher,
        revision,
        left: LeftTasks::default(),
    };
    // Large: it holds the futures of every way to deploy.
    let outcome = Box::pin(run.run()).await;
    run.conclude(outcome).await;
    Ok(recorder.close())
}

/// The report of a deploy that did not begin.
fn stopped(recorder: &Recorder, error: &Error) -> DeployReport {
    recorder.lock().stopped = Some(error.chain());
    recorder.close()
}

/// The report of a deploy that has nothing to do, or is not to do it.
fn idle(recorder: &Recorder) -> DeployReport {
    let is_ok = recorder.lock().failed.is_empty();
    recorder.lock().ok = is_ok;
    recorder.close()
}

fn planned(strategy: &Strategy, work: &ResolvedPlan) -> ProgressEvent {
    ProgressEvent::Planned {
        uploads: work.uploads.len(),
        deletes: work.deletes.values().map(Vec::len).sum(),
        bytes: work.plan.bytes,
        requests: strategy.estimate().map_or(work.plan.requests, |estimate| estimate.requests),
        seconds: strategy.estimate().map_or(work.plan.seconds, |estimate| estimate.seconds),
    }
}

fn begin<R: Remote>(recorder: &Recorder, diff: &DeployDiff, work: &ResolvedPlan, options: &DeployOptions, remote: &R) {
    let (counted, start) = (remote.clone(), clock::now());
    recorder.count_by(move || (counted.requests_sent(), (clock::now() - start).as_secs_f64()));
    let taken: BTreeSet<&String> = work.uploads.iter().map(|upload| &upload.path).collect();
    let protected = diff.protected.iter().filter(|path| !taken.contains(path)).cloned().collect();
    *recorder.lock() = DeployReport {
        dry_run: options.dry_run,
        failed: diff.base.blocked.clone(),
        protected,
        warnings: diff.warnings.iter().chain(&work.warnings).cloned().collect(),
        plan: work.plan.clone(),
        ..DeployReport::default()
    };
}

/// What git says of the local files, if that is wanted.
async fn revision(diff: &DeployDiff, is_wanted: bool) -> Option<Revision> {
    let base = is_wanted.then(|| Arc::clone(&diff.base))?;
    blocking(move || Ok(base.revision())).await.ok().flatten()
}

/// Notes what was chosen and what else there is.
fn report_strategy(recorder: &Recorder, strategy: &Strategy, work: &ResolvedPlan) {
    let mut report = recorder.lock();
    strategy.name().clone_into(&mut report.executor);
    report.why.clone_from(&strategy.why);
    report.estimates.clone_from(&strategy.estimates);
    report.warnings.extend_from_slice(&strategy.sites.warnings);
    report.plan.clone_from(&work.plan);
    if strategy.in_bulk {
        report.rollback_bytes = work.replaced_bytes;
    } else {
        report.warnings.extend(work.executables_warning());
    }
}

impl<R: Remote> Run<'_, R> {
    async fn run(&self) -> Result<()> {
        let intent = self.intent();
        let id = intent.id.clone();
        let load = match self.strategy.in_bulk.then_some(self.pack(&intent)) {
            None => None,
            Some(packing) => match packing.await {
                Err(error) if self.names_upload(&error) => return Ok(()),
                packed => Some(packed?),
            },
        };
        let mut lease = Lease::new(self.remote, self.folder.intent(&id)?, intent);
        let begun = match &load {
            Some(load) => Box::pin(self.begin_by_site(&mut lease, &id, load)).await,
            None => None,
        };
        if begun.is_none() {
            lease = self.announce(lease, &id).await?;
        }
        self.recorder.lock().id = Some(id.clone());
        if let Err(error) = self.fold(&lease).await {
            // Whoever was taken over may know of it already, so our intent stays: it has their debts.
            self.recorder.lock().stopped = Some(error.chain());
            self.settle(&lease, DeployOutcome::Failed);
            self.leave(lease).await;
            return Ok(());
        }
        let is_done = self.change(&lease, &id, load, begun).await;
        self.settle(&lease, if is_done { DeployOutcome::Done } else { DeployOutcome::Failed });
        if is_done && self.clean_up().await {
            return self.finish(lease).await;
        }
        self.give_up(lease).await
    }

    /// Announces the deploy, and goes on only if it is alone.
    async fn announce(&self, mut lease: Lease<R>, id: &str) -> Result<Lease<R>> {
        lease.announce().await?;
        if let Err(why) = self.check_alone(id).await {
            // Our own decision, as opposed to a request that failed.
            self.recorder.lock().held = why.kind() == ErrorKind::Held;
            return Err(self.withdraw(lease, why).await);
        }
        lease.watch(&self.folder, self.generation(), self.base.intent_ids().cloned().collect());
        lease.start();
        Ok(lease)
    }

    /// Settles what becomes of the intent of a deploy that did all it was to do.
    async fn finish(&self, lease: Lease<R>) -> Result<()> {
        // A reload that an earlier deploy owes and that was not asked for is still owed.
        let is_owed = !lease.intent().reload.is_empty();
        match if is_owed { lease.leave_if_ours().await } else { lease.finish().await } {
            Err(error) if error.kind() == ErrorKind::Held => return Err(error),
            Err(error) => self.recorder.warn(format!(
                "everything is deployed, but the intent of this deploy is still on the host and will expire: {}",
                error.chain()
            )),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Settles what becomes of the intent of a deploy that did not do all it was to do.
    async fn give_up(&self, lease: Lease<R>) -> Result<()> {
        if let Some(who) = lease.taken_over() {
            // What is owed is in the intent of whoever took over, or in the manifest that it wrote.
            self.recorder.lock().stopped.get_or_insert(who);
            return Ok(());
        }
        if self.recorder.lock().held {
            // Who took over knows of this deploy, and removes its note.
            return Ok(());
        }
        if self.recorder.lock().rolled_back {
            // The rollback paid what this deploy owed.
            if let Err(error) = lease.remove().await {
                self.recorder.warn(format!("the intent of this deploy is still on the host: {}", error.chain()));
            }
            return Ok(());
        }
        if self.recorder.lock().untouched {
            return Err(self.leave_untouched(lease).await);
        }
        if lease.wrote_manifest() {
            // However many deploys fail in a row, the old manifests must not add up.
            self.remove_stale().await;
        }
        self.leave(lease).await;
        Ok(())
    }

    /// Settles the intent of a deploy that changed nothing, and says why that was: nothing is owed that was not owed before.
    async fn leave_untouched(&self, lease: Lease<R>) -> Error {
        let why = Error::job(self.recorder.lock().stopped.take().unwrap_or_default());
        if self.base.intents.is_empty() && self.base.unreadable.is_empty() {
            return self.withdraw(lease, why).await;
        }
        self.owe_as_before(&lease);
        self.leave(lease).await;
        why
    }

    /// Notes which tasks could not be deleted, and how it ended.
    async fn conclude(&self, outcome: Result<()>) {
        if let Some(client) = self.remote.as_client() {
            let left = lock(&self.left).clone();
            note_tasks(client, &self.folder, left).await;
        }
        let mut report = self.recorder.lock();
        match outcome {
            Ok(()) => report.ok = report.failed.is_empty() && report.stopped.is_none(),
            Err(error) => report.stopped = Some(error.chain()),
        }
    }

    /// Takes down a file that cannot be packed as failed; false if the error is about something else.
    fn names_upload(&self, error: &Error) -> bool {
        let Error::Local { path, .. } = error else { return false };
        let Some(upload) = self.work.uploads.iter().find(|upload| upload.local == *path) else { return false };
        self.recorder.fail(&upload.path, error.chain());
        self.recorder.lock().stopped = Some("nothing was sent, because a bundle needs all of its files".to_owned());
        true
    }

    async fn leave(&self, lease: Lease<R>) {
        if let Err(error) = lease.leave().await {
            self.recorder.warn(format!("the host could not be told that this deploy ended: {}", error.chain()));
        }
    }

    /// Lets the intent say only what earlier deploys left, whose own intents are gone.
    fn owe_as_before(&self, lease: &Lease<R>) {
        let known = &self.base.known;
        let mut intent = lease.intent();
        intent.pending.clone_from(&known.pending);
        intent.deletes.clone_from(&known.deletes);
        intent.reload.clone_from(&known.reload);
        intent.steps = self.base.intents.iter().flat_map(|other| other.steps.iter().cloned()).collect();
    }

    /// Changes the host. Whatever fails is in the report; then it returns false and goes no further.
    async fn change(
        &self,
        lease: &Lease<R>,
        id: &str,
        load: Option<PackedBundle>,
        begun: Option<Result<Receipt>>,
    ) -> bool {
        let is_bulk = load.is_some();
        let changed = match load {
            Some(load) => self.apply_in_bulk(lease, id, load, begun).await,
            None => self.apply_singly(lease, id).await,
        };
        if !changed {
            return false;
        }
        if let Err(error) = lease.guard().confirm().await {
            self.recorder.lock().stopped = Some(error.chain());
            return false;
        }
        if !(self.run_steps(lease).await && self.serve(lease).await) {
            self.roll_back(lease, id).await;
            return false;
        }
        self.warn_of_steps(lease);
        // A bundle's deletes are done; those that could not be are in the report.
        if is_bulk {
            return self.is_flawless();
        }
        let kept = self.files_after(&lease.intent().done);
        self.delete(lease, &kept).await
    }

    /// Lets the sites run the new files, and looks whether they do.
    async fn serve(&self, lease: &Lease<R>) -> bool {
        let before = self.remote.as_client().map_or_else(SystemTime::now, host_time);
        // A site that could not be reloaded keeps no other one from being checked.
        let are_reloaded = self.reload_all(lease).await;
        self.is_healthy(before).await && are_reloaded
    }

    /// Warns of the commands that are still owed.
    fn warn_of_steps(&self, lease: &Lease<R>) {
        let owed: Vec<String> = lease.intent().steps.iter().cloned().collect();
        if !owed.is_empty() {
            self.recorder.warn(format!(
                "an earlier deploy did not finish {}, and this one did not run it: check whether it still has to run",
                owed.join(" and ")
            ));
        }
    }
}
