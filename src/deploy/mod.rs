//! Deploys: local selection, diff, plan, state on the host, apply, report.
//!
//! A deploy is two calls. [`diff`] reads both sides and only reads; [`deploy`] carries out what the diff says, in an order
//! in which it may be killed at any moment without anything being lost: the next deploy then uploads more, never less.
//! How two deploys at once are kept apart, and why, is told in [`intent`].

mod apply;
mod bulk;
mod compare;
mod cost;
mod diff;
mod errand;
mod executors;
mod git;
mod hash;
mod health;
pub mod intent;
mod keeper;
mod leftovers;
mod local;
mod manifest;
mod means;
mod passing;
mod plan;
mod process;
mod progress;
mod protect;
mod pull;
mod reload;
mod remote;
mod remove;
mod report;
mod rollback;
mod rules;
mod select;
mod state;
mod steps;
mod unpack;
mod upload;
mod verify;
mod wanted;

pub use apply::deploy;
pub use compare::Compare;
pub use cost::Way;
pub use diff::{DeployDiff, Project, diff, with_unmanaged};
pub use errand::{Command, Outcome, command};
pub use executors::{Choice, Via};
pub use local::LeftOut;
pub use manifest::{FileState, Files, Manifest};
pub use means::{Forecast, forecast};
pub use plan::{Action, DeployOptions, Plan};
pub use process::ProcessId;
pub use progress::{Progress, ProgressEvent};
pub use protect::DEFAULT_PROTECTED;
pub use pull::{PullOptions, PullReport, pull};
pub use remote::Remote;
pub use report::{DeployReport, Recorder};
pub use rollback::{RollbackReport, history, rollback};
pub use select::{MAX_FILE_SIZE, SelectOptions};
pub use steps::{COMMAND_LIMIT, StepReport, Steps};
pub use verify::{Drift, verify};
