//! Jobs done by the agent: a signed request for each step, and the receipt read after it.
//!
//! The first request that somebody else answers may only mean that the web app has an old API token, from before its last
//! reload: it is reloaded once then. A step whose answer got lost is repeated, since the runner goes on where it was; a
//! command is not, since it might run twice.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::{Workshop, no_receipt};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::agent::Agent;
use crate::host::job::{Job, Operation, Receipt};
use crate::host::site::{Answer, REQUEST_LIMIT};
use crate::setting::Setting;

/// How long the runner may work in one request, in seconds: the host allows 300, and a site with one worker stands still.
const STEP: u64 = 45;

/// What the agent takes at most.
const MOST_BYTES: usize = 64 << 10;

/// After an answer that got lost; twice as long after each further one, up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// How often the receipt is looked for while the step goes on whose answer got lost.
const POLL: Duration = Duration::from_secs(3);

pub(super) async fn run(agent: &Agent, shop: &Workshop, job: &Job, limit: Duration) -> Result<Receipt> {
    let body = json!({ "state": shop.state.name(), "limit": STEP, "job": job }).to_string();
    if body.len() > MOST_BYTES {
        return Err(Error::config("the arguments are too long for the agent, which takes 64 KiB"));
    }
    let (end, mut may_reload) = (clock::now() + limit, agent.needs_reload);
    // How many steps there were at the last look, and since when one may go on whose answer got lost.
    let (mut steps, mut lost_since) = (0, None);
    let mut pause = PAUSE;
    loop {
        let lost = match agent.site.ask(&agent.key, job.operation.name(), body.as_bytes()).await {
            Ok(Answer::Taken) => {
                match shop.receipt(job).await? {
                    Some(receipt) if receipt.is_over() => return Ok(receipt),
                    Some(receipt) if receipt.steps > steps => {
                        (steps, lost_since, pause) = (receipt.steps, None, PAUSE);
                    }
                    // The agent lets the other one go on.
                    Some(_) => clock::sleep(POLL).await,
                    None if lost_since.is_some() => clock::sleep(POLL).await,
                    None if is_overtaken(shop, job).await? => {
                        return Err(Error::held("another deploy has taken over: this one was not carried out"));
                    }
                    None => {
                        return Err(Error::job(
                            "the agent took the job and left no receipt: the web app's error log says why",
                        ));
                    }
                }
                None
            }
            Ok(Answer::Other(status)) if is_from_gateway(status) => Some(does_not_answer(agent, status)),
            Ok(Answer::Other(_)) if may_reload => {
                may_reload = false;
                check_no_mixed_tree(shop, job).await?;
                shop.client.reload_webapp(&agent.site.domain).await?;
                None
            }
            Ok(Answer::Other(status)) => return Err(does_not_answer(agent, status)),
            // Nothing was begun, unless an earlier step was.
            Err(error) if error.is_unsent() && steps == 0 && lost_since.is_none() => return Err(error),
            Err(error) if error.is_ambiguous() => Some(error),
            Err(error) => return Err(error),
        };
        if let Some(error) = lost {
            log::warn!("the answer of the agent got lost: {}", error.chain());
            if let Some(timeout) = job.operation.timeout() {
                return shop.wait(job, POLL, Duration::from_secs(timeout + 30)).await;
            }
            if let Some(receipt) = shop.receipt(job).await?.filter(Receipt::is_over) {
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

/// Whether a change was refused, without a word, because it is another deploy's turn by now.
async fn is_overtaken(shop: &Workshop, job: &Job) -> Result<bool> {
    if !matches!(job.operation, Operation::Apply { .. } | Operation::Rollback { .. }) {
        return Ok(false);
    }
    let own = format!("intent-{}.json", job.id);
    let entries = shop.client.list_dir(&shop.state).await?;
    let mut notes = entries.iter().map(|entry| &entry.name).filter(|name| name.starts_with("intent-")).peekable();
    Ok(notes.peek().is_none() || notes.any(|name| *name != own))
}

/// Fails if somebody else's deploy is under way, or was cut off: a reload would serve half of it.
async fn check_no_mixed_tree(shop: &Workshop, job: &Job) -> Result<()> {
    let own = format!("intent-{}.json", shop.owner.as_deref().unwrap_or(&job.id));
    let is_other = |name: &str| name.starts_with("intent-") && name != own;
    match shop.client.list_dir(&shop.state).await {
        Ok(entries) if entries.iter().any(|entry| is_other(&entry.name)) => Err(Error::held(format!(
            "the web app still has an API token from before its last reload, and cannot be reloaded in the middle of a \
             deploy: deploy again without the agent first ({})",
            Setting::ExecutorNone
        ))),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether it was not the web app that answered but the web server in front of it, when a worker had died or took too
/// long: what the worker did until then, nobody knows.
fn is_from_gateway(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

fn does_not_answer(agent: &Agent, status: StatusCode) -> Error {
    Error::job(format!(
        "the agent does not answer at {} ({status}): \"pya agent status {}\" says why",
        agent.site.address(),
        agent.site.domain
    ))
}
