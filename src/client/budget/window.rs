//! The rate budget: an exact sliding log for each endpoint of each account, shared by the whole process.
//!
//! The service counts the requests of the last 60 s and refuses the 41st. It stamps a request some time between sending
//! and answer, so a slot becomes free 60 s after the *answer* (or the time-out), plus a margin; until then it is in
//! flight and counts as taken. A token bucket would not do: at 40 a minute it lets 79 through in the first minute.
//! Waiting is first come, first served, so that no request starves.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::file;
use super::owner::Owner;
use crate::client::endpoints::{Endpoint, WINDOW};
use crate::client::observer::Observer;
use crate::client::retry::MAX_THROTTLE_WAIT;
use crate::clock::{self, Tick};
use crate::error::{Error, Result};
use crate::locks::lock;
use crate::per_process::PerProcess;

/// How much the clocks of two machines may differ.
const MARGIN: Duration = Duration::from_millis(100);

/// Waits longer than this are logged.
const LONG_WAIT: Duration = Duration::from_secs(5);

type Buckets = HashMap<Owner, HashMap<&'static str, Arc<Bucket>>>;

static BUDGET: PerProcess<Mutex<Buckets>> = PerProcess::new(|parent| Mutex::new(inherited(parent)));

/// What a forked child knows of its parent's requests, unless a thread of the parent held a lock at that moment.
fn inherited(parent: Option<&Mutex<Buckets>>) -> Buckets {
    let Some(Ok(parent)) = parent.map(Mutex::try_lock) else { return Buckets::new() };
    let copy = |bucket: &Arc<Bucket>| {
        let mut log = bucket.log.try_lock().map(|log| log.clone()).unwrap_or_default();
        // The parent's requests in flight are answered about now.
        let answered = UsedSlot { frees: clock::now() + WINDOW + MARGIN, own: false };
        log.taken.extend(std::iter::repeat_n(answered, log.in_flight as usize));
        // The waiting requests are threads of the parent, and the parent writes down its own times itself.
        log = Log { in_flight: 0, waiting: 0, ..log };
        log.taken.iter_mut().for_each(|taken| taken.own = false);
        Arc::new(Bucket { log: Mutex::new(log), ..Bucket::default() })
    };
    let endpoints = |buckets: &HashMap<_, _>| buckets.iter().map(|(name, bucket)| (*name, copy(bucket))).collect();
    parent.iter().map(|(owner, buckets)| (owner.clone(), endpoints(buckets))).collect()
}

#[derive(Default)]
struct Bucket {
    log: Mutex<Log>,
    /// Held by the request whose turn is next.
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
}

#[derive(Debug, Clone, Default)]
struct Log {
    /// Requests sent and not yet answered.
    in_flight: u32,
    /// The slots of answered requests, in the order in which they become free.
    taken: VecDeque<UsedSlot>,
    /// The service answered 429: nothing may be sent before this.
    blocked_until: Option<Tick>,
    /// How many requests wait.
    waiting: u32,
}

/// The slot of an answered request.
#[derive(Debug, Clone, Copy)]
struct UsedSlot {
    frees: Tick,
    /// Whether this process sent the request, rather than its parent or an earlier one.
    own: bool,
}

/// When the next slot is free.
#[derive(Debug, PartialEq, Eq)]
enum NextSlot {
    Now,
    At(Tick),
    /// When one of those in flight is answered.
    AfterAnswer,
}

impl Log {
    fn forget_before(&mut self, now: Tick) {
        while self.taken.front().is_some_and(|taken| taken.frees <= now) {
            self.taken.pop_front();
        }
        if self.blocked_until.is_some_and(|until| until <= now) {
            self.blocked_until = None;
        }
    }

    fn next_free(&mut self, limit: u32, now: Tick) -> NextSlot {
        self.forget_before(now);
        if let Some(until) = self.blocked_until {
            return NextSlot::At(until);
        }
        let taken = self.in_flight as usize + self.taken.len();
        if taken < limit as usize {
            return NextSlot::Now;
        }
        self.taken.front().map_or(NextSlot::AfterAnswer, |taken| NextSlot::At(taken.frees))
    }

