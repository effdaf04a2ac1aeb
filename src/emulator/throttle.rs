//! The rate limit as the service keeps it: an exact log of the last 60 seconds for each endpoint.
//!
//! A request that is refused leaves no trace, so a client that keeps knocking is let in as soon as the oldest request
//! of its log turns 60 s old (Django REST framework's `SimpleRateThrottle` does the same). This is written without a
//! look at the client's budget.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::settings::Settings;
use crate::clock::{self, Tick};

/// The one bucket with a limit of its own.
const SEND_INPUT: &str = "consoles/{}/send_input/";

const WINDOW: Duration = Duration::from_secs(60);

/// The logs of all endpoints.
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

    /// Lets a request in and stamps it, or says how long until the next one will be let in.
    ///
    /// # Errors
    /// The time until a request will be let in.
    pub(crate) fn admit(&self, bucket: &'static str, method: &str) -> Result<(), Duration> {
        let limit = if bucket == SEND_INPUT { self.send_input_limit } else { self.limit };
        let Some(limit) = limit else { return Ok(()) };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let method = if self.per_method { method.to_owned() } else { String::new() };
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let log = logs.entry((bucket, method)).or_default();
        // Read under the lock, or stamps could be logged out of order.
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
