//! What an operation reports while its requests run: for progress displays.

use std::time::Duration;

/// Is notified of what the requests of one client do. Called on the runtime's threads; must not block.
pub trait Observer: Send + Sync {
    /// A request waits for the rate limit of `endpoint`, at most for `wait`.
    fn waiting(&self, endpoint: &str, wait: Duration) {
        let _ = (endpoint, wait);
    }

    /// The last reported wait for `endpoint` has ended.
    fn resumed(&self, endpoint: &str) {
        let _ = endpoint;
    }

    /// Part of a request's body was sent.
    fn bytes_sent(&self, path: &str, count: u64) {
        let _ = (path, count);
    }
}
