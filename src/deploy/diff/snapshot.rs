//! The diff: reads both sides, compares them, and keeps what a deploy needs to act on it.
//!
//! Two requests unless a deploy is running or was interrupted: the listing of the state folder and the manifest; none to
//! the API where the agent in the account's site tells both. It only reads, except that it deletes tasks of ours that a
//! killed deploy left in the account. Whether the diff still holds is checked by the deploy, after its intent is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::stream::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;

use super::compare::{Compare, Differences, Obstacle, Seen, compare};
use super::listing::{RemoteTree, list_tree};
use super::model::{DeployDiff, DiffSnapshot, not_sent};
use super::renames::renames;
use crate::api::if_there;
use crate::client::RemotePath;
use crate::clock::Tick;
use crate::deploy::paths::{is_within, place};
use crate::deploy::project::Project;
use crate::deploy::remote::Remote;
use crate::deploy::selection::filter::Filter;
use crate::deploy::selection::machine;
use crate::deploy::selection::select::{SelectOptions, Selection, checked_root, select};
use crate::deploy::state::folder::{KnownFiles, State, StateFolder};
use crate::deploy::state::intent::{Intent, IntentState};
use crate::deploy::state::manifest::{Files, Origin};
use crate::deploy::state::recovery::sweep_tasks;
use crate::error::Result;
use crate::finder::Skipper;
use crate::host::Lane;
use crate::setting::Setting;
use crate::text::{counted, first_few};

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
    diff_by_site(project, options, skipper, mode, None).await
}

/// The same, with the state on the host as the agent behind `lane` tells it, if it does.
///
/// # Errors
/// As for [`diff`].
pub async fn diff_by_site<R: Remote>(
    project: &Project<R>,
    options: &SelectOptions,
    skipper: &impl Skipper,
    mode: Option<Compare>,
    lane: Option<&Lane>,
) -> Result<DeployDiff> {
    let local_root = checked_root(&project.local_root)?;
    let remote = &project.client;
    let folder = StateFolder::of(remote.user(), &project.remote_root)?;
    let (selection, mut filter) = select(&local_root, options, folder.inside_project(), skipper).await?;

    let (state, by_site) = read_state(remote, &folder, lane).await?;
    let mut known = state.knowledge(remote.server_time());
    known.look_for_deleted(remote, &project.remote_root).await?;
    let is_asked = mode.is_some();
    let mode = mode.unwrap_or(if state.manifest.is_some() { Compare::Manifest } else { Compare::Names });
    let tree = match mode {
        Compare::Manifest => None,
        _ if state.is_new => Some(RemoteTree::default()),
        _ => Some(list_tree(remote, &project.remote_root, &mut filter, skipper).await?),
    };
    let digests = match &tree {
        Some(tree) if mode == Compare::Content => download_digests(project, &selection, tree).await?,
        _ => BTreeMap::new(),
    };

    let candidates = filter.selects(gone(&selection, &known.ours), skipper).await?;
    let missing = Missing::of(candidates, &known.ours, &filter, options);
    let seen = match &tree {
        Some(tree) if mode == Compare::Content => Seen::Content(tree, &digests),
        Some(tree) if is_asked => Seen::Names(tree),
        Some(tree) => Seen::NamesAndNotes(tree),
        None => Seen::Manifest,
    };
    let mut differences = compare(&selection.files, &known.ours, &missing.ours, &seen);
    keep_protected(&mut differences, &filter);
    let unmanaged = unmanaged(tree.as_ref(), &selection, &known, &mut filter, skipper).await?;
    let now = remote.server_time();
    let mut warnings = warnings(&selection, &state, &known, &folder, now)?;
    warnings.extend(left_warning(&missing.left));
    Ok(assemble(Parts {
        project,
        now,
        local_root,
        selection,
        state,
        known,
        differences,
        missing,
        unmanaged,
        warnings,
        complete: tree.is_some(),
        mode,
        filter,
        max_file_size: options.max_file_size,
        by_site,
    }))
}

/// What the state folder says, and the site that told it, if the API was not asked.
async fn read_state<R: Remote>(
    remote: &R,
    folder: &StateFolder,
    lane: Option<&Lane>,
) -> Result<(State, Option<(String, Tick)>)> {
    let (state, answered) = folder.read_by(remote, lane).await?;
    let by_site = lane.zip(answered).map(|(lane, at)| (lane.domain().to_owned(), at));
    match remote.as_client() {
        Some(client) if sweep_tasks(client, folder, &state).await? => Ok((folder.read(remote).await?, by_site)),
        _ => Ok((state, by_site)),
    }
}

/// Files of ours that are missing locally and would be selected.
struct Missing {
    /// Those that are ours to delete.
    ours: BTreeSet<String>,
    protected: Vec<String>,
    /// Those that another machine built and sent.
    left: Vec<String>,
}

