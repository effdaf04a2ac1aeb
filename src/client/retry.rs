//! Which requests are repeated, and after how long.
//!
//! Only requests that are safe to repeat are repeated ([`Request::is_repeatable`](super::Request)), bounded by a number
//! of attempts *and* by the time spent. Waiting for the rate limit counts towards neither.

use std::time::Duration;

use http::StatusCode;

use super::options::Options;
use super::reach::{self, Obstacle};
use crate::error::Error;

const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(8);

/// A 429 that asks for a longer wait than this is passed to the caller instead of silently obeyed.
pub(super) const MAX_THROTTLE_WAIT: Duration = Duration::from_secs(600);

/// A 429 that asks for no wait at all gets at least this one.
const SHORTEST_THROTTLE_WAIT: Duration = Duration::from_millis(500);

/// More 429 answers in a row than this mean that another program keeps using up the account's budget.
pub(super) const MAX_THROTTLES: u32 = 8;

/// How one request's attempts went so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// Attempts that failed and were not throttled.
    pub failed: u32,
    /// Attempts that the service may or may not have acted on.
    pub ambiguous: u32,
    /// Answers with 429 in a row.
    pub throttled: u32,
    /// Time in attempts and back-off.
    pub spent: Duration,
    /// That time when the host was first found absent, if it has been ever since.
    pub absent_since: Option<Duration>,
    /// Whether an earlier request found the host absent a moment ago.
    pub was_absent: bool,
}

impl Attempts {
    /// How long to wait before the next attempt; `None` if there is to be none.
    pub(super) fn next_backoff(&self, options: &Options, asked: Option<Duration>) -> Option<Duration> {
        if self.failed > options.retries || (self.was_absent && self.absent_since.is_some()) {
            return None;
        }
        let first = if self.absent_since.is_some() { FIRST_BACKOFF / 2 } else { FIRST_BACKOFF };
        let ceiling = first.saturating_mul(1 << self.failed.saturating_sub(1).min(10)).min(MAX_BACKOFF);
        let backoff = ceiling.mul_f64(0.5 + fastrand::f64() / 2.0).max(asked.unwrap_or_default());
        let is_in_time = self.spent + backoff <= options.retry_total
            && self.absent_since.is_none_or(|since| self.spent + backoff <= since + reach::PATIENCE);
        is_in_time.then_some(backoff)
    }
}

/// Whether a gateway, rather than the service, answered with this status.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 502..=504)
}

/// Whether a failed attempt may succeed when it is repeated.
pub(super) fn is_worth_repeating(error: &Error) -> bool {
    matches!(error, Error::Transport { .. } | Error::Timeout { .. })
        && Obstacle::behind(error) != Some(Obstacle::Certificate)
}

/// How long a throttled request waits: as the service says, but not less than a moment; else a whole window, jittered.
pub(super) fn throttle_wait(asked: Option<Duration>, window: Duration) -> Duration {
    asked.map_or_else(|| window.mul_f64(1.0 + fastrand::f64() / 10.0), |asked| asked.max(SHORTEST_THROTTLE_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_is_bounded_by_attempts_and_by_time() {
        let options = Options { retries: 3, retry_total: Duration::from_secs(10), ..Options::default() };
        let after = |failed, spent| Attempts { failed, spent, ..Attempts::default() }.next_backoff(&options, None);
        for failed in 1..=3 {
            let backoff = after(failed, Duration::ZERO).unwrap();
            assert!(backoff >= FIRST_BACKOFF / 2 && backoff <= FIRST_BACKOFF * 4, "{backoff:?}");
        }
        assert_eq!(after(4, Duration::ZERO), None);
        assert_eq!(after(1, Duration::from_secs(10)), None);
    }

    #[test]
    fn a_throttled_request_waits_as_told_or_a_whole_window() {
        let window = Duration::from_secs(60);
        assert_eq!(throttle_wait(Some(Duration::from_secs(7)), window), Duration::from_secs(7));
        assert_eq!(throttle_wait(Some(Duration::ZERO), window), SHORTEST_THROTTLE_WAIT);
        let unknown = throttle_wait(None, window);
        assert!(unknown >= window && unknown <= window.mul_f64(1.1), "{unknown:?}");
    }

    #[test]
    fn an_absent_host_is_worth_a_second() {
        let after = |spent| {
            let attempts =
                Attempts { failed: 1, spent, absent_since: Some(Duration::from_secs(50)), ..Attempts::default() };
            attempts.next_backoff(&Options::default(), None)
        };
        assert!(after(Duration::from_secs(50)).is_some());
        assert_eq!(after(Duration::from_secs(51)), None);
    }

    #[test]
    fn the_service_may_ask_for_more() {
        let attempts = Attempts { failed: 1, ..Attempts::default() };
        let asked = Some(Duration::from_secs(30));
        assert_eq!(attempts.next_backoff(&Options::default(), asked), asked);
    }
}
