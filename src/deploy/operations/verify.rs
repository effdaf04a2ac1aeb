//! Drift: what the host really holds, against what the manifest says and what is here.
//!
//! One job hashes the whole tree on the host. Nothing is changed, and what could not be read does not count as gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::maintenance::{Maintenance, successful};
use crate::client::Client;
use crate::deploy::paths::folders_of;
use crate::deploy::plan::executor::ExecutorOptions;
use crate::deploy::project::Project;
use crate::deploy::remote::list_if_there;
use crate::deploy::selection::filter::Filter;
use crate::deploy::selection::protect::Protection;
use crate::deploy::selection::select::{SelectOptions, Selection, checked_root, select};
use crate::deploy::state::folder::{State, StateFolder};
use crate::deploy::state::manifest::{FileState, Files};
use crate::error::{Error, Result};
use crate::finder::NeverSkip;
use crate::host::Operation;

/// How long the host may hash.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Why nothing can be compared with a file that is ours.
const UNSETTLED: &str = "its content is not known: a deploy has not finished, or the manifest cannot be read";

/// Folders that belong to no project.
pub(crate) const PRUNED: [&str; 3] = ["__pycache__", ".git", ".pya"];

/// How the host differs. Paths are relative to the project, lists are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Deployed, and with other content by now.
    pub changed: Vec<String>,
    /// Deployed, and gone.
    pub missing: Vec<String>,
    /// There, and not deployed by us; protected files left out.
    pub unmanaged: Vec<String>,
    /// Local files that the host does not have.
    pub not_deployed: Vec<String>,
    /// Local files that the host has with other content.
    pub differs: Vec<String>,
    /// What could not be read on the host, or compared with what was deployed, and why.
    pub unreadable: BTreeMap<String, String>,
    /// How many files were hashed.
    pub files: usize,
}

impl Drift {
    /// Whether the host has what was deployed and what is here, and everything could be read. It may have more.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        [&self.changed, &self.missing, &self.not_deployed, &self.differs].iter().all(|paths| paths.is_empty())
            && self.unreadable.is_empty()
    }
}

/// What a job on the host did not look into.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LeftOut {
    /// Path to reason.
    pub errors: BTreeMap<String, String>,
    /// Path to reason.
    pub skipped: BTreeMap<String, String>,
    /// Path to target.
    pub links: BTreeMap<String, String>,
}

impl LeftOut {
    /// Why nothing below `folder` was looked at, if so.
    fn why_not_below(&self, folder: &str) -> Option<String> {
        let reason = self.errors.get(folder).or_else(|| self.skipped.get(folder));
        let link = || self.links.get(folder).map(|target| format!("{folder} is a link to {target}"));
        reason.map(|reason| format!("{folder}: {reason}")).or_else(link)
    }
}

#[derive(Deserialize)]
struct Hashes {
    files: BTreeMap<String, (String, u64, u32)>,
    #[serde(flatten)]
    left_out: LeftOut,
}

/// How a file is on the host.
enum There {
    Same,
    /// Other content, or no file but a link.
    Other,
    Gone,
    /// Not looked at, for this reason.
    Unknown(String),
}

impl Hashes {
    fn find(&self, path: &str, state: &FileState) -> There {
        let LeftOut { errors, skipped, links } = &self.left_out;
        if let Some((sha256, ..)) = self.files.get(path) {
            return match &state.sha256 {
                Some(known) if known == sha256 => There::Same,
                Some(_) => There::Other,
                None => There::Unknown(UNSETTLED.to_owned()),
            };
        }
        if let Some(reason) = errors.get(path) {
            return There::Unknown(reason.clone());
        }
        if links.contains_key(path) || skipped.contains_key(path) {
            return There::Other;
        }
        folders_of(path).find_map(|folder| self.left_out.why_not_below(folder)).map_or(There::Gone, There::Unknown)
    }

    /// Adds a path to those that are other or gone, or whose content is unknown, if it is one of them.
    fn sort(
        &self,
        path: &str,
        state: &FileState,
        [other, gone]: [&mut Vec<String>; 2],
        unknown: &mut BTreeMap<String, String>,
    ) {
        match self.find(path, state) {
            There::Same => {}
            There::Other => other.push(path.to_owned()),
            There::Gone => gone.push(path.to_owned()),
            There::Unknown(why) => {
                unknown.insert(path.to_owned(), why);
            }
        }
    }

