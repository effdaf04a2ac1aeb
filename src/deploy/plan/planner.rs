//! The planner: what a deploy of a diff does with these options, in order.
//!
//! A pure function of a diff and options, so that a dry run shows exactly what the real run does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::actions::{Action, Plan};
use super::cost::{Workload, projected_seconds};
use super::options::DeployOptions;
use super::sources::{Source, Upload, sources};
use super::stale;
use crate::deploy::diff::compare::Obstacle;
use crate::deploy::diff::model::{DeployDiff, DiffSnapshot};
use crate::deploy::paths::{folders_of, has_below, is_due, parent_of};
use crate::deploy::selection::read::{Hashed, hash_all, unreadable};
use crate::deploy::selection::select::MAX_FILE_SIZE;
use crate::deploy::state::intent::Intent;
use crate::deploy::state::manifest::FileState;
use crate::error::{Error, Result};
use crate::host::PART_SIZE;
use crate::setting::Setting;
use crate::text::{counted, first_few};

/// An upload is followed by a checkpoint after this many.
pub(crate) const CHECKPOINT_FILES: usize = 100;

/// Replaced manifests are removed together, once there are this many: one by one, each deploy would cost one request
/// more, and nothing reads them.
const STALE_MANIFESTS: usize = 8;

/// At least this many deletes are allowed by default.
const MIN_MAX_DELETE: usize = 10;

/// A plan's decisions, as the deploy carries them out.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResolvedPlan {
    pub uploads: Vec<Upload>,
    /// Where a bundle has the content of each upload from.
    pub sources: Vec<Source>,
    pub obstacles: Vec<Obstacle>,
    /// Folder to the files that go from it.
    pub deletes: BTreeMap<String, Vec<String>>,
    pub reload: BTreeSet<String>,
    /// Manifests that are removed.
    pub stale: Vec<u64>,
    pub warnings: Vec<String>,
    pub plan: Plan,
    /// The size of what is replaced and deleted, as far as the manifest knows it.
    pub replaced_bytes: u64,
    /// Requests a minute.
    pub limit: Option<u32>,
}

impl DeployDiff {
    /// What a deploy would do that deletes nothing and reloads nothing but what is owed.
    #[must_use]
    pub fn plan(&self) -> Plan {
        // Without deletes nothing can be refused but obstacles, which the deploy refuses then.
        let options = DeployOptions { max_delete: Some(usize::MAX), ..DeployOptions::default() };
        self.plan_with(&options).unwrap_or_default()
    }

    /// What a deploy with these options would do.
    ///
    /// # Errors
    /// `Config` if the options ask for what the diff cannot give, or for more deletes than allowed.
    pub fn plan_with(&self, options: &DeployOptions) -> Result<Plan> {
        Ok(ResolvedPlan::of(self, options)?.plan)
    }

    /// Whether there is nothing to do: nothing differs, and no deploy before left a debt.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.plan().actions.is_empty() && self.removed.is_empty()
    }

    /// Everything as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "renamed": self.renamed,
            "left": self.left,
            "unchanged": self.unchanged,
            "unmanaged": self.unmanaged,
            "protected": self.protected,
            "skipped": self.skipped,
            "left_out": self.left_out,
            "empty_folders": self.empty_folders,
            "warnings": self.warnings,
            "compare": self.compare.as_str(),
            "plan": self.plan().to_json(),
        })
    }
}

fn check_health(options: &DeployOptions) -> Result<()> {
    let Some(health) = options.health.as_deref().filter(|health| !health.starts_with('/')) else { return Ok(()) };
    Err(Error::config(format!("the health check wants a path of the site such as \"/\", not {health:?}")))
}

/// The manifests that a deploy removes.
fn stale_manifests(base: &DiffSnapshot) -> Vec<u64> {
    if base.generations.len() >= STALE_MANIFESTS {
        return base.generations.iter().copied().chain(base.fence()).collect();
    }
    // Each would be read by every later deploy.
    base.set_aside.iter().copied().collect()
}

impl ResolvedPlan {
    /// Decides what to do.
    pub(crate) fn of(diff: &DeployDiff, options: &DeployOptions) -> Result<Self> {
        check_health(options)?;
        let mut work = Self { obstacles: diff.base.obstacles.clone(), ..Self::default() };
        work.choose_uploads(diff, options)?;
        work.choose_deletes(diff, options)?;
        let going = work.deletes.values().flatten().map(String::as_str).collect();
        work.sources = sources(diff, &work.uploads, &going);
        work.limit = diff.base.limit;
        work.replaced_bytes = work.replaced().filter_map(|path| diff.base.known.ours.get(path)?.size).sum();
        work.warnings.extend(stale::warnings(diff, options, &work.deletes.values().flatten().collect()));
        if work.is_needed(diff, options) || !options.steps.is_none() {
            work.reload.extend(options.reload.iter().cloned());
            if !options.keep_owed_reloads {
                work.reload.extend(diff.base.known.reload.iter().cloned());
            }
            work.stale = stale_manifests(&diff.base);
            work.plan = work.lay_out(diff);
        }
        Ok(work)
    }

