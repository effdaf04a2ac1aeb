//! The service's rate limit: an exact log of the last 60 seconds for each bucket.
//!
//! A refused request is not logged, so a client that keeps trying is admitted as soon as the oldest request in the log
//! is 60 s old. Django REST framework's `SimpleRateThrottle` does the same. The code is independent of the client's
//! budget, so that a mistake in one of them shows.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use super::settings::Settings;
use crate::clock::{self, Tick};
use crate::locks::lock;

/// The only bucket with its own limit.
const SEND_INPUT: &str = "consoles/{}/send_input/";

const WINDOW: Duration = Duration::from_secs(60);

/// What a bucket has admitted in the last minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUse {
    /// Its name, as in `webapps/{}/reload/`.
    pub endpoint: &'static str,
    /// The method that has this bucket for itself; empty if all methods share it.
    pub method: String,
    /// How many requests it admits in a minute.
    pub limit: u32,
    /// When it admitted those that still count, oldest first.
    pub admitted: Vec<Tick>,
}

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
        let Some(limit) = self.limit_of(bucket) else { return Ok(()) };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let method = if self.per_method { method.to_owned() } else { String::new() };
        let mut logs = lock(&self.logs);
        let log = logs.entry((bucket, method)).or_default();
        // Read under the lock; otherwise times could be logged out of order.
        let now = clock::now();
        forget_old(log, now);
        if log.len() >= limit {
            return Err(log.front().map_or(WINDOW, |oldest| WINDOW.saturating_sub(now - *oldest)));
        }
        log.push_back(now);
        Ok(())
    }

    /// The buckets that admitted something in the last minute, by name.
    pub(crate) fn usage(&self) -> Vec<BucketUse> {
        let mut logs = lock(&self.logs);
        let now = clock::now();
        let mut used: Vec<BucketUse> = logs
            .iter_mut()
            .filter_map(|((endpoint, method), log)| {
                forget_old(log, now);
                let admitted: Vec<Tick> = log.iter().copied().collect();
                let limit = self.limit_of(endpoint).filter(|_| !admitted.is_empty())?;
                Some(BucketUse { endpoint, method: method.clone(), limit, admitted })
            })
            .collect();
        used.sort_unstable_by(|left, right| (left.endpoint, &left.method).cmp(&(right.endpoint, &right.method)));
        used
    }

    fn limit_of(&self, bucket: &str) -> Option<u32> {
        if bucket == SEND_INPUT { self.send_input_limit } else { self.limit }
    }
}

fn forget_old(log: &mut VecDeque<Tick>, now: Tick) {
    while log.front().is_some_and(|oldest| now - *oldest >= WINDOW) {
        log.pop_front();
    }
}
