//! The deploy itself: a plan carried out, phase by phase.

pub(super) mod admission;
pub(super) mod bundle;
pub(super) mod cleanup;
pub(super) mod commands;
pub(super) mod context;
pub(super) mod delete;
pub(super) mod deploy;
mod error_log;
pub(super) mod health;
mod pack;
pub(super) mod progress;
pub(super) mod record;
pub(super) mod reload;
pub(super) mod report;
pub(super) mod single;
pub(super) mod undo;
pub(super) mod upload;