    /// How long the next request would wait, at least.
    fn projected_wait(&mut self, limit: u32, now: Tick) -> Duration {
        self.forget_before(now);
        let (limit, held) = (limit as usize, self.in_flight as usize + self.taken.len());
        // Slots become free in the order of `taken`, then those in flight, then those of the waiting requests, each of
        // which keeps its slot for a window.
        let own = match (held + self.waiting as usize).checked_sub(limit) {
            None => Duration::ZERO,
            Some(mut ahead) => {
                let mut rounds = 0;
                while ahead >= held.max(limit) {
                    ahead -= limit;
                    rounds += 1;
                }
                self.taken.get(ahead).map_or(WINDOW, |taken| taken.frees - now) + WINDOW.saturating_mul(rounds)
            }
        };
        own.max(self.blocked_until.map_or(Duration::ZERO, |until| until - now))
    }
}

impl Bucket {
    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }
}

fn bucket(owner: &Owner, endpoint: Endpoint) -> Arc<Bucket> {
    let budget = BUDGET.get();
    let mut buckets = lock(&budget);
    if let Some(bucket) = buckets.get(owner).and_then(|endpoints| endpoints.get(endpoint.name)) {
        return Arc::clone(bucket);
    }
    let others = if owner.shared { file::load(owner, endpoint.name) } else { Vec::new() };
    let taken = others.into_iter().map(|frees| UsedSlot { frees, own: false }).collect();
    let bucket = Arc::new(Bucket { log: Mutex::new(Log { taken, ..Log::default() }), ..Bucket::default() });
    buckets.entry(owner.clone()).or_default().insert(endpoint.name, Arc::clone(&bucket));
    bucket
}

/// Writes down for later processes what this one requested within the last minute.
pub(crate) fn persist(owner: &Owner) {
    if !owner.shared {
        return;
    }
    let own = |bucket: &Bucket| bucket.log().taken.iter().filter(|taken| taken.own).map(|taken| taken.frees).collect();
    let logs: Vec<(&'static str, Vec<Tick>)> = {
        let budget = BUDGET.get();
        let buckets = lock(&budget);
        let Some(endpoints) = buckets.get(owner) else { return };
        endpoints.iter().map(|(name, bucket)| (*name, own(bucket))).collect()
    };
    file::store(owner, &logs);
}

/// Permission to send one request. If it is dropped, the request counts as sent: a cancelled one may have arrived.
pub(crate) struct Slot {
    bucket: Arc<Bucket>,
    counts: bool,
}

impl Slot {
    /// The request was answered or given up.
    pub(crate) fn answered(self) {
        drop(self);
    }

    /// The request never reached the service.
    pub(crate) fn unused(mut self) {
        self.counts = false;
    }

    /// The service refused it with 429: it does not count there, and nothing more is sent before `wait` has passed.
    pub(crate) fn refused(mut self, wait: Duration) {
        self.counts = false;
        let until = clock::now() + wait + MARGIN;
        let mut log = self.bucket.log();
        log.blocked_until = log.blocked_until.max(Some(until));
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut log = self.bucket.log();
        log.in_flight -= 1;
        if self.counts {
            log.taken.push_back(UsedSlot { frees: clock::now() + WINDOW + MARGIN, own: true });
        }
        drop(log);
        self.bucket.changed.notify_one();
    }
}

/// Counts a waiting request for as long as it waits, however it ends.
struct Waiting<'a> {
    bucket: &'a Bucket,
    endpoint: Endpoint,
    observer: Option<&'a dyn Observer>,
    reported: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.bucket.log().waiting -= 1;
        if self.reported
            && let Some(observer) = self.observer
        {
            observer.resumed(self.endpoint.name);
        }
    }
}

