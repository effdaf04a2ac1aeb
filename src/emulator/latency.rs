//! The time that is added to each response, of the service and of the sites. It can be changed while the emulator runs.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::clock;

/// How long each response is delayed, measured by the emulator's clock.
#[derive(Debug)]
pub struct Latency(RwLock<Duration>);

impl Latency {
    /// A latency to begin with.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self(RwLock::new(delay))
    }

    /// The delay.
    #[must_use]
    pub fn get(&self) -> Duration {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the delay of requests that come from now on.
    pub fn set(&self, delay: Duration) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// Waits for that long.
    pub(crate) async fn pass(&self) {
        let delay = self.get();
        if !delay.is_zero() {
            clock::sleep(delay).await;
        }
    }
}