    /// Adds how the local files are other than on the host.
    fn sort_local(&self, selection: &Selection, ours: &Files, drift: &mut Drift) {
        for (path, file) in &selection.files {
            if ours.get(path).is_some_and(|state| state.sha256.is_none()) {
                // The local file tells what its content shall be.
                drift.unreadable.remove(path);
            }
            self.sort(path, &file.state, [&mut drift.differs, &mut drift.not_deployed], &mut drift.unreadable);
        }
    }
}

async fn selected(project: &Project, options: &SelectOptions, folder: &StateFolder) -> Result<(Selection, Filter)> {
    let local_root = checked_root(&project.local_root)?;
    select(&local_root, options, folder.inside_project(), &NeverSkip).await
}

/// Refuses a project that is not on the host and that no note tells of.
async fn check_exists(project: &Project, state: &State) -> Result<()> {
    let (client, root) = (&project.client, &project.remote_root);
    let is_known = state.manifest.is_some() || !state.intents.is_empty() || !state.maintenance.is_empty();
    if is_known || list_if_there(client, root).await?.is_some() {
        return Ok(());
    }
    Err(Error::config(format!(
        "there is no such project on the host: {root} does not exist, and nothing was deployed there"
    )))
}

/// Has the whole project hashed on the host.
async fn hash(maintenance: &Maintenance<'_, Client>, state: &State) -> Result<Hashes> {
    let prune = PRUNED.iter().map(|&name| name.to_owned()).collect();
    let receipt = successful(maintenance.run_after(state, Operation::Hash { prune }, LIMIT).await?)?;
    let hashes: Hashes = serde_json::from_value(receipt.result)
        .map_err(|error| Error::job(format!("the host's list of digests cannot be read: {error}")))?;
    if let Some(reason) = hashes.left_out.errors.get(".") {
        let root = maintenance.root;
        return Err(Error::job(format!("the project's folder on the host, {root}, cannot be read: {reason}")));
    }
    Ok(hashes)
}

/// Hashes the whole project on the host, and compares. Without `local`, only with the manifest.
///
/// # Errors
/// `Config` if nothing can do it, or for local mistakes; `Job` if it failed on the host; what the service answers.
pub async fn verify(project: &Project, executors: &ExecutorOptions, local: Option<&SelectOptions>) -> Result<Drift> {
    executors.check()?;
    let client = &project.client;
    let folder = StateFolder::of(client.user(), &project.remote_root)?;
    let mut selected = match local {
        Some(options) => Some(selected(project, options, &folder).await?),
        None => None,
    };
    let (state, _) = folder.read_by(client, executors.lane(client).as_ref()).await?;
    state.log_damages();
    check_exists(project, &state).await?;
    let executor = executors.for_job(client, "nothing can hash the files on the host").await?;
    let hashes = hash(&Maintenance::of(project, &folder, &executor), &state).await?;
    let ours = state.knowledge(client.server_time()).ours;
    let protection = match &selected {
        Some((_, filter)) => filter.protection.clone(),
        None => Protection::new(None, &[])?,
    };
    let mut drift = Drift { files: hashes.files.len(), unreadable: hashes.left_out.errors.clone(), ..Drift::default() };
    if selected.is_none() {
        // Nothing is ours without a manifest, and that would count as deployed.
        drift.unreadable.extend(state.set_aside.values().map(|place| (place.to_string(), UNSETTLED.to_owned())));
    }
    for (path, state) in &ours {
        hashes.sort(path, state, [&mut drift.changed, &mut drift.missing], &mut drift.unreadable);
    }
    let strange = hashes.files.keys().filter(|path| !ours.contains_key(*path) && !protection.covers(path));
    drift.unmanaged = strange.cloned().collect::<BTreeSet<_>>().into_iter().collect();
    if let Some((selection, filter)) = &mut selected {
        // What git ignores, or the masks leave out, is not this project's concern.
        drift.unmanaged = filter.selects(drift.unmanaged, &NeverSkip).await?;
        hashes.sort_local(selection, &ours, &mut drift);
        drift.unmanaged.retain(|path| !selection.files.contains_key(path));
    }
    Ok(drift)
}