    fn choose_uploads(&mut self, diff: &DeployDiff, options: &DeployOptions) -> Result<()> {
        let base = &diff.base;
        let changed: BTreeSet<&String> = diff.changed.iter().collect();
        for path in diff.added.iter().chain(&diff.changed).filter(|path| !base.blocked.contains_key(*path)) {
            let Some(file) = base.local.get(path) else { continue };
            self.uploads.push(Upload::new(path, &file.path, file.state.clone(), changed.contains(path)));
        }
        self.choose_protected(diff, options)?;
        self.uploads.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(())
    }

    /// How many bytes of files a bundle holds.
    fn bundle_bytes(&self) -> u64 {
        let local = self.uploads.iter().zip(&self.sources).filter(|(_, source)| **source == Source::Local);
        local.map(|(upload, _)| upload.size).sum()
    }

    /// How many uploads a bundle replaces with copies of what the host has.
    pub(crate) fn on_host(&self) -> usize {
        self.sources.iter().filter(|source| source.is_on_host()).count()
    }

    /// Makes the plan that of a bundle, which holds nothing that the host has or that it holds already.
    pub(crate) fn copy_on_host(&mut self) {
        let uploads = self.uploads.iter().zip(&self.sources);
        let mut from: BTreeMap<&str, String> = uploads
            .filter_map(|(upload, source)| match source {
                Source::Local => None,
                Source::Host(path) | Source::Kept(path) => Some((upload.path.as_str(), path.clone())),
                Source::Upload(other) => Some((upload.path.as_str(), self.uploads[*other].path.clone())),
            })
            .collect();
        for action in &mut self.plan.actions {
            if let Action::Upload { path, size, replaces } = action
                && let Some(from) = from.remove(path.as_str())
            {
                *action = Action::Copy { path: std::mem::take(path), from, size: *size, replaces: *replaces };
            }
        }
        self.plan.bytes = self.bundle_bytes();
    }

    /// Paths of files on the host that are replaced or deleted, if they are there.
    fn replaced(&self) -> impl Iterator<Item = &String> {
        let uploads = self.uploads.iter().map(|upload| &upload.path);
        let obstacles = self.obstacles.iter().flat_map(|obstacle| &obstacle.files);
        uploads.chain(self.deletes.values().flatten()).chain(obstacles)
    }

    /// What to say about executables that go one by one; a bundle restores their mode bits.
    pub(crate) fn executables_warning(&self) -> Option<String> {
        let executables = self.uploads.iter().filter(|upload| upload.mode.is_some_and(|mode| mode & 0o111 != 0));
        let executables: Vec<String> = executables.map(|upload| upload.path.clone()).collect();
        (!executables.is_empty()).then(|| {
            format!(
                "the service cannot set mode bits, run \"chmod +x\" on the host for {}",
                first_few(executables.into_iter())
            )
        })
    }

    /// What the cost of each way depends on.
    pub(crate) fn workload(&self, options: &DeployOptions) -> Workload {
        let deletes = self.deletes.values().map(Vec::len).sum::<usize>();
        Workload {
            changes: self.uploads.len() + deletes,
            single: self.plan.requests,
            reloads: self.reload.len(),
            // At most: how well it compresses is not known yet.
            parts: 1 + usize::try_from(self.bundle_bytes() / PART_SIZE).unwrap_or(usize::MAX - 1),
            leftovers: self.plan.actions.iter().filter(|action| action.is_about_leftovers()).count(),
            commands: options.steps.names().count(),
            limit: self.limit,
            ..Workload::default()
        }
    }

