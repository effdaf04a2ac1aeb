//! How a step ended, and the telling of it.

use crate::error::Result;
use crate::launch::report::LaunchRecorder;

/// How a step ended, in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::launch) enum Outcome {
    /// It was done.
    Done(String),
    /// It was so already.
    Skipped(String),
}

impl Outcome {
    /// It was done.
    pub fn done(detail: impl Into<String>) -> Self {
        Self::Done(detail.into())
    }

    /// It was so already.
    pub fn skipped(detail: impl Into<String>) -> Self {
        Self::Skipped(detail.into())
    }
}

/// Runs a step, and tells of it; `None` is returned if it failed. A macro, as the future of a step is too large to be handed on.
macro_rules! step {
    ($recorder:expr, $name:literal, $work:expr) => {{
        $recorder.tell($name, StepState::Running, "");
        match steps::looked($recorder, $name, $work.await)? {
            Outcome::Done(detail) => $recorder.tell($name, StepState::Done, detail),
            Outcome::Skipped(detail) => $recorder.tell($name, StepState::Skipped, detail),
        }
    }};
}

pub(in crate::launch) use step;

/// What was found out for a step; `None` if that failed, which is told.
pub(in crate::launch) fn looked<T>(recorder: &LaunchRecorder, name: &'static str, found: Result<T>) -> Option<T> {
    found.inspect_err(|error| recorder.fail(name, error)).ok()
}
