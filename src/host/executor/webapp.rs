//! Jobs in the agent: a signed request for each step, whose signed answer holds the receipt.
//!
//! Where the answer does not have it (an older agent, a long receipt, a job that is refused or done by another process),
//! it is read through the API. An answer that is not signed says nothing: before anything else the receipt is looked for,
//! since the job may have been done although its answer was lost, changed or replaced on the way. If something other than
//! the agent answers the first request, the web app may have an old API token, from before its last reload; then it is
//! reloaded once. A step whose answer was lost is repeated, since the runner continues where it was; a command is not,
//! since it might run twice.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::cancel::CancelOnDrop;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::agent::Agent;
use crate::host::job::{Job, Operation, Receipt, State};
use crate::host::site::{Answer, REQUEST_LIMIT};
use crate::host::workspace::{JobFolder, no_receipt};
use crate::setting::Setting;

/// How long the runner may work in one request, in seconds: the host allows 300, but a site with one worker is blocked.
pub(super) const STEP: u64 = 45;

/// The largest body that the agent accepts.
const MOST_BYTES: usize = 64 << 10;

/// The pause after a lost answer; it doubles with each further one, up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// How often to look for the receipt of a step whose answer was lost.
pub(super) const POLL: Duration = Duration::from_secs(3);

pub(super) async fn run(agent: &Agent, job_folder: &JobFolder, job: &Job, limit: Duration) -> Result<Receipt> {
    let body = json!({ "state": job_folder.state.name(), "limit": STEP, "job": job }).to_string();
    if body.len() > MOST_BYTES {
        return Err(Error::config("the arguments are too long for the agent, which accepts 64 KiB"));
    }
    job_folder.send_variables(job).await?;
    let mut running = CancelOnDrop::new(job_folder, job);
    job_folder.set_asked(true);
    let receipt = Box::pin(run_steps(agent, job_folder, job, &body, limit)).await;
    running.is_over = true;
    if receipt.is_err() {
        job_folder.forget_variables(job).await;
    }
    receipt
}

