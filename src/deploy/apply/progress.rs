//! What a deploy tells while it works.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::client::{Observer, RemotePath};
use crate::locks::lock;

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields say it; paths are relative to the project, sizes in bytes")]
pub enum ProgressEvent {
    /// The plan is made; nothing was sent yet. What it costs is that of the way that is taken.
    Planned { uploads: usize, deletes: usize, bytes: u64, requests: usize, seconds: f64 },
    /// An upload starts, or waits for its turn at the rate limit.
    Started { path: String, size: u64 },
    /// Part of a file went out; `sent` begins anew when an upload is repeated.
    Bytes { path: String, sent: u64, size: u64 },
    /// A file was uploaded.
    Done { path: String },
    /// A file could not be uploaded or deleted.
    Failed { path: String, reason: String },
    /// A file or emptied folder was deleted.
    Deleted { path: String },
    /// The next request waits for the rate limit of this endpoint, at most so many seconds.
    Waiting { endpoint: String, seconds: f64 },
    /// That wait is over.
    Resumed { endpoint: String },
    /// Something on the host works for us: this executor.
    Working { executor: String },
    /// A command runs on the host.
    Running { step: String },
    /// A web app is being reloaded.
    Reloading { domain: String },
    /// It was.
    Reloaded { domain: String },
}

/// Takes events, in order, possibly from several threads. Must not block.
pub trait Progress: Send + Sync + 'static {
    /// Takes one event.
    fn event(&self, event: ProgressEvent);
}

/// Takes no interest.
impl Progress for () {
    fn event(&self, _event: ProgressEvent) {}
}

impl<F: Fn(ProgressEvent) + Send + Sync + 'static> Progress for F {
    fn event(&self, event: ProgressEvent) {
        self(event);
    }
}

/// Translates what the client tells about requests.
pub(crate) struct Watcher {
    progress: Arc<dyn Progress>,
    /// Request path to the file that is being uploaded there.
    uploads: Mutex<HashMap<String, Upload>>,
}

struct Upload {
    path: String,
    sent: u64,
    size: u64,
}

impl Watcher {
    pub(crate) fn new(progress: Arc<dyn Progress>) -> Self {
        Self { progress, uploads: Mutex::default() }
    }

    pub(crate) fn started(&self, path: &str, place: &RemotePath, size: u64) {
        let upload = Upload { path: path.to_owned(), sent: 0, size };
        self.uploads().insert(request_path(place), upload);
        self.progress.event(ProgressEvent::Started { path: path.to_owned(), size });
    }

    pub(crate) fn ended(&self, path: &str, place: &RemotePath, failure: Option<&str>) {
        self.uploads().remove(&request_path(place));
        let path = path.to_owned();
        self.progress.event(match failure {
            None => ProgressEvent::Done { path },
            Some(reason) => ProgressEvent::Failed { path, reason: reason.to_owned() },
        });
    }

    pub(crate) fn deleted(&self, path: &str) {
        self.progress.event(ProgressEvent::Deleted { path: path.to_owned() });
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<String, Upload>> {
        lock(&self.uploads)
    }

    pub(crate) fn tell(&self, event: ProgressEvent) {
        self.progress.event(event);
    }
}

fn request_path(place: &RemotePath) -> String {
    format!("files/path{}", place.quoted())
}

impl Observer for Watcher {
    fn waiting(&self, endpoint: &str, wait: Duration) {
        self.progress.event(ProgressEvent::Waiting { endpoint: endpoint.to_owned(), seconds: wait.as_secs_f64() });
    }

    fn resumed(&self, endpoint: &str) {
        self.progress.event(ProgressEvent::Resumed { endpoint: endpoint.to_owned() });
    }

    fn bytes_sent(&self, path: &str, count: u64) {
        let event = {
            let mut uploads = self.uploads();
            let Some(upload) = uploads.get_mut(path.trim_start_matches('/')) else { return };
            // More than there is: the upload is being repeated.
            upload.sent = if upload.sent + count > upload.size { count } else { upload.sent + count };
            ProgressEvent::Bytes { path: upload.path.clone(), sent: upload.sent, size: upload.size }
        };
        self.progress.event(event);
    }
}
