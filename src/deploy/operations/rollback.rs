//! Rollback: puts back what a deploy replaced, as a deploy of its own.
//!
//! The runner keeps what a bundle replaces. A rollback announces itself like a deploy, so that no other deploy runs
//! meanwhile, and writes a new manifest. Files come back, the database does not: what a migration did stays done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::history::{history_in, read_by};
use super::maintenance::{JOB_LIMIT, Maintenance};
use super::reload::{is_refused, reload as reload_site};
use crate::api::checked_domain;
use crate::client::{Client, RemotePath};
use crate::deploy::diff::snapshot::unreadable_intent;
use crate::deploy::plan::executor::ExecutorOptions;
use crate::deploy::project::Project;
use crate::deploy::remote::{Remote, delete_if_there};
use crate::deploy::state::by_site::SiteWork;
use crate::deploy::state::folder::{State as OnHost, StateFolder};
use crate::deploy::state::history::DeployEntry;
use crate::deploy::state::intent::{Intent, IntentState};
use crate::deploy::state::lease::Lease;
use crate::deploy::state::recovery::{remove_work, sweep_tasks};
use crate::error::{Error, Result};
use crate::host::{Applied, Executor, Lane, Operation, Receipt, State};
use crate::setting::Setting;
use crate::text::counted;

impl<R: Remote> Maintenance<'_, R> {
    /// Undoes the deploy `target` under `intent`, which is kept until the caller has reloaded what needs it. What
    /// it names besides the files that come back is unknown in the new manifest.
    pub(crate) async fn roll_back(
        &self,
        mut intent: Intent,
        target: &str,
        generation: u64,
    ) -> Result<(Lease<R>, Applied)> {
        let id = intent.id.clone();
        intent.tasks.extend(self.executor.task_kinds());
        intent.undoes = Some(target.to_owned());
        intent.record(DeployEntry { executor: self.executor.name().to_owned(), ..intent.entry() });
        let history = intent.history_of_rollback(target).into_iter().map(|entry| json!(entry)).collect();
        let takes_over_none = intent.takes_over.is_empty();
        let mut lease = Lease::new(self.remote, self.folder.intent(&id)?, intent);
        let operation = Operation::Rollback { target: target.to_owned(), generation, history };
        let job = self.job_folder.job(&id, self.root, operation);
        if let Executor::Webapp(agent) = self.executor
            && takes_over_none
            && agent.check_takes_deploys().is_ok()
        {
            let (job_folder, bundle, limit) = (&self.job_folder, None, JOB_LIMIT);
            let work = SiteWork { agent, job_folder, job: &job, bundle, generation, limit };
            if let Some(receipt) = lease.begin_by_site(self.folder, work).await {
                return rolled_back(lease, receipt).await;
            }
        }
        let lease = self.announce(lease, generation).await?;
        lease.begin_manifest().await?;
        let receipt = lease.guard().wait_for(self.executor.run(&self.job_folder, &job, JOB_LIMIT)).await;
        rolled_back(lease, receipt).await
    }

    /// Announces a rollback, and goes on only if nobody else is at work but those whose debts it takes over.
    async fn announce(&self, mut lease: Lease<R>, generation: u64) -> Result<Lease<R>> {
        let id = lease.intent().id.clone();
        let known = lease.intent().takes_over.clone();
        lease.announce().await?;
        // As in a deploy: of two that write their notes and list them then, at most one goes on.
        let contents = self.folder.list(self.remote).await;
        let is_alone = contents.as_ref().is_ok_and(|contents| {
            contents.newest().unwrap_or(0) + 1 == generation
                && contents.intents.iter().all(|other| *other == id || known.contains(other))
        });
        if !is_alone {
            lease.remove().await?;
            return Err(contents.err().unwrap_or_else(|| {
                Error::held(
                    "another deploy started or finished just now: nothing was rolled back, try again when it has finished",
                )
            }));
        }
        let others = known.into_iter().chain(contents.iter().flat_map(|contents| contents.intents.clone())).collect();
        lease.watch(self.folder, generation, others);
        lease.start();
        Ok(lease)
    }
}

/// What the job of a rollback did, and its lease if it succeeded.
async fn rolled_back<R: Remote>(lease: Lease<R>, receipt: Result<Receipt>) -> Result<(Lease<R>, Applied)> {
    let failure = match receipt {
        Ok(receipt) if receipt.is_ok() => return Ok((lease, receipt.applied())),
        Ok(receipt) if receipt.applied().undone || receipt.state == State::Refused => {
            // Nothing changed: nothing is owed.
            lease.remove().await?;
            return Err(receipt.to_error());
        }
        Ok(receipt) => receipt.to_error(),
        Err(error) => error,
    };
    leave(lease).await;
    Err(failure)
}

