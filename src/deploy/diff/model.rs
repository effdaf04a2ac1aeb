//! The diff as a value: how the two sides differ, and the snapshot that a deploy of it builds on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::compare::{Compare, Obstacle};
use crate::client::RemotePath;
use crate::clock::{self, Tick};
use crate::deploy::project::Project;
use crate::deploy::remote::Remote;
use crate::deploy::selection::filter::Filter;
use crate::deploy::selection::git::Revision;
use crate::deploy::selection::protect::Protection;
use crate::deploy::selection::select::{LocalFile, checked_root, nothing_included};
use crate::deploy::selection::walk::LeftOut;
use crate::deploy::state::folder::KnownFiles;
use crate::deploy::state::history::DeployEntry;
use crate::deploy::state::intent::Intent;
use crate::deploy::state::manifest::{Files, Kept, Origin};
use crate::error::{Error, Result};
use crate::finder::Mask;
use crate::text::first_few;

/// How a local project differs from what is on the host. Paths are relative to the project, lists are sorted.
#[derive(Clone)]
pub struct DeployDiff {
    /// Not on the host.
    pub added: Vec<String>,
    /// On the host with other content, or with content that is not known.
    pub changed: Vec<String>,
    /// Put there by an earlier deploy and gone locally. Deleted only if asked for.
    pub removed: Vec<String>,
    /// Those of `removed` whose content is in `added`, under a new name: old name to new name.
    pub renamed: BTreeMap<String, String>,
    /// Equal on both sides.
    pub unchanged: Vec<String>,
    /// Put there by an earlier deploy and not here, but not removed either: git did not track them, and another machine sent
    /// them, which may have built them. They stay.
    pub left: Vec<String>,
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
    /// Whether `unmanaged` is known.
    pub(crate) complete: bool,
    /// Whether databases, and what a link may lead to, were taken out of `unmanaged`.
    pub(crate) live_data_spared: bool,
    pub(crate) base: Arc<DiffSnapshot>,
}

/// What a deploy builds on.
pub(crate) struct DiffSnapshot {
    pub host: String,
    pub user: String,
    pub local_root: PathBuf,
    pub remote_root: RemotePath,
    pub local: BTreeMap<String, LocalFile>,
    pub protected: BTreeMap<String, PathBuf>,
    /// Protected files of ours that are gone locally.
    pub protected_gone: Vec<String>,
    /// The newest generation on the host, whether its manifest can be read or not.
    pub generation: Option<u64>,
    /// The deploy that the manifest is of; `None` without a manifest that can be read.
    pub deploy: Option<String>,
    /// What the latest bundle replaced or deleted, as its manifest says.
    pub kept: Option<Kept>,
    /// All manifests that the diff saw; more than one after a deploy was cut off.
    pub generations: BTreeSet<u64>,
    /// The intents that the diff saw.
    pub intents: Vec<Intent>,
    /// Those of deploys that were running then.
    pub running: BTreeSet<String>,
    /// The ids of intents that could not be read.
    pub unreadable: BTreeSet<String>,
    /// Manifests newer than the one in use, which could not be read.
    pub set_aside: BTreeSet<u64>,
    /// The jobs that have a folder on the host.
    pub works: BTreeSet<String>,
    pub known: KnownFiles,
    pub adopted: Files,
    pub vanished: BTreeSet<String>,
    pub obstacles: Vec<Obstacle>,
    pub blocked: BTreeMap<String, String>,
    pub limit: Option<u32>,
    /// How large a file may be that is sent, in bytes.
    pub max_file_size: u64,
    pub filter: Mutex<Filter>,
    pub protection: Protection,
    /// Of this machine, for the manifest.
    pub machine: String,
    /// The domain of the site that told the state on the host, and when.
    pub by_site: Option<(String, Tick)>,
    /// The history, as the manifest has it.
    pub history: Vec<DeployEntry>,
    /// What the intents add to it.
    pub told: Vec<DeployEntry>,
}

/// For how long a signed answer of a site shows that its web app is there and served.
const ANSWER_COUNTS: Duration = Duration::from_secs(30);

impl DiffSnapshot {
    /// The site that told the state on the host just now.
    pub(crate) fn answering_site(&self) -> Option<&str> {
        let (domain, at) = self.by_site.as_ref()?;
        (clock::now() < *at + ANSWER_COUNTS).then_some(domain)
    }

