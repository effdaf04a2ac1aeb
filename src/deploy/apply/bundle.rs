//! A deploy as one bundle: packed here ([`super::pack`]), uploaded in few requests, unpacked by a job on the host. What the
//! host was to copy and does not have goes in a second bundle to the same job.
//!
//! The order is that of a deploy by single files: intent, listing, change, manifest, reload, and the intent last. What
//! differs is that the runner does the change as a whole or not at all, writes the manifest itself, deletes what goes and
//! removes the old notes. Deletes come before the reload therefore; the runner keeps what it replaces and deletes.

use super::context::Run;
use super::pack::PackedBundle;
use super::progress::ProgressEvent;
use crate::client::FileContent;
use crate::deploy::operations::maintenance::JOB_LIMIT;
use crate::deploy::operations::temporary::TemporaryFiles;
use crate::deploy::plan::strategy::ByWhat;
use crate::deploy::remote::Remote;
use crate::deploy::state::by_site::SiteWork;
use crate::deploy::state::lease::Lease;
use crate::deploy::state::manifest::FileState;
use crate::error::{ErrorKind, Result};
use crate::host::{Bundle, Executor, Job, JobFolder, More, Operation, Receipt, State};
use crate::text::{counted, first_few};

impl<R: Remote> Run<'_, R> {
    /// Uploads a bundle and has it put in place. Whatever fails is in the report; then it returns false.
    ///
    /// `begun` is what came of it so far if the account's site got it ([`crate::deploy::state::by_site`]).
    pub(crate) async fn apply_in_bulk(
        &self,
        lease: &Lease<R>,
        id: &str,
        load: PackedBundle,
        begun: Option<Result<Receipt>>,
    ) -> bool {
        let receipt = match Box::pin(self.send_and_run(lease, id, &load, begun)).await {
            Ok(receipt) => receipt,
            Err(error) => {
                let mut report = self.recorder.lock();
                // A lost lease is another matter: what was done until then is unknown.
                report.held = error.kind() == ErrorKind::Held && lease.guard().check().is_ok();
                report.stopped = Some(error.chain());
                return false;
            }
        };
        if !receipt.is_ok() {
            self.note_failed(&receipt);
            return false;
        }
        self.note_uploaded(lease, load.states);
        self.note_applied(lease, &receipt);
        true
    }

    /// Takes down why the runner did not do it.
    fn note_failed(&self, receipt: &Receipt) {
        let is_undone = receipt.applied().undone;
        let end = if is_undone { "; everything on the host is as before" } else { "" };
        let mut report = self.recorder.lock();
        report.untouched = is_undone;
        report.stopped = Some(format!("{}{end}", receipt.reason()));
    }

    /// Takes down the files that are in place, as they were packed.
    fn note_uploaded(&self, lease: &Lease<R>, states: Vec<(String, FileState)>) {
        for ((path, state), upload) in states.into_iter().zip(&self.work.uploads) {
            if upload.sha256.is_some() && upload.sha256 != state.sha256 {
                self.recorder.warn(format!("{path} changed after the diff; it was deployed as it was when packed"));
            }
            lease.uploaded(&path, state);
            self.recorder.lock().uploaded.push(path);
        }
    }

    /// Takes down what else the runner did: what it deleted, and what it kept.
    fn note_applied(&self, lease: &Lease<R>, receipt: &Receipt) {
        let applied = receipt.applied();
        for path in applied.deleted {
            lease.intent().deletes.remove(&path);
            self.recorder.lock().deleted.push(path.clone());
            self.watcher.deleted(&path);
        }
        if !applied.kept_for_rollback {
            self.recorder.warn(format!("this deploy cannot be undone: {}", receipt.output.trim()));
        }
        self.recorder.lock().rollback_bytes = applied.rollback_bytes;
        for (path, reason) in &applied.not_deleted {
            self.recorder.fail(path, format!("not deleted: {reason}"));
        }
        self.recorder.lock().kept_for_rollback = applied.kept_for_rollback;
    }

    /// Has the account's site announce the deploy and put the bundle in place, if it takes bundles; `None` if nothing was
    /// begun.
    pub(super) async fn begin_by_site(
        &self,
        lease: &mut Lease<R>,
        id: &str,
        load: &PackedBundle,
    ) -> Option<Result<Receipt>> {
        let Some((client, Executor::Webapp(agent))) = &self.strategy.executor else { return None };
        if self.strategy.by_site != ByWhat::Site {
            return None;
        }
        let job_folder = &self.job_folder(client);
        let job = &self.job(job_folder, id, load, None);
        let (bundle, generation, limit) = (Some(&load.bundle), self.generation(), JOB_LIMIT);
        self.tell_working("webapp");
        let work = SiteWork { agent, job_folder, job, bundle, generation, limit };
        let begun = lease.begin_by_site(&self.folder, work).await;
        self.recorder.lock().running = None;
        begun
    }

    /// Tells that the host is at work.
    fn tell_working(&self, executor: &str) {
        self.watcher.tell(ProgressEvent::Working { executor: executor.to_owned() });
        self.recorder.lock().running = Some("bundle".to_owned());
    }

    /// The job that puts the files in place, `more` being what it missed before.
    fn job(&self, job_folder: &JobFolder, id: &str, load: &PackedBundle, more: Option<More>) -> Job {
        let operation = Operation::Apply {
            parts: load.bundle.parts.clone(),
            bytes: load.bundle.bytes,
            copies: load.copies,
            generation: self.generation(),
            more,
        };
        job_folder.job(id, &self.base.remote_root, operation)
    }

    async fn send_and_run(
        &self,
        lease: &Lease<R>,
        id: &str,
        load: &PackedBundle,
        begun: Option<Result<Receipt>>,
    ) -> Result<Receipt> {
        let (client, executor) = self.strategy.needed()?;
        let job_folder = self.job_folder(client);
        let ready = if begun.is_some() {
            None
        } else {
            lease.guard().wait_for(executor.made_ready(&job_folder)).await.inspect_err(|error| {
                // Nothing was sent yet.
                self.recorder.lock().untouched = error.kind() == ErrorKind::Config;
            })?
        };
        let delivery =
            Delivery { run: self, lease, id, load, job_folder, executor: ready.as_ref().unwrap_or(executor) };
        // A runner that is still at work does without them once it moves files; before that it ends, and has changed nothing.
        let mut sent = TemporaryFiles::new(client, "a part of the bundle");
        let receipt = Box::pin(delivery.run(begun, &mut sent)).await;
        if receipt.is_ok() {
            // The runner removed them.
            sent.is_gone();
        } else {
            sent.remove().await;
        }
        receipt
    }
}