/// Leaves the rollback's note, so that the next deploy knows what is owed.
pub(crate) async fn leave<R: Remote>(lease: Lease<R>) {
    if let Err(error) = lease.leave().await {
        log::warn!("the host could not be told that the rollback ended: {}", error.chain());
    }
}

/// What a deploy kept of what it replaced, as far as it names paths.
#[derive(Deserialize)]
struct Index {
    /// What the deploy was: `apply` or `rollback`.
    #[serde(default)]
    operation: String,
    /// The manifest before it, if there was one.
    #[serde(default)]
    previous: Option<Previous>,
    #[serde(default)]
    files: BTreeMap<String, Value>,
    #[serde(default)]
    added: BTreeMap<String, Value>,
    #[serde(default)]
    deleted: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Previous {
    files: BTreeMap<String, Value>,
}

impl Index {
    /// What to ask before a deploy is undone before which nothing of ours was there.
    fn question(&self, root: &RemotePath) -> Option<String> {
        let is_first = self.previous.as_ref().is_none_or(|previous| previous.files.is_empty());
        (is_first && !self.added.is_empty()).then(|| {
            format!(
                "this undoes the first deploy of {root}, and removes all that it put there: {}",
                counted(self.added.len(), "file")
            )
        })
    }

    /// The files that come back, or go.
    fn into_paths(self) -> impl Iterator<Item = String> {
        self.files.into_keys().chain(self.added.into_keys()).chain(self.deleted.into_keys())
    }

    /// What to know of files that deploys which were cut off have changed, or may have: they do not come back.
    fn unsettled(&self, owed: &Intent) -> Option<String> {
        let is_back = |path: &String| [&self.files, &self.added, &self.deleted].iter().any(|of| of.contains_key(path));
        let paths: BTreeSet<&String> = owed.pending.iter().chain(&owed.deletes).filter(|path| !is_back(path)).collect();
        let first = paths.first()?;
        Some(format!(
            "an interrupted deploy changed {}, the first is {first}: the rollback leaves them alone, and the next \
             deploy sends the local files",
            counted(paths.len(), "other file")
        ))
    }
}

/// What a rollback did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RollbackReport {
    /// The deploy that was undone.
    pub deploy: String,
    /// How many files are as they were before it.
    pub written: u64,
    /// Files that it had added, gone now.
    pub deleted: Vec<String>,
    /// Files that it had added and that stay, and why.
    pub not_deleted: BTreeMap<String, String>,
    /// Migrations that ran in this deploy and since, as the history has them: the database keeps them.
    pub migrations: Vec<String>,
    /// Domains reloaded.
    pub reloaded: Vec<String>,
    /// Whether the files had been put back before, by a rollback that broke off after that.
    pub resumed: bool,
    /// Whether what this rollback replaced is kept, so that it can be undone in its turn.
    pub kept_for_rollback: bool,
    /// What else to know, such as a domain that could not be reloaded.
    pub warnings: Vec<String>,
}

impl RollbackReport {
    fn of(deploy: String, applied: Applied, warnings: Vec<String>) -> Self {
        Self {
            deploy,
            kept_for_rollback: applied.kept_for_rollback,
            written: applied.written,
            deleted: applied.deleted,
            not_deleted: applied.not_deleted,
            migrations: applied.migrations,
            warnings,
            ..Self::default()
        }
    }
}

/// The error of somebody who was not asked what `confirm` of [`rollback`] wants to ask, and did not say it beforehand.
#[must_use]
pub fn unconfirmed(question: &str) -> Error {
    Error::config(format!("{question}; nothing was done, confirm it with {}", Setting::Yes))
}

/// Undoes the last deploy, and reloads. `target`, if given, must be that deploy; a rollback is undone only if it is named.
/// `confirm` is asked before the first deploy is undone, which removes the whole project; an error of it ends everything.
///
/// # Errors
/// `Job` if the deploy cannot be undone, or if that failed on the host; `Config` if nothing can do it; `Held` if another
/// deploy is in the way; what the service answers.
pub async fn rollback<F: Future<Output = Result<()>>>(
    project: &Project,
    executors: &ExecutorOptions,
    target: Option<&str>,
    reload: &[String],
    confirm: impl FnOnce(String) -> F,
) -> Result<RollbackReport> {
    let client = &project.client;
    let folder = StateFolder::of(client.user(), &project.remote_root)?;
    executors.check()?;
    reload.iter().try_for_each(|domain| checked_domain(domain).map(drop))?;
    target.map_or(Ok(()), check_id)?;
    let lane = executors.lane(client);
    let state = settled_state(client, lane.as_ref(), &folder).await?;
    if let Some(begun) = unfinished(&state, target) {
        return finish(client, &folder, &state, begun, reload).await;
    }
    let (target, index) = last_deploy(client, lane.as_ref(), &folder, &state, target).await?;
    if let Some(question) = index.question(&project.remote_root) {
        confirm(question).await?;
    }
    let executor = executors.for_job(client, "nothing can put files back on the host").await?;
    let maintenance = Maintenance::of(project, &folder, &executor);
    let mut intent = intent_after(&state, client.server_time());
    let mut warnings = Vec::from_iter(index.unsettled(&intent));
    intent.pending.extend(index.into_paths());
    intent.reload.extend(reload.iter().cloned());
    let (id, reload) = (intent.id.clone(), intent.reload.clone());
    let generation = state.generation().unwrap_or(0) + 1;
    let (lease, applied) = Box::pin(maintenance.roll_back(intent, &target, generation)).await?;
    warnings.extend(changed_since(&applied, &id));
    let mut report = RollbackReport::of(target, applied, warnings);
    // What they left to do is in the intent of this rollback.
    remove_notes(client, &folder, &state).await?;
    if !reload_all(client, reload, &mut report).await {
        leave(lease).await;
        return Ok(report);
    }
    lease.remove().await?;
    Ok(report)
}

