//! Files one by one: one request for each, the manifest after all uploads, the deletes last.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::context::Run;
use super::delete::Remover;
use super::upload::Uploader;
use crate::deploy::paths::is_within;
use crate::deploy::plan::sources::Upload;
use crate::deploy::remote::Remote;
use crate::deploy::state::lease::{Lease, LeaseGuard};
use crate::deploy::state::manifest::{Files, Manifest};
use crate::error::Result;

impl<R: Remote> Run<'_, R> {
    pub(super) async fn apply_singly(&self, lease: &Lease<R>, id: &str) -> bool {
        self.upload(lease).await;
        if !self.is_flawless() {
            return false;
        }
        let files = self.files_after(&lease.intent().done);
        if let Err(error) = self.write_manifest(lease, id, &files).await {
            self.recorder.lock().stopped = Some(error.chain());
            return false;
        }
        true
    }

    async fn upload(&self, lease: &Lease<R>) {
        let (kept, guard) = (Files::new(), lease.guard());
        let remover = self.remover(&kept, &guard);
        let mut uploads = self.work.uploads.clone();
        for obstacle in &self.work.obstacles {
            // Nothing is deleted after an error.
            if !self.is_flawless() {
                self.recorder
                    .fail(&obstacle.path, "not removed although it is in the way, because of an earlier failure");
            } else if remover.clear(obstacle).await {
                continue;
            }
            self.leave_out_hindered(&mut uploads, &obstacle.path);
        }
        let (root, remote, recorder, watcher) = (&self.base.remote_root, self.remote, self.recorder, self.watcher);
        let concurrency = self.options.concurrency;
        let (local_root, max_size) = (&Arc::from(self.base.local_root.as_path()), self.base.max_file_size);
        Uploader { remote, root, local_root, max_size, lease, recorder, watcher, concurrency }.run(&uploads).await;
    }

    /// Leaves out the uploads that `obstacle` is in the way of.
    fn leave_out_hindered(&self, uploads: &mut Vec<Upload>, obstacle: &str) {
        let hindered = uploads.extract_if(.., |upload| is_within(obstacle, &upload.path));
        for upload in hindered.filter(|upload| upload.path != obstacle) {
            self.recorder.fail(&upload.path, format!("not sent: {obstacle} is in the way"));
        }
    }

    async fn write_manifest(&self, lease: &Lease<R>, id: &str, files: &Files) -> Result<()> {
        let generation = self.generation();
        let known = &self.base.known;
        let is_same = *files == known.ours && known.pending.is_empty() && known.done.is_empty();
        // What changed no file is no other deploy: the one before it can still be rolled back.
        let id = self.base.deploy.as_deref().filter(|_| is_same).unwrap_or(id);
        let history = self.history(&lease.intent(), Some(self.recorder.seconds()));
        let mut manifest = Manifest::new(generation, id, &self.base.remote_root, files.clone()).with_history(history);
        manifest.kept.clone_from(&self.base.kept);
        let place = self.folder.manifest(generation)?;
        lease.begin_manifest().await?;
        let text = Bytes::from(manifest.to_text());
        lease.guard().run(|| self.remote.write(&place, text.clone())).await?;
        lease.manifest_written();
        Ok(())
    }

    fn remover<'a>(&'a self, kept: &'a Files, guard: &'a LeaseGuard<R>) -> Remover<'a, R> {
        let (remote, recorder, watcher) = (self.remote, self.recorder, self.watcher);
        Remover { remote, root: &self.base.remote_root, recorder, watcher, kept, guard }
    }

    pub(super) async fn delete(&self, lease: &Lease<R>, kept: &Files) -> bool {
        let guard = lease.guard();
        let remover = self.remover(kept, &guard);
        // The deepest first: a folder may be emptied by the loss of one below it.
        let mut left: BTreeSet<&str> = self.work.deletes.keys().map(String::as_str).collect();
        for (folder, paths) in self.work.deletes.iter().rev() {
            left.remove(folder.as_str());
            let gone = |path: &str| {
                lease.intent().deletes.remove(path);
            };
            if !remover.delete_from(folder, paths, &left, gone).await {
                return false;
            }
        }
        true
    }
}
