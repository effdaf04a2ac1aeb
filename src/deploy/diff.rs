//! The diff: reads both sides, compares them, and keeps what a deploy needs to act on it.
//!
//! Two requests when nobody worked since the last deploy: the listing of the state folder and the manifest. It only
//! reads, but for tasks of ours that a killed deploy left in the account; whether it still holds is checked by the deploy,
//! after its intent is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;

use super::compare::{Compare, Differences, Obstacle, Seen, compare};
use super::intent::{Intent, Standing};
use super::leftovers::sweep_tasks;
use super::local::LeftOut;
use super::manifest::Files;
use super::plan::Plan;
use super::remote::{Remote, RemoteTree, list_tree, place};
use super::select::{Filter, LocalFile, SelectOptions, Selection, checked_root, select};
use super::state::{Knowledge, StateFolder};
use crate::client::{Client, RemotePath};
use crate::error::{Error, ErrorKind, Result};
use crate::finder::Skipper;
use crate::text::first_few;

/// How many files are downloaded at a time to compare their content.
const DOWNLOADS: usize = 8;

/// A local project and its place in an account.
#[derive(Debug, Clone)]
pub struct Project<R = Client> {
    /// The account.
    pub client: R,
    /// The project's folder on this machine.
    pub local_root: PathBuf,
    /// Its folder on the host.
    pub remote_root: RemotePath,
}

/// How a local project differs from what is on the host. Paths are relative to the project, lists are sorted.
#[derive(Clone)]
pub struct DeployDiff {
    /// Not on the host.
    pub added: Vec<String>,
    /// On the host with other content, or with content that is not known.
    pub changed: Vec<String>,
    /// Put there by an earlier deploy and gone locally. Deleted only if asked for.
    pub removed: Vec<String>,
    /// Equal on both sides.
    pub unchanged: Vec<String>,
    /// On the host and not ours; known only after a complete listing.
    pub unmanaged: Vec<String>,
    /// Local files that are left alone.
    pub protected: Vec<String>,
    /// What cannot be sent, with the reason.
    pub skipped: BTreeMap<String, String>,
    /// What rules left out, by source.
    pub left_out: BTreeMap<String, LeftOut>,
    /// Local folders with nothing in them, which cannot be made on the host.
    pub empty_folders: usize,
    /// What to know about.
    pub warnings: Vec<String>,
    /// How the two sides were compared.
    pub compare: Compare,
    /// What a deploy would do that deletes nothing and reloads nothing but what is owed.
    pub plan: Plan,
    /// Whether `unmanaged` is known.
    pub(super) complete: bool,
    pub(super) base: Arc<Base>,
}

/// What a deploy builds on.
pub(super) struct Base {
    pub host: String,
    pub user: String,
    pub local_root: PathBuf,
    pub remote_root: RemotePath,
    pub local: BTreeMap<String, LocalFile>,
    pub protected: BTreeMap<String, PathBuf>,
    /// Protected files of ours that are gone locally.
    pub protected_gone: Vec<String>,
    pub generation: Option<u64>,
    /// The deploy that the newest manifest is of.
    pub deploy: Option<String>,
    /// All manifests that the diff saw; more than one after a deploy was cut off.
    pub generations: BTreeSet<u64>,
    /// The intents that the diff saw.
    pub intents: Vec<Intent>,
    /// The jobs that have a folder on the host.
    pub works: BTreeSet<String>,
    pub known: Knowledge,
    pub adopted: Files,
    pub vanished: BTreeSet<String>,
    pub obstacles: Vec<Obstacle>,
    pub blocked: BTreeMap<String, String>,
    pub limit: Option<u32>,
    pub filter: Mutex<Filter>,
    pub protection: super::protect::Protection,
}

