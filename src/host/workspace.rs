//! Where the jobs of a project are carried out: their folders and receipts, in the project's state folder on the host.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use super::job::{Job, Operation, Receipt, State};
use super::runner;
use super::time::host_time;
use crate::api::{TaskKind, if_there};
use crate::client::{Client, RemotePath};
use crate::clock;
use crate::error::{Error, ErrorKind, Result, TimeoutPhase};
use crate::locks::lock;

/// The longest receipt: enough for the digests of 400 000 files. Whoever can write to the account can write receipts.
const MOST_BYTES: usize = 64 << 20;

/// The file with the variables of a command, in the folder of its job.
const VARIABLES: &str = "variables.json";

/// When to look for a receipt for the first time.
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// The place on the host for the jobs of one project.
#[derive(Debug, Clone)]
pub struct JobFolder {
    /// The account.
    pub client: Client,
    /// The project's state folder.
    pub state: RemotePath,
    /// The id of the note that the jobs belong to, if not each job's own.
    pub owner: Option<String>,
    /// Kinds of tasks that could not be deleted: a note must record them.
    pub left: LeftTasks,
    /// What became of a command that was cut off, once that is known.
    pub cancelled: Arc<OnceLock<Cancellation>>,
    /// Whether a job was asked for of which no receipt came yet.
    pub asked: Arc<AtomicBool>,
}

/// Shared by everything that runs for one command.
pub type LeftTasks = Arc<Mutex<BTreeSet<TaskKind>>>;

/// What became of a command that nobody waits for any more.
#[derive(Debug, Clone)]
pub struct Cancellation {
    /// Its receipt, if it has ended.
    pub receipt: Option<Receipt>,
    /// Human-readable; what the command is called comes before it.
    pub outcome: String,
}

impl JobFolder {
    /// The place for jobs of the project with this state folder.
    #[must_use]
    pub fn new(client: &Client, state: &RemotePath) -> Self {
        let (left, cancelled) = (LeftTasks::default(), Arc::default());
        let asked = Arc::default();
        Self { client: client.clone(), state: state.clone(), owner: None, left, cancelled, asked }
    }

    /// Kinds of tasks that could not be deleted.
    #[must_use]
    pub fn left_tasks(&self) -> BTreeSet<TaskKind> {
        lock(&self.left).clone()
    }

    pub(super) fn leave_task(&self, kind: TaskKind) {
        lock(&self.left).insert(kind);
    }

    /// Notes that a job is about to be asked for, or that it has ended.
    pub(super) fn set_asked(&self, is_asked: bool) {
        self.asked.store(is_asked, Ordering::Relaxed);
    }

    /// Whether a job that ended with this error may have begun, and may go on.
    #[must_use]
    pub fn may_have_begun(&self, error: &Error) -> bool {
        let refusals = [ErrorKind::Config, ErrorKind::Held, ErrorKind::Job, ErrorKind::RateLimited];
        let is_refused = refusals.contains(&error.kind());
        self.asked.load(Ordering::Relaxed) && !is_refused && !error.is_unsent()
    }

    /// A job that is created now.
    #[must_use]
    pub fn job(&self, id: &str, root: &RemotePath, operation: Operation) -> Job {
        let created = host_time(&self.client).duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Job::new(id, created, root.as_str(), operation)
    }

    /// The folder with the files of a job.
    ///
    /// # Errors
    /// `Config` if `id` is invalid.
    pub fn folder(&self, id: &str) -> Result<RemotePath> {
        self.state.join(&format!("work-{id}"))
    }

    /// The receipt of a job so far; `None` if it was not started.
    ///
    /// # Errors
    /// As the service answers; `Decode` if that is not a receipt.
    pub async fn receipt(&self, job: &Job) -> Result<Option<Receipt>> {
        let place = self.state.join(&format!("receipt-{}.json", job.id))?;
        let content = if_there(self.client.read_file_at_most(&place, MOST_BYTES).await)?;
        let Some(content) = content else { return Ok(None) };
        let mut receipt: Receipt = serde_json::from_slice(&content).map_err(|_| Error::Decode {
            method: "GET".to_owned(),
            path: place.to_string(),
            status: 200,
            expected: "the receipt of a job",
            snippet: String::from_utf8_lossy(&content).chars().take(200).collect(),
        })?;
        if job.operation.outdates(&receipt) {
            receipt.state = State::Running;
        }
        Ok(Some(receipt))
    }

    /// Uploads the variables of a command, if it has any. Whatever comes of the job, [`forget_variables`] must follow.
    ///
    /// [`forget_variables`]: Self::forget_variables
    pub(super) async fn send_variables(&self, job: &Job) -> Result<()> {
        if job.variables.is_empty() {
            return Ok(());
        }
        let place = self.folder(&job.id)?.join(VARIABLES)?;
        self.client.upload_file(&place, job.variables.to_text().into()).await.map(drop)
    }

    /// Deletes what [`send_variables`](Self::send_variables) sent where the runner may not have done it.
    pub(super) async fn forget_variables(&self, job: &Job) {
        if job.variables.is_empty() {
            return;
        }
        let deleted = match self.folder(&job.id).and_then(|folder| folder.join(VARIABLES)) {
            Ok(place) => self.client.delete_path(&place).await,
            Err(error) => Err(error),
        };
        match deleted {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                log::warn!("the variables of this command may still be on the host: {}", error.chain());
            }
            _ => {}
        }
    }

    /// Uploads the runner with its job, for executors that start it as a program, and returns the command.
    pub(super) async fn set_up(&self, job: &Job) -> Result<String> {
        let folder = self.folder(&job.id)?;
        let text = serde_json::to_vec(job).expect("texts and numbers make JSON");
        self.client.upload_file(&folder.join("job.json")?, text.into()).await?;
        self.client.upload_file(&folder.join(runner::FILE_NAME)?, runner::archive()).await?;
        self.send_variables(job).await?;
        // From the home folder of whoever runs it; the rest of the path has nothing that a shell would change.
        Ok(format!("python3 ~/.pya/{}/work-{}/{}", self.state.name(), job.id, runner::FILE_NAME))
    }

    /// As [`receipt`](Self::receipt), but none if it cannot be read just now.
    pub(super) async fn look(&self, job: &Job) -> Result<Option<Receipt>> {
        match self.receipt(job).await {
            Err(error) if error.may_pass() => {
                log::info!("it cannot be seen how far the job is: {}", error.chain());
                Ok(None)
            }
            receipt => receipt,
        }
    }

    /// Waits for the final receipt. The job goes on while the service cannot tell how far it is.
    pub(super) async fn wait(&self, job: &Job, every: Duration, limit: Duration) -> Result<Receipt> {
        let end = clock::now() + limit;
        // No job is done at once.
        clock::sleep(FIRST_LOOK).await;
        loop {
            if let Some(receipt) = self.look(job).await?.filter(Receipt::is_over) {
                return Ok(receipt);
            }
            if clock::now() >= end {
                return Err(no_receipt(job, limit));
            }
            clock::sleep(every).await;
        }
    }
}

pub(super) fn no_receipt(job: &Job, after: Duration) -> Error {
    Error::Timeout {
        method: job.operation.name().to_owned(),
        url: format!("job {} on the host", job.id),
        phase: TimeoutPhase::Total,
        after,
    }
}
