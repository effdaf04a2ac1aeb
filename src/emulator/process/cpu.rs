//! The account's CPU seconds: what consoles and tasks use counts, web apps do not.
//!
//! The count goes back to zero at midnight UTC of the emulator's clock. The service does so once a day at a time that
//! differs by account and that it tells.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use crate::clock;
use crate::emulator::calendar;

const DAY: u64 = 24 * 3600;

/// Counts what processes have used.
#[derive(Debug, Default)]
pub struct CpuMeter {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Of processes that have ended.
    ended: Duration,
    /// The day that `before` was taken on.
    day: u64,
    /// All that was used before that day.
    before: Duration,
}

impl CpuMeter {
    /// Adds what a process used that has ended.
    pub fn add(&self, used: Duration) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).ended += used;
    }

    /// What was used today with `running`, which goes on, and when the count starts anew.
    pub fn today(&self, running: Duration) -> (Duration, String) {
        let now = clock::wall();
        let day = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let total = counts.ended + running;
        if day != counts.day {
            // An emulator starts with nothing used.
            counts.before = if counts.day == 0 { Duration::ZERO } else { total };
            counts.day = day;
        }
        let midnight = UNIX_EPOCH + Duration::from_secs((day + 1) * DAY);
        (total.saturating_sub(counts.before), calendar::iso(midnight))
    }
}
