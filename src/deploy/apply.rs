//! The deploy: carries out a plan, in the order that keeps the host's notes true at every moment.
//!
//! Intent, listing of the state folder, what is in the way, uploads, new manifest, commands on the host, reloads, a look at
//! the site, deletes, old notes, and the intent last. A bundle does the uploads, the manifest and the deletes at once
//! ([`super::bulk`]). Nothing is reloaded or deleted after an error: the next deploy does it, because the intent stays and says
//! that it is owed. Dropping the future sends nothing more and loses nothing, for the same reason.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use super::bulk::{Load, TOO_MUCH};
use super::diff::{Base, DeployDiff, Project};
use super::intent::{Intent, Standing};
use super::keeper::Keeper;
use super::leftovers::{note_tasks, remove_work};
use super::manifest::{Files, Manifest};
use super::means::Means;
use super::plan::{DeployOptions, Work};
use super::progress::{Progress, ProgressEvent, Watcher};
use super::reload::{is_refused, reload};
use super::remote::{Remote, delete_if_there};
use super::remove::Remover;
use super::report::{DeployReport, Recorder};
use super::state::StateFolder;
use super::upload::Uploader;
use crate::api::Reloaded;
use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Executor, JobFolder, LeftTasks, Retention, host_time, sweep_own};

/// Deploys what `diff` says, and reports what was done.
///
/// Whatever the service refuses is in the report, not an error: [`DeployReport::failed`] for a single file,
/// [`DeployReport::stopped`] if the deploy as a whole could not go on, for example because somebody else is deploying.
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
    let work = Work::of(diff, options)?;
    let watcher = Arc::new(Watcher::new(progress));
    let remote = project.client.observed(Arc::clone(&watcher) as _);
    begin(recorder, diff, &work, options, &remote);
    let means = Means::choose(remote.as_client(), options, &work).await;
    let means = match means {
        Ok(means) => means,
        // Local mistakes are the caller's; what the service says belongs into the report.
        Err(error) if error.kind() == ErrorKind::Config => return Err(error),
        Err(error) => {
            recorder.lock().stopped = Some(error.chain());
            return Ok(recorder.close());
        }
    };
    means.tell(recorder, &work);
    watcher.tell(ProgressEvent::Planned {
        uploads: work.uploads.len(),
        deletes: work.deletes.values().map(Vec::len).sum(),
        bytes: work.plan.bytes,
        requests: means.way().map_or(work.plan.requests, |way| way.requests),
        seconds: means.way().map_or(work.plan.seconds, |way| way.seconds),
    });
    if options.dry_run || work.plan.actions.is_empty() {
        let is_ok = recorder.lock().failed.is_empty();
        recorder.lock().ok = is_ok;
        return Ok(recorder.close());
    }
    let folder = StateFolder::of(remote.user(), &project.remote_root)?;
    let base = &diff.base;
    let run = Run {
        remote: &remote,
        folder,
        base,
        work: &work,
        options,
        means: &means,
        recorder,
        watcher: &watcher,
        left: LeftTasks::default(),
    };
    // Large: it holds the futures of every way to deploy.
    let outcome = Box::pin(run.run()).await;
    if let Some(client) = remote.as_client() {
        let left = run.left.lock().unwrap_or_else(PoisonError::into_inner).clone();
        note_tasks(client, &run.folder, left).await;
    }
    match outcome {
        Ok(()) => {
            let mut report = recorder.lock();
            report.ok = report.failed.is_empty() && report.stopped.is_none();
        }
        Err(error) => recorder.lock().stopped = Some(error.chain()),
    }
    Ok(recorder.close())
}

fn begin<R: Remote>(recorder: &Recorder, diff: &DeployDiff, work: &Work, options: &DeployOptions, remote: &R) {
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

pub(super) struct Run<'a, R> {
    pub remote: &'a R,
    pub folder: StateFolder,
    pub base: &'a Base,
    pub work: &'a Work,
    pub options: &'a DeployOptions,
    pub means: &'a Means,
    pub recorder: &'a Recorder,
    pub watcher: &'a Arc<Watcher>,
    /// Kinds of tasks of ours that could not be deleted.
    pub left: LeftTasks,
}

