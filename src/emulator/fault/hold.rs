//! Requests that a fault holds back until a test lets them go.
//!
//! With them a test decides which of two clients goes first, request by request, without a single sleep.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRequest {
    /// Its number in the request log.
    pub number: u64,
    /// HTTP method.
    pub method: String,
    /// Decoded path.
    pub path: String,
    /// The `User-Agent` header, to tell clients apart.
    pub user_agent: String,
}

/// All requests that wait.
#[derive(Debug, Default)]
pub struct HeldRequests {
    held: Mutex<BTreeMap<u64, (HeldRequest, oneshot::Sender<()>)>>,
    more: Condvar,
}

impl HeldRequests {
    /// Waits until the request is released.
    pub(crate) async fn hold(&self, request: HeldRequest) {
        let (sender, released) = oneshot::channel();
        let _forget = ForgetOnDrop { requests: self, number: request.number };
        self.lock().insert(request.number, (request, sender));
        self.more.notify_all();
        // An error means that the requests were cleared: that releases, too.
        let _ = released.await;
    }

    /// The requests that wait, oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<HeldRequest> {
        self.lock().values().map(|(request, _)| request.clone()).collect()
    }

    /// Lets a request go; false if none of this number waits.
    pub fn release(&self, number: u64) -> bool {
        self.lock().remove(&number).is_some_and(|(_, sender)| sender.send(()).is_ok())
    }

    /// Lets all requests go.
    pub fn release_all(&self) {
        self.lock().clear();
    }

    /// Blocks until at least `count` requests wait; false if they don't within `timeout` of real time.
    #[must_use]
    pub fn wait_held(&self, count: usize, timeout: Duration) -> bool {
        let waited = self.more.wait_timeout_while(self.lock(), timeout, |held| held.len() < count);
        waited.unwrap_or_else(PoisonError::into_inner).0.len() >= count
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (HeldRequest, oneshot::Sender<()>)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a request whose client went away.
struct ForgetOnDrop<'a> {
    requests: &'a HeldRequests,
    number: u64,
}

impl Drop for ForgetOnDrop<'_> {
    fn drop(&mut self) {
        self.requests.lock().remove(&self.number);
    }
}