pub(super) async fn run_steps(
    agent: &Agent,
    job_folder: &JobFolder,
    job: &Job,
    body: &str,
    limit: Duration,
) -> Result<Receipt> {
    let (end, mut may_reload) = (clock::now() + limit, agent.needs_reload);
    // How many steps there were at the last look, and since when a step whose answer was lost may be running.
    let (mut steps, mut lost_since) = (0, None);
    let mut pause = PAUSE;
    loop {
        let time = agent.site.time();
        let lost = match agent.site.ask(&agent.key, job.operation.name(), body.as_bytes()).await {
            Ok(Answer::Taken(said)) => match receipt_of(said.as_ref(), job_folder, job).await {
                Ok(Some(receipt)) if receipt.is_over() => return Ok(receipt),
                Ok(Some(receipt)) if receipt.steps > steps => {
                    (steps, lost_since, pause) = (receipt.steps, None, PAUSE);
                    None
                }
                // An earlier request is still working on it.
                Ok(receipt) if receipt.is_some() || lost_since.is_some() => {
                    clock::sleep(POLL).await;
                    None
                }
                Ok(_) => return Err(without_receipt(job_folder, job).await?),
                Err(error) if error.may_pass() => Some(error),
                Err(error) => return Err(error),
            },
            Ok(Answer::Refused) => return Err(does_not_arrive(agent)),
            Ok(answer @ Answer::Other(status)) if answer.is_from_gateway() => Some(does_not_answer(agent, status)),
            Ok(Answer::Other(status)) if !may_reload && has_begun(job_folder, job).await? => {
                Some(does_not_answer(agent, status))
            }
            // It was not taken because of the time in it: once more, with the time of the API.
            Ok(Answer::Other(_)) if agent.site.correct_time(time) => None,
            Ok(Answer::Other(_)) if may_reload => {
                may_reload = false;
                check_no_mixed_tree(job_folder, job).await?;
                job_folder.client.reload_webapp(&agent.site.domain).await?;
                None
            }
            Ok(Answer::Other(status)) => return Err(does_not_answer(agent, status)),
            // Nothing was started, except by an earlier step.
            Err(error) if error.is_unsent() && steps == 0 && lost_since.is_none() => return Err(error),
            Err(error) if error.is_ambiguous() => Some(error),
            Err(error) => return Err(error),
        };
        if let Some(error) = lost {
            log::warn!("the agent's answer was lost: {}", error.chain());
            if let Some(timeout) = job.operation.timeout() {
                return job_folder.wait(job, POLL, Duration::from_secs(timeout + 30)).await;
            }
            if let Some(receipt) = job_folder.look(job).await?.filter(Receipt::is_over) {
                return Ok(receipt);
            }
            let since = *lost_since.get_or_insert_with(clock::now);
            if clock::now() >= since + REQUEST_LIMIT {
                return Err(error);
            }
            clock::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if clock::now() >= end {
            return Err(no_receipt(job, limit));
        }
    }
}

/// The receipt of a job that the agent took: the one that it signed, else the one in the job's folder.
async fn receipt_of(said: Option<&Value>, job_folder: &JobFolder, job: &Job) -> Result<Option<Receipt>> {
    match said.and_then(|said| signed_receipt(said, job)) {
        Some(receipt) => Ok(Some(receipt)),
        None => job_folder.receipt(job).await,
    }
}

/// Why the agent took a job and wrote no receipt.
async fn without_receipt(job_folder: &JobFolder, job: &Job) -> Result<Error> {
    if is_overtaken(job_folder, job).await? {
        return Ok(Error::held("another deploy has taken over: this one was not carried out"));
    }
    Ok(Error::job("the agent accepted the job but wrote no receipt: see the web app's error log"))
}

/// Whether a change was refused, without a receipt, because another deploy is the current one.
async fn is_overtaken(job_folder: &JobFolder, job: &Job) -> Result<bool> {
    if !matches!(job.operation, Operation::Apply { .. } | Operation::Rollback { .. }) {
        return Ok(false);
    }
    let own = format!("intent-{}.json", job.id);
    let entries = job_folder.client.list_dir(&job_folder.state).await?;
    let mut notes = entries.iter().map(|entry| &entry.name).filter(|name| name.starts_with("intent-")).peekable();
    Ok(notes.peek().is_none() || notes.any(|name| *name != own))
}

/// Fails if another deploy is running or was interrupted: a reload would serve half of it.
async fn check_no_mixed_tree(job_folder: &JobFolder, job: &Job) -> Result<()> {
    let own = format!("intent-{}.json", job_folder.owner.as_deref().unwrap_or(&job.id));
    let is_other = |name: &str| name.starts_with("intent-") && name != own;
    match job_folder.client.list_dir(&job_folder.state).await {
        Ok(entries) if entries.iter().any(|entry| is_other(&entry.name)) => Err(Error::held(format!(
            "the web app has an API token from before its last reload, and cannot be reloaded in the middle of a \
             deploy: deploy without the agent first ({})",
            Setting::ExecutorNone
        ))),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The receipt in a signed answer, if it says how far the job is. One that is refused may be so for another reason each
/// time, and what another process does is not in it.
pub(super) fn signed_receipt(said: &Value, job: &Job) -> Option<Receipt> {
    let receipt: Receipt = serde_json::from_value(said["receipt"].clone()).ok()?;
    let is_busy = receipt.error.as_ref().is_some_and(|error| error.kind == "busy");
    (receipt.id == job.id && receipt.state != State::Refused && !is_busy).then_some(receipt)
}

/// Whether a job has begun, although its request was not answered. What was not signed proves nothing.
async fn has_begun(job_folder: &JobFolder, job: &Job) -> Result<bool> {
    let names = [format!("receipt-{}.json", job.id), format!("work-{}", job.id)];
    let entries = match job_folder.client.list_dir(&job_folder.state).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    if entries.iter().any(|entry| entry.name == names[0]) {
        return Ok(true);
    }
    // The client itself made the folder where it uploaded a bundle: what the runner makes there first is its lock.
    if !entries.iter().any(|entry| entry.name == names[1]) {
        return Ok(false);
    }
    match job_folder.client.list_dir(&job_folder.folder(&job.id)?).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        entries => Ok(entries?.iter().any(|entry| entry.name == "lock")),
    }
}

fn does_not_arrive(agent: &Agent) -> Error {
    Error::job(format!(
        "what is sent to {} does not arrive whole, so the agent did nothing: choose another executor",
        agent.site.address()
    ))
}

fn does_not_answer(agent: &Agent, status: StatusCode) -> Error {
    Error::job(format!(
        "the agent does not answer at {} ({status}): \"pya agent status {}\" says why",
        agent.site.address(),
        agent.site.domain
    ))
}