    /// Whether a file is here, protected or not, or ours.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.local.contains_key(path) || self.protected.contains_key(path) || self.known.ours.contains_key(path)
    }

    /// Whether the newest manifest on the host says all that is known: no deploy was cut off since.
    pub(crate) fn is_settled(&self) -> bool {
        self.intents.is_empty() && self.unreadable.is_empty() && self.set_aside.is_empty()
    }

    /// The ids of all intents that the diff saw.
    pub(crate) fn intent_ids(&self) -> impl Iterator<Item = &String> {
        self.intents.iter().map(|intent| &intent.id).chain(&self.unreadable)
    }

    /// The ids of interrupted deploys whose work folder is still there.
    pub(crate) fn abandoned_works(&self) -> BTreeSet<&String> {
        let folded = self.intents.iter().flat_map(|intent| &intent.takes_over);
        self.intent_ids().chain(folded).filter(|id| self.works.contains(*id)).collect()
    }

    /// The intents of deploys that were under way.
    fn running_intents(&self) -> impl Iterator<Item = &Intent> {
        self.intents.iter().filter(|intent| self.running.contains(&intent.id))
    }

    /// Files that deploys which are taken over by force may still be changing, or that another deploy knew as such.
    pub(crate) fn contested(&self) -> BTreeSet<String> {
        let mut contested: BTreeSet<String> = self.running_intents().flat_map(Intent::paths).collect();
        contested.extend(self.intents.iter().flat_map(|intent| intent.contested.iter().cloned()));
        contested
    }

    /// The generation of the manifest that fences off deploys which are taken over by force; `None` if there are none.
    pub(crate) fn fence(&self) -> Option<u64> {
        let is_needed = !self.running.is_empty() || !self.unreadable.is_empty();
        is_needed.then(|| self.generation.unwrap_or(0) + 1)
    }

    /// The generation of the manifest that a deploy of this diff writes.
    pub(crate) fn next_generation(&self) -> u64 {
        self.fence().or(self.generation).unwrap_or(0) + 1
    }

    /// What the manifest says of git's knowledge of a local file.
    pub(crate) fn origin_of(&self, path: &str) -> Option<Origin> {
        self.protection.origin_of(path, &self.machine)
    }

    /// The commit of the local files, if git was asked about them and knows. One that git lists without tracking it, and that
    /// is deployed, makes the work tree dirty as well: it is not in the commit. What git ignores does not, such as the
    /// result of a build.
    pub(crate) fn revision(&self) -> Option<Revision> {
        let has_untracked = self.protection.any_untracked(self.local.keys())?;
        let revision = Revision::of(&self.local_root)?;
        Some(Revision { dirty: revision.dirty || has_untracked, ..revision })
    }

    /// Refuses masks of files to include that match nothing in the diff.
    pub(crate) fn check_include(&self, include: &[String]) -> Result<()> {
        for text in include {
            let mask = Mask::parse(text)?;
            let mut known = self.local.keys().chain(self.protected.keys()).chain(&self.protected_gone);
            if !known.any(|path| mask.matches(path)) {
                return Err(nothing_included(text));
            }
        }
        Ok(())
    }

    /// Refuses a project other than the one that was compared.
    pub(crate) fn check<R: Remote>(&self, project: &Project<R>) -> Result<()> {
        let same_root = checked_root(&project.local_root).is_ok_and(|root| root == self.local_root);
        let same_account = project.client.host() == self.host && project.client.user() == self.user;
        if same_root && same_account && project.remote_root == self.remote_root {
            return Ok(());
        }
        Err(Error::config(format!(
            "the diff belongs to another project ({} and {} of {} on {}): make a new one",
            self.local_root.display(),
            self.remote_root,
            self.user,
            self.host
        )))
    }
}

impl DeployDiff {
    /// The warnings, except the one that only repeats what `skipped` says with the reasons.
    pub(crate) fn other_warnings(&self) -> impl Iterator<Item = &String> {
        let repeated = not_sent(&self.skipped);
        self.warnings.iter().filter(move |warning| repeated.as_ref() != Some(*warning))
    }

    /// Deploys that were under way when the host was read, each in a sentence.
    #[must_use]
    pub fn under_way(&self) -> Vec<String> {
        self.base.running_intents().map(Intent::describe).collect()
    }

