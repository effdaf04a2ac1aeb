//! The requests of a command, as its report counts them: by endpoint, against the limit.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::{Timeline, TimelineEntry};
use crate::clock::Tick;

/// The service counts the requests of so many seconds.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// A shorter wait is the work of taking a turn.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// All requests of a command.
pub(super) struct Requests {
    entries: Vec<TimelineEntry>,
    /// When the command began.
    pub(super) began: Tick,
    /// When it ended.
    pub(super) ended: Tick,
}

/// Those of one endpoint.
pub(super) struct Lane<'a> {
    pub(super) endpoint: &'static str,
    /// Requests a minute; `None` without a limit.
    pub(super) limit: Option<u32>,
    /// In the order in which they were to be sent.
    pub(super) entries: Vec<&'a TimelineEntry>,
    /// When each left, in order.
    pub(super) sent: Vec<Tick>,
}

impl Requests {
    /// The requests of a command that ran from `began` to `ended`.
    pub(super) fn new(entries: Vec<TimelineEntry>, began: Tick, ended: Tick) -> Self {
        Self { entries, began, ended }
    }

    /// How long the command took.
    pub(super) fn duration(&self) -> Duration {
        self.ended - self.began
    }

    /// All of them, in the order in which they were to be sent.
    pub(super) fn entries(&self) -> &[TimelineEntry] {
        &self.entries
    }

    /// One lane for each endpoint, the busiest first; the site's comes last, as nobody counts its requests.
    pub(super) fn lanes(&self) -> Vec<Lane<'_>> {
        let mut by_endpoint: BTreeMap<&'static str, Vec<&TimelineEntry>> = BTreeMap::new();
        for entry in &self.entries {
            by_endpoint.entry(entry.endpoint).or_default().push(entry);
        }
        let mut lanes: Vec<Lane<'_>> = by_endpoint.into_iter().map(|(name, entries)| Lane::of(name, entries)).collect();
        lanes.sort_by_key(|lane| (lane.endpoint == Timeline::SITE, std::cmp::Reverse(lane.sent.len())));
        lanes
    }

    /// The time in which some request waited for the limit.
    pub(super) fn time_waited(&self) -> Duration {
        total(&waits(self.entries.iter(), self.ended))
    }

    /// The longest wait of a request for the limit.
    pub(super) fn longest_wait(&self) -> Duration {
        self.entries.iter().map(|entry| wait_of(entry, self.ended)).max().unwrap_or_default()
    }
}

impl<'a> Lane<'a> {
    fn of(endpoint: &'static str, entries: Vec<&'a TimelineEntry>) -> Self {
        let limit = entries.first().and_then(|entry| entry.limit);
        let mut sent: Vec<Tick> = entries.iter().filter_map(|entry| entry.sent).collect();
        sent.sort_unstable();
        Self { endpoint, limit, entries, sent }
    }

    /// The most requests that left within one window.
    pub(super) fn peak(&self) -> usize {
        let mut first = 0;
        let counts = self.sent.iter().enumerate().map(|(index, &at)| {
            while self.sent[first] + WINDOW <= at {
                first += 1;
            }
            index + 1 - first
        });
        counts.max().unwrap_or(0)
    }

    /// When requests waited for the limit, as intervals that do not overlap, in order.
    pub(super) fn waits(&self, now: Tick) -> Vec<(Tick, Tick)> {
        waits(self.entries.iter().copied(), now)
    }
}

/// Whether an attempt left and was not answered as it should be. Most of 404 is a question whether something is there.
pub(super) fn is_failure(entry: &TimelineEntry) -> bool {
    entry.sent.is_some() && entry.status.is_none_or(|status| status == 429 || status >= 500)
}

/// How long an attempt waited for the limit; nothing, if that was no more than a moment.
pub(super) fn wait_of(entry: &TimelineEntry, now: Tick) -> Duration {
    Some(entry.waited(now)).filter(|wait| *wait >= SHORTEST_WAIT).unwrap_or_default()
}

/// The sum of intervals.
pub(super) fn total(intervals: &[(Tick, Tick)]) -> Duration {
    intervals.iter().map(|&(from, to)| to - from).sum()
}

fn waits<'a>(entries: impl Iterator<Item = &'a TimelineEntry>, now: Tick) -> Vec<(Tick, Tick)> {
    let waits = entries.map(|entry| (entry.asked, entry.asked + wait_of(entry, now)));
    let mut waits: Vec<(Tick, Tick)> = waits.filter(|(from, to)| from < to).collect();
    waits.sort_unstable();
    let mut joined: Vec<(Tick, Tick)> = Vec::new();
    for (from, to) in waits {
        match joined.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(to),
            None => joined.push((from, to)),
        }
    }
    joined
}

#[cfg(test)]
pub(super) mod tests {
    use http::Method;

    use super::*;

    pub(in crate::cli::report) fn at(seconds: u64) -> Tick {
        Tick::default() + Duration::from_secs(seconds)
    }

    /// A request that was to be sent, left and was answered at these seconds.
    pub(in crate::cli::report) fn entry(endpoint: &'static str, asked: u64, sent: u64, status: u16) -> TimelineEntry {
        TimelineEntry {
            endpoint,
            limit: (endpoint != Timeline::SITE).then_some(3),
            method: Method::GET,
            asked: at(asked),
            sent: Some(at(sent)),
            ended: Some(at(sent + 1)),
            status: Some(status),
        }
    }

    #[test]
    fn a_window_counts_sixty_seconds() {
        let entries = [0, 10, 59, 60, 69, 130].map(|sent| entry("cpu", sent, sent, 200));
        let requests = Requests::new(entries.to_vec(), at(0), at(140));
        let lanes = requests.lanes();
        // From 10 to 69; at 60 the first one has left the window.
        assert_eq!((lanes.len(), lanes[0].peak(), lanes[0].limit), (1, 4, Some(3)));
    }

    #[test]
    fn waits_that_overlap_count_once() {
        let mut entries =
            [(0, 0), (1, 61), (2, 62), (70, 75)].map(|(asked, sent)| entry("cpu", asked, sent, 200)).to_vec();
        entries.push(TimelineEntry { sent: None, ended: None, status: None, ..entry("webapps", 80, 80, 0) });
        let requests = Requests::new(entries, at(0), at(90));
        assert_eq!(requests.time_waited(), Duration::from_secs(61 + 5 + 10));
        assert_eq!(requests.longest_wait(), Duration::from_secs(60));
        let lanes = requests.lanes();
        assert_eq!(lanes[0].waits(at(90)), [(at(1), at(62)), (at(70), at(75))]);
        assert_eq!((lanes[1].endpoint, lanes[1].sent.len(), lanes[1].peak()), ("webapps", 0, 0));
    }

    #[test]
    fn the_site_comes_last_and_a_404_is_an_answer() {
        let entries = vec![entry(Timeline::SITE, 0, 0, 404), entry(Timeline::SITE, 0, 0, 502), entry("cpu", 0, 0, 429)];
        let requests = Requests::new(entries, at(0), at(1));
        let names: Vec<&str> = requests.lanes().iter().map(|lane| lane.endpoint).collect();
        assert_eq!(names, ["cpu", Timeline::SITE]);
        let failures: Vec<bool> = requests.entries().iter().map(is_failure).collect();
        assert_eq!(failures, [false, true, true]);
    }
}