/// What the state folder says, if no deploy is at work and all of it can be read.
async fn settled_state(client: &Client, lane: Option<&Lane>, folder: &StateFolder) -> Result<OnHost> {
    let (mut state, _) = folder.read_by(client, lane).await?;
    if let Some(other) = state.intents.iter().find(|other| other.standing(client.server_time()) == IntentState::Running)
    {
        return Err(Error::held(format!("{}: try again when it has finished", other.describe())));
    }
    if sweep_tasks(client, folder, &state).await? {
        state = folder.read(client).await?;
    }
    if let Some(id) = state.unreadable.first() {
        return Err(Error::held(unreadable_intent(folder, id)?));
    }
    if let Some(place) = state.set_aside.values().next_back() {
        return Err(Error::config(format!(
            "{place} cannot be read, so it is unknown which deploy was the last one: deploy first, which replaces that file"
        )));
    }
    Ok(state)
}

fn check_id(target: &str) -> Result<()> {
    if target.len() == 16 && target.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Error::config(format!("{target:?} is not a deploy: \"pya history\" lists them")))
}

/// An intent that takes over what those that are there left to do.
fn intent_after(state: &OnHost, now: Option<SystemTime>) -> Intent {
    let mut intent = Intent::new(now);
    intent.history = state.told(now);
    for other in &state.intents {
        intent.pending.extend(other.pending.iter().chain(other.done.keys()).cloned());
        intent.deletes.extend(other.deletes.iter().cloned());
        intent.reload.extend(other.reload.iter().cloned());
        intent.takes_over.insert(other.id.clone());
    }
    intent
}

/// What to know of files that were other than the deploy left them when the rollback `id` put the old ones back.
pub(crate) fn changed_since(applied: &Applied, id: &str) -> Option<String> {
    let first = applied.overwritten.first()?;
    let count = counted(applied.overwritten.len(), "file");
    let newer = match applied.left_in.as_str() {
        "" => format!("is kept (\"pya rollback {id}\" brings it back)"),
        folder => format!(
            "did not fit on the disk as a rollback keeps it: it is in {folder}, under the number that \
             \"not_undone\" beside that folder has for it"
        ),
    };
    Some(format!(
        "{count} changed since that deploy, the first is {first}: the old content is restored, and the newer one {newer}"
    ))
}

/// Lets the sites run the old files; false if that is still owed.
async fn reload_all(client: &Client, domains: BTreeSet<String>, report: &mut RollbackReport) -> bool {
    let mut is_owed = false;
    for domain in domains {
        if let Err(error) = reload_site(client, &domain).await {
            report
                .warnings
                .push(format!("the old files are restored, but {domain} was not reloaded: {}", error.chain()));
            // A web app that does not exist can never be reloaded.
            is_owed |= !is_refused(&error);
        } else {
            report.reloaded.push(domain);
        }
    }
    !is_owed
}

/// Removes the notes of interrupted deploys that this rollback has dealt with.
async fn remove_notes(client: &Client, folder: &StateFolder, state: &OnHost) -> Result<()> {
    for other in &state.intents {
        if state.works.contains(&other.id) {
            remove_work(client, folder, &other.id).await?;
        }
        delete_if_there(client, &folder.intent(&other.id)?).await?;
    }
    Ok(())
}

/// A rollback of `target` that put the files back and broke off then. Nobody has changed anything since.
fn unfinished<'a>(state: &'a OnHost, target: Option<&str>) -> Option<&'a Intent> {
    let latest = &state.manifest.as_ref()?.deploy;
    let begun = state.intents.iter().find(|intent| intent.id == *latest && intent.undoes.is_some())?;
    let is_meant = target.is_none() || target == begun.undoes.as_deref();
    let is_made_up_for = |other: &Intent| {
        let is_about_files = !(other.pending.is_empty() && other.done.is_empty() && other.deletes.is_empty());
        other.id == begun.id || begun.takes_over.contains(&other.id) || !is_about_files
    };
    Some(begun).filter(|_| is_meant && state.intents.iter().all(is_made_up_for))
}