/// A bundle, and the job on the host that puts it in place.
struct Delivery<'a, R> {
    run: &'a Run<'a, R>,
    lease: &'a Lease<R>,
    id: &'a str,
    load: &'a PackedBundle,
    job_folder: JobFolder,
    executor: &'a Executor,
}

impl<R: Remote> Delivery<'_, R> {
    async fn run(&self, begun: Option<Result<Receipt>>, sent: &mut TemporaryFiles) -> Result<Receipt> {
        let receipt = if let Some(receipt) = begun {
            receipt?
        } else {
            self.send(&self.load.bundle, sent).await?;
            self.lease.begin_manifest().await?;
            self.run_job(None).await?
        };
        if receipt.state != State::Incomplete {
            return Ok(receipt);
        }
        let missing = receipt.applied().missing;
        let more = self.pack_missing(&missing).await?;
        self.run.recorder.warn(not_copied(missing));
        self.bring(&more, sent).await
    }

    /// Packs what the host could not copy. Without it the job goes, before it has changed anything.
    async fn pack_missing(&self, missing: &[String]) -> Result<Bundle> {
        let packed = self.run.pack_missing(self.load, missing).await;
        if packed.is_err() {
            // Nothing was changed yet, and nobody works there.
            self.run.recorder.lock().untouched = true;
            if let Err(error) = self.job_folder.client.delete_path(&self.job_folder.folder(self.id)?).await {
                log::warn!("the folder of this job is still there, and goes with a later one: {}", error.chain());
            }
        }
        packed
    }

    /// Has the job go on with the bundle that it missed.
    async fn bring(&self, more: &Bundle, sent: &mut TemporaryFiles) -> Result<Receipt> {
        let named = Some(More { parts: more.parts.clone(), bytes: more.bytes });
        match self.executor {
            Executor::Webapp(agent) if self.lease.is_by_site() => {
                let job = self.job(named);
                self.working(agent.bring_more(&self.job_folder, &job, more, JOB_LIMIT)).await
            }
            _ => {
                self.send(more, sent).await?;
                self.run_job(named).await
            }
        }
    }

    /// Uploads the parts of a bundle.
    async fn send(&self, bundle: &Bundle, sent: &mut TemporaryFiles) -> Result<()> {
        let (guard, watcher) = (self.lease.guard(), self.run.watcher);
        let folder = self.job_folder.folder(self.id)?;
        for part in &bundle.parts {
            let place = folder.join(&part.name)?;
            sent.add(place.clone());
            watcher.started(&part.name, &place, part.size);
            let content = || FileContent::Path(bundle.file(part));
            let outcome = guard.run(|| self.job_folder.client.upload_from(&place, content())).await;
            let reason = outcome.as_ref().err().map(crate::Error::chain);
            watcher.ended(&part.name, &place, reason.as_deref());
            outcome?;
        }
        Ok(())
    }

    fn job(&self, more: Option<More>) -> Job {
        self.run.job(&self.job_folder, self.id, self.load, more)
    }

    async fn run_job(&self, more: Option<More>) -> Result<Receipt> {
        let job = self.job(more);
        self.working(self.executor.run(&self.job_folder, &job, JOB_LIMIT)).await
    }

    async fn working<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.run.tell_working(self.executor.name());
        let outcome = self.lease.guard().wait_for(work).await;
        self.run.recorder.lock().running = None;
        outcome
    }
}

/// What to say of files that were to be copied on the host.
fn not_copied(missing: Vec<String>) -> String {
    format!(
        "{} could not be copied on the host, where the source is gone or was changed, and {} sent: {}",
        counted(missing.len(), "file"),
        if missing.len() == 1 { "was" } else { "were" },
        first_few(missing.into_iter())
    )
}
