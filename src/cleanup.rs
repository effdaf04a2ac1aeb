//! Cleanup after an operation was interrupted, such as ending a command on the host, or removing a task that must not stay
//! there.
//!
//! Dropping a future ends it at once, and nothing can be awaited while it is dropped. So work that has to be undone on
//! the host is deferred here as a future of its own, and the callers that interrupt operations (the command line, the
//! bindings) run it for a short time before they return. If they cannot, a note on the host says what is left.

use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use crate::locks::lock;

type Pending = Pin<Box<dyn Future<Output = ()> + Send>>;

static PENDING: Mutex<Vec<Pending>> = Mutex::new(Vec::new());

/// Defers a cleanup until [`run_pending`] is called.
pub(crate) fn defer(due: impl Future<Output = ()> + Send + 'static) {
    lock(&PENDING).push(Box::pin(due));
}

/// Whether any cleanup is deferred.
pub(crate) fn is_due() -> bool {
    !lock(&PENDING).is_empty()
}

/// Runs the deferred cleanups, for at most `within`; returns at once if there are none. They run one after another, in
/// the order in which they were deferred: a note on the host goes after the task that it names.
pub(crate) async fn run_pending(within: Duration) {
    let due = std::mem::take(&mut *lock(&PENDING));
    let all = async {
        for cleanup in due {
            cleanup.await;
        }
    };
    if tokio::time::timeout(within, all).await.is_err() {
        log::warn!(
            "what an interrupted command left on the host could not be removed in time; the next command will remove it"
        );
    }
}
