//! What is still due after an operation was cut off: a task on the host that must not stay there.
//!
//! Dropping a future ends it at once, and nothing can be awaited while it is dropped. So whatever has to be undone on the
//! host is left here as a future of its own, and those who interrupt operations (the command line, the bindings) give it
//! a little time before they go. Where they cannot, a mark on the host says what is left over.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

type Pending = Pin<Box<dyn Future<Output = ()> + Send>>;

static PENDING: Mutex<Vec<Pending>> = Mutex::new(Vec::new());

/// Leaves something to be done.
pub(crate) fn defer(due: impl Future<Output = ()> + Send + 'static) {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(due));
}

/// Does what is due, for at most so long; returns at once if nothing is.
pub(crate) async fn run_pending(within: Duration) {
    let due = std::mem::take(&mut *PENDING.lock().unwrap_or_else(PoisonError::into_inner));
    if !due.is_empty() && tokio::time::timeout(within, join_all(due)).await.is_err() {
        log::warn!(
            "what an interrupted command left on the host could not be removed in time; the next one will do it"
        );
    }
}
