//! The filter: whether a path that need not exist locally would be selected.
//!
//! It stays after the walk, because the same question comes up for files that are gone: one that would be left out today
//! is not `removed`, it is outside this deploy.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::ignore::{Rule, Rules, Verdict};
use super::protect::Protection;
use super::walk::Walked;
use crate::blocking::blocking;
use crate::deploy::paths::{folders_of, is_within};
use crate::error::Result;
use crate::finder::{Mask, Skipper};

/// Decides about paths that need not exist locally.
#[derive(Clone)]
pub(crate) struct Filter {
    rules: Rules,
    masks: Vec<Mask>,
    pub protection: Protection,
    environments: Vec<String>,
    skipped: BTreeSet<String>,
    reserved: Option<String>,
    /// What the skipper said so far: it is asked once for each path.
    answers: HashMap<String, bool>,
}

impl Filter {
    /// A filter that agrees with what a walk found.
    pub(super) fn new(
        rules: Rules,
        masks: Vec<Mask>,
        protection: Protection,
        walked: &Walked,
        reserved: Option<String>,
    ) -> Self {
        Self {
            rules,
            masks,
            protection,
            environments: walked.environments.clone(),
            skipped: walked.skipped.keys().cloned().collect(),
            reserved,
            answers: HashMap::new(),
        }
    }

    /// Lets the skipper decide about what the walk found.
    pub(super) async fn leave_to_skipper(&mut self, walked: &mut Walked, skipper: &impl Skipper) -> Result<()> {
        let unsendable = walked.unsendable.iter().map(|(path, _)| path);
        let paths: Vec<String> =
            walked.files.keys().chain(walked.protected.keys()).chain(unsendable).cloned().collect();
        let left_out = self.skipped_of(&paths, skipper).await?;
        walked.unsendable.retain(|(path, _)| !left_out.contains(path));
        for path in &left_out {
            walked.files.remove(path);
            walked.protected.remove(path);
            walked.count(&Rule { source: "skip_file_path".to_owned(), pattern: path.clone() }, false);
        }
        Ok(())
    }

    /// Those of `paths` that the skipper leaves out, by themselves or with a folder.
    async fn skipped_of(&mut self, paths: &[String], skipper: &impl Skipper) -> Result<BTreeSet<String>> {
        for level in levels_of(paths).into_values() {
            let level = level.into_iter().map(str::to_owned).collect();
            self.skips_folders(level, skipper).await?;
        }
        let open: Vec<String> = paths.iter().filter(|path| !self.is_below_skipped(path)).cloned().collect();
        self.ask(open, skipper).await?;
        Ok(paths
            .iter()
            .filter(|path| self.is_below_skipped(path) || self.answers.get(*path) == Some(&true))
            .cloned()
            .collect())
    }

    /// Asks about folders whose parents were asked before.
    async fn skips_folders(&mut self, folders: Vec<String>, skipper: &impl Skipper) -> Result<()> {
        let open = folders.into_iter().filter(|folder| !self.is_below_skipped(folder));
        let open = open.map(|folder| format!("{folder}/.")).collect();
        self.ask(open, skipper).await
    }

    async fn ask(&mut self, mut paths: Vec<String>, skipper: &impl Skipper) -> Result<()> {
        paths.retain(|path| !self.answers.contains_key(path));
        if paths.is_empty() {
            return Ok(());
        }
        let answers = skipper.skip(paths.clone()).await?;
        self.answers.extend(paths.into_iter().zip(answers));
        Ok(())
    }

    fn is_below_skipped(&self, path: &str) -> bool {
        folders_of(path).any(|folder| self.is_skipped(folder))
    }

    fn is_skipped(&self, folder: &str) -> bool {
        self.answers.get(&format!("{folder}/.")) == Some(&true)
    }

    /// Those of `paths`, none of which is selected now, that would be if they were there.
    pub(crate) async fn selects(&mut self, paths: Vec<String>, skipper: &impl Skipper) -> Result<Vec<String>> {
        let mut open = Vec::new();
        let mut undecided = Vec::new();
        for path in paths {
            if self.is_out(&path) {
                continue;
            }
            match self.rules.judge_missing(&path, self.protection.lifts(&path))? {
                Verdict::Out => {}
                Verdict::In => open.push(path),
                Verdict::AskGit => undecided.push(path),
            }
        }
        let ignored = self.ignored(undecided.clone()).await?;
        open.extend(undecided.into_iter().filter(|path| !ignored.contains(path)));
        open.sort_unstable();
        let left_out = self.skipped_of(&open, skipper).await?;
        open.retain(|path| !left_out.contains(path));
        Ok(open)
    }

    /// Whether a path is out whatever the ignore rules say.
    fn is_out(&self, path: &str) -> bool {
        let is_inside = |folder: &String| is_within(folder, path);
        (!self.rules.tracks(path) && self.environments.iter().any(is_inside))
            || self.skipped.iter().any(is_inside)
            || self.reserved.as_ref().is_some_and(is_inside)
            || !self.masks.iter().any(|mask| mask.matches(path))
    }

    /// Whether a folder is out with all below it, whatever the ignore rules say.
    fn is_folder_out(&self, folder: &String) -> bool {
        self.reserved.as_ref() == Some(folder)
            || (!self.rules.tracks_below(folder) && self.environments.contains(folder))
            || self.protection.covers_folder(folder)
            || !self.masks.iter().any(|mask| mask.may_match_below(folder))
    }

    /// Those of `paths` that git ignores.
    async fn ignored(&self, paths: Vec<String>) -> Result<HashSet<String>> {
        match self.rules.listing().cloned() {
            Some(listing) if !paths.is_empty() => blocking(move || listing.ignored(&paths)).await,
            _ => Ok(HashSet::new()),
        }
    }

    /// Those of the remote `folders` that are worth a listing.
    pub(crate) async fn enters(&mut self, folders: Vec<String>, skipper: &impl Skipper) -> Result<Vec<String>> {
        let mut open = Vec::new();
        let mut undecided = Vec::new();
        for folder in folders {
            if self.is_folder_out(&folder) {
                continue;
            }
            match self.rules.judge_remote_folder(&folder, self.protection.may_lift_below(&folder))? {
                Verdict::Out => {}
                Verdict::In => open.push(folder),
                Verdict::AskGit => undecided.push(folder),
            }
        }
        let ignored = self.ignored(undecided.iter().map(|folder| format!("{folder}/")).collect()).await?;
        open.extend(undecided.into_iter().filter(|folder| !ignored.contains(&format!("{folder}/"))));
        open.sort_unstable();
        self.skips_folders(open.clone(), skipper).await?;
        open.retain(|folder| !self.is_below_skipped(folder) && !self.is_skipped(folder));
        Ok(open)
    }
}

/// The folders that `paths` lie in, by their depth.
fn levels_of(paths: &[String]) -> BTreeMap<usize, BTreeSet<&str>> {
    let mut levels: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for path in paths {
        for folder in folders_of(path).rev() {
            // Then those above it are known as well.
            if !levels.entry(folder.matches('/').count()).or_default().insert(folder) {
                break;
            }
        }
    }
    levels
}
