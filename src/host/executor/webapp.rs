//! Jobs done by the agent: a signed request for each step, and the receipt read after it.
//!
//! The first request that somebody else answers may only mean that the web app has an old API token, from before its last
//! reload: it is reloaded once then. A step whose answer got lost is repeated, since the runner goes on where it was; a
//! command is not, since it might run twice.

use std::time::Duration;

use serde_json::json;

use super::{Workshop, no_receipt};
use crate::clock;
use crate::error::{Error, Result};
use crate::host::agent::Agent;
use crate::host::job::{Job, Receipt};
use crate::host::site::Answer;

/// How long the runner may work in one request, in seconds: the host allows 300, and a site with one worker stands still.
const STEP: u64 = 45;

/// What the agent takes at most.
const MOST_BYTES: usize = 64 << 10;

/// After an answer that got lost, or a step that another one was in the way of.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the receipt of a command is looked for whose answer got lost.
const POLL: Duration = Duration::from_secs(3);

pub(super) async fn run(agent: &Agent, shop: &Workshop, job: &Job, limit: Duration) -> Result<Receipt> {
    let body = json!({ "state": shop.state.name(), "limit": STEP, "job": job }).to_string();
    if body.len() > MOST_BYTES {
        return Err(Error::config("the arguments are too long for the agent, which takes 64 KiB"));
    }
    let (end, mut may_reload) = (clock::now() + limit, agent.needs_reload);
    loop {
        match agent.site.ask(&agent.key, job.operation.name(), body.as_bytes()).await {
            Ok(Answer::Taken) => match shop.receipt(job).await? {
                Some(receipt) if receipt.is_over() => return Ok(receipt),
                // The next step.
                Some(_) => {}
                None => {
                    return Err(Error::config(
                        "the agent took the job and left no receipt: the web app's error log says why",
                    ));
                }
            },
            Ok(Answer::Other(_)) if may_reload => {
                may_reload = false;
                shop.client.reload_webapp(&agent.site.domain).await?;
            }
            Ok(Answer::Other(status)) => {
                return Err(Error::config(format!(
                    "the agent does not answer at {} ({status}): \"pya agent status {}\" says why",
                    agent.site.address(),
                    agent.site.domain
                )));
            }
            Err(error) if error.is_ambiguous() => {
                log::info!("the answer of the agent got lost: {}", error.chain());
                if let Some(timeout) = job.operation.timeout() {
                    return shop.wait(job, POLL, Duration::from_secs(timeout + 30)).await;
                }
                if let Some(receipt) = shop.receipt(job).await?.filter(Receipt::is_over) {
                    return Ok(receipt);
                }
                clock::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
        if clock::now() >= end {
            return Err(no_receipt(job, limit));
        }
    }
}
