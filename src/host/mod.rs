//! What runs on the host: jobs, the bundles that they unpack, and the executors that start them.
//!
//! The API takes one file per request and runs nothing. Two Python programs of ours fill the gap: the runner carries
//! out a [`Job`] and writes a [`Receipt`]; `agent.py` lets the account's own web app start it. The modules here know
//! the account and its files, but neither diffs nor manifests: [`crate::deploy`] decides what is to be done.

mod agent;
mod allowed_hosts;
mod bundle;
mod cache;
pub mod env_file;
mod executor;
mod job;
mod lane;
mod runner;
mod sign;
mod site;
mod stub;
mod time;
mod variables;
mod workspace;
mod wsgi;
mod wsgi_code;
mod wsgi_literals;

pub use agent::{Agent, Agents, Change, Status, StatusReport, Unreachable, WsgiContent};
pub use allowed_hosts::is_allowed;
pub use bundle::{Bundle, Item, PART_SIZE, Packed, Part};
pub(crate) use cache::{keep_expiry, known_expiry};
pub use executor::{Announced, Announcement, Executor, sweep, sweep_own};
pub use job::{
    Applied, FREE_SPACE, Failure, InspectResult, Job, JobEnvironment, LIFETIME, More, Operation, Receipt,
    RequirementsResult, State, VenvResult,
};
pub use lane::{Lane, SiteState};
pub use sign::{VERSION, random_id};
pub use site::Site;
pub use time::host_time;
pub use variables::Variables;
pub(crate) use variables::is_reserved;
pub use workspace::{Cancellation, JobFolder, LeftTasks};
pub use wsgi::{checked_settings, keep_wsgi, settings_module, wsgi_file};
pub use wsgi_code::WsgiCode;
