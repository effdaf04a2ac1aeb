//! Something that one step at a time works on, while anybody may end it.

use std::sync::Mutex;

use crate::locks::lock;

/// A value that a step takes and puts back. `None` while a step has it.
#[derive(Debug)]
pub struct Stepped<T>(Mutex<Option<T>>);

impl<T> Stepped<T> {
    /// Holds a value for the first step.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(Some(value)))
    }

    /// Takes the value for a step; `None` if another step has it.
    pub fn take(&self) -> Option<T> {
        lock(&self.0).take()
    }

    /// Puts the value back for the next step, unless another was [`set`](Self::set) during this one: that one counts.
    pub fn put_back(&self, value: T) {
        let mut held = lock(&self.0);
        if held.is_none() {
            *held = Some(value);
        }
        // A value that is not put back is dropped after the lock is released, since that may run the caller's code.
    }

    /// Replaces the value, also during a step.
    pub fn set(&self, value: T) {
        let before = lock(&self.0).replace(value);
        // The lock is free again: dropping may run the caller's code.
        drop(before);
    }
}

#[cfg(test)]
mod tests {
    use super::Stepped;

    #[test]
    fn one_step_at_a_time_has_the_value() {
        let stepped = Stepped::new(1);
        assert_eq!(stepped.take(), Some(1));
        assert_eq!(stepped.take(), None);
        stepped.put_back(2);
        assert_eq!(stepped.take(), Some(2));
    }

    #[test]
    fn what_is_set_during_a_step_is_not_undone_by_its_end() {
        let stepped = Stepped::new("new");
        stepped.take();
        stepped.set("ended");
        stepped.put_back("running");
        assert_eq!(stepped.take(), Some("ended"));
    }
}
