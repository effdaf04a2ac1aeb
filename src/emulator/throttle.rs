//! The service's rate limit: an exact log of the last 60 seconds for each bucket.
//!
//! A refused request is not logged, so a client that keeps trying is admitted as soon as the oldest request in the log
//! is 60 s old. Django REST framework's `SimpleRateThrottle` does the same. The code is independent of the client's
//! budget, so that a mistake in one of them shows.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::settings::Settings;
use crate::clock::{self, Tick};

/// The only bucket with its own limit.
const SEND_INPUT: &str = "consoles/{}/send_input/";

const WINDOW: Duration = Duration::from_secs(60);

/// The logs of all buckets.
#[derive(Debug)]
pub struct Throttle {
    limit: Option<u32>,
    send_input_limit: Option<u32>,
    per_method: bool,
    logs: Mutex<HashMap<(&'static str, String), VecDeque<Tick>>>,
}

impl Throttle {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            limit: settings.rate_limit,
            send_input_limit: settings.send_input_limit,
            per_method: settings.undocumented.bucket_per_method,
            logs: Mutex::default(),
        }
    }

    /// Admits and logs a request, or refuses it.
    ///
    /// # Errors
    /// The time until the next request can be admitted.
    pub(crate) fn admit(&self, bucket: &'static str, method: &str) -> Result<(), Duration> {
        let limit = if bucket == SEND_INPUT { self.send_input_limit } else { self.limit };
        let Some(limit) = limit else { return Ok(()) };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let method = if self.per_method { method.to_owned() } else { String::new() };
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs.entry((bucket, method)).or_default();
        // Read under the lock; otherwise times could be logged out of order.
        let now = clock::now();
        while log.front().is_some_and(|oldest| now - *oldest >= WINDOW) {
            log.pop_front();
        }
        if log.len() >= limit {
            return Err(log.front().map_or(WINDOW, |oldest| WINDOW.saturating_sub(now - *oldest)));
        }
        log.push_back(now);
        Ok(())
    }
}
