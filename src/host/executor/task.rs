//! Jobs done by an always-on or a scheduled task, made for the purpose and deleted afterwards.
//!
//! Tasks outlive us if we are killed. They carry a mark in their description, by which the next command finds them; what
//! they run is the runner of one job, which does nothing once its deploy is no longer the current one, so that a daily
//! task that nobody deleted is harmless.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::cancel::cancel;
use crate::api::TaskKind;
use crate::cleanup;
use crate::client::Client;
use crate::clock::{self, Tick};
use crate::error::{Error, ErrorKind, Result};
use crate::host::job::{Job, Operation, Receipt};
use crate::host::workspace::JobFolder;

/// How often the receipt is looked for: half of what the rate limit allows.
const POLL: Duration = Duration::from_secs(3);

/// How far ahead a scheduled task is set: the service looks once a minute, and must see it before its time.
const AHEAD: u64 = 120;

/// How many times a scheduled task is made if those before came too late for their minute.
const MINUTES: usize = 3;

/// What may pass until the service tells whether it made a task that nobody waits for any more.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

pub(super) async fn run(kinds: &[TaskKind], job_folder: &JobFolder, job: &Job, limit: Duration) -> Result<Receipt> {
    let mut made = Made::nothing(job_folder, job);
    let receipt = made.run(kinds, limit).await;
    made.is_over = true;
    receipt
}

/// Removes the folder of a job whose runner may have ended with its task, just before it did so itself. What was to be
/// fetched stays, and so does what could not be put back.
async fn tidy(job_folder: &JobFolder, job: &Job, receipt: &Receipt) {
    let is_fetched = matches!(job.operation, Operation::Archive { .. });
    let is_done = receipt.is_ok() && !is_fetched && receipt.applied().left_in.is_empty();
    if is_done || job.operation.is_ended_by_note() {
        remove_folder(job_folder, job).await;
    }
}

async fn remove_folder(job_folder: &JobFolder, job: &Job) {
    let removed = match job_folder.folder(&job.id) {
        Ok(folder) => job_folder.client.delete_path(&folder).await,
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            log::warn!("the folder of this job is still there; a later job will remove it: {}", error.chain());
        }
        _ => {}
    }
}

/// The hour and the minute, in UTC, at which a task that is made now is to run, and how long it is until then.
fn due_time(now: SystemTime) -> ((u64, u64), Duration) {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) + AHEAD;
    ((seconds / 3600 % 24, seconds / 60 % 60), Duration::from_secs(AHEAD - seconds % 60))
}

/// By which a task of ours is known: the project, the note under which it works, and the job.
fn mark(job_folder: &JobFolder, id: &str) -> String {
    let owner = job_folder.owner.as_deref().unwrap_or(id);
    format!("{}{owner} {id} (made by pya, which deletes it)", prefix(job_folder.state.name()))
}

fn prefix(state: &str) -> String {
    format!("pya job {state} ")
}

/// Deletes the tasks that jobs of a project left, but those under the notes `live`; whether there were any. An account
/// without tasks has none.
///
/// # Errors
/// As the service answers.
pub async fn sweep(client: &Client, kind: TaskKind, state: &str, live: &BTreeSet<String>) -> Result<bool> {
    let prefix = prefix(state);
    delete_marked(client, kind, |description| {
        let rest = description.strip_prefix(&prefix);
        rest.is_some_and(|rest| !live.contains(rest.split(' ').next().unwrap_or_default()))
    })
    .await
}

/// Deletes the tasks that work under one note.
///
/// # Errors
/// As the service answers.
pub async fn sweep_own(client: &Client, kind: TaskKind, state: &str, owner: &str) -> Result<bool> {
    let own = format!("{}{owner} ", prefix(state));
    delete_marked(client, kind, |description| description.starts_with(&own)).await
}

async fn delete_marked(client: &Client, kind: TaskKind, is_marked: impl Fn(&str) -> bool) -> Result<bool> {
    let tasks = match client.tasks(kind).await {
        Err(error) if error.kind() == ErrorKind::Forbidden => return Ok(false),
        tasks => tasks?,
    };
    let mut any = false;
    for task in tasks {
        if is_marked(&task.description.unwrap_or_default()) {
            delete(client, kind, task.id).await?;
            any = true;
        }
    }
    Ok(any)
}

