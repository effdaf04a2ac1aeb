//! State that belongs to one process and must not be inherited by `fork`.
//!
//! A web server that preforks copies our statics into its children, where the threads behind them do not exist and a
//! lock may be held for ever. So each such static is keyed by the process id, and a child makes its own on first use.
//! `arc-swap` needs no lock to read, which makes this safe right after a fork.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// A lazily created value, one for each process.
pub(crate) struct PerProcess<T> {
    slot: ArcSwapOption<Owned<T>>,
    /// Creates the value; gets that of the parent process, whose locks may be held by threads that no longer exist.
    make: fn(Option<&T>) -> T,
}

struct Owned<T> {
    process: u32,
    value: Arc<T>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new(make: fn(Option<&T>) -> T) -> Self {
        Self { slot: ArcSwapOption::const_empty(), make }
    }

    /// The value of this process.
    pub(crate) fn get(&self) -> Arc<T> {
        let process = std::process::id();
        loop {
            let current = self.slot.load();
            if let Some(owned) = current.as_deref()
                && owned.process == process
            {
                return Arc::clone(&owned.value);
            }
            // Dropping the parent's value could wait for its threads: the child keeps it for good instead.
            std::mem::forget(current.clone());
            let value = Arc::new((self.make)(current.as_deref().map(|owned| &*owned.value)));
            self.slot.compare_and_swap(&current, Some(Arc::new(Owned { process, value })));
        }
    }
}
