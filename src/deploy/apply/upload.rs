//! Uploads: many at a time, each file read once and hashed as it is sent.

use std::io::Read;
use std::path::Path;
use std::slice::Iter;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::progress::Watcher;
use super::report::Recorder;
use crate::blocking::blocking;
use crate::client::RemotePath;
use crate::deploy::plan::planner::CHECKPOINT_FILES;
use crate::deploy::plan::sources::Upload;
use crate::deploy::remote::Remote;
use crate::deploy::selection::open::{OpenError, open_selected};
use crate::deploy::state::lease::{Lease, LeaseGuard};
use crate::deploy::state::manifest::FileState;
use crate::error::{Error, ErrorKind, Result};

/// How many uploads go on at a time; the rate budget limits further.
const CONCURRENCY: usize = 16;

/// How much content of files is held in memory at a time, in KiB: one file of the largest size always fits.
const MEMORY: u32 = 128 * 1024;

/// Carries out uploads.
pub(crate) struct Uploader<'a, R> {
    pub remote: &'a R,
    pub root: &'a RemotePath,
    pub local_root: &'a Arc<Path>,
    /// How large a file may be, in bytes.
    pub max_size: u64,
    pub lease: &'a Lease<R>,
    pub recorder: &'a Recorder,
    pub watcher: &'a Arc<Watcher>,
    pub concurrency: usize,
}

type Outcome = (Upload, Result<FileState>);

impl<R: Remote> Uploader<'_, R> {
    /// Uploads all; what fails is in the report. One failure that would meet every other file as well (no network, no
    /// permission) ends it.
    pub(crate) async fn run(&self, uploads: &[Upload]) {
        let memory = Arc::new(Semaphore::new(MEMORY as usize));
        let mut running = JoinSet::new();
        let mut waiting = uploads.iter();
        let mut hopeless: Option<String> = None;
        let mut since_checkpoint = 0;
        loop {
            if hopeless.is_none() {
                hopeless = self.fill(&mut running, &mut waiting, &memory);
            }
            let Some(ended) = running.join_next().await else { break };
            let (upload, outcome) = match ended {
                Ok(outcome) => outcome,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => continue,
            };
            if let Some(why) = self.note(&upload, outcome) {
                hopeless.get_or_insert(why);
            }
            since_checkpoint += 1;
            if since_checkpoint == CHECKPOINT_FILES && waiting.len() + running.len() > 0 {
                since_checkpoint = 0;
                self.lease.checkpoint();
            }
        }
        if let Some(why) = hopeless {
            for upload in waiting {
                self.recorder.fail(&upload.path, format!("not sent, because of an earlier failure ({why})"));
            }
        }
    }

    /// Starts uploads until as many go on as may; returns why no more of them should be, if there is a reason.
    fn fill(
        &self,
        running: &mut JoinSet<Outcome>,
        waiting: &mut Iter<Upload>,
        memory: &Arc<Semaphore>,
    ) -> Option<String> {
        let concurrency = if self.concurrency == 0 { CONCURRENCY } else { self.concurrency };
        while running.len() < concurrency {
            if let Err(error) = self.lease.guard().check() {
                return Some(error.chain());
            }
            let upload = waiting.next()?;
            match self.root.join(&upload.path) {
                Ok(place) => self.start(running, upload.clone(), place, memory),
                Err(error) => self.recorder.fail(&upload.path, error.chain()),
            }
        }
        None
    }

    fn start(&self, running: &mut JoinSet<Outcome>, upload: Upload, place: RemotePath, memory: &Arc<Semaphore>) {
        let (remote, memory, watcher) = (self.remote.clone(), Arc::clone(memory), Arc::clone(self.watcher));
        let (guard, local_root, max_size) = (self.lease.guard(), Arc::clone(self.local_root), self.max_size);
        running.spawn(async move {
            let path = upload.local.clone();
            let read = move || read(&local_root, &path, max_size);
            let outcome = send(&remote, &guard, &upload, &place, &memory, &watcher, read).await;
            let reason = outcome.as_ref().err().map(Error::chain);
            watcher.ended(&upload.path, &place, reason.as_deref());
            (upload, outcome)
        });
    }

    /// Takes down what became of an upload; returns why there is no use in going on, if there is none.
    fn note(&self, upload: &Upload, outcome: Result<FileState>) -> Option<String> {
        match outcome {
            Ok(state) => {
                if upload.sha256.is_some() && upload.sha256 != state.sha256 {
                    self.recorder
                        .warn(format!("{} changed after the diff; it was deployed as it was when sent", upload.path));
                }
                self.lease.uploaded(&upload.path, state);
                self.recorder.lock().uploaded.push(upload.path.clone());
                None
            }
            Err(error) => {
                self.recorder.fail(&upload.path, error.chain());
                is_hopeless(&error).then(|| error.chain())
            }
        }
    }
}

/// Whether the next file would fail as well.
fn is_hopeless(error: &Error) -> bool {
    use ErrorKind::{Authentication, Closed, Held, RateLimited};
    error.is_ambiguous() || matches!(error.kind(), Authentication | RateLimited | Closed | Held)
}

async fn send<R: Remote>(
    remote: &R,
    guard: &LeaseGuard<R>,
    upload: &Upload,
    place: &RemotePath,
    memory: &Semaphore,
    watcher: &Watcher,
    read: impl FnOnce() -> Result<(Bytes, FileState)> + Send + 'static,
) -> Result<FileState> {
    let share = u32::try_from(upload.size / 1024 + 1).unwrap_or(MEMORY).min(MEMORY);
    let _share = memory.acquire_many(share).await.map_err(|_| Error::Closed)?;
    watcher.started(&upload.path, place, upload.size);
    let (content, mut state) = blocking(read).await?;
    state.mode = upload.mode;
    state.origin.clone_from(&upload.origin);
    guard.run(|| remote.write(place, content.clone())).await?;
    Ok(state)
}

/// The bytes that are sent, and what the manifest will say of them.
fn read(root: &Path, path: &Path, max_size: u64) -> Result<(Bytes, FileState)> {
    let content = read_selected(root, path, max_size)?;
    let (sha256, size) = (Some(crate::digest::sha256(&content)), Some(content.len() as u64));
    Ok((content.into(), FileState { sha256, size, ..FileState::default() }))
}

/// The content of a file that was selected, as long as it still is what was selected: a regular file below the project, no
/// larger than allowed. What took its place is refused without waiting for anything.
pub(crate) fn read_selected(root: &Path, path: &Path, max_size: u64) -> Result<Vec<u8>> {
    let refused = |error: OpenError| error.into_error(path);
    let opened = open_selected(root, path, max_size).map_err(refused)?;
    let size = usize::try_from(opened.metadata.len()).unwrap_or_default();
    let mut content = Vec::with_capacity(size);
    // It may grow while it is read.
    opened.file.take(max_size.saturating_add(1)).read_to_end(&mut content).map_err(|error| refused(error.into()))?;
    if content.len() as u64 > max_size {
        return Err(refused(OpenError::TooLarge(content.len() as u64)));
    }
    Ok(content)
}