/// Compares the local project with the host.
///
/// # Errors
/// `Config` and `Local` before any request, for local mistakes; `Callback` if the skipper failed; whatever kept a
/// needed listing or file from being read.
pub async fn diff<R: Remote>(
    project: &Project<R>,
    options: &SelectOptions,
    skipper: &impl Skipper,
    mode: Option<Compare>,
) -> Result<DeployDiff> {
    let local_root = checked_root(&project.local_root)?;
    let remote = &project.client;
    let folder = StateFolder::of(remote.user(), &project.remote_root)?;
    let (selection, mut filter) = select(&local_root, options, folder.inside_project(), skipper).await?;

    let mut state = folder.read(remote).await?;
    if let Some(client) = remote.as_client()
        && sweep_tasks(client, &folder, &state).await?
    {
        state = folder.read(remote).await?;
    }
    let mut known = state.knowledge(remote.server_time());
    known.look_for_deleted(remote, &project.remote_root).await?;
    let is_asked = mode.is_some();
    let mode = match (mode, &state.manifest) {
        (Some(mode), _) => mode,
        (None, Some(_)) => Compare::Manifest,
        (None, None) => Compare::Names,
    };
    let tree = match mode {
        Compare::Manifest => None,
        _ => Some(list_tree(remote, &project.remote_root, &mut filter, skipper).await?),
    };
    let digests = match (&tree, mode) {
        (Some(tree), Compare::Content) => download_digests(project, &selection, tree).await?,
        _ => BTreeMap::new(),
    };

    let gone = gone(&selection, &known.ours);
    let gone = filter.selects(gone, skipper).await?;
    let (protected_gone, gone): (Vec<_>, BTreeSet<_>) = split(gone, |path| filter.protection.covers(path));
    let seen = match (&tree, mode) {
        (Some(tree), Compare::Content) => Seen::Content(tree, &digests),
        (Some(tree), _) if is_asked => Seen::Names(tree),
        (Some(tree), _) => Seen::NamesAndNotes(tree),
        (None, _) => Seen::Manifest,
    };
    let mut differences = compare(&selection.files, &known.ours, &gone, &seen);
    keep_protected(&mut differences, &filter);
    let unmanaged = match &tree {
        Some(tree) => unmanaged(tree, &selection, &known, &mut filter, skipper).await?,
        None => Vec::new(),
    };
    let warnings = warnings(&selection, &state.intents, &known, remote);
    Ok(assemble(Parts {
        project,
        local_root,
        selection,
        generation: state.generation(),
        deploy: state.manifest.map(|manifest| manifest.deploy),
        generations: state.generations,
        intents: state.intents,
        works: state.works,
        known,
        differences,
        gone,
        protected_gone,
        unmanaged,
        warnings,
        complete: tree.is_some(),
        mode,
        filter,
    }))
}

/// The same diff with `unmanaged` filled in from a complete listing, for those who want to delete such files.
///
/// # Errors
/// As for [`diff`].
pub async fn with_unmanaged<R: Remote>(
    project: &Project<R>,
    diff: &DeployDiff,
    skipper: &impl Skipper,
) -> Result<DeployDiff> {
    let mut complete = diff.clone();
    if diff.complete {
        return Ok(complete);
    }
    let base = &diff.base;
    let mut filter = base.filter.lock().await;
    let tree = list_tree(&project.client, &base.remote_root, &mut filter, skipper).await?;
    let strange = tree.files.iter().filter(|path| {
        !base.local.contains_key(*path) && !base.protected.contains_key(*path) && !base.known.ours.contains_key(*path)
    });
    let selected = filter.selects(strange.cloned().collect(), skipper).await?;
    complete.unmanaged = selected.into_iter().filter(|path| !base.protection.covers(path)).collect();
    complete.unmanaged.sort_unstable();
    complete.complete = true;
    Ok(complete)
}

struct Parts<'a, R> {
    project: &'a Project<R>,
    local_root: PathBuf,
    selection: Selection,
    generation: Option<u64>,
    deploy: Option<String>,
    generations: BTreeSet<u64>,
    intents: Vec<Intent>,
    works: BTreeSet<String>,
    known: Knowledge,
    differences: Differences,
    gone: BTreeSet<String>,
    protected_gone: Vec<String>,
    unmanaged: Vec<String>,
    warnings: Vec<String>,
    complete: bool,
    mode: Compare,
    filter: Filter,
}

