//! Faults: what tests let go wrong, and how it is done.

pub mod hold;
pub(crate) mod response;
pub mod rules;
pub(crate) mod wire;
