//! The deploy itself: a plan carried out, phase by phase.

pub(super) mod bundle;
pub(super) mod delete;
pub(super) mod deploy;
pub(super) mod health;
pub(super) mod progress;
pub(super) mod report;
pub(super) mod upload;
