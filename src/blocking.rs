//! Work that blocks a thread, such as reading files, away from the threads that drive connections.

use crate::error::{Error, Result};

/// Runs `work` on tokio's pool for blocking work. A panic goes on in the caller.
///
/// # Errors
/// What `work` returns; `Closed` if the runtime ends before it began.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Error::Closed),
    }
}
