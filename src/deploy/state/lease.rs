//! Keeps a deploy's intent on the host true and fresh while the deploy works.
//!
//! A single task writes it: of two concurrent writes the older one could win. It writes every 3 minutes, and when
//! a checkpoint is asked for. If it cannot, or the host's clock shows that the intent has expired (a laptop slept), the
//! deploy has lost its right to go on and must send nothing more: another deploy may have taken over. So everything that
//! changes the host goes through its [`LeaseGuard`], which also ends what the client would go on repeating.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::intent::{Active, EXPIRY, Intent};
use super::manifest::FileState;
use crate::client::RemotePath;
use crate::clock::{self, Tick};
use crate::deploy::remote::{Remote, delete_if_there};
use crate::error::{Error, Result};

/// How often the intent is written anew.
const REFRESH: Duration = Duration::from_secs(3 * 60);

/// How long to wait after a write that failed.
const RETRY: Duration = Duration::from_secs(20);

/// Nothing is sent later than this after the intent was written; what was sent has the rest of its time to arrive.
const FRESH: Duration = EXPIRY.saturating_sub(Duration::from_secs(2 * 60));

/// How often a request under way is looked at: shorter than the pause before a repetition.
const LOOK: Duration = Duration::from_millis(200);

/// An intent on the host, for as long as the deploy works. Dropped, it stays on the host and is refreshed no more.
pub(crate) struct Lease<R> {
    shared: Arc<Shared<R>>,
    task: Option<JoinHandle<()>>,
    _active: Active,
}

struct Shared<R> {
    remote: R,
    place: RemotePath,
    intent: Mutex<Intent>,
    written: Mutex<Written>,
    wake: Notify,
    stop: AtomicBool,
}

/// When the intent was written last: when the request was made, by each clock there is.
#[derive(Debug, Clone, Copy)]
struct Written {
    at: Tick,
    /// The clock above stands still while a laptop sleeps; this one may be set.
    local: SystemTime,
    server: Option<SystemTime>,
}

impl Written {
    fn now<R: Remote>(remote: &R) -> Self {
        Self { at: clock::now(), local: SystemTime::now(), server: remote.server_time() }
    }

    fn is_fresh<R: Remote>(&self, remote: &R) -> bool {
        let by_server = match (self.server, remote.server_time()) {
            (Some(then), Some(now)) => now.duration_since(then).unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let by_local = self.local.elapsed().unwrap_or_default();
        (clock::now() - self.at).max(by_server).max(by_local) < FRESH
    }
}

impl<R: Remote> Lease<R> {
    /// Writes the intent. If that fails, it may be there all the same: then it says truly that a deploy was cut off.
    pub(crate) async fn write(remote: &R, place: RemotePath, intent: Intent) -> Result<Self> {
        let active = Active::new(&intent.id);
        let written = Written::now(remote);
        if let Err(error) = remote.write(&place, intent.to_text().into()).await {
            // Nothing was done yet, so the intent is worth nothing: try to take it back.
            if let Err(second) = delete_if_there(remote, &place).await {
                log::warn!("{place} could not be removed and will expire: {}", second.chain());
            }
            return Err(error);
        }
        let shared = Shared {
            remote: remote.clone(),
            place,
            intent: Mutex::new(intent),
            written: Mutex::new(written),
            wake: Notify::new(),
            stop: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared), task: None, _active: active })
    }

    /// Starts to keep it fresh, at once if it went out before the service's clock was known: without an expiry it would
    /// keep everybody out for good if we died.
    pub(crate) fn start(&mut self) {
        if self.shared.written().server.is_none() && self.shared.remote.server_time().is_some() {
            self.checkpoint();
        }
        self.task = Some(tokio::spawn(Arc::clone(&self.shared).keep_fresh()));
    }

    /// The intent as it is known here; written at the next checkpoint.
    pub(crate) fn intent(&self) -> MutexGuard<'_, Intent> {
        self.shared.intent()
    }

    /// Notes an upload.
    pub(crate) fn uploaded(&self, path: &str, state: FileState) {
        let mut intent = self.intent();
        intent.pending.remove(path);
        intent.done.insert(path.to_owned(), state);
    }

    /// Has the intent written soon.
    pub(crate) fn checkpoint(&self) {
        self.shared.wake.notify_one();
    }

    /// The right to change what the intent names.
    pub(crate) fn guard(&self) -> LeaseGuard<R> {
        LeaseGuard(Arc::clone(&self.shared))
    }

    /// Removes the intent: nothing is owed.
    pub(crate) async fn remove(mut self) -> Result<()> {
        self.stop().await;
        delete_if_there(&self.shared.remote, &self.shared.place).await
    }

    /// Leaves the intent on the host as a note of what is owed.
    pub(crate) async fn leave(mut self) -> Result<()> {
        self.stop().await;
        let text = {
            let mut intent = self.intent();
            intent.ended = true;
            intent.to_text()
        };
        // Somebody else's turn: what the host has of this intent is old, but true.
        self.guard().run(self.shared.remote.write(&self.shared.place, text.into())).await
    }

    /// Lets the task end what it is writing, so that nothing of it arrives later.
    async fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.wake.notify_one();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// The right to change the host, which ends when the intent may have expired.
pub(crate) struct LeaseGuard<R>(Arc<Shared<R>>);

impl<R> Clone for LeaseGuard<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Remote> LeaseGuard<R> {
    /// Fails once the intent may have expired.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.is_fresh() {
            return Ok(());
        }
        Err(Error::held(
            "this deploy was out of touch with the host for so long that another may have taken over: make a new diff",
        ))
    }

    /// Runs what changes the host, and gives it up once the intent may have expired: it may be a repetition by then.
    pub(crate) async fn run<T>(&self, change: impl Future<Output = Result<T>>) -> Result<T> {
        self.check()?;
        let lost = async {
            while self.0.is_fresh() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            biased;
            outcome = change => outcome,
            () = lost => self.check().and(Err(Error::Closed)),
        }
    }
}

impl<R> Drop for Lease<R> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl<R> Shared<R> {
    fn intent(&self) -> MutexGuard<'_, Intent> {
        self.intent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self) -> Written {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Remote> Shared<R> {
    fn is_fresh(&self) -> bool {
        self.written().is_fresh(&self.remote)
    }

    async fn keep_fresh(self: Arc<Self>) {
        let mut due = self.written().at + REFRESH;
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = clock::sleep_until(due) => {}
            }
            if self.stop.load(Ordering::SeqCst) || !self.is_fresh() {
                return;
            }
            due = match self.refresh().await {
                Ok(()) => self.written().at + REFRESH,
                Err(error) => {
                    log::warn!("{} could not be refreshed: {}", self.place, error.chain());
                    clock::now() + RETRY
                }
            };
        }
    }

    async fn refresh(self: &Arc<Self>) -> Result<()> {
        let written = Written::now(&self.remote);
        let text = {
            let mut intent = self.intent();
            intent.refresh(written.server);
            intent.to_text()
        };
        // Given up in time, so that an old note never replaces what a successor made of it.
        let shared = Arc::clone(self);
        LeaseGuard(shared).run(self.remote.write(&self.place, text.into())).await?;
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = written;
        Ok(())
    }
}
