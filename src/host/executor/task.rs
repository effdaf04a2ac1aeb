//! Jobs in an always-on or a scheduled task, which is made for the purpose and deleted afterwards.
//!
//! If this program is killed, its tasks remain. A mark in their description lets the next command find and delete them.
//! They run the runner of one job, which does nothing once its deploy is no longer the current one, so that a daily
//! task that nobody deleted is harmless.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::api::TaskKind;
use crate::cleanup;
use crate::client::Client;
use crate::clock::{self, Tick};
use crate::error::{Error, ErrorKind, Result};
use crate::host::job::{Job, Operation, Receipt};
use crate::host::workspace::JobFolder;

/// How often to look for the receipt: half of what the rate limit allows.
const POLL: Duration = Duration::from_secs(3);

/// How many seconds ahead a task is scheduled: the service looks once a minute, and must see it before its time.
const AHEAD: u64 = 120;

/// How many scheduled tasks are tried if they are made too late for their minute.
const MINUTES: usize = 3;

pub(super) async fn run(kinds: &[TaskKind], job_folder: &JobFolder, job: &Job, limit: Duration) -> Result<Receipt> {
    let command = job_folder.set_up(job).await?;
    let mark = mark(job_folder, &job.id);
    let (task, due) = match make(kinds, job_folder, job, &command, &mark).await {
        Ok(made) => made,
        Err(error) => {
            // There is no task, so nobody uses the folder.
            if !error.is_ambiguous() {
                remove_folder(job_folder, job).await;
            }
            return Err(error);
        }
    };
    clock::sleep_until(due).await;
    let receipt = job_folder.wait(job, POLL, limit).await;
    let kind = task.kind;
    if let Err(error) = task.delete().await {
        job_folder.leave_task(kind);
        log::warn!("the task of this job could not be deleted; the next command will delete it: {}", error.chain());
    }
    let receipt = receipt?;
    tidy(job_folder, job, &receipt).await;
    Ok(receipt)
}

/// A task of the first of these kinds that the account allows, and when it starts at the earliest.
async fn make(
    kinds: &[TaskKind],
    job_folder: &JobFolder,
    job: &Job,
    command: &str,
    mark: &str,
) -> Result<(Made, Tick)> {
    let mut refusals = Vec::new();
    for &kind in kinds {
        let mut made = Made { job_folder: job_folder.clone(), job: job.clone(), kind, ids: Vec::new() };
        let due = match kind {
            TaskKind::AlwaysOn => made.always_on(command, mark).await,
            TaskKind::Scheduled => made.scheduled(command, mark).await,
        };
        let error = match due {
            Ok(due) => return Ok((made, due)),
            Err(error) => error,
        };
        // A task may have been made nevertheless, or too late for its minute.
        let deleted = match made.delete().await {
            Ok(()) if error.is_ambiguous() => {
                delete_marked(&job_folder.client, kind, |text| text == mark).await.map(drop)
            }
            outcome => outcome,
        };
        if let Err(second) = deleted {
            job_folder.leave_task(kind);
            log::warn!("a task of this job may be left; the next command will delete it: {}", second.chain());
        }
        // The account has no such tasks, or all of them are in use.
        if !matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::BadRequest) {
            return Err(error);
        }
        let refusal = error.chain();
        log::warn!("a task was refused: {refusal}");
        refusals.push(refusal);
    }
    Err(Error::config(format!("this account allows no task for this: {}", refusals.join("; "))))
}

/// Removes the folder of a job, since the runner may have been ended with its task before it did so. An archive to be
/// fetched stays, and so do files that could not be restored.
async fn tidy(job_folder: &JobFolder, job: &Job, receipt: &Receipt) {
    let is_done = receipt.is_ok() && !matches!(job.operation, Operation::Archive { .. });
    if is_done || job.operation.timeout().is_some() {
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
            log::warn!("the folder of this job could not be removed; a later job will remove it: {}", error.chain());
        }
        _ => {}
    }
}

/// The hour and minute, in UTC, at which a task that is made now will run, and the time until then.
fn due_time(now: SystemTime) -> ((u64, u64), Duration) {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) + AHEAD;
    ((seconds / 3600 % 24, seconds / 60 % 60), Duration::from_secs(AHEAD - seconds % 60))
}

/// The mark of our tasks: the project, the note that they belong to, and the job.
fn mark(job_folder: &JobFolder, id: &str) -> String {
    let owner = job_folder.owner.as_deref().unwrap_or(id);
    format!("{}{owner} {id} (made by pya, which deletes it)", prefix(job_folder.state.name()))
}

fn prefix(state: &str) -> String {
    format!("pya job {state} ")
}

/// Deletes the tasks that jobs of a project left, except those of the notes `live`; returns whether there were any. An
/// account without tasks has none.
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

/// Deletes the tasks that belong to one note.
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

/// Tasks on the host, which are deleted when this is dropped.
struct Made {
    job_folder: JobFolder,
    job: Job,
    kind: TaskKind,
    ids: Vec<u64>,
}

impl Made {
    async fn always_on(&mut self, command: &str, mark: &str) -> Result<Tick> {
        // The service restarts a task that ends, so it sleeps when it is done.
        let task = self.job_folder.client.create_always_on(&format!("{command}; exec sleep infinity"), mark).await?;
        self.ids.push(task.id);
        Ok(clock::now())
    }

    async fn scheduled(&mut self, command: &str, mark: &str) -> Result<Tick> {
        for _ in 0..MINUTES {
            let (time, until) = due_time(self.job_folder.client.server_time().unwrap_or_else(clock::wall));
            // There can be no receipt before the minute begins.
            let due = clock::now() + until;
            self.ids.push(self.job_folder.client.create_daily(command, mark, time).await?.id);
            if clock::now() < due {
                return Ok(due);
            }
            // The request waited for the rate limit, and the task will run tomorrow. If it did start, another one is
            // harmless.
        }
        Err(Error::job(
            "no task could be made in time for its minute: something else uses up the rate limit of schedule/",
        ))
    }

    async fn delete(mut self) -> Result<()> {
        delete_all(&self.job_folder.client, self.kind, &std::mem::take(&mut self.ids)).await
    }
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
        let ids = std::mem::take(&mut self.ids);
        if !ids.is_empty() {
            let (job_folder, job, kind) = (self.job_folder.clone(), self.job.clone(), self.kind);
            cleanup::defer(async move {
                if let Err(error) = delete_all(&job_folder.client, kind, &ids).await {
                    log::warn!("the task of an interrupted job could not be deleted: {}", error.chain());
                } else if !matches!(job.operation, Operation::Apply { .. } | Operation::Rollback { .. }) {
                    // An interrupted change is finished from there, or undone.
                    remove_folder(&job_folder, &job).await;
                }
            });
        }
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
