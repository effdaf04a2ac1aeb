//! Requests that a fault holds until a test releases them.
//!
//! This lets a test decide which of two clients goes first, request by request, without sleeping.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::locks::lock;

/// A request that a fault holds.
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

/// All held requests.
#[derive(Debug, Default)]
pub struct HeldRequests {
    held: Mutex<BTreeMap<u64, (HeldRequest, oneshot::Sender<()>)>>,
    more: Condvar,
}

impl HeldRequests {
    /// Holds a request until it is released.
    pub(crate) async fn hold(&self, request: HeldRequest) {
        let (sender, released) = oneshot::channel();
        let _forget = ForgetOnDrop { requests: self, number: request.number };
        self.lock().insert(request.number, (request, sender));
        self.more.notify_all();
        // An error means that all requests were released at once.
        let _ = released.await;
    }

    /// The held requests, oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<HeldRequest> {
        self.lock().values().map(|(request, _)| request.clone()).collect()
    }

    /// Releases a request; false if no request with this number is held.
    pub fn release(&self, number: u64) -> bool {
        self.lock().remove(&number).is_some_and(|(_, sender)| sender.send(()).is_ok())
    }

    /// Releases all requests.
    pub fn release_all(&self) {
        self.lock().clear();
    }

    /// Blocks until at least `count` requests are held; false if that takes longer than `timeout` of real time.
    #[must_use]
    pub fn wait_held(&self, count: usize, timeout: Duration) -> bool {
        let waited = self.more.wait_timeout_while(self.lock(), timeout, |held| held.len() < count);
        waited.unwrap_or_else(PoisonError::into_inner).0.len() >= count
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (HeldRequest, oneshot::Sender<()>)>> {
        lock(&self.held)
    }
}

/// Forgets a request when its client disconnects.
struct ForgetOnDrop<'a> {
    requests: &'a HeldRequests,
    number: u64,
}

impl Drop for ForgetOnDrop<'_> {
    fn drop(&mut self) {
        self.requests.lock().remove(&self.number);
    }
}
