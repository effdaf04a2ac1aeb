//! What is still due after an operation was cut off: a task on the host that must not stay there.
//!
//! Dropping a future ends it at once, and nothing can be awaited while it is dropped. So whatever has to be undone on the
//! host is left here as a future of its own, and those who interrupt operations (the command line, the bindings) give it
//! a little time before they go. Where they cannot, a mark on the host says what is left over.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

type Due = Pin<Box<dyn Future<Output = ()> + Send>>;

static DUE: Mutex<Vec<Due>> = Mutex::new(Vec::new());

/// Leaves something to be done.
pub(crate) fn owe(due: impl Future<Output = ()> + Send + 'static) {
    DUE.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(due));
}

/// Does what is due, for at most so long; returns at once if nothing is. One after the other, as it was left: a note on
/// the host goes after the task that it tells of.
pub(crate) async fn settle(within: Duration) {
    let due = std::mem::take(&mut *DUE.lock().unwrap_or_else(PoisonError::into_inner));
    let all = async {
        for one in due {
            one.await;
        }
    };
    if tokio::time::timeout(within, all).await.is_err() {
        log::warn!(
            "what an interrupted command left on the host could not be removed in time; the next one will do it"
        );
    }
}
