//! Executors: what can start a job on the host.
//!
//! Each starts the job in its own way, waits for the receipt, cleans up after itself, also when it is dropped, and gives
//! up after a while. None reads a terminal or a page: the receipt, through the API, is all that counts.

mod console;
mod task;
mod webapp;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::agent::Agent;
use super::job::{Job, Operation, Receipt};
use super::runner;
use crate::api::TaskKind;
use crate::client::{Client, RemotePath};
use crate::error::{Error, ErrorKind, Result};

pub use task::{sweep, sweep_own};

/// When a receipt is looked for first.
const FIRST_LOOK: Duration = Duration::from_secs(1);

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

/// Where jobs of one project are done.
#[derive(Debug, Clone)]
pub struct Workshop {
    /// Whose.
    pub client: Client,
    /// The project's state folder.
    pub state: RemotePath,
    /// The id of the note under which jobs are done here, if not each job's own.
    pub owner: Option<String>,
    /// Kinds of tasks that could not be deleted: a note must tell of them.
    pub left: LeftTasks,
}

/// Shared by all that works for one command.
pub type LeftTasks = Arc<Mutex<BTreeSet<TaskKind>>>;

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
    pub async fn made_ready(&self, shop: &Workshop) -> Result<Option<Self>> {
        match self {
            Self::Console(id) => console::ready(*id, shop).await.map(|id| Some(Self::Console(Some(id)))),
            Self::AlwaysOn | Self::Schedule => match shop.client.tasks(self.task_kinds()[0]).await {
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
    pub async fn run(&self, shop: &Workshop, job: &Job, limit: Duration) -> Result<Receipt> {
        match self {
            Self::Webapp(agent) => webapp::run(agent, shop, job, limit).await,
            Self::AlwaysOn | Self::Schedule | Self::AnyTask => task::run(self.task_kinds(), shop, job, limit).await,
            Self::Console(id) => console::run(*id, shop, job, limit).await,
        }
    }
}

/// What the clock of the host shows where its programs run. An emulator's service has a clock of its own, which tests
/// move; its programs have this machine's.
#[must_use]
pub fn host_time(client: &Client) -> SystemTime {
    let known = if client.host().is_loopback() { None } else { client.server_time() };
    known.unwrap_or_else(SystemTime::now)
}

impl Workshop {
    /// Where the jobs of the project with this state folder are done.
    #[must_use]
    pub fn new(client: &Client, state: &RemotePath) -> Self {
        Self { client: client.clone(), state: state.clone(), owner: None, left: LeftTasks::default() }
    }

    /// Kinds of tasks that could not be deleted.
    #[must_use]
    pub fn left_tasks(&self) -> BTreeSet<TaskKind> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn leave_task(&self, kind: TaskKind) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).insert(kind);
    }

    /// A job that is made now.
    #[must_use]
    pub fn job(&self, id: &str, root: &RemotePath, operation: Operation) -> Job {
        let created = host_time(&self.client).duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Job::new(id, created, root.as_str(), operation)
    }

    /// Where the files of a job lie.
    ///
    /// # Errors
    /// `Config` if `id` is none.
    pub fn folder(&self, id: &str) -> Result<RemotePath> {
        self.state.join(&format!("work-{id}"))
    }

    /// What came of a job so far; `None` if it was not begun.
    ///
    /// # Errors
    /// As the service answers; `Decode` if that is no receipt.
    pub async fn receipt(&self, job: &Job) -> Result<Option<Receipt>> {
        let place = self.state.join(&format!("receipt-{}.json", job.id))?;
        let content = match self.client.read_file(&place).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            content => content?,
        };
        let receipt: Receipt = serde_json::from_slice(&content).map_err(|_| Error::Decode {
            method: "GET".to_owned(),
            path: place.to_string(),
            status: 200,
            expected: "the receipt of a job",
            snippet: String::from_utf8_lossy(&content).chars().take(200).collect(),
        })?;
        Ok(Some(receipt))
    }

    /// Uploads the runner with its job, for executors that start it as a program, and returns the command.
    async fn set_up(&self, job: &Job) -> Result<String> {
        let folder = self.folder(&job.id)?;
        let text = serde_json::to_vec(job).expect("texts and numbers make JSON");
        self.client.upload_file(&folder.join("job.json")?, text.into()).await?;
        self.client.upload_file(&folder.join(runner::FILE_NAME)?, runner::archive()).await?;
        // From the home folder of whoever runs it; the rest of the path has nothing that a shell would change.
        Ok(format!("python3 ~/.pya/{}/work-{}/{}", self.state.name(), job.id, runner::FILE_NAME))
    }

    /// Waits until a receipt is there and final.
    async fn wait(&self, job: &Job, every: Duration, limit: Duration) -> Result<Receipt> {
        let end = crate::clock::now() + limit;
        // Nothing is done in no time.
        crate::clock::sleep(FIRST_LOOK).await;
        loop {
            if let Some(receipt) = self.receipt(job).await?.filter(Receipt::is_over) {
                return Ok(receipt);
            }
            if crate::clock::now() >= end {
                return Err(no_receipt(job, limit));
            }
            crate::clock::sleep(every).await;
        }
    }
}

fn no_receipt(job: &Job, after: Duration) -> Error {
    Error::Timeout {
        method: job.operation.name().to_owned(),
        url: format!("job {} on the host", job.id),
        phase: crate::error::TimeoutPhase::Total,
        after,
    }
}