async fn delete(client: &Client, kind: TaskKind, id: u64) -> Result<()> {
    match client.delete_task(kind, id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// A task that is being made. Once it is asked for it may be made whatever becomes of us, so the answer is waited for.
type Making = Pin<Box<dyn Future<Output = Result<u64>> + Send>>;

/// What a job has on the host: tasks, and the folder that they work in. If the job is cut off, both go with this.
struct Made {
    job_folder: JobFolder,
    job: Job,
    /// By which its tasks are known.
    mark: String,
    kind: TaskKind,
    ids: Vec<u64>,
    making: Option<Making>,
    /// When the task begins at the earliest.
    due: Option<Tick>,
    is_over: bool,
}

impl Made {
    fn nothing(job_folder: &JobFolder, job: &Job) -> Self {
        let (mark, kind) = (mark(job_folder, &job.id), TaskKind::AlwaysOn);
        Self {
            job_folder: job_folder.clone(),
            job: job.clone(),
            mark,
            kind,
            ids: Vec::new(),
            making: None,
            due: None,
            is_over: false,
        }
    }

    async fn run(&mut self, kinds: &[TaskKind], limit: Duration) -> Result<Receipt> {
        let due = self.begin(kinds).await?;
        self.due = Some(due);
        clock::sleep_until(due).await;
        let receipt = self.job_folder.wait(&self.job, POLL, limit).await;
        if let Err(error) = self.delete().await {
            self.job_folder.leave_task(self.kind);
            log::warn!("the task of this job could not be deleted; the next command will delete it: {}", error.chain());
        }
        if receipt.is_err() {
            self.job_folder.forget_variables(&self.job).await;
        }
        let receipt = receipt?;
        tidy(&self.job_folder, &self.job, &receipt).await;
        Ok(receipt)
    }

    /// Makes the task; when it begins at the earliest.
    async fn begin(&mut self, kinds: &[TaskKind]) -> Result<Tick> {
        let command = self.job_folder.set_up(&self.job).await?;
        self.job_folder.set_asked(true);
        let due = self.make(kinds, &command).await;
        // No task, so nobody works there.
        if due.as_ref().is_err_and(|error| !error.is_ambiguous()) {
            remove_folder(&self.job_folder, &self.job).await;
        }
        due
    }

    /// Makes a task of the first of these kinds that the account gives; when it begins at the earliest.
    async fn make(&mut self, kinds: &[TaskKind], command: &str) -> Result<Tick> {
        let mut refusals = Vec::new();
        for &kind in kinds {
            let error = match self.make_of(kind, command).await {
                Ok(due) => return Ok(due),
                Err(error) => error,
            };
            self.delete_failed(&error).await;
            // An account without such tasks, or one whose tasks are all in use.
            if !matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::BadRequest) {
                return Err(error);
            }
            let refusal = error.chain();
            log::warn!("a task was refused: {refusal}");
            refusals.push(refusal);
        }
        Err(Error::config(format!("this account allows no task for this: {}", refusals.join("; "))))
    }

    async fn make_of(&mut self, kind: TaskKind, command: &str) -> Result<Tick> {
        self.kind = kind;
        match kind {
            TaskKind::AlwaysOn => self.always_on(command).await,
            TaskKind::Scheduled => self.scheduled(command).await,
        }
    }

    /// Deletes what may have been made in spite of the error, or too late for its minute.
    async fn delete_failed(&mut self, error: &Error) {
        let deleted = match self.delete().await {
            Ok(()) if error.is_ambiguous() => delete_of(&self.job_folder.client, self.kind, &self.mark).await,
            outcome => outcome,
        };
        if let Err(second) = deleted {
            self.job_folder.leave_task(self.kind);
            log::warn!("a task of this job may be left; the next command will delete it: {}", second.chain());
        }
    }

    async fn always_on(&mut self, command: &str) -> Result<Tick> {
        let (client, mark) = (self.job_folder.client.clone(), self.mark.clone());
        // Whatever ends is started again: the rest is sleep.
        let command = format!("{command}; exec sleep infinity");
        self.wait_for(async move { Ok(client.create_always_on(&command, &mark).await?.id) }).await?;
        Ok(clock::now())
    }

    async fn scheduled(&mut self, command: &str) -> Result<Tick> {
        for _ in 0..MINUTES {
            let (time, until) = due_time(self.job_folder.client.server_time().unwrap_or_else(clock::wall));
            // Nothing can be there before the minute begins.
            let due = clock::now() + until;
            let (client, command, mark) = (self.job_folder.client.clone(), command.to_owned(), self.mark.clone());
            self.wait_for(async move { Ok(client.create_daily(&command, &mark, time).await?.id) }).await?;
            if clock::now() < due {
                return Ok(due);
            }
            // It waited for the rate limit, and is for tomorrow. If it began all the same, another one does no harm.
        }
        Err(Error::job(
            "no scheduled task could be created in time: something else uses up the rate limit of schedule/",
        ))
    }

    /// Waits for a task that is being made. If we are cut off here, whoever clears up after us goes on waiting.
    async fn wait_for(&mut self, making: impl Future<Output = Result<u64>> + Send + 'static) -> Result<()> {
        let id = self.making.insert(Box::pin(making)).await;
        self.making = None;
        self.ids.push(id?);
        Ok(())
    }

    async fn delete(&mut self) -> Result<()> {
        delete_all(&self.job_folder.client, self.kind, &std::mem::take(&mut self.ids)).await
    }

    /// The same where we were cut off, perhaps before we knew what was made. A command that may have started is ended
    /// first: not every task takes along what it runs.
    async fn delete_cut_off(&mut self, is_due: bool) -> Result<()> {
        let mut is_unknown = false;
        if let Some(making) = self.making.take() {
            match tokio::time::timeout(ANSWER_WITHIN, making).await {
                Ok(Ok(id)) => self.ids.push(id),
                Ok(Err(error)) if !error.is_ambiguous() => {}
                _ => is_unknown = true,
            }
        }
        if is_due && self.job.operation.timeout().is_some() && (is_unknown || !self.ids.is_empty()) {
            cancel(&self.job_folder, &self.job, false).await;
        }
        if is_unknown {
            delete_of(&self.job_folder.client, self.kind, &self.mark).await?;
        }
        self.delete().await
    }
}

/// Deletes what a request may have made that got no answer.
async fn delete_of(client: &Client, kind: TaskKind, mark: &str) -> Result<()> {
    delete_marked(client, kind, |description| description == mark).await.map(drop)
}

async fn delete_all(client: &Client, kind: TaskKind, ids: &[u64]) -> Result<()> {
    let mut outcome = Ok(());
    for &id in ids {
        outcome = outcome.and(delete(client, kind, id).await);
    }
    outcome
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut left = Self::nothing(&self.job_folder, &self.job);
        (left.kind, left.ids, left.making) = (self.kind, std::mem::take(&mut self.ids), self.making.take());
        left.is_over = true;
        // An always-on task starts as soon as it is made.
        let is_due = self.due.map_or(self.kind == TaskKind::AlwaysOn, |due| clock::now() >= due);
        cleanup::defer(async move {
            if let Err(error) = left.delete_cut_off(is_due).await {
                log::warn!("the task of an interrupted job is still there: {}", error.chain());
            } else if !matches!(left.job.operation, Operation::Apply { .. } | Operation::Rollback { .. }) {
                // What was being changed may be finished from there, or undone.
                remove_folder(&left.job_folder, &left.job).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_set_one_to_two_minutes_ahead_also_across_hours_and_days() {
        const DAY: u64 = 24 * 3600;
        let at = |hour: u64, minute: u64, second: u64| {
            UNIX_EPOCH + Duration::from_secs(20_000 * DAY + hour * 3600 + minute * 60 + second)
        };
        for (now, time, seconds) in [
            (at(10, 0, 0), (10, 2), 120),
            (at(10, 0, 1), (10, 2), 119),
            (at(10, 0, 59), (10, 2), 61),
            (at(10, 58, 30), (11, 0), 90),
            (at(23, 57, 59), (23, 59), 61),
            (at(23, 58, 0), (0, 0), 120),
            (at(23, 59, 59), (0, 1), 61),
        ] {
            assert_eq!(due_time(now), (time, Duration::from_secs(seconds)));
        }
    }
}
