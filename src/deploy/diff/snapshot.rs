//! The diff: reads both sides, compares them, and keeps what a deploy needs to act on it.
//!
//! Two requests unless a deploy is running or was interrupted: the listing of the state folder and the manifest. It only
//! reads, but for tasks of ours that a killed deploy left in the account; whether it still holds is checked by the deploy,
//! after its intent is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;

use super::compare::{Compare, Differences, Obstacle, Seen, compare};
use super::listing::{RemoteTree, list_tree};
use super::model::{DeployDiff, DiffSnapshot, not_sent};
use crate::deploy::paths::place;
use crate::deploy::project::Project;
use crate::deploy::remote::Remote;
use crate::deploy::selection::filter::Filter;
use crate::deploy::selection::select::{SelectOptions, Selection, checked_root, select};
use crate::deploy::state::folder::{KnownFiles, StateFolder};
use crate::deploy::state::intent::{Intent, IntentState};
use crate::deploy::state::manifest::Files;
use crate::deploy::state::recovery::sweep_tasks;
use crate::error::{ErrorKind, Result};
use crate::finder::Skipper;
use crate::text::first_few;

/// How many files are downloaded at a time to compare their content.
const DOWNLOADS: usize = 8;

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
    known: KnownFiles,
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
    let base = DiffSnapshot {
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
    DeployDiff {
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
        complete: parts.complete,
        base: Arc::new(base),
    }
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
    known: &KnownFiles,
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

fn warnings<R: Remote>(selection: &Selection, intents: &[Intent], known: &KnownFiles, remote: &R) -> Vec<String> {
    let mut warnings = selection.warnings.clone();
    for intent in intents {
        warnings.push(match intent.standing(remote.server_time()) {
            IntentState::Running => intent.describe(),
            IntentState::Ended => format!(
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