fn assemble<R: Remote>(parts: Parts<'_, R>) -> DeployDiff {
    let Parts { selection, differences, .. } = parts;
    let in_the_way: BTreeSet<&String> = differences.obstacles.iter().flat_map(|obstacle| &obstacle.files).collect();
    let removed = parts
        .gone
        .into_iter()
        .filter(|path| !differences.vanished.contains(path) && !in_the_way.contains(path))
        .collect();
    let base = Base {
        host: parts.project.client.host().to_owned(),
        user: parts.project.client.user().to_owned(),
        local_root: parts.local_root,
        remote_root: parts.project.remote_root.clone(),
        local: selection.files,
        protected: selection.protected,
        protected_gone: parts.protected_gone,
        generation: parts.generation,
        deploy: parts.deploy,
        generations: parts.generations,
        intents: parts.intents,
        works: parts.works,
        known: parts.known,
        adopted: differences.adopted,
        vanished: differences.vanished,
        obstacles: differences.obstacles,
        blocked: differences.blocked,
        limit: parts.project.client.limit(),
        protection: parts.filter.protection.clone(),
        filter: Mutex::new(parts.filter),
    };
    let mut diff = DeployDiff {
        added: differences.added,
        changed: differences.changed,
        removed,
        unchanged: differences.unchanged,
        unmanaged: parts.unmanaged,
        protected: base.protected.keys().cloned().collect(),
        skipped: selection.skipped,
        left_out: selection.left_out,
        empty_folders: selection.empty_folders,
        warnings: parts.warnings,
        compare: parts.mode,
        plan: Plan::default(),
        complete: parts.complete,
        base: Arc::new(base),
    };
    diff.plan = Plan::of_default(&diff);
    diff
}

/// Files of ours that are not among the local ones.
fn gone(selection: &Selection, ours: &Files) -> Vec<String> {
    let is_local = |path: &String| selection.files.contains_key(path) || selection.protected.contains_key(path);
    ours.keys().filter(|path| !is_local(path)).cloned().collect()
}

fn split(paths: Vec<String>, goes_first: impl Fn(&str) -> bool) -> (Vec<String>, BTreeSet<String>) {
    let (mut first, mut second) = (Vec::new(), BTreeSet::new());
    for path in paths {
        if goes_first(&path) {
            first.push(path);
        } else {
            second.insert(path);
        }
    }
    (first, second)
}

/// An obstacle that holds a protected file stays, and what it is in the way of is not uploaded.
fn keep_protected(differences: &mut Differences, filter: &Filter) {
    let is_protected = |obstacle: &Obstacle| obstacle.files.iter().find(|path| filter.protection.covers(path)).cloned();
    let uploads: Vec<String> = differences.added.iter().chain(&differences.changed).cloned().collect();
    let mut blocked = BTreeMap::new();
    differences.obstacles.retain(|obstacle| {
        let Some(protected) = is_protected(obstacle) else { return true };
        let prefix = format!("{}/", obstacle.path);
        let hindered = uploads.iter().filter(|path| **path == obstacle.path || path.starts_with(&prefix));
        blocked.extend(hindered.map(|path| (path.clone(), format!("the protected file {protected} is in the way"))));
        false
    });
    differences.blocked.extend(blocked);
}

async fn unmanaged(
    tree: &RemoteTree,
    selection: &Selection,
    known: &Knowledge,
    filter: &mut Filter,
    skipper: &impl Skipper,
) -> Result<Vec<String>> {
    let strange = tree.files.iter().filter(|path| {
        let is_local = selection.files.contains_key(*path) || selection.protected.contains_key(*path);
        !is_local && !known.ours.contains_key(*path)
    });
    let mut strange = filter.selects(strange.cloned().collect(), skipper).await?;
    strange.retain(|path| !filter.protection.covers(path));
    Ok(strange)
}

