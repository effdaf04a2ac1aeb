//! What became of each request of a client, one by one: for a report of where the time went.
//!
//! A client keeps no such list by itself, since it may live for months. Each attempt is an entry of its own, as each counts
//! towards the limit. An entry says nothing of paths, queries and bodies, which may hold secrets.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Method;

use crate::clock::{self, Tick};
use crate::locks::lock;

/// An attempt to send a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// The endpoint, as the table of limits names it, or [`Timeline::SITE`].
    pub endpoint: &'static str,
    /// How many requests a minute it takes; `None` without a limit.
    pub limit: Option<u32>,
    /// How.
    pub method: Method,
    /// When it was to be sent.
    pub asked: Tick,
    /// When it left; `None` if that never came.
    pub sent: Option<Tick>,
    /// When it was answered or given up; `None` while it is under way.
    pub ended: Option<Tick>,
    /// The status of the answer; `None` if none came.
    pub status: Option<u16>,
}

impl TimelineEntry {
    /// How long it waited for the rate limit, at `now` if it still does.
    #[must_use]
    pub fn waited(&self, now: Tick) -> Duration {
        self.sent.or(self.ended).unwrap_or(now) - self.asked
    }
}

/// A list of requests, in the order in which they were to be sent.
#[derive(Debug, Default)]
pub struct Timeline {
    entries: Mutex<Vec<TimelineEntry>>,
}

impl Timeline {
    /// Stands for requests to the account's site, which no limit counts.
    pub const SITE: &str = "site";

    /// The requests so far.
    #[must_use]
    pub fn entries(&self) -> Vec<TimelineEntry> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<TimelineEntry>> {
        lock(&self.entries)
    }
}

/// Keeps the entry of one attempt true, also when the attempt is dropped half-way.
pub(super) struct Noted {
    /// Where the entry is; `None` where nobody wants to know.
    place: Option<(Arc<Timeline>, usize)>,
}

impl Noted {
    /// Notes that a request to `endpoint` is to be sent.
    pub(super) fn asked(
        timeline: Option<&Arc<Timeline>>,
        endpoint: &'static str,
        limit: Option<u32>,
        method: &Method,
    ) -> Self {
        let place = timeline.map(|timeline| {
            let mut entries = timeline.lock();
            entries.push(TimelineEntry {
                endpoint,
                limit,
                method: method.clone(),
                asked: clock::now(),
                sent: None,
                ended: None,
                status: None,
            });
            (Arc::clone(timeline), entries.len() - 1)
        });
        Self { place }
    }

    /// Notes that it leaves.
    pub(super) fn sent(&self) {
        self.change(|entry| entry.sent = Some(clock::now()));
    }

    /// Notes how it ended.
    pub(super) fn ended(self, status: Option<u16>) {
        self.change(|entry| entry.status = status);
    }

    fn change(&self, change: impl FnOnce(&mut TimelineEntry)) {
        let Some((timeline, index)) = &self.place else { return };
        if let Some(entry) = timeline.lock().get_mut(*index) {
            change(entry);
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.change(|entry| entry.ended = Some(clock::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_noted_however_it_ends() {
        let timeline = Arc::new(Timeline::default());
        let noted = || Noted::asked(Some(&timeline), "cpu", Some(40), &Method::GET);
        let answered = noted();
        answered.sent();
        answered.ended(Some(200));
        let cut_off = noted();
        cut_off.sent();
        drop(cut_off);
        drop(noted());
        let under_way = noted();
        let entries = timeline.entries();
        let kinds: Vec<_> =
            entries.iter().map(|entry| (entry.sent.is_some(), entry.ended.is_some(), entry.status)).collect();
        assert_eq!(kinds, [(true, true, Some(200)), (true, true, None), (false, true, None), (false, false, None)]);
        drop(under_way);
        assert!(Noted::asked(None, "cpu", None, &Method::GET).place.is_none());
    }

    #[test]
    fn a_request_waits_until_it_leaves_or_is_given_up() {
        let at = |seconds| Tick::default() + Duration::from_secs(seconds);
        let mut entry = TimelineEntry {
            endpoint: "cpu",
            limit: None,
            method: Method::GET,
            asked: at(1),
            sent: None,
            ended: None,
            status: None,
        };
        assert_eq!(entry.waited(at(9)), Duration::from_secs(8));
        entry.ended = Some(at(5));
        assert_eq!(entry.waited(at(9)), Duration::from_secs(4));
        entry.sent = Some(at(3));
        assert_eq!(entry.waited(at(9)), Duration::from_secs(2));
    }
}