impl Missing {
    fn of(paths: Vec<String>, known: &Files, filter: &Filter, options: &SelectOptions) -> Self {
        let origin = |path: &str| known.get(path).and_then(|state| state.origin.as_ref());
        let (protected, gone) = split(paths, |path| {
            let was_tracked = origin(path) == Some(&Origin::Tracked);
            if was_tracked { filter.protection.covers_as(path, true) } else { filter.protection.covers(path) }
        });
        // The machine of an earlier deploy is this one if it has the same id, and a machine without one never is.
        let machine = machine::id_if_needed(gone.iter().any(|path| matches!(origin(path), Some(Origin::Untracked(_)))));
        let (left, ours) = split(gone.into_iter().collect(), |path| match origin(path) {
            Some(Origin::Untracked(sender)) => !options.delete_untracked && (sender.is_empty() || *sender != machine),
            _ => false,
        });
        Self { ours, protected, left }
    }
}

fn left_warning(left: &[String]) -> Option<String> {
    let them = if left.len() == 1 { "it" } else { "them" };
    (!left.is_empty()).then(|| {
        format!(
            "missing locally, kept on the host: {}. Git did not track {them} when another machine sent {them} ({} deletes \
             such files)",
            first_few(left.iter().cloned()),
            Setting::DeleteUntracked
        )
    })
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
    let strange = tree.files.iter().filter(|path| !base.knows(path));
    let selected = filter.selects(strange.cloned().collect(), skipper).await?;
    complete.unmanaged = selected.into_iter().filter(|path| !base.protection.covers(path)).collect();
    complete.unmanaged.sort_unstable();
    complete.complete = true;
    complete.live_data_spared = false;
    Ok(complete)
}

struct Parts<'a, R> {
    project: &'a Project<R>,
    now: Option<SystemTime>,
    local_root: PathBuf,
    selection: Selection,
    state: State,
    known: KnownFiles,
    differences: Differences,
    missing: Missing,
    unmanaged: Vec<String>,
    warnings: Vec<String>,
    complete: bool,
    mode: Compare,
    filter: Filter,
    max_file_size: u64,
    by_site: Option<(String, Tick)>,
}

fn assemble<R: Remote>(parts: Parts<'_, R>) -> DeployDiff {
    let Parts { project, selection, state, missing, differences, .. } = parts;
    let removed = removed(missing.ours, &differences);
    let renamed = renames(
        removed.iter().filter_map(|path| Some((path, parts.known.ours.get(path)?))),
        differences.added.iter().filter_map(|path| Some((path, &selection.files.get(path)?.state))),
    );
    let base = DiffSnapshot {
        host: project.client.host().to_owned(),
        user: project.client.user().to_owned(),
        local_root: parts.local_root,
        remote_root: project.remote_root.clone(),
        local: selection.files,
        protected: selection.protected,
        protected_gone: missing.protected,
        history: state.written_history().to_vec(),
        told: state.told(parts.now),
        running: state.running(parts.now),
        generation: state.generation(),
        kept: state.manifest.as_ref().and_then(|manifest| manifest.kept.clone()),
        deploy: state.manifest.map(|manifest| manifest.deploy),
        generations: state.generations,
        intents: state.intents,
        unreadable: state.unreadable,
        set_aside: state.set_aside.into_keys().collect(),
        works: state.works,
        known: parts.known,
        adopted: differences.adopted,
        vanished: differences.vanished,
        obstacles: differences.obstacles,
        blocked: differences.blocked,
        limit: project.client.limit(),
        max_file_size: parts.max_file_size,
        protection: parts.filter.protection.clone(),
        filter: Mutex::new(parts.filter),
        machine: selection.machine,
        by_site: parts.by_site,
    };
    DeployDiff {
        added: differences.added,
        changed: differences.changed,
        removed,
        renamed,
        left: missing.left,
        unchanged: differences.unchanged,
        unmanaged: parts.unmanaged,
        protected: base.protected.keys().cloned().collect(),
        skipped: selection.skipped,
        left_out: selection.left_out,
        empty_folders: selection.empty_folders,
        warnings: parts.warnings,
        compare: parts.mode,
        complete: parts.complete,
        live_data_spared: false,
        base: Arc::new(base),
    }
}

/// Those of the `gone` files that are still on the host, and not in the way of an upload.
fn removed(gone: BTreeSet<String>, differences: &Differences) -> Vec<String> {
    let in_the_way: BTreeSet<&String> = differences.obstacles.iter().flat_map(|obstacle| &obstacle.files).collect();
    let is_removed = |path: &String| !differences.vanished.contains(path) && !in_the_way.contains(path);
    gone.into_iter().filter(is_removed).collect()
}

/// Files of ours that are not among the local ones.
fn gone(selection: &Selection, ours: &Files) -> Vec<String> {
    ours.keys().filter(|path| !selection.holds(path)).cloned().collect()
}

fn split(paths: Vec<String>, goes_first: impl Fn(&str) -> bool) -> (Vec<String>, BTreeSet<String>) {
    let (first, second): (Vec<String>, Vec<String>) = paths.into_iter().partition(|path| goes_first(path));
    (first, second.into_iter().collect())
}

