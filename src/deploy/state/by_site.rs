//! Deploys by the account's own site: the agent there announces the deploy and puts the bundle in place, in one request that
//! brings both, and ends it in another. The API is asked for nothing but the reload.
//!
//! # Why a deploy by the API beside it is safe
//! [`crate::deploy::state::intent`] proves of deploys that write their intent first and list the folder then that two never
//! both go on. It does not matter who writes and lists, only in which order, and that both sides see the same files. The
//! agent does both on the file system that the API writes to, in that order: the intent appears as a whole, by a rename,
//! and the listing follows. It goes on if the listing shows its own intent, no other, and as newest manifest the one that
//! the diff was made from. A deploy with leftovers of others to take over goes through the API, so there is no other intent
//! that it may pass. Where the file system is on the network, whoever changes a folder reads it anew afterwards, and both
//! change it before they list it. That it was alone is noted in the job's folder before anything else is done, under the job's lock. A
//! worker that dies before that note has changed nothing, and whatever follows announces anew; after it, the intent is
//! there and says what may have changed. An agent that is not alone removes its intent itself, and answers so; then the
//! deploy is announced through the API, which finds out who the other one is.
//!
//! The intent stays until the second request, after reload and health check. A client that dies in between leaves the
//! truth: the reload is owed. From the first answer on the lease is kept as in any deploy: a look at the folder through the
//! API where one is due, and a refresh if it takes minutes.
//!
//! # Where an answer is missing
//! Nothing is begun anew that may have begun: [`crate::host::Agent::announce`] says how that is known.

use std::sync::Arc;
use std::time::Duration;

use super::folder::StateFolder;
use super::lease::Lease;
use crate::deploy::remote::Remote;
use crate::error::Result;
use crate::host::{Agent, Announced, Announcement, Bundle, Job, JobFolder, Receipt, host_time};

/// What the agent is to announce and do.
pub(crate) struct SiteWork<'a> {
    pub agent: &'a Arc<Agent>,
    pub job_folder: &'a JobFolder,
    pub job: &'a Job,
    /// What the job unpacks.
    pub bundle: Option<&'a Bundle>,
    /// Of the manifest that the job writes: the one before it must be the newest.
    pub generation: u64,
    pub limit: Duration,
}

impl<R: Remote> Lease<R> {
    /// Has the agent announce the deploy and do its job; `None` if nothing was begun, and the deploy has to be announced
    /// through the API.
    pub(crate) async fn begin_by_site(&mut self, folder: &StateFolder, work: SiteWork<'_>) -> Option<Result<Receipt>> {
        let SiteWork { agent, job_folder, job, bundle, generation, limit } = work;
        if self.intent().expires.is_none() {
            // Without an expiry it would keep everybody out for good if we died.
            self.intent().refresh(Some(host_time(&job_folder.client)));
        }
        self.start();
        let lease = &*self;
        let is_announced = || lease.announced_by(agent, job_folder, folder, generation);
        let announcement = Announcement {
            note: lease.intent().to_value(),
            newest: generation.checked_sub(1).filter(|&newest| newest > 0),
            is_announced: &is_announced,
        };
        let announced = agent.announce(job_folder, job, bundle, announcement, limit);
        match lease.guard().wait_for(announced).await {
            Ok(Announced::Ran(receipt)) => Some(Ok(receipt)),
            Ok(Announced::NotBegun(why)) => {
                log::info!("nothing was begun by the site ({why}): it goes through the API");
                None
            }
            Err(error) => Some(Err(error)),
        }
    }
}
