//! The account's CPU seconds. Consoles, tasks and websites use them up; web apps do not.
//!
//! The count is reset at midnight UTC by the emulator's clock, or when it is first read after that. The service resets
//! it once a day at a time that differs by account and that its API returns.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use super::terminate::ProcessTree;
use crate::clock;
use crate::emulator::calendar;
use crate::locks::lock;

const DAY: u64 = 24 * 3600;

/// Measures the CPU time of processes.
#[derive(Debug, Default)]
pub struct CpuMeter {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// The CPU time of processes that have ended.
    ended: Duration,
    /// The processes that have not.
    running: Vec<Arc<ProcessTree>>,
    /// The day on which `before` was measured; `None` until the first reading.
    day: Option<u64>,
    /// The CPU time used before that day.
    before: Duration,
}

impl CpuMeter {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        lock(&self.counts)
    }

    /// Measures these processes from now on.
    pub fn watch(&self, tree: &Arc<ProcessTree>) {
        self.lock().running.push(Arc::clone(tree));
    }

    /// Records that processes have ended, and the CPU time that they have used in total.
    pub fn forget(&self, tree: &Arc<ProcessTree>, used: Duration) {
        let mut counts = self.lock();
        counts.running.retain(|running| !Arc::ptr_eq(running, tree));
        counts.ended += used;
    }

    /// The CPU time used today, and when the count is reset; `consoles` is the total that consoles have used so far.
    pub fn today(&self, consoles: Duration) -> (Duration, String) {
        let day = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY;
        let mut counts = self.lock();
        let total = consoles + counts.ended + counts.running.iter().map(|tree| tree.cpu_time()).sum::<Duration>();
        if counts.day != Some(day) {
            // An emulator starts at zero.
            counts.before = if counts.day.is_none() { Duration::ZERO } else { total };
            counts.day = Some(day);
        }
        let midnight = UNIX_EPOCH + Duration::from_secs((day + 1) * DAY);
        (total.saturating_sub(counts.before), calendar::iso(midnight))
    }
}
