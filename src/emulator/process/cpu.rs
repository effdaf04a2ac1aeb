//! The account's CPU seconds: what consoles, tasks and websites use counts, web apps do not.
//!
//! The count goes back to zero at midnight UTC of the emulator's clock, or when it is first asked for after that. The
//! service does so once a day at a time that differs by account and that it tells.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use super::terminate::ProcessTree;
use crate::clock;
use crate::emulator::calendar;

const DAY: u64 = 24 * 3600;

/// Counts what processes use.
#[derive(Debug, Default)]
pub struct CpuMeter {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Used by those that have ended.
    ended: Duration,
    /// Those that have not.
    running: Vec<Arc<ProcessTree>>,
    /// The day that `before` was taken on; none before the first question.
    day: Option<u64>,
    /// All that was used before that day.
    before: Duration,
}

impl CpuMeter {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what these processes use from now on.
    pub fn watch(&self, tree: &Arc<ProcessTree>) {
        self.lock().running.push(Arc::clone(tree));
    }

    /// They have ended, and have used this much in all.
    pub fn forget(&self, tree: &Arc<ProcessTree>, used: Duration) {
        let mut counts = self.lock();
        counts.running.retain(|running| !Arc::ptr_eq(running, tree));
        counts.ended += used;
    }

    /// What was used today with `consoles` (all that they have ever used), and when the count starts anew.
    pub fn today(&self, consoles: Duration) -> (Duration, String) {
        let day = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY;
        let mut counts = self.lock();
        let total = consoles + counts.ended + counts.running.iter().map(|tree| tree.cpu_time()).sum::<Duration>();
        if counts.day != Some(day) {
            // An emulator starts with nothing used.
            counts.before = if counts.day.is_none() { Duration::ZERO } else { total };
            counts.day = Some(day);
        }
        let midnight = UNIX_EPOCH + Duration::from_secs((day + 1) * DAY);
        (total.saturating_sub(counts.before), calendar::iso(midnight))
    }
}
