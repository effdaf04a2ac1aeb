//! Executors: the ways to start a job on the host.
//!
//! Each starts the job in its own way, waits for the receipt, cleans up after itself, even when it is dropped (then it
//! also ends a command), and gives up after a while. None of them reads a terminal or a page: only the receipt counts,
//! which is read through the API or is in an answer that the agent signed.

mod announced;
mod cancel;
mod console;
mod task;
mod webapp;

use std::sync::Arc;
use std::time::Duration;

use super::agent::Agent;
use super::job::{Job, Receipt};
use super::workspace::JobFolder;
use crate::api::TaskKind;
use crate::error::{Error, ErrorKind, Result};

pub use announced::{Announced, Announcement};
pub use task::{sweep, sweep_own};

/// A way to start jobs.
#[derive(Debug)]
pub enum Executor {
    /// The agent in the account's own web app.
    Webapp(Arc<Agent>),
    /// An always-on task.
    AlwaysOn,
    /// A scheduled task, two minutes ahead.
    Schedule,
    /// An always-on task, or a scheduled one if the account has no room for another of those.
    AnyTask,
    /// A bash console: this one, or one that is made for the purpose.
    Console(Option<u64>),
}

impl Executor {
    /// Its name, as users choose it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Webapp(_) => "webapp",
            Self::AlwaysOn | Self::AnyTask => "always_on",
            Self::Schedule => "schedule",
            Self::Console(_) => "console",
        }
    }

    /// The kinds of tasks that it may make, in the order in which they are tried.
    #[must_use]
    pub fn task_kinds(&self) -> &'static [TaskKind] {
        match self {
            Self::AlwaysOn => &[TaskKind::AlwaysOn],
            Self::Schedule => &[TaskKind::Scheduled],
            Self::AnyTask => &[TaskKind::AlwaysOn, TaskKind::Scheduled],
            Self::Webapp(_) | Self::Console(_) => &[],
        }
    }

    /// Checks that the executor can be used: a console must be started and at its prompt, and the account must have
    /// tasks. Returns the executor to use instead, if the check found one.
    ///
    /// # Errors
    /// `Config`, with advice, if it cannot be used; else as the service answers.
    pub async fn made_ready(&self, job_folder: &JobFolder) -> Result<Option<Self>> {
        match self {
            Self::Console(id) => console::ready(*id, job_folder).await.map(|id| Some(Self::Console(Some(id)))),
            Self::AlwaysOn | Self::Schedule => match job_folder.client.tasks(self.task_kinds()[0]).await {
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    Err(Error::config(format!("this account has no such tasks: {}", error.chain())))
                }
                tasks => tasks.map(|_| None),
            },
            _ => Ok(None),
        }
    }

    /// Starts a job and waits for its receipt, for at most `limit`.
    ///
    /// # Errors
    /// `Config`, with the reason, if the executor does not work here; `Timeout` if no receipt came, which says nothing
    /// about what was done; else as the service answers.
    pub async fn run(&self, job_folder: &JobFolder, job: &Job, limit: Duration) -> Result<Receipt> {
        let receipt = match self {
            // Large, as each of them holds the requests that it sends.
            Self::Webapp(agent) => Box::pin(webapp::run(agent, job_folder, job, limit)).await,
            Self::AlwaysOn | Self::Schedule | Self::AnyTask => {
                Box::pin(task::run(self.task_kinds(), job_folder, job, limit)).await
            }
            Self::Console(id) => Box::pin(console::run(*id, job_folder, job, limit)).await,
        };
        if receipt.is_ok() {
            job_folder.set_asked(false);
        }
        receipt
    }
}