    /// Whether there are local files that are not protected.
    pub(crate) fn has_local_files(&self) -> bool {
        !self.base.local.is_empty()
    }
}

/// Like `git status --short`: a letter and a path in each line, nothing for what is unchanged.
impl fmt::Display for DeployDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [(&self.added, 'A'), (&self.changed, 'M'), (&self.removed, 'D')];
        let changes =
            letters.iter().flat_map(|(paths, letter)| paths.iter().map(|path| FileChange::new(path, *letter)));
        f.write_str(&self.list(changes))
    }
}

impl DeployDiff {
    /// The list of `changes`, with what is left alone besides: the same form for a diff, a dry run and a deploy. A new file
    /// and the one that goes for it make one line, `R`; where the old one stays, the new one is a copy, or just new.
    pub(crate) fn list<'a>(&'a self, changes: impl Iterator<Item = FileChange<'a>>) -> String {
        let lines: Vec<String> = self.listed(changes).iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    /// The lines of [`Self::list`] as values, sorted by path.
    pub(crate) fn listed<'a>(&'a self, changes: impl Iterator<Item = FileChange<'a>>) -> Vec<FileChange<'a>> {
        let mut changes: BTreeMap<&str, FileChange<'_>> = changes.map(|change| (change.path, change)).collect();
        let mut unmanaged: BTreeSet<&str> = self.unmanaged.iter().map(String::as_str).collect();
        unmanaged.retain(|path| !changes.contains_key(path));
        for (old, new) in &self.renamed {
            let goes = changes.get(old.as_str()).is_some_and(|change| change.letter == 'D');
            if let (true, Some(change)) = (goes, changes.get_mut(new.as_str())) {
                *change = FileChange { letter: 'R', from: Some(old), path: new };
                changes.remove(old.as_str());
            }
        }
        let skipped = self.skipped.keys().map(|path| FileChange::new(path, '!'));
        let unmanaged = unmanaged.into_iter().map(|path| FileChange::new(path, '?'));
        let mut lines: Vec<FileChange<'_>> = changes.into_values().chain(unmanaged).chain(skipped).collect();
        lines.sort_by_key(|change| (change.path, change.letter));
        lines
    }

    /// How large a file is on the host, in bytes, as far as the manifest knows.
    pub(crate) fn size_before(&self, path: &str) -> Option<u64> {
        self.base.known.ours.get(path).or_else(|| self.base.adopted.get(path))?.size
    }

    /// How large a file is here, in bytes.
    pub(crate) fn size_after(&self, path: &str) -> Option<u64> {
        self.base.local.get(path)?.state.size
    }
}

/// A file that a deploy changes, as a line of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileChange<'a> {
    /// Relative to the project.
    pub path: &'a str,
    /// As in `git status --short`: `A`, `M`, `D`, `R` or `C`; `?` is unmanaged, and `!` cannot be sent.
    pub letter: char,
    /// Where its content comes from, if that is to be said.
    pub from: Option<&'a str>,
}

impl<'a> FileChange<'a> {
    /// A change that needs no other file.
    #[must_use]
    pub fn new(path: &'a str, letter: char) -> Self {
        Self { path, letter, from: None }
    }

    /// What the line of a list begins with.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        match self.letter {
            'A' => "A",
            'C' => "C",
            'D' => "D",
            'M' => "M",
            'R' => "R",
            '?' => "??",
            _ => "!",
        }
    }

    /// What happens to the file, in a word or two.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        match self.letter {
            'A' => "added",
            'C' => "copied",
            'D' => "deleted",
            'M' => "changed",
            'R' => "renamed",
            '?' => "unmanaged",
            _ => "not sent",
        }
    }

    /// The file, and where its content comes from, in one line.
    #[must_use]
    pub fn name(&self) -> String {
        let from = self.from.map_or(String::new(), |from| format!("{} -> ", printable(from)));
        format!("{from}{}", printable(self.path))
    }
}

impl fmt::Display for FileChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<2} {}", self.mark(), self.name())
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

pub(crate) fn not_sent(skipped: &BTreeMap<String, String>) -> Option<String> {
    let names = || first_few(skipped.keys().cloned());
    (!skipped.is_empty()).then(|| format!("not sent, because they are not regular files: {}", names()))
}
