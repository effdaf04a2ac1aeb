//! A deploy as one bundle: packed here, uploaded in few requests, unpacked by a job on the host.
//!
//! The order is that of a deploy by single files: intent, listing, change, manifest, reload, and the intent last. What
//! differs is that the runner does the change as a whole or not at all, writes the manifest itself, deletes what goes and
//! removes the old notes. Deletes come before the reload therefore; the runner keeps what it replaces and deletes.

use std::path::Path;

use serde_json::{Value, json};

use super::context::{Run, count_as_unknown};
use super::upload::read_selected;
use crate::blocking::blocking;
use crate::client::FileContent;
use crate::deploy::operations::maintenance::JOB_LIMIT;
use crate::deploy::operations::temporary::TemporaryFiles;
use crate::deploy::plan::planner::Upload;
use crate::deploy::remote::Remote;
use crate::deploy::state::intent::Intent;
use crate::deploy::state::lease::Lease;
use crate::deploy::state::manifest::{FileState, Manifest};
use crate::error::{ErrorKind, Result};
use crate::host::{Bundle, Executor, Item, JobFolder, Operation, Packed, Receipt};

/// A bundle that is ready to go, and what the manifest says of its files.
pub(crate) struct PackedBundle {
    bundle: Bundle,
    states: Vec<(String, FileState)>,
}

