//! Faults: the rules that a test sets, and how they are carried out.

pub mod hold;
pub(crate) mod response;
pub mod rules;
pub mod spec;
pub(crate) mod wire;
