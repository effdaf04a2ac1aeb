//! What runs on the host: jobs, the bundles they unpack, and what starts them.
//!
//! The API takes one file per request and runs nothing. Two Python programs of ours make up for that: the `runner`
//! does a [`Job`] and leaves a [`Receipt`]; `agent.py` lets the account's own web app start it. Everything here knows the account
//! and its files, and nothing of diffs and manifests: [`crate::deploy`] says what is to be done.

mod agent;
mod bundle;
mod executor;
mod job;
mod runner;
mod sign;
mod site;
mod stub;
mod wsgi;

pub use agent::{Agent, Agents, Change, Silence, Status};
pub use bundle::{Bundle, Item, PART_SIZE, Packed, Part};
pub use executor::{Executor, LeftTasks, Workshop, host_time, sweep, sweep_own};
pub use job::{Applied, Failure, Job, Keep, LIFETIME, Operation, Receipt, State};
pub use sign::{VERSION, random_hex};
pub use site::Site;
pub use wsgi::{settings_module, wsgi_file};
