//! Every request that the emulator received, for tests that count them.
//!
//! A request is logged as soon as its head has been read, so a request that never gets a response is logged, too.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use crate::clock::{self, Tick};
use crate::locks::lock;

/// Older requests are dropped, so that an emulator that runs for days does not keep growing.
const KEPT: usize = 100_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Counts from 1, over the emulator's life.
    pub number: u64,
    /// HTTP method.
    pub method: String,
    /// The path, percent-decoded; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// The path as it was sent.
    pub raw_path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The rate bucket, as in `webapps/{}/reload/`; `None` outside the API.
    pub endpoint: Option<&'static str>,
    /// The response's status; `None` until there is one, and if there never is.
    pub status: Option<u16>,
    /// When its head had been read.
    pub started: Tick,
    /// When the response began, or the request was abandoned.
    pub finished: Option<Tick>,
    /// Bytes of the body that were read before the response began.
    pub bytes_in: u64,
    /// Bytes of the response's body.
    pub bytes_out: u64,
    /// The kinds of the faults that were applied to it.
    pub faults: Vec<&'static str>,
}

#[cfg(test)]
impl LoggedRequest {
    /// A request that has just begun, for tests.
    pub(crate) fn example() -> Self {
        Self {
            number: 0,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            raw_path: "/".to_owned(),
            query: String::new(),
            user_agent: String::new(),
            endpoint: None,
            status: None,
            started: clock::now(),
            finished: None,
            bytes_in: 0,
            bytes_out: 0,
            faults: Vec::new(),
        }
    }
}

/// All requests.
#[derive(Debug, Default)]
pub struct RequestLog {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    last_number: u64,
    requests: VecDeque<LoggedRequest>,
}

impl Entries {
    /// The request with a number, unless it was dropped.
    fn find(&mut self, number: u64) -> Option<&mut LoggedRequest> {
        // Numbers are consecutive, so the first one gives the position of the others.
        let first = self.requests.front()?.number;
        self.requests.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }
}

impl RequestLog {
    /// Logs a request, and returns the number that it gives it.
    pub(crate) fn begin(&self, mut request: LoggedRequest) -> u64 {
        let mut entries = self.lock();
        entries.last_number += 1;
        request.number = entries.last_number;
        if entries.requests.len() == KEPT {
            entries.requests.pop_front();
        }
        entries.requests.push_back(request);
        entries.last_number
    }

    /// Logs which faults a request meets.
    pub(crate) fn spoil(&self, number: u64, faults: Vec<&'static str>) {
        if let Some(request) = self.lock().find(number) {
            request.faults = faults;
        }
    }

    /// Logs how a request ended.
    pub(crate) fn end(&self, number: u64, status: Option<u16>, bytes_in: u64, bytes_out: u64) {
        if let Some(request) = self.lock().find(number) {
            request.status = status;
            request.finished = Some(clock::now());
            request.bytes_in = bytes_in;
            request.bytes_out = bytes_out;
        }
    }

    /// All requests since the last [`RequestLog::clear`], oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<LoggedRequest> {
        self.lock().requests.iter().cloned().collect()
    }

    /// The last `most` requests, oldest first.
    #[must_use]
    pub fn newest(&self, most: usize) -> Vec<LoggedRequest> {
        let entries = self.lock();
        entries.requests.range(entries.requests.len().saturating_sub(most)..).cloned().collect()
    }

    /// The first `most` requests after the one with number `last`, oldest first.
    #[must_use]
    pub fn after(&self, last: u64, most: usize) -> Vec<LoggedRequest> {
        let entries = self.lock();
        let start = entries.requests.partition_point(|request| request.number <= last);
        entries.requests.range(start..).take(most).cloned().collect()
    }

    /// The request with a number, unless it was dropped.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<LoggedRequest> {
        self.lock().find(number).cloned()
    }

    /// Drops all requests; numbering continues.
    pub fn clear(&self) {
        self.lock().requests.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        lock(&self.entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_after_a_number_are_told_in_turn_and_none_is_left_out() {
        let log = RequestLog::default();
        for _ in 0..5 {
            log.begin(LoggedRequest::example());
        }
        let numbers = |requests: Vec<LoggedRequest>| requests.iter().map(|request| request.number).collect::<Vec<_>>();
        assert_eq!((numbers(log.newest(2)), numbers(log.newest(9))), (vec![4, 5], vec![1, 2, 3, 4, 5]));
        assert_eq!((numbers(log.after(1, 2)), numbers(log.after(3, 9))), (vec![2, 3], vec![4, 5]));
        log.clear();
        assert!(log.after(3, 9).is_empty() && log.newest(9).is_empty());
        log.begin(LoggedRequest::example());
        assert_eq!(numbers(log.after(3, 9)), [6]);
    }
}