/// Waits until a request to `endpoint` may be sent.
///
/// # Errors
/// `Budget` if that takes longer than `max_wait`, or if the service asked for a wait that is too long to obey.
pub(crate) async fn acquire(
    owner: &Owner,
    endpoint: Endpoint,
    max_wait: Option<Duration>,
    observer: Option<&dyn Observer>,
) -> Result<Slot> {
    let bucket = bucket(owner, endpoint);
    let projected = {
        let mut log = bucket.log();
        let projected = log.projected_wait(endpoint.limit, clock::now());
        log.waiting += 1;
        projected
    };
    let mut waiting = Waiting { bucket: &bucket, endpoint, observer, reported: false };
    if max_wait.is_some_and(|most| projected > most) {
        return Err(Error::Budget { endpoint: endpoint.name.to_owned(), wait: projected });
    }
    if !projected.is_zero() {
        waiting.reported = true;
        report_wait(endpoint, projected, observer);
    }
    let turn = take_turn(&bucket, endpoint);
    match max_wait {
        None => turn.await?,
        Some(most) => tokio::select! {
            biased;
            turn = turn => turn?,
            () = clock::sleep(most) => return Err(Error::Budget { endpoint: endpoint.name.to_owned(), wait: most }),
        },
    }
    drop(waiting);
    Ok(Slot { bucket, counts: true })
}

async fn take_turn(bucket: &Bucket, endpoint: Endpoint) -> Result<()> {
    let _turn = bucket.turn.lock().await;
    loop {
        let changed = bucket.changed.notified();
        let free = {
            let mut log = bucket.log();
            let now = clock::now();
            let free = log.next_free(endpoint.limit, now);
            if let Some(wait) = log.blocked_until.map(|until| until - now).filter(|&wait| wait > MAX_THROTTLE_WAIT) {
                return Err(Error::Budget { endpoint: endpoint.name.to_owned(), wait });
            }
            if free == NextSlot::Now {
                log.in_flight += 1;
            }
            free
        };
        match free {
            NextSlot::Now => return Ok(()),
            NextSlot::AfterAnswer => changed.await,
            NextSlot::At(tick) => tokio::select! {
                () = clock::sleep_until(tick) => {}
                () = changed => {}
            },
        }
    }
}

