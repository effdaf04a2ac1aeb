//! What a deploy would do and what it costs: actions, commands, the executor, the strategy.

pub(super) mod actions;
pub(super) mod cost;
pub(super) mod digest;
pub(super) mod endless;
pub(super) mod environment;
pub(super) mod executor;
pub(super) mod options;
pub(super) mod planner;
pub(super) mod sites;
pub(super) mod sources;
pub(super) mod stale;
pub(super) mod step_files;
pub(super) mod steps;
pub(super) mod strategy;
