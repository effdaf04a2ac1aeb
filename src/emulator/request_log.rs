//! Every request the emulator got, for tests that count them.
//!
//! A request is there from the moment its head was read, so that one which never got an answer shows as well.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::{self, Tick};

/// Older requests are forgotten, so that an emulator which runs for days does not grow.
const KEPT: usize = 100_000;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Counts from 1, over the emulator's life.
    pub number: u64,
    /// HTTP method.
    pub method: String,
    /// The path, percent-decoded; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// The path as it was sent.
    pub raw_path: String,
    /// The query as it was sent, without the question mark.
    pub query: String,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The rate bucket, as in `webapps/{}/reload/`; `None` outside the API.
    pub endpoint: Option<&'static str>,
    /// The answer's status; `None` while there is none, and if there never will be.
    pub status: Option<u16>,
    /// When its head was read.
    pub started: Tick,
    /// When the answer began, or the request was given up.
    pub finished: Option<Tick>,
    /// Bytes of the body that were read before the answer began.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
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

impl RequestLog {
    /// Enters a request, gives it its number and returns that.
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

    /// Enters what became of a request.
    pub(crate) fn end(&self, number: u64, status: Option<u16>, bytes_in: u64, bytes_out: u64) {
        let mut entries = self.lock();
        // Numbers follow each other, so the first one tells where each is.
        let Some(first) = entries.requests.front().map(|request| request.number) else { return };
        let position = number.checked_sub(first).and_then(|offset| usize::try_from(offset).ok());
        if let Some(request) = position.and_then(|position| entries.requests.get_mut(position)) {
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

    /// Forgets all requests; numbers go on.
    pub fn clear(&self) {
        self.lock().requests.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
