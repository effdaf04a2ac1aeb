//! Executors: what can start a job on the host.
//!
//! Each starts the job in its own way, waits for the receipt, cleans up after itself, also when it is dropped, and gives
//! up after a while. None reads a terminal or a page: the receipt, through the API, is all that counts.

mod console;
mod task;
mod webapp;

use std::time::Duration;

use super::agent::Agent;
use super::job::{Job, Receipt};
use super::workspace::JobFolder;
use crate::api::TaskKind;
use crate::error::{Error, ErrorKind, Result};

pub use task::{sweep, sweep_own};

/// What starts jobs.
#[derive(Debug)]
pub enum Executor {
    /// The agent in the account's own web app.
    Webapp(Box<Agent>),
    /// An always-on task.
    AlwaysOn,
    /// A scheduled task, two minutes ahead.
    Schedule,
    /// An always-on task, or a scheduled one if the account has no room for another of those.
    AnyTask,
    /// A bash console: this one, or one made for it.
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

    /// What kinds of tasks it may make, the first that works.
    #[must_use]
    pub fn task_kinds(&self) -> &'static [TaskKind] {
        match self {
            Self::AlwaysOn => &[TaskKind::AlwaysOn],
            Self::Schedule => &[TaskKind::Scheduled],
            Self::AnyTask => &[TaskKind::AlwaysOn, TaskKind::Scheduled],
            Self::Webapp(_) | Self::Console(_) => &[],
        }
    }

    /// What does the job, once it is known that it can be asked: a console must be started and at its prompt, and the
    /// account must have tasks.
    ///
    /// # Errors
    /// `Config` if it cannot, with what to do; what the service answers.
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

    /// Has a job done and waits for its receipt, at most for `limit`.
    ///
    /// # Errors
    /// `Config` if the executor does not work here, with the reason; what the service answers; `Timeout` if no receipt
    /// came, which says nothing about what was done.
    pub async fn run(&self, job_folder: &JobFolder, job: &Job, limit: Duration) -> Result<Receipt> {
        match self {
            Self::Webapp(agent) => webapp::run(agent, job_folder, job, limit).await,
            Self::AlwaysOn | Self::Schedule | Self::AnyTask => {
                task::run(self.task_kinds(), job_folder, job, limit).await
            }
            Self::Console(id) => console::run(*id, job_folder, job, limit).await,
        }
    }
}