    /// Protected files that are named now. The diff did not read them, because they may be large and many.
    fn choose_protected(&mut self, diff: &DeployDiff, options: &DeployOptions) -> Result<()> {
        let base = &diff.base;
        base.check_include(&options.include)?;
        let protection = base.protection.including(&options.include)?;
        let (names, locals): (Vec<&String>, Vec<&PathBuf>) =
            base.protected.iter().filter(|(path, _)| protection.lifts(path)).unzip();
        if names.is_empty() {
            return Ok(());
        }
        let hashed = hash_all(&base.local_root, &locals, MAX_FILE_SIZE)
            .map_err(|source| Error::Local { path: PathBuf::from("(threads)"), source })?;
        for ((path, local), hashed) in names.into_iter().zip(locals).zip(hashed) {
            let ours = base.known.ours.get(path);
            let is_same = |state: &FileState| ours.is_some_and(|ours| ours.same_content(state));
            let Some(state) = sendable(path, local, hashed)?.filter(|state| !is_same(state)) else { continue };
            let state = FileState { origin: base.origin_of(path), ..state };
            self.uploads.push(Upload::new(path, local, state, ours.is_some()));
        }
        Ok(())
    }

    fn choose_deletes(&mut self, diff: &DeployDiff, options: &DeployOptions) -> Result<()> {
        let mut paths: Vec<String> = Vec::new();
        if options.delete || options.delete_unmanaged {
            check_local(&diff.base)?;
        }
        if options.delete {
            paths.extend(self.gone(diff, options)?);
        }
        if options.delete_unmanaged {
            paths.extend(unmanaged(diff)?.iter().cloned());
        }
        self.check_number(paths.len(), diff, options)?;
        for path in paths {
            self.deletes.entry(parent_of(&path).to_owned()).or_default().push(path);
        }
        Ok(())
    }

    /// Files of ours that are gone locally.
    fn gone(&mut self, diff: &DeployDiff, options: &DeployOptions) -> Result<Vec<String>> {
        let base = &diff.base;
        if base.deploy.is_none() && base.known.ours.is_empty() {
            self.warnings.push(
                "nothing is deleted: no manifest says which files earlier deploys sent. This deploy writes one"
                    .to_owned(),
            );
        }
        let protection = base.protection.including(&options.include)?;
        let protected = base.protected_gone.iter().filter(|path| !protection.covers(path));
        Ok(diff.removed.iter().chain(protected).cloned().collect())
    }

    /// Refuses to delete more than is allowed: `chosen` files, and what is in the way.
    fn check_number(&self, chosen: usize, diff: &DeployDiff, options: &DeployOptions) -> Result<()> {
        let number = chosen + self.obstacles.iter().map(|obstacle| obstacle.files.len()).sum::<usize>();
        let most = options.max_delete.unwrap_or(MIN_MAX_DELETE.max(diff.base.known.ours.len().div_ceil(5)));
        if number <= most {
            return Ok(());
        }
        Err(Error::config(format!(
            "this would delete {}, and at most {most} are allowed: look at the diff, \
             then raise the limit ({}) if it is right",
            counted(number, "file"),
            Setting::MaxDelete
        )))
    }

    /// Whether anything must be sent.
    fn is_needed(&self, diff: &DeployDiff, options: &DeployOptions) -> bool {
        let base = &diff.base;
        let is_kept = |intent: &Intent| options.keep_owed_reloads && intent.steps.is_empty() && intent.tasks.is_empty();
        let owes_more = !(base.known.pending.is_empty() && base.known.done.is_empty() && base.known.deletes.is_empty());
        !self.uploads.is_empty()
            || !self.obstacles.is_empty()
            || !self.deletes.is_empty()
            || !base.adopted.is_empty()
            || !base.vanished.is_empty()
            || !base.unreadable.is_empty()
            || !base.set_aside.is_empty()
            || owes_more
            || !base.intents.iter().all(is_kept)
    }

    fn lay_out(&self, diff: &DeployDiff) -> Plan {
        let base = &diff.base;
        let mut actions = vec![Action::WriteIntent, Action::ListState];
        actions.extend(base.running.iter().map(|id| Action::ReadLeftover { id: id.clone() }));
        actions.extend(base.intent_ids().map(|id| Action::RemoveLeftover { id: id.clone() }));
        actions.extend(base.fence().map(|generation| Action::WriteManifest { generation }));
        for obstacle in &self.obstacles {
            lay_out_obstacle(obstacle, &mut actions);
        }
        self.lay_out_uploads(&mut actions);
        actions.push(Action::WriteManifest { generation: base.next_generation() });
        actions.extend(self.reload.iter().map(|domain| Action::Reload { domain: domain.clone() }));
        self.lay_out_deletes(diff, &mut actions);
        let works = base.abandoned_works().into_iter().cloned();
        actions.extend(works.flat_map(|id| [Action::ListWork { id: id.clone() }, Action::RemoveWork { id }]));
        actions.extend(self.stale.iter().map(|&generation| Action::RemoveManifest { generation }));
        actions.push(Action::RemoveIntent);
        plan_of(actions, self.uploads.iter().map(|upload| upload.size).sum(), base.limit)
    }
}

