//! How a step ended.

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
