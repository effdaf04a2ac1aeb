//! From a project on this machine to a served page: what `pya launch` and `pya init` do.
//!
//! [`plan`] finds out what the project is, by reading it, and which files it needs; [`launch`] looks at the host and does
//! what is not so already.

mod context;
mod detect;
mod found_wsgi;
mod generated;
mod local;
mod note;
mod prepare;
mod report;
mod request;
mod sequence;
mod steps;
mod survey;
mod website;

pub use context::{LaunchOptions, Superuser};
pub use detect::project::{DetectOptions, DetectedProject, ProjectKind, detect};
pub use detect::requirements::Requirements;
pub use generated::settings_file::{GeneratedFile, ServedSettings};
pub use generated::table::TableChange;
pub use local::{LocalOptions, LocalPlan, own_domain, plan};
pub use report::{LaunchProgress, LaunchRecorder, LaunchReport, StepRecord, StepState};
pub use request::{LaunchRequest, PreparedLaunch};
pub use sequence::launch;
pub use survey::SeenHost;