/// An obstacle that holds a protected file stays, and what it is in the way of is not uploaded.
fn keep_protected(differences: &mut Differences, filter: &Filter) {
    let is_protected = |obstacle: &Obstacle| obstacle.files.iter().find(|path| filter.protection.covers(path)).cloned();
    let uploads: Vec<String> = differences.added.iter().chain(&differences.changed).cloned().collect();
    let mut blocked = BTreeMap::new();
    differences.obstacles.retain(|obstacle| {
        let Some(protected) = is_protected(obstacle) else { return true };
        let hindered = uploads.iter().filter(|path| is_within(&obstacle.path, path));
        blocked.extend(hindered.map(|path| (path.clone(), format!("the protected file {protected} is in the way"))));
        false
    });
    differences.blocked.extend(blocked);
}

async fn unmanaged(
    tree: Option<&RemoteTree>,
    selection: &Selection,
    known: &KnownFiles,
    filter: &mut Filter,
    skipper: &impl Skipper,
) -> Result<Vec<String>> {
    let Some(tree) = tree else { return Ok(Vec::new()) };
    let strange = tree.files.iter().filter(|path| !selection.holds(path) && !known.ours.contains_key(*path));
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
            let digest = download_digest(&remote, &place).await?;
            Ok::<_, crate::Error>(digest.map(|digest| (path, digest)))
        });
    }
    let digests: Vec<Option<(String, String)>> =
        futures_util::stream::iter(downloads).buffer_unordered(DOWNLOADS).try_collect().await?;
    Ok(digests.into_iter().flatten().collect())
}

/// The digest of a file on the host; `None` if it is gone since the listing: then it differs.
async fn download_digest<R: Remote>(remote: &R, place: &RemotePath) -> Result<Option<String>> {
    Ok(if_there(remote.read(place).await)?.map(crate::digest::sha256))
}

fn warnings(
    selection: &Selection,
    state: &State,
    known: &KnownFiles,
    folder: &StateFolder,
    now: Option<SystemTime>,
) -> Result<Vec<String>> {
    let mut warnings = selection.warnings.clone();
    warnings.extend(state.damages());
    for id in &state.unreadable {
        warnings.push(format!("{}, and every file counts as changed", unreadable_intent(folder, id)?));
    }
    let (running, ended): (Vec<&Intent>, Vec<&Intent>) =
        state.intents.iter().partition(|intent| intent.standing(now) == IntentState::Running);
    warnings.extend(running.into_iter().map(Intent::describe));
    warnings.extend(interrupted(&ended, known, now));
    warnings.extend(orphans(selection, known));
    warnings.extend(not_sent(&selection.skipped));
    Ok(warnings)
}

/// What to say about files that an interrupted deploy may have sent and that are neither here nor known as ours.
fn orphans(selection: &Selection, known: &KnownFiles) -> Option<String> {
    let is_orphan = |path: &&String| !selection.files.contains_key(*path) && !known.ours.contains_key(*path);
    let orphans: Vec<String> = known.pending.iter().filter(is_orphan).cloned().collect();
    (!orphans.is_empty()).then(|| {
        format!(
            "an interrupted deploy may have uploaded files that do not exist locally: {}. They count as unmanaged",
            first_few(orphans.into_iter())
        )
    })
}

/// What to say about an intent that cannot be read: it may be that of a running deploy.
pub(crate) fn unreadable_intent(folder: &StateFolder, id: &str) -> Result<String> {
    Ok(format!(
        "{} cannot be read, so it is unknown whether a deploy is running: if none is, take over with {}",
        folder.intent(id)?,
        Setting::Force
    ))
}

/// One line about deploys that did not finish: which, and what they left to do.
fn interrupted(ended: &[&Intent], known: &KnownFiles, now: Option<SystemTime>) -> Option<String> {
    let latest = ended.iter().max_by_key(|intent| intent.since)?;
    let who = latest.describe_past(now);
    let deploys = match ended.len() {
        1 => format!("an earlier deploy ({who}) was interrupted"),
        number => format!("{number} earlier deploys (the latest: {who}) were interrupted"),
    };
    Some(format!("{deploys}: {}", left_to_do(known, ended.len() == 1)))
}

/// What interrupted deploys left to do, or that there is nothing.
fn left_to_do(known: &KnownFiles, is_one: bool) -> String {
    let (it, its) = if is_one { ("it", "its") } else { ("they", "their") };
    let mut left = Vec::new();
    if !known.pending.is_empty() {
        left.push(format!("{its} {} will be sent again", counted(known.pending.len(), "file")));
    }
    if !known.reload.is_empty() {
        left.push(format!(
            "{it} did not reload {}, which may run old code (deploy with {} to reload)",
            first_few(known.reload.iter().cloned()),
            Setting::Reload
        ));
    }
    if left.is_empty() {
        left.push("all its files are in place".to_owned());
    }
    left.join(", ")
}
