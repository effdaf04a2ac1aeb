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
use crate::api::if_there;
use crate::clock::{self, Tick};
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
    let end = clock::now() + limit;
    let mut steps = Steps::new(agent, job_folder, job);
    loop {
        let receipt = match steps.ask(body).await? {
            Step::Over(receipt) => Some(receipt),
            Step::GoOn => None,
            Step::Lost(error) => steps.look_after(error).await?,
        };
        if let Some(receipt) = receipt {
            return Ok(receipt);
        }
        if clock::now() >= end {
            return Err(no_receipt(job, limit));
        }
    }
}

/// What came of a request for a step.
enum Step {
    /// The job is over.
    Over(Receipt),
    GoOn,
    /// It is unknown whether the step is done, for this reason.
    Lost(Error),
}

/// The steps of a job, as far as the answers tell.
struct Steps<'a> {
    agent: &'a Agent,
    job_folder: &'a JobFolder,
    job: &'a Job,
    may_reload: bool,
    /// How many there were at the last look.
    count: u32,
    /// Since when one whose answer was lost may be running.
    lost_since: Option<Tick>,
    pause: Duration,
}

impl<'a> Steps<'a> {
    fn new(agent: &'a Agent, job_folder: &'a JobFolder, job: &'a Job) -> Self {
        Self { agent, job_folder, job, may_reload: agent.needs_reload, count: 0, lost_since: None, pause: PAUSE }
    }

    /// Asks the agent for a step.
    async fn ask(&mut self, body: &str) -> Result<Step> {
        let (agent, time) = (self.agent, self.agent.site.time());
        match agent.site.ask(&agent.key, self.job.operation.name(), body.as_bytes()).await {
            Ok(Answer::Taken(said)) => self.taken(said.as_ref()).await,
            Ok(Answer::Refused) => Err(does_not_arrive(agent)),
            Ok(answer @ Answer::Other(status)) if answer.is_from_gateway() => {
                Ok(Step::Lost(does_not_answer(agent, status)))
            }
            Ok(Answer::Other(status)) if !self.may_reload && has_begun(self.job_folder, self.job).await? => {
                Ok(Step::Lost(does_not_answer(agent, status)))
            }
            // It was not taken because of the time in it: once more, with the time of the API.
            Ok(Answer::Other(_)) if agent.site.correct_time(time) => Ok(Step::GoOn),
            Ok(Answer::Other(_)) if self.may_reload => self.reload().await.map(|()| Step::GoOn),
            Ok(Answer::Other(status)) => Err(does_not_answer(agent, status)),
            // Nothing was started, except by an earlier step.
            Err(error) if error.is_unsent() && self.count == 0 && self.lost_since.is_none() => Err(error),
            Err(error) if error.is_ambiguous() => Ok(Step::Lost(error)),
            Err(error) => Err(error),
        }
    }

    /// The agent took the request, and `said` this.
    async fn taken(&mut self, said: Option<&Value>) -> Result<Step> {
        match receipt_of(said, self.job_folder, self.job).await {
            Ok(Some(receipt)) if receipt.is_over() => Ok(Step::Over(receipt)),
            Ok(Some(receipt)) if receipt.steps > self.count => {
                (self.count, self.lost_since, self.pause) = (receipt.steps, None, PAUSE);
                Ok(Step::GoOn)
            }
            // An earlier request is still working on it.
            Ok(receipt) if receipt.is_some() || self.lost_since.is_some() => {
                clock::sleep(POLL).await;
                Ok(Step::GoOn)
            }
            Ok(_) => Err(without_receipt(self.job_folder, self.job).await?),
            Err(error) if error.may_pass() => Ok(Step::Lost(error)),
            Err(error) => Err(error),
        }
    }

    async fn reload(&mut self) -> Result<()> {
        self.may_reload = false;
        check_no_mixed_tree(self.job_folder, self.job).await?;
        self.job_folder.client.reload_webapp(&self.agent.site.domain).await.map(drop)
    }

    /// Looks for the receipt of a step whose answer was lost; without one the step is asked for again, after a pause.
    async fn look_after(&mut self, lost: Error) -> Result<Option<Receipt>> {
        log::warn!("the agent's answer was lost: {}", lost.chain());
        if let Some(timeout) = self.job.operation.timeout() {
            return self.job_folder.wait(self.job, POLL, Duration::from_secs(timeout + 30)).await.map(Some);
        }
        if let Some(receipt) = self.job_folder.look(self.job).await?.filter(Receipt::is_over) {
            return Ok(Some(receipt));
        }
        let since = *self.lost_since.get_or_insert_with(clock::now);
        if clock::now() >= since + REQUEST_LIMIT {
            return Err(lost);
        }
        clock::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(None)
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
    let entries = if_there(job_folder.client.list_dir(&job_folder.state).await)?.unwrap_or_default();
    if entries.iter().any(|entry| entry.name == names[0]) {
        return Ok(true);
    }
    // The client itself made the folder where it uploaded a bundle: what the runner makes there first is its lock.
    if !entries.iter().any(|entry| entry.name == names[1]) {
        return Ok(false);
    }
    let entries = if_there(job_folder.client.list_dir(&job_folder.folder(&job.id)?).await)?;
    Ok(entries.is_some_and(|entries| entries.iter().any(|entry| entry.name == "lock")))
}

fn does_not_arrive(agent: &Agent) -> Error {
    Error::job(format!(
        "what is sent to {} does not arrive whole, so the agent did nothing: choose another executor",
        agent.site.address()
    ))
}

fn does_not_answer(agent: &Agent, status: StatusCode) -> Error {
    let (address, domain) = (agent.site.address(), &agent.site.domain);
    Error::job(format!("the agent does not answer at {address} ({status}): \"pya agent status {domain}\" says why"))
}