/// Does what a rollback that broke off has left to do.
async fn finish(
    client: &Client,
    folder: &StateFolder,
    state: &OnHost,
    begun: &Intent,
    reload: &[String],
) -> Result<RollbackReport> {
    let deploy = begun.undoes.clone().unwrap_or_default();
    let mut report = RollbackReport { deploy, resumed: true, kept_for_rollback: true, ..RollbackReport::default() };
    let owed = state.intents.iter().flat_map(|intent| &intent.reload).chain(reload).cloned().collect();
    if reload_all(client, owed, &mut report).await {
        remove_notes(client, folder, state).await?;
    }
    Ok(report)
}

/// The last deploy, and what is kept of it.
///
/// # Errors
/// `Job` if it cannot be undone, or is not the one that is `wanted`; `Config` if it is a rollback, which must be named.
async fn last_deploy(
    client: &Client,
    lane: Option<&Lane>,
    folder: &StateFolder,
    state: &OnHost,
    wanted: Option<&str>,
) -> Result<(String, Index)> {
    let Some(last) = state.manifest.as_ref().map(|manifest| &manifest.deploy).filter(|last| !last.is_empty()) else {
        return Err(Error::job("there is nothing to roll back: the host knows of no finished deploy of this project"));
    };
    // One that broke off in the middle is begun anew.
    let begun = state.intents.iter().filter(|intent| intent.id != *last).find_map(|intent| intent.undoes.as_deref());
    let wanted = wanted.or(begun);
    if let Some(wanted) = wanted.filter(|wanted| wanted != last) {
        return Err(Error::job(format!(
            "only the last deploy can be undone, and that is {last}: nothing is kept of {wanted} any more"
        )));
    }
    if !state.kept.contains(last) {
        let is_bundle = known_history(client, lane, folder).await.iter().any(|job| job["id"] == last.as_str());
        return Err(not_kept(last, is_bundle));
    }
    let index = index_of(client, lane, folder, last).await?;
    if wanted.is_none() && index.operation == "rollback" {
        return Err(Error::config(format!(
            "the latest change is a rollback itself: to undo that one, name it (pya rollback {last})"
        )));
    }
    Ok((last.clone(), index))
}

/// The error about a deploy of which nothing is kept.
fn not_kept(last: &str, is_bundle: bool) -> Error {
    Error::job(if is_bundle {
        format!("the last deploy ({last}) cannot be undone: the disk had no room to keep what it replaced")
    } else {
        format!(
            "the last deploy ({last}) cannot be undone: it sent its files one by one, so nothing of what they \
             replaced is kept, and what earlier deploys kept does not fit any more. Deploy the files that you want \
             back; where an agent is installed (\"pya agent install\"), deploys can be undone"
        )
    })
}

/// The history, as far as it can be read: it says more, and nothing depends on it.
async fn known_history(client: &Client, lane: Option<&Lane>, folder: &StateFolder) -> Vec<Value> {
    history_in(client, folder, lane).await.unwrap_or_else(|error| {
        log::warn!("the history of the project cannot be read: {}", error.chain());
        Vec::new()
    })
}

/// The longest index, in bytes. The host that it comes from is not trusted.
const MOST_INDEX_BYTES: usize = 64 << 20;

async fn index_of(client: &Client, lane: Option<&Lane>, folder: &StateFolder, target: &str) -> Result<Index> {
    let place = folder.kept_index(target)?;
    let name = format!("rollback-{target}/index.json");
    let content = read_by(client, lane, folder, &place, &name, MOST_INDEX_BYTES).await?;
    serde_json::from_slice(&content)
        .map_err(|_| Error::job(format!("{place} cannot be read, so nothing can be undone")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_since_is_called_kept_only_where_it_is() {
        assert_eq!(changed_since(&Applied::default(), "ID"), None);
        let kept = Applied { overwritten: vec!["a.py".to_owned()], kept_for_rollback: true, ..Applied::default() };
        assert!(changed_since(&kept, "ID").unwrap().ends_with("is kept (\"pya rollback ID\" brings it back)"));
        let left = Applied { kept_for_rollback: false, left_in: "/home/me/.pya/x/work-y/replaced".to_owned(), ..kept };
        let words = changed_since(&left, "ID").unwrap();
        assert!(
            words.contains("it is in /home/me/.pya/x/work-y/replaced") && !words.contains("pya rollback"),
            "{words}"
        );
    }
}