/// Digests of what the host has under the names of local files.
async fn download_digests<R: Remote>(
    project: &Project<R>,
    selection: &Selection,
    tree: &RemoteTree,
) -> Result<BTreeMap<String, String>> {
    let mut downloads = Vec::new();
    for path in selection.files.keys().filter(|path| tree.files.contains(*path)) {
        let (remote, place) = (project.client.clone(), place(&project.remote_root, path)?);
        let path = path.clone();
        downloads.push(async move {
            match remote.read(&place).await {
                Ok(content) => Ok(Some((path, crate::digest::sha256(&content)))),
                // Gone since the listing: then it differs.
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        });
    }
    let digests: Vec<Option<(String, String)>> =
        futures_util::stream::iter(downloads).buffer_unordered(DOWNLOADS).try_collect().await?;
    Ok(digests.into_iter().flatten().collect())
}

fn warnings<R: Remote>(selection: &Selection, intents: &[Intent], known: &Knowledge, remote: &R) -> Vec<String> {
    let mut warnings = selection.warnings.clone();
    for intent in intents {
        warnings.push(match intent.standing(remote.server_time()) {
            Standing::Live => intent.describe(),
            Standing::Over => format!(
                "a deploy by {}@{} did not end well: what it was about counts as changed",
                intent.who, intent.host
            ),
        });
    }
    let orphans =
        known.pending.iter().filter(|path| !selection.files.contains_key(*path) && !known.ours.contains_key(*path));
    let orphans: Vec<String> = orphans.cloned().collect();
    if !orphans.is_empty() {
        warnings.push(format!(
            "a deploy that was cut off may have uploaded files that are not here: {}. They count as unmanaged",
            first_few(orphans.into_iter())
        ));
    }
    warnings.extend(not_sent(&selection.skipped));
    warnings
}

fn not_sent(skipped: &BTreeMap<String, String>) -> Option<String> {
    let names = || first_few(skipped.keys().cloned());
    (!skipped.is_empty()).then(|| format!("not sent, being no regular files: {}", names()))
}

impl Base {
    /// Refuses a project that the diff is not about.
    pub(super) fn check<R: Remote>(&self, project: &Project<R>) -> Result<()> {
        let same_root = checked_root(&project.local_root).is_ok_and(|root| root == self.local_root);
        let same_account = project.client.host() == self.host && project.client.user() == self.user;
        if same_root && same_account && project.remote_root == self.remote_root {
            return Ok(());
        }
        Err(Error::config(format!(
            "the diff is about {} and {} of {} on {}, not about this project: make a new one",
            self.local_root.display(),
            self.remote_root,
            self.user,
            self.host
        )))
    }
}

impl DeployDiff {
    /// Whether there is nothing to do: nothing differs, and no deploy before left a debt.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.plan.actions.is_empty() && self.removed.is_empty()
    }

    /// The warnings, but for the one that only repeats what `skipped` says with the reasons.
    pub(crate) fn other_warnings(&self) -> impl Iterator<Item = &String> {
        let repeated = not_sent(&self.skipped);
        self.warnings.iter().filter(move |warning| repeated.as_ref() != Some(*warning))
    }

    /// Whether there are local files that are no protected ones.
    pub(crate) fn has_local_files(&self) -> bool {
        !self.base.local.is_empty()
    }

    /// Everything as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "unmanaged": self.unmanaged,
            "protected": self.protected,
            "skipped": self.skipped,
            "left_out": self.left_out,
            "empty_folders": self.empty_folders,
            "warnings": self.warnings,
            "compare": self.compare.as_str(),
            "plan": self.plan.to_json(),
        })
    }
}

/// Like `git status --short`: a letter and a path in each line, nothing for what is unchanged.
impl fmt::Display for DeployDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [(&self.added, "A "), (&self.changed, "M "), (&self.removed, "D "), (&self.unmanaged, "??")];
        let mut lines: Vec<(&String, &str)> =
            letters.iter().flat_map(|(paths, letter)| paths.iter().map(|path| (path, *letter))).collect();
        lines.extend(self.skipped.keys().map(|path| (path, "! ")));
        lines.sort_unstable();
        for (index, (path, letter)) in lines.into_iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{letter} {}", printable(path))?;
        }
        Ok(())
    }
}

/// A path in one line of a terminal: control characters are escaped and the whole is quoted, as git does.
fn printable(path: &str) -> String {
    if path.chars().any(|c| c.is_control() || c == '"') { format!("{path:?}") } else { path.to_owned() }
}

impl fmt::Debug for DeployDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeployDiff")
            .field("added", &self.added)
            .field("changed", &self.changed)
            .field("removed", &self.removed)
            .field("unchanged", &self.unchanged.len())
            .finish_non_exhaustive()
    }
}
