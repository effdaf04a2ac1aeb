//! Deploys by the account's own site: the agent there announces the deploy and puts the bundle in place, in one request that
//! brings both, and ends it in another. The API is asked for nothing but the reload.
//!
//! # Why a deploy by the API beside it is safe
//! [`crate::deploy::state::intent`] proves of deploys that write their intent first and list the folder then that two never
//! both go on. It does not matter who writes and lists, only in which order, and that both sides see the same files. The
//! agent does both on the file system that the API writes to, in that order: the intent appears as a whole, by a rename,
//! and the listing follows. It goes on if the listing shows its own intent, no other, and as newest manifest the one that
//! the diff was made from. A deploy with leftovers of others to take over goes through the API, so there is no other intent
//! that it may pass. That it was alone is noted in the job's folder before anything else is done, under the job's lock. A
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

use super::bundle::Delivery;
use super::context::Run;
use super::pack::PackedBundle;
use crate::deploy::operations::maintenance::JOB_LIMIT;
use crate::deploy::remote::Remote;
use crate::deploy::state::lease::Lease;
use crate::error::Result;
use crate::host::{Agent, Announced, Announcement, Executor, JobFolder, Receipt, host_time};

impl<R: Remote> Run<'_, R> {
    /// Has the agent announce the deploy and put the bundle in place; `None` if nothing was begun, and the deploy has to be
    /// announced through the API.
    pub(super) async fn begin_by_site(
        &self,
        lease: &mut Lease<R>,
        id: &str,
        load: &PackedBundle,
    ) -> Option<Result<Receipt>> {
        let (client, executor) = self.strategy.needed().ok()?;
        let Executor::Webapp(agent) = executor else { return None };
        if lease.intent().expires.is_none() {
            // Without an expiry it would keep everybody out for good if we died.
            lease.intent().refresh(Some(host_time(client)));
        }
        lease.start();
        let note = lease.intent().to_value();
        let delivery = Delivery { run: self, lease, id, load, job_folder: self.job_folder(client), executor };
        let is_announced = || lease.announced_by_site(&self.folder, self.generation());
        let announcement = Announcement { note, newest: self.base.generation, is_announced: &is_announced };
        let (job, bundle) = (delivery.job(None), Some(&load.bundle));
        let work = agent.announce(&delivery.job_folder, &job, bundle, announcement, JOB_LIMIT);
        match delivery.working(work).await {
            Ok(Announced::Ran(receipt)) => Some(Ok(receipt)),
            Ok(Announced::NotBegun(why)) => {
                log::info!("nothing was begun by the site ({why}): the deploy goes through the API");
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Ends the deploy, which did all it was to do, as [`Lease::finish`] does.
    pub(super) async fn finish(&self, mut lease: Lease<R>) -> Result<()> {
        match self.end_by_site(&mut lease, false).await {
            Some(true) => Ok(()),
            _ => lease.finish().await,
        }
    }

    /// Removes the intent, as [`Lease::remove`] does.
    pub(super) async fn remove(&self, mut lease: Lease<R>) -> Result<()> {
        match self.end_by_site(&mut lease, false).await {
            Some(_) => Ok(()),
            None => lease.remove().await,
        }
    }

    /// Leaves the intent as a note of what is owed, as [`Lease::leave`] does.
    pub(super) async fn leave_note(&self, mut lease: Lease<R>) -> Result<()> {
        match self.end_by_site(&mut lease, true).await {
            Some(true) => Ok(()),
            _ => lease.leave().await,
        }
    }

    /// The same, but `Held` if another deploy has taken over.
    pub(super) async fn leave_if_ours(&self, mut lease: Lease<R>) -> Result<()> {
        match self.end_by_site(&mut lease, true).await {
            Some(true) => Ok(()),
            _ => lease.leave_if_ours().await,
        }
    }

    /// Whether the agent found the intent to remove, or to leave; `None` if it was not asked, or did not say.
    async fn end_by_site(&self, lease: &mut Lease<R>, is_owed: bool) -> Option<bool> {
        let (agent, job_folder) = self.announcer(lease)?;
        lease.stop().await;
        let (id, note) = {
            let mut intent = lease.intent();
            intent.ended |= is_owed;
            (intent.id.clone(), is_owed.then(|| intent.to_value()))
        };
        agent.finish(&job_folder, &id, note.as_ref()).await
    }

    fn announcer(&self, lease: &Lease<R>) -> Option<(&Agent, JobFolder)> {
        match self.strategy.executor.as_ref() {
            Some((client, Executor::Webapp(agent))) if lease.is_by_site() => Some((agent, self.job_folder(client))),
            _ => None,
        }
    }
}
