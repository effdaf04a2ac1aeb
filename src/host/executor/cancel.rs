//! The end of a command on the host that nobody waits for any more: Ctrl-C, a cancelled task, a dropped future.
//!
//! Nothing but a file reaches a runner at work, so a note in the job's folder tells it. The runner looks for it every
//! second while its command runs, before it starts one too, and ends the command as it does at the time limit. Dropping a
//! future cannot wait, so all this is a deferred cleanup, which has its own time limits: what became of the command is
//! said in any case.

use std::time::Duration;

use crate::cleanup;
use crate::error::{ErrorKind, Result};
use crate::host::job::{Job, Receipt, State};
use crate::host::workspace::{Cancellation, JobFolder};

/// The note that tells the runner, in the folder of the job.
const NOTE: &str = "cancel";

/// How long telling it may take.
const TELL_WITHIN: Duration = Duration::from_secs(4);

/// How long the command may take to end: the runner looks every second, and gives it five between TERM and KILL.
const ENDS_WITHIN: Duration = Duration::from_secs(8);

/// How often the receipt is looked for.
const LOOK: Duration = Duration::from_millis(700);

/// How long it may take until a command that may not have started yet does.
const STARTS_WITHIN: Duration = Duration::from_secs(3);

/// Ends a command on the host unless its job is over when this is dropped.
pub(super) struct CancelOnDrop {
    job_folder: JobFolder,
    job: Job,
    pub is_over: bool,
}

impl CancelOnDrop {
    pub fn new(job_folder: &JobFolder, job: &Job) -> Self {
        Self { job_folder: job_folder.clone(), job: job.clone(), is_over: !job.operation.is_ended_by_note() }
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if !self.is_over {
            let (job_folder, job) = (self.job_folder.clone(), self.job.clone());
            cleanup::defer(async move { cancel(&job_folder, &job, true).await });
        }
    }
}

/// Ends a command, and says what became of it. With `will_start`, it starts sooner or later where it has not yet, and
/// finds the note then.
pub(super) async fn cancel(job_folder: &JobFolder, job: &Job, will_start: bool) {
    let told = match tokio::time::timeout(TELL_WITHIN, tell(job_folder, job)).await {
        Ok(told) => told.map_err(|error| error.chain()),
        Err(_) => Err("no answer in time".to_owned()),
    };
    let cancellation = if let Err(why) = told {
        let outcome =
            format!("could not be told to end on the host ({why}): it may go on there until it ends or its time is up");
        Cancellation { receipt: None, outcome }
    } else {
        let receipt = tokio::time::timeout(ENDS_WITHIN, end_of(job_folder, job, will_start)).await.ok().flatten();
        Cancellation { outcome: outcome(receipt.as_ref(), will_start), receipt }
    };
    if cancellation.receipt.is_none() {
        // Without them it does not start.
        job_folder.forget_variables(job).await;
    }
    log::warn!("the command {}", cancellation.outcome);
    let _ = job_folder.cancelled.set(cancellation);
}

async fn tell(job_folder: &JobFolder, job: &Job) -> Result<()> {
    let note = job_folder.folder(&job.id)?.join(NOTE)?;
    job_folder.client.upload_file(&note, "{}".into()).await.map(drop)
}

/// The receipt once the command has ended. What is left of its folder goes then.
async fn end_of(job_folder: &JobFolder, job: &Job, will_start: bool) -> Option<Receipt> {
    let start = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        match job_folder.receipt(job).await {
            Ok(Some(receipt)) if receipt.is_over() => {
                if let Err(error) = remove_folder(job_folder, job).await {
                    log::debug!("the folder of this job goes with a later one: {}", error.chain());
                }
                return Some(receipt);
            }
            Ok(None) if !will_start && start.elapsed() > STARTS_WITHIN => return None,
            Ok(_) => {}
            Err(error) => log::debug!("the receipt cannot be read: {}", error.chain()),
        }
    }
}

async fn remove_folder(job_folder: &JobFolder, job: &Job) -> Result<()> {
    match job_folder.client.delete_path(&job_folder.folder(&job.id)?).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome.map(drop),
    }
}

fn outcome(receipt: Option<&Receipt>, will_start: bool) -> String {
    match receipt {
        Some(receipt) if receipt.state == State::Cancelled => "was cancelled on the host".to_owned(),
        Some(receipt) => format!(
            "had ended on the host before it could be cancelled{}",
            receipt.exit_status.map(|status| format!(", with exit status {status}")).unwrap_or_default()
        ),
        None if will_start => {
            "was told to end on the host, which has not confirmed it yet: \"pya history\" lists it when it has ended"
                .to_owned()
        }
        None => "was not started on the host".to_owned(),
    }
}
