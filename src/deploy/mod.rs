//! Deploys: local selection, diff, plan, state on the host, apply, report.
//!
//! A deploy is two calls. [`diff`] reads both sides and only reads; [`deploy`] carries out what the diff says, in an order
//! in which it may be killed at any moment without anything being lost: the next deploy then uploads more, never less.
//! How two deploys at once are kept apart, and why, is told in [`intent`].

mod apply;
mod compare;
mod diff;
mod git;
mod hash;
pub mod intent;
mod keeper;
mod local;
mod manifest;
mod plan;
mod process;
mod progress;
mod protect;
mod reload;
mod remote;
mod remove;
mod report;
mod rules;
mod select;
mod state;
mod upload;

pub use apply::deploy;
pub use compare::Compare;
pub use diff::{DeployDiff, Project, diff, with_unmanaged};
pub use local::LeftOut;
pub use manifest::{FileState, Files, Manifest};
pub use plan::{Action, DeployOptions, Plan};
pub use process::ProcessId;
pub use progress::{Progress, ProgressEvent};
pub use protect::DEFAULT_PROTECTED;
pub use remote::Remote;
pub use report::{DeployReport, Recorder};
pub use select::{MAX_FILE_SIZE, SelectOptions};
