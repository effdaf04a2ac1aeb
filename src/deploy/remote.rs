//! The remote side: what a deploy asks of the service, and the complete listing of a project.
//!
//! [`Remote`] is a trait so that the protocol can be tried against a model of the service in every interleaving and cut
//! off at every request. [`Client`] is the one that counts.

use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::api::{Entry, Reloaded, if_there};
use crate::client::{Client, Observer, RateLimit, RemotePath, endpoint_of};
use crate::error::{ErrorKind, Result};

/// The longest file that is read as a whole: more than a manifest of a million files has, in bytes. Whoever can write to
/// the account can write notes and manifests.
const MOST_BYTES: usize = 256 << 20;

/// What a deploy asks of the service. The methods are those of [`Client`].
#[allow(missing_docs, reason = "the methods are documented where they are written, on `Client`")]
pub trait Remote: Clone + Send + Sync + 'static {
    /// The host with its port: the same names on another one are another project.
    fn host(&self) -> &str;
    fn user(&self) -> &str;
    fn list(&self, path: &RemotePath) -> impl Future<Output = Result<Vec<Entry>>> + Send;
    /// What the service's hint of a tree shows below a folder, with absolute paths; those of folders end with a slash.
    fn tree(&self, path: &RemotePath) -> impl Future<Output = Result<Vec<String>>> + Send;
    fn read(&self, path: &RemotePath) -> impl Future<Output = Result<Bytes>> + Send;
    /// The first bytes of a file, fewer if it is shorter.
    fn read_head(&self, path: &RemotePath, bytes: usize) -> impl Future<Output = Result<Bytes>> + Send;
    fn write(&self, path: &RemotePath, content: Bytes) -> impl Future<Output = Result<()>> + Send;
    fn delete(&self, path: &RemotePath) -> impl Future<Output = Result<()>> + Send;
    fn reload(&self, domain: &str) -> impl Future<Output = Result<Reloaded>> + Send;
    /// Asks for a web app's configuration: does the service answer for it?
    fn ask(&self, domain: &str) -> impl Future<Output = Result<()>> + Send;
    fn server_time(&self) -> Option<SystemTime>;
    /// A clone that tells `observer` what it does and counts its requests from 0.
    #[must_use]
    fn observed(&self, observer: Arc<dyn Observer>) -> Self;
    fn requests_sent(&self) -> u64;
    /// How many requests a minute the files' endpoint takes; `None` without a limit.
    fn limit(&self) -> Option<u32>;
    /// The client, for what goes beyond files; a model of the service has none.
    fn as_client(&self) -> Option<&Client> {
        None
    }
}

impl Remote for Client {
    fn host(&self) -> &str {
        Self::host(self).authority()
    }

    fn user(&self) -> &str {
        Self::user(self)
    }

    fn list(&self, path: &RemotePath) -> impl Future<Output = Result<Vec<Entry>>> + Send {
        self.list_dir(path)
    }

    fn tree(&self, path: &RemotePath) -> impl Future<Output = Result<Vec<String>>> + Send {
        Self::tree(self, path)
    }

    fn read(&self, path: &RemotePath) -> impl Future<Output = Result<Bytes>> + Send {
        self.read_file_at_most(path, MOST_BYTES)
    }

    fn read_head(&self, path: &RemotePath, bytes: usize) -> impl Future<Output = Result<Bytes>> + Send {
        Self::read_head(self, path, bytes)
    }

    async fn write(&self, path: &RemotePath, content: Bytes) -> Result<()> {
        self.upload_file(path, content).await?;
        Ok(())
    }

    fn delete(&self, path: &RemotePath) -> impl Future<Output = Result<()>> + Send {
        self.delete_path(path)
    }

    fn reload(&self, domain: &str) -> impl Future<Output = Result<Reloaded>> + Send {
        self.reload_webapp(domain)
    }

    async fn ask(&self, domain: &str) -> Result<()> {
        self.webapp(domain).await?;
        Ok(())
    }

    fn server_time(&self) -> Option<SystemTime> {
        Self::server_time(self)
    }

    fn observed(&self, observer: Arc<dyn Observer>) -> Self {
        self.with_observer(observer)
    }

    fn requests_sent(&self) -> u64 {
        Self::requests_sent(self)
    }

    fn limit(&self) -> Option<u32> {
        match self.options().rate_limit {
            RateLimit::Off => None,
            RateLimit::PerMinute(limit) => Some(limit),
            RateLimit::Default => Some(endpoint_of("files/path/").limit),
        }
    }

    fn as_client(&self) -> Option<&Client> {
        Some(self)
    }
}

/// Deletes what may be gone already.
pub(crate) async fn delete_if_there<R: Remote>(remote: &R, path: &RemotePath) -> Result<()> {
    if_there(remote.delete(path).await).map(drop)
}

/// Lists a folder; `None` if there is none.
pub(crate) async fn list_if_there<R: Remote>(remote: &R, path: &RemotePath) -> Result<Option<Vec<Entry>>> {
    if_there(remote.list(path).await)
}

/// Lists a folder; nothing is in one that is gone, or where a file is by now.
pub(crate) async fn list_if_folder<R: Remote>(remote: &R, path: &RemotePath) -> Result<Vec<Entry>> {
    match list_if_there(remote, path).await {
        Err(error) if error.kind() == ErrorKind::WrongType => Ok(Vec::new()),
        listed => listed.map(Option::unwrap_or_default),
    }
}