impl<R: Remote> Run<'_, R> {
    /// Where the jobs of this deploy are done.
    pub(super) fn job_folder(&self, client: &Client) -> JobFolder {
        JobFolder { left: LeftTasks::clone(&self.left), ..JobFolder::new(client, self.folder.path()) }
    }

    async fn run(&self) -> Result<()> {
        let intent = self.intent();
        let id = intent.id.clone();
        let load = if self.means.in_bulk { Some(self.pack(&id, &intent.done).await?) } else { None };
        let mut keeper = Keeper::write(self.remote, self.folder.intent(&id)?, intent).await?;
        if let Err(why) = self.check_alone(&id).await {
            // Our own decision, as opposed to a request that failed.
            self.recorder.lock().held = why.kind() == ErrorKind::Held;
            return Err(self.withdraw(keeper, why).await);
        }
        keeper.start();
        if self.change(&keeper, &id, load).await && self.clean_up().await {
            if let Err(error) = keeper.remove().await {
                self.recorder.warn(format!(
                    "everything is deployed, but the note of this deploy is still there and will expire: {}",
                    error.chain()
                ));
            }
            return Ok(());
        }
        if self.recorder.lock().held {
            // Who took over knows of this deploy, and removes its note.
            return Ok(());
        }
        if self.recorder.lock().rolled_back {
            // The rollback paid what this deploy owed.
            if let Err(error) = keeper.remove().await {
                self.recorder.warn(format!("the note of this deploy is still there: {}", error.chain()));
            }
            return Ok(());
        }
        if self.recorder.lock().untouched {
            // Nothing is owed that was not owed before, and what was is in the notes that are still there.
            let why = self.recorder.lock().stopped.take().unwrap_or_default();
            return Err(self.withdraw(keeper, Error::job(why)).await);
        }
        if let Err(error) = keeper.leave().await {
            self.recorder.warn(format!("the host could not be told that this deploy ended: {}", error.chain()));
        }
        Ok(())
    }

    /// Everything that may change, and everything that others owe and we pay from now on.
    fn intent(&self) -> Intent {
        let (work, known) = (self.work, &self.base.known);
        let mut intent = Intent::new(self.remote.server_time());
        intent.pending.extend(work.uploads.iter().map(|upload| upload.path.clone()));
        intent.pending.extend(work.obstacles.iter().flat_map(|obstacle| obstacle.files.iter().cloned()));
        intent.pending.extend(known.pending.iter().cloned());
        let carried = known.done.iter().filter(|(path, _)| !intent.pending.contains(*path));
        intent.done = carried.map(|(path, state)| (path.clone(), state.clone())).collect();
        intent.deletes.extend(work.deletes.values().flatten().cloned());
        intent.deletes.extend(known.deletes.iter().cloned());
        intent.reload.clone_from(&work.reload);
        intent.takes_over.extend(self.base.intents.iter().map(|other| other.id.clone()));
        intent.tasks.extend(self.means.executor().map_or(&[][..], Executor::task_kinds));
        intent.tasks.extend(self.base.intents.iter().flat_map(|other| &other.tasks));
        intent.steps.extend(self.options.steps.names().map(str::to_owned));
        intent.steps.extend(self.base.intents.iter().flat_map(|other| other.steps.iter().cloned()));
        intent
    }

    /// Takes our own intent back and says why.
    async fn withdraw(&self, keeper: Keeper<R>, why: Error) -> Error {
        if let Err(error) = keeper.remove().await {
            self.recorder.warn(format!("the note of this deploy is still there and will expire: {}", error.chain()));
        }
        why
    }

    /// The listing that decides whether we may go on.
    async fn check_alone(&self, id: &str) -> Result<()> {
        let contents = self.folder.list(self.remote).await?;
        if !contents.intents.contains(id) {
            return Err(Error::held("the note of this deploy was removed by somebody: nothing was changed"));
        }
        if contents.newest() != self.base.generation {
            let name = |generation: Option<u64>| generation.map_or("none".to_owned(), |number| number.to_string());
            return Err(Error::held(format!(
                "another deploy ended since this diff was made (manifest generation {}, the diff knows {}): \
                 make a new diff",
                name(contents.newest()),
                name(self.base.generation)
            )));
        }
        for other in contents.intents.iter().filter(|other| *other != id) {
            self.check_other(other).await?;
        }
        Ok(())
    }

    async fn check_other(&self, id: &str) -> Result<()> {
        let other = match self.folder.read_intent(self.remote, id).await {
            Ok(other) => other,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::held("another deploy ended just now: make a new diff"));
            }
            Err(error) => return Err(error),
        };
        let is_over = other.standing(self.remote.server_time()) == Standing::Over;
        if !is_over && !self.options.force {
            return Err(Error::held(format!("{}: try again when it is over", other.describe())));
        }
        let known = self.base.intents.iter().find(|known| known.id == id);
        // One that is over must be as the diff read it; one that works on only must not be about anything else.
        if known.is_some_and(|known| if is_over { *known == other } else { known.same_scope(&other) }) {
            return Ok(());
        }
        Err(Error::held(format!("{}, and the diff does not know all of it: make a new diff", other.describe())))
    }

    /// Changes the host. Whatever fails is in the report; then it returns false and goes no further.
    async fn change(&self, keeper: &Keeper<R>, id: &str, load: Option<Load>) -> bool {
        let is_bulk = load.is_some();
        let changed = match load {
            Some(load) => self.apply_in_bulk(keeper, id, load).await,
            None => self.apply_singly(keeper, id).await,
        };
        if !changed {
            return false;
        }
        let well = self.run_steps(keeper).await && {
            let before = self.remote.as_client().map_or_else(SystemTime::now, host_time);
            self.reload_all(keeper).await && self.is_healthy(before).await
        };
        if !well {
            self.roll_back(keeper, id).await;
            return false;
        }
        let owed: Vec<String> = keeper.intent().steps.iter().cloned().collect();
        if !owed.is_empty() {
            self.recorder.warn(format!(
                "an earlier deploy was to run {} and did not do it to its end, nor did this one: look whether that is due",
                owed.join(" and ")
            ));
        }
        self.forget_too_much(id).await;
        // A bundle's deletes are done; those that could not be are in the report.
        if is_bulk {
            return self.is_flawless();
        }
        let kept = self.files_after(&keeper.intent().done);
        self.delete(keeper, &kept).await
    }

    /// What was kept only in case of a failure goes, if it is more than is kept as a rule.
    async fn forget_too_much(&self, id: &str) {
        if self.recorder.lock().rollback_bytes <= Retention::default().bytes || !self.recorder.lock().kept_for_rollback
        {
            return;
        }
        let removed = match self.folder.kept(id) {
            Ok(place) => delete_if_there(self.remote, &place).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => {
                self.recorder.lock().kept_for_rollback = false;
                self.recorder.warn(TOO_MUCH);
            }
            Err(error) => self.recorder.warn(format!("the replaced files are still on the host: {}", error.chain())),
        }
    }

    async fn apply_singly(&self, keeper: &Keeper<R>, id: &str) -> bool {
        self.upload(keeper).await;
        if !self.is_flawless() {
            return false;
        }
        let files = self.files_after(&keeper.intent().done);
        if let Err(error) = self.write_manifest(keeper, id, &files).await {
            self.recorder.lock().stopped = Some(error.chain());
            return false;
        }
        true
    }

    async fn reload_all(&self, keeper: &Keeper<R>) -> bool {
        for domain in &self.work.reload {
            if !self.reload(domain, keeper).await {
                return false;
            }
        }
        true
    }

    pub(super) fn is_flawless(&self) -> bool {
        let report = self.recorder.lock();
        report.failed.is_empty() && report.stopped.is_none()
    }

    async fn upload(&self, keeper: &Keeper<R>) {
        let root = &self.base.remote_root;
        let (kept, right) = (Files::new(), keeper.right());
        let remover = Remover {
            remote: self.remote,
            root,
            recorder: self.recorder,
            watcher: self.watcher,
            kept: &kept,
            right: &right,
        };
        let mut uploads = self.work.uploads.clone();
        for obstacle in &self.work.obstacles {
            // Nothing is deleted after an error.
            if !self.is_flawless() {
                self.recorder.fail(&obstacle.path, "left in the way, because of an earlier failure");
            } else if remover.clear(obstacle).await {
                continue;
            }
            let prefix = format!("{}/", obstacle.path);
            uploads.retain(|upload| {
                let hindered = upload.path == obstacle.path || upload.path.starts_with(&prefix);
                if hindered && upload.path != obstacle.path {
                    self.recorder.fail(&upload.path, format!("not sent: {} is in the way", obstacle.path));
                }
                !hindered
            });
        }
        let (remote, recorder, watcher) = (self.remote, self.recorder, self.watcher);
        let concurrency = self.options.concurrency;
        Uploader { remote, root, keeper, recorder, watcher, concurrency }.run(&uploads).await;
    }

    /// What is ours once all uploads are there. What is about to be deleted is in the intent, not here.
    pub(super) fn files_after(&self, done: &Files) -> Files {
        let mut files = self.base.known.ours.clone();
        let obstacles = self.work.obstacles.iter().flat_map(|obstacle| &obstacle.files);
        for path in obstacles.chain(self.work.deletes.values().flatten()).chain(&self.base.vanished) {
            files.remove(path);
        }
        files.extend(self.base.adopted.iter().map(|(path, state)| (path.clone(), state.clone())));
        files.extend(done.iter().map(|(path, state)| (path.clone(), state.clone())));
        files
    }

    /// Of the manifest that this deploy writes.
    pub(super) fn generation(&self) -> u64 {
        self.base.generation.unwrap_or(0) + 1
    }

    /// The names of the notes that mean nothing any more once this deploy has written its own.
    pub(super) fn old_notes(&self) -> Vec<String> {
        let manifests = self.base.generations.iter().map(|generation| format!("manifest-{generation}.json"));
        manifests.chain(self.base.intents.iter().map(|other| super::intent::file_name(&other.id))).collect()
    }

    async fn write_manifest(&self, keeper: &Keeper<R>, id: &str, files: &Files) -> Result<()> {
        let generation = self.generation();
        let known = &self.base.known;
        let is_same = *files == known.ours && known.pending.is_empty() && known.done.is_empty();
        // What changed no file is no other deploy: the one before it can still be rolled back.
        let id = self.base.deploy.as_deref().filter(|_| is_same).unwrap_or(id);
        let manifest = Manifest::new(generation, id, &self.base.remote_root, files.clone());
        let place = self.folder.manifest(generation)?;
        keeper.right().during(self.remote.write(&place, manifest.to_text().into())).await
    }

    pub(super) async fn reload(&self, domain: &str, keeper: &Keeper<R>) -> bool {
        if let Err(error) = keeper.right().check() {
            self.recorder.fail(domain, format!("not reloaded: {}", error.chain()));
            return false;
        }
        self.watcher.tell(ProgressEvent::Reloading { domain: domain.to_owned() });
        match reload(self.remote, domain).await {
            Ok(reloaded) => {
                if let Reloaded::CnameWarning(warning) = reloaded {
                    self.recorder.warn(format!("{domain} was reloaded, and the service warns: {warning}"));
                }
                keeper.intent().reload.remove(domain);
                self.recorder.lock().reloaded.push(domain.to_owned());
                self.watcher.tell(ProgressEvent::Reloaded { domain: domain.to_owned() });
                true
            }
            Err(error) => {
                let reason = format!("not reloaded: {}", error.chain());
                if is_refused(&error) {
                    // There is no such web app: a debt that could never be paid would stop every later deploy.
                    keeper.intent().reload.remove(domain);
                    if !self.options.reload.iter().any(|asked| asked == domain) {
                        self.recorder.warn(format!("{domain}, which an earlier deploy wanted reloaded, was {reason}"));
                        return true;
                    }
                }
                self.recorder.fail(domain, reason);
                false
            }
        }
    }

    async fn delete(&self, keeper: &Keeper<R>, kept: &Files) -> bool {
        let root = &self.base.remote_root;
        let right = keeper.right();
        let (remote, recorder, watcher) = (self.remote, self.recorder, self.watcher);
        let remover = Remover { remote, root, recorder, watcher, kept, right: &right };
        // The deepest first: a folder may be emptied by the loss of one below it.
        let mut left: BTreeSet<&str> = self.work.deletes.keys().map(String::as_str).collect();
        for (folder, paths) in self.work.deletes.iter().rev() {
            left.remove(folder.as_str());
            let gone = |path: &str| {
                keeper.intent().deletes.remove(path);
            };
            if !remover.delete_from(folder, paths, &left, gone).await {
                return false;
            }
        }
        true
    }

    /// Removes the notes that were replaced. What cannot be removed is still true, so it is worth a warning only.
    async fn clean_up(&self) -> bool {
        // Those of one that was passed by force are there still.
        if let Some(client) = self.remote.as_client() {
            for other in &self.base.intents {
                for &kind in &other.tasks {
                    let state = self.folder.path().name();
                    if let Err(error) = sweep_own(client, kind, state, &other.id).await {
                        self.recorder.warn(format!("a task of an earlier deploy may be left: {}", error.chain()));
                        return false;
                    }
                }
            }
        }
        for other in self.base.intents.iter().filter(|other| self.base.works.contains(&other.id)) {
            if let Err(error) = remove_work(self.remote, &self.folder, &other.id).await {
                self.recorder
                    .warn(format!("files of a deploy that was cut off are still on the host: {}", error.chain()));
            }
        }
        if self.means.in_bulk {
            // The runner did the rest.
            return true;
        }
        let old = self.work.stale.iter().map(|&generation| self.folder.manifest(generation));
        let leftovers = self.base.intents.iter().map(|other| self.folder.intent(&other.id));
        for place in old.chain(leftovers) {
            let removed = match place {
                Ok(place) => delete_if_there(self.remote, &place).await,
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                self.recorder.warn(format!("an old note of a deploy is still on the host: {}", error.chain()));
                return false;
            }
        }
        true
    }
}
