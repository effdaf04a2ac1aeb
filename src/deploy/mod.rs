//! Deploys: local selection, diff, plan, state on the host, apply, report.
//!
//! A deploy is two calls. [`diff`] reads both sides and only reads; [`deploy`] carries out what the diff says, in an order
//! in which it may be killed at any moment without anything being lost: the next deploy then uploads more, never less.
//! How two deploys at once are kept apart, and why, is told in [`intent`].

mod apply;
mod diff;
mod operations;
mod paths;
mod plan;
mod project;
mod remote;
mod selection;
mod state;

pub use apply::deploy::deploy;
pub(crate) use apply::health::{Health, check as check_health, check_once as check_health_once, raised_since};
pub use apply::progress::{Progress, ProgressEvent};
pub use apply::report::{DeployReport, Recorder};
pub use diff::compare::Compare;
pub use diff::live_data::spare_live_data;
pub use diff::model::{DeployDiff, FileChange};
pub use diff::snapshot::{diff, diff_by_site, with_unmanaged};
pub use operations::history::{HistoryEntry, history};
pub use operations::inspect::{Inspection, inspect_settings};
pub use operations::maintenance::{Command, Outcome, command};
pub use operations::pull::fetch::{PullOptions, PullReport, pull};
pub(crate) use operations::reload::reload as reload_site;
pub use operations::reload::reload_sites;
pub use operations::requirements::install_requirements;
pub use operations::rollback::{RollbackReport, rollback, unconfirmed};
pub(crate) use operations::site_command::manage_in_site;
pub use operations::status::{AgentState, CpuStatus, LocalStatus, SiteStatus, StatusReport, status};
pub use operations::variables;
pub use operations::venv::make_virtualenv;
pub use operations::verify::{Drift, verify};
pub use plan::actions::{Action, Plan};
pub use plan::cost::Estimate;
pub use plan::digest::plan_digest;
pub use plan::environment::COMMAND_LIMIT;
pub use plan::executor::{ExecutorChoice, ExecutorOptions};
pub use plan::options::DeployOptions;
pub(crate) use plan::sites::expiry as expiry_day;
pub use plan::steps::{StepReport, Steps};
pub use plan::strategy::{Forecast, forecast, undo_note};
pub use project::Project;
pub use remote::Remote;
pub(crate) use selection::git::WorkTree;
pub(crate) use selection::protect::Protection;
pub use selection::protect::{DEFAULT_PROTECTED, UPLOADS};
pub use selection::select::{MAX_FILE_SIZE, SelectOptions};
pub use selection::walk::LeftOut;
pub(crate) use state::folder::StateFolder;
pub use state::history::{DeployEntry, DeployKind, DeployOutcome, StepOutcome};
pub use state::intent;
pub use state::manifest::{FileState, Files, Kept, Manifest, Origin};
pub use state::process::ProcessId;