fn report_wait(endpoint: Endpoint, wait: Duration, observer: Option<&dyn Observer>) {
    if wait > LONG_WAIT {
        log::info!("waiting about {:.0} s for the rate limit of {}", wait.as_secs_f64(), endpoint.name);
    }
    if let Some(observer) = observer {
        observer.waiting(endpoint.name, wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::default() + Duration::from_secs(seconds)
    }

    fn taken(seconds: impl IntoIterator<Item = u64>) -> VecDeque<UsedSlot> {
        seconds.into_iter().map(|second| UsedSlot { frees: at(second), own: true }).collect()
    }

    #[test]
    fn a_slot_in_flight_is_taken_and_an_answered_one_frees_in_order() {
        let mut log = Log { in_flight: 1, taken: taken([60, 61]), ..Log::default() };
        assert_eq!(log.next_free(4, at(0)), NextSlot::Now);
        assert_eq!(log.next_free(3, at(0)), NextSlot::At(at(60)));
        assert_eq!(log.next_free(3, at(60)), NextSlot::Now);
        assert_eq!(log.next_free(1, at(70)), NextSlot::AfterAnswer);
    }

    #[test]
    fn a_429_blocks_even_with_free_slots() {
        let mut log = Log { blocked_until: Some(at(9)), ..Log::default() };
        assert_eq!(log.next_free(40, at(1)), NextSlot::At(at(9)));
        assert_eq!(log.next_free(40, at(9)), NextSlot::Now);
    }

    #[test]
    fn the_projected_wait_counts_those_ahead() {
        let mut log = Log { taken: taken([60, 62]), ..Log::default() };
        assert_eq!(log.projected_wait(3, at(0)), Duration::ZERO);
        assert_eq!(log.projected_wait(2, at(0)), Duration::from_secs(60));
        log.waiting = 1;
        assert_eq!(log.projected_wait(2, at(0)), Duration::from_secs(62));
        log.waiting = 2;
        assert_eq!(log.projected_wait(2, at(0)), Duration::from_secs(120));
        log.waiting = 0;
        log.blocked_until = Some(at(5));
        assert_eq!(log.projected_wait(3, at(0)), Duration::from_secs(5));
    }

    #[test]
    fn the_projected_wait_holds_for_a_limit_that_was_lowered() {
        let mut log = Log { taken: taken(50..90), ..Log::default() };
        assert_eq!(log.projected_wait(2, at(0)), Duration::from_secs(88));
        log.waiting = 1;
        assert_eq!(log.projected_wait(2, at(0)), Duration::from_secs(89));
        log.waiting = 2;
        assert_eq!(log.projected_wait(2, at(0)), Duration::from_secs(88 + 60));
    }

    #[test]
    fn a_child_counts_its_parents_requests_and_not_its_threads() {
        let log = Log { in_flight: 2, taken: taken([30]), waiting: 10, ..Log::default() };
        let bucket = Arc::new(Bucket { log: Mutex::new(log), ..Bucket::default() });
        let parent = Buckets::from([(owner("parent"), HashMap::from([("cpu", bucket)]))]);
        let child = inherited(Some(&Mutex::new(parent)));
        let log = child[&owner("parent")]["cpu"].log();
        assert_eq!((log.in_flight, log.taken.len(), log.waiting), (0, 3, 0));
        assert!(log.taken.iter().all(|taken| !taken.own), "the parent leaves its own for others");
    }

    fn owner(user: &str) -> Owner {
        Owner { host: "127.0.0.1".into(), user: user.into(), shared: false }
    }

    #[tokio::test]
    async fn forty_leave_at_once_and_the_next_may_not() {
        let owner = owner("forty");
        let endpoint = Endpoint { name: "files/path/**", limit: 40 };
        let most = Some(Duration::from_millis(1));
        for _ in 0..40 {
            acquire(&owner, endpoint, most, None).await.unwrap().answered();
        }
        let error = acquire(&owner, endpoint, most, None).await.err().unwrap();
        assert!(matches!(error, Error::Budget { wait, .. } if wait > Duration::from_secs(59)), "{error:?}");
    }

    #[tokio::test]
    async fn what_never_reached_the_service_is_given_back() {
        let owner = owner("unused");
        let endpoint = Endpoint { name: "cpu", limit: 1 };
        let most = Some(Duration::from_millis(1));
        acquire(&owner, endpoint, most, None).await.unwrap().unused();
        acquire(&owner, endpoint, most, None).await.unwrap().refused(Duration::ZERO);
        acquire(&owner, endpoint, Some(Duration::from_secs(1)), None).await.unwrap().answered();
        assert!(acquire(&owner, endpoint, most, None).await.is_err());
    }

    #[tokio::test]
    async fn a_waiter_gets_the_slot_of_one_that_was_given_back() {
        let owner = owner("waiter");
        let endpoint = Endpoint { name: "cpu", limit: 1 };
        let first = acquire(&owner, endpoint, None, None).await.unwrap();
        let second = tokio::spawn({
            let owner = owner.clone();
            async move { acquire(&owner, endpoint, None, None).await }
        });
        tokio::task::yield_now().await;
        first.unused();
        second.await.unwrap().unwrap().answered();
    }

    #[tokio::test]
    async fn a_wait_that_is_too_long_is_reported_at_once() {
        let owner = owner("blocked");
        let endpoint = Endpoint { name: "cpu", limit: 40 };
        let first = acquire(&owner, endpoint, None, None).await.unwrap();
        first.refused(Duration::from_secs(3600));
        let error = acquire(&owner, endpoint, None, None).await.err().unwrap();
        assert!(matches!(error, Error::Budget { wait, .. } if wait > Duration::from_secs(3500)), "{error:?}");
    }
}