impl<R: Remote> Run<'_, R> {
    /// Packs what is to be uploaded, with the plan for the runner.
    pub(crate) async fn pack(&self, intent: &Intent) -> Result<PackedBundle> {
        let uploads = self.work.uploads.clone();
        let items: Vec<Item> = uploads
            .iter()
            .map(|upload| Item { path: upload.path.clone(), local: upload.local.clone(), size: upload.size })
            .collect();
        // All but the files themselves, whose digests are known when they were packed.
        let (files, notes) = (self.files_after(&intent.done), self.old_notes());
        // The runner adds how long it took.
        let history = self.history(intent, None);
        let (base, id) = (self.base, intent.id.clone());
        let (root, generation) = (base.remote_root.clone(), self.generation());
        // After a deploy that was cut off, the newest manifest is not all that is known of what is replaced now.
        let is_known = base.intents.is_empty() && base.unreadable.is_empty() && base.set_aside.is_empty();
        let previous = (!is_known).then(|| {
            let deploy = base.deploy.as_deref().unwrap_or_default();
            Manifest::new(base.generation.unwrap_or(0), deploy, &root, base.known.ours.clone())
        });
        let deletes: Vec<String> = self.work.deletes.values().flatten().cloned().collect();
        let clear: Vec<Value> = self
            .work
            .obstacles
            .iter()
            .map(|obstacle| json!({ "path": obstacle.path, "is_dir": obstacle.is_dir, "files": obstacle.files }))
            .collect();
        let contested = base.contested();
        let (local_root, max_size) = (base.local_root.clone(), base.max_file_size);
        let read = move |path: &Path| Ok(read_selected(&local_root, path, max_size)?.0);
        blocking(move || {
            let mut states = Vec::with_capacity(uploads.len());
            let bundle = Bundle::pack(&items, &read, |packed| {
                states.extend(
                    uploads.iter().zip(packed).map(|(upload, packed)| (upload.path.clone(), state_of(packed, upload))),
                );
                let mut files = files;
                files.extend(states.iter().cloned());
                count_as_unknown(&mut files, &contested);
                let plan = json!({
                    "format": 1,
                    "id": id,
                    "files": states.iter().map(|(path, state)| {
                        json!({ "path": path, "sha256": state.sha256, "size": state.size, "mode": state.mode })
                    }).collect::<Vec<_>>(),
                    "delete": deletes,
                    "clear": clear,
                    "manifest": Manifest::new(generation, &id, &root, files).with_history(history),
                    "remove": notes,
                    "previous": previous,
                });
                plan.to_string().into_bytes()
            })?;
            Ok(PackedBundle { bundle, states })
        })
        .await
    }

    /// Uploads a bundle and has it put in place. Whatever fails is in the report; then it returns false.
    pub(crate) async fn apply_in_bulk(&self, lease: &Lease<R>, id: &str, load: PackedBundle) -> bool {
        let receipt = match Box::pin(self.send_and_run(lease, id, &load)).await {
            Ok(receipt) => receipt,
            Err(error) => {
                let mut report = self.recorder.lock();
                // A lost lease is another matter: what was done until then is unknown.
                report.held = error.kind() == ErrorKind::Held && lease.guard().check().is_ok();
                report.stopped = Some(error.chain());
                return false;
            }
        };
        let applied = receipt.applied();
        if !receipt.is_ok() {
            let mut report = self.recorder.lock();
            report.untouched = applied.undone;
            let end = if applied.undone { "; everything on the host is as before" } else { "" };
            report.stopped = Some(format!("{}{end}", receipt.reason()));
            return false;
        }
        for ((path, state), upload) in load.states.into_iter().zip(&self.work.uploads) {
            if upload.sha256.is_some() && upload.sha256 != state.sha256 {
                self.recorder.warn(format!("{path} changed after the diff; it was deployed as it was when packed"));
            }
            lease.uploaded(&path, state);
            self.recorder.lock().uploaded.push(path);
        }
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
        true
    }

    async fn send_and_run(&self, lease: &Lease<R>, id: &str, load: &PackedBundle) -> Result<Receipt> {
        let (client, executor) = self.strategy.needed()?;
        let job_folder = self.job_folder(client);
        let ready = lease.guard().wait_for(executor.made_ready(&job_folder)).await.inspect_err(|error| {
            // Nothing was sent yet.
            self.recorder.lock().untouched = error.kind() == ErrorKind::Config;
        })?;
        let executor = ready.as_ref().unwrap_or(executor);
        // A runner that is still at work does without them once it moves files; before that it ends, and has changed nothing.
        let mut sent = TemporaryFiles::new(client, "a part of the bundle");
        let receipt = self.send_and_wait(lease, id, load, &job_folder, executor, &mut sent).await;
        if receipt.is_ok() {
            // The runner removed them.
            sent.is_gone();
        } else {
            sent.remove().await;
        }
        receipt
    }

    async fn send_and_wait(
        &self,
        lease: &Lease<R>,
        id: &str,
        load: &PackedBundle,
        job_folder: &JobFolder,
        executor: &Executor,
        sent: &mut TemporaryFiles,
    ) -> Result<Receipt> {
        let guard = lease.guard();
        let folder = job_folder.folder(id)?;
        for part in &load.bundle.parts {
            let place = folder.join(&part.name)?;
            sent.add(place.clone());
            self.watcher.started(&part.name, &place, part.size);
            let content = || FileContent::Path(load.bundle.file(part));
            let outcome = guard.run(|| job_folder.client.upload_from(&place, content())).await;
            let reason = outcome.as_ref().err().map(crate::Error::chain);
            self.watcher.ended(&part.name, &place, reason.as_deref());
            outcome?;
        }
        let operation = Operation::Apply {
            parts: load.bundle.parts.clone(),
            bytes: load.bundle.bytes,
            generation: self.generation(),
        };
        let job = job_folder.job(id, &self.base.remote_root, operation);
        lease.begin_manifest().await?;
        self.watcher.tell(super::progress::ProgressEvent::Working { executor: executor.name().to_owned() });
        self.recorder.lock().running = Some("bundle".to_owned());
        let receipt = guard.wait_for(executor.run(job_folder, &job, JOB_LIMIT)).await;
        self.recorder.lock().running = None;
        receipt
    }
}

fn state_of(packed: &Packed, upload: &Upload) -> FileState {
    FileState {
        sha256: Some(packed.sha256.clone()),
        size: Some(packed.size),
        mode: upload.mode,
        origin: upload.origin.clone(),
    }
}