impl ResolvedPlan {
    fn lay_out_uploads(&self, actions: &mut Vec<Action>) {
        for (index, upload) in self.uploads.iter().enumerate() {
            if index > 0 && index % CHECKPOINT_FILES == 0 {
                actions.extend([Action::Checkpoint, Action::ListState]);
            }
            let Upload { path, size, replaces, .. } = upload;
            actions.push(Action::Upload { path: path.clone(), size: *size, replaces: *replaces });
        }
    }

    /// The deepest folder first, as the deploy does it; a folder that loses its last file goes as well, unless the host
    /// holds something unmanaged in it.
    fn lay_out_deletes(&self, diff: &DeployDiff, actions: &mut Vec<Action>) {
        let base = &diff.base;
        let going: BTreeSet<&String> = self.deletes.values().flatten().collect();
        let ours = base.known.ours.keys().filter(|path| !going.contains(path) && !base.vanished.contains(*path));
        let kept: BTreeSet<&str> = ours.chain(base.local.keys()).map(String::as_str).collect();
        let mut left: BTreeSet<&str> = self.deletes.keys().map(String::as_str).collect();
        for (folder, paths) in self.deletes.iter().rev() {
            actions.push(Action::List { folder: folder.clone() });
            actions.extend(paths.iter().map(|path| Action::Delete { path: path.clone() }));
            left.remove(folder.as_str());
            let mut emptied = folder.as_str();
            while !emptied.is_empty() && !has_below(&kept, emptied) && !is_due(&left, emptied) {
                actions.push(Action::List { folder: emptied.to_owned() });
                actions.push(Action::DeleteFolder { path: emptied.to_owned() });
                emptied = parent_of(emptied);
            }
        }
    }
}

/// Refuses to delete anything where no file is here that is not protected.
fn check_local(base: &DiffSnapshot) -> Result<()> {
    // Protected files may be all that is left, or all others may have gone while they were read.
    if !base.local.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!(
        "nothing is deleted: {} contains no files to deploy except protected ones, so every file on the \
         host would be deleted",
        base.local_root.display()
    )))
}

/// The unmanaged files, if they are known.
fn unmanaged(diff: &DeployDiff) -> Result<&[String]> {
    if diff.complete {
        return Ok(&diff.unmanaged);
    }
    Err(Error::config(format!(
        "{} needs the complete listing of the project: make the diff with {}",
        Setting::DeleteUnmanaged,
        Setting::CompareNames
    )))
}

/// What a protected file holds that is sent all the same; `None` if it is gone.
fn sendable(path: &str, local: &Path, hashed: Hashed) -> Result<Option<FileState>> {
    match hashed {
        Hashed::Done(state) | Hashed::LfsPointer(state) => Ok(Some(state)),
        Hashed::Database(state) if state.sha256.is_some() => Ok(Some(state)),
        Hashed::Gone => Ok(None),
        Hashed::TooLarge(_) | Hashed::Database(_) => {
            Err(Error::config(format!("{path} is larger than the limit for uploads")))
        }
        Hashed::Failed(source) => Err(unreadable(local, source)),
    }
}

/// These actions, with what they cost.
fn plan_of(actions: Vec<Action>, bytes: u64, limit: Option<u32>) -> Plan {
    let on_files = actions.iter().filter(|action| !matches!(action, Action::Reload { .. })).count();
    Plan { requests: actions.len(), seconds: projected_seconds(on_files, limit), bytes, actions }
}

fn lay_out_obstacle(obstacle: &Obstacle, actions: &mut Vec<Action>) {
    let mut folders: BTreeSet<&str> = obstacle.files.iter().map(|path| parent_of(path)).collect();
    if obstacle.is_dir {
        let prefix = obstacle.path.len() + 1;
        folders.extend(obstacle.files.iter().flat_map(|path| folders_of(path).filter(|folder| folder.len() > prefix)));
        folders.insert(&obstacle.path);
    }
    actions.extend(folders.iter().map(|&folder| Action::List { folder: folder.to_owned() }));
    for folder in folders.into_iter().rev() {
        let files = obstacle.files.iter().filter(|path| parent_of(path) == folder);
        actions.extend(files.map(|path| Action::Delete { path: path.clone() }));
        if obstacle.is_dir {
            actions.push(Action::List { folder: folder.to_owned() });
            actions.push(Action::DeleteFolder { path: folder.to_owned() });
        }
    }
}
