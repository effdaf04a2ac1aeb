//! The search itself: lists folders concurrently and hands out the files found.
//!
//! [`Walk`] is pulled, file by file: new listings start only when all files found so far were taken, so a slow caller
//! slows the search down, and one that stops early saves requests. Listings under way run as tasks of their own, at
//! most `concurrency` of them; a pause of the caller therefore never makes one time out, and dropping the walk aborts
//! them.
//!
//! A folder that fails does not end a search: its error is kept, in order, and the search continues.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::entry::{Lister, Skipper};
use super::mask::{Mask, Matches};
use crate::api::Entry;
use crate::error::{Error, ErrorKind, Result};

/// How many folders [`find`]'s callers usually list at a time; the rate budget limits further.
pub const DEFAULT_CONCURRENCY: usize = 32;

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// Files relative to the project, sorted.
    pub files: Vec<String>,
    /// Folders that could not be listed, in the order in which they failed.
    pub failed: Vec<(String, Error)>,
}

/// Finds the files that match any of `masks`.
///
/// # Errors
/// `Callback` only, if the skipper (or a lister that is a callback) failed; a folder that fails is in
/// [`Found::failed`].
pub async fn find(lister: impl Lister, masks: &[Mask], skipper: impl Skipper, concurrency: usize) -> Result<Found> {
    let mut walk = Walk::new(lister, masks.to_vec(), skipper, concurrency);
    let mut files = Vec::new();
    while let Some(file) = walk.next().await? {
        files.push(file);
    }
    files.sort_unstable();
    Ok(Found { files, failed: walk.failed })
}

/// A folder to be searched, with what each mask can still match below it.
struct Folder {
    path: String,
    matches: Vec<Matches>,
}

impl Folder {
    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }
}

type Listed = (Folder, Result<Option<Vec<Entry>>>);

/// A search under way.
pub struct Walk<L, S> {
    lister: Arc<L>,
    skipper: S,
    masks: Vec<Mask>,
    concurrency: usize,
    started: bool,
    /// Folders to be listed, the next one last.
    pending: Vec<Folder>,
    listing: JoinSet<Listed>,
    found: VecDeque<String>,
    failed: Vec<(String, Error)>,
}

impl<L: Lister, S: Skipper> Walk<L, S> {
    /// Prepares a search; nothing is listed before the first [`next`](Self::next).
    pub fn new(lister: L, masks: Vec<Mask>, skipper: S, concurrency: usize) -> Self {
        Self {
            lister: Arc::new(lister),
            skipper,
            masks,
            concurrency: concurrency.max(1),
            started: false,
            pending: Vec::new(),
            listing: JoinSet::new(),
            found: VecDeque::new(),
            failed: Vec::new(),
        }
    }

    /// The next file, in the order in which the listings arrive; `None` at the end.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `Callback` and `Closed` only; they end the search.
    pub async fn next(&mut self) -> Result<Option<String>> {
        if !self.started {
            self.started = true;
            self.start().await?;
        }
        loop {
            if let Some(file) = self.found.pop_front() {
                return Ok(Some(file));
            }
            self.start_listings();
            let Some(listed) = self.listing.join_next().await else { return Ok(None) };
            let (folder, outcome) = match listed {
                Ok(listed) => listed,
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                Err(_) => return Err(Error::Closed),
            };
            match outcome {
                Ok(entries) => self.take_in(&folder, entries.unwrap_or_default()).await?,
                Err(error) if matches!(error.kind(), ErrorKind::Callback | ErrorKind::Closed) => return Err(error),
                Err(error) => self.failed.push((folder.path, error)),
            }
        }
    }

    /// The next file among those that are known already, without listing anything.
    pub fn take_found(&mut self) -> Option<String> {
        self.found.pop_front()
    }

    /// Folders that could not be listed so far, in the order in which they failed.
    pub fn failed(&self) -> &[(String, Error)] {
        &self.failed
    }

    /// Goes down to the first folder that has to be listed.
    ///
    /// If all masks spell out the same folder, the listings above it would be useless.
    async fn start(&mut self) -> Result<()> {
        let mut folder = Folder { path: String::new(), matches: self.masks.iter().map(Mask::at_root).collect() };
        while let Some(name) = self.only_folder(&folder) {
            let path = folder.join(&name);
            if self.skipper.skip(vec![format!("{path}/.")]).await?.contains(&true) {
                return Ok(());
            }
            folder = Folder { path, matches: self.enter(&folder, &name) };
        }
        if folder.matches.iter().any(|matches| !matches.is_empty()) {
            self.pending.push(folder);
        }
        Ok(())
    }

    /// The one folder below `folder` that all masks ask for by name.
    fn only_folder(&self, folder: &Folder) -> Option<String> {
        let mut names = self
            .masks
            .iter()
            .zip(&folder.matches)
            .filter(|(_, matches)| !matches.is_empty())
            .map(|(mask, matches)| mask.only_folder(matches));
        let first = names.next()??;
        names.all(|name| name.as_ref() == Some(&first)).then_some(first)
    }

    fn enter(&self, folder: &Folder, name: &str) -> Vec<Matches> {
        self.masks.iter().zip(&folder.matches).map(|(mask, here)| mask.enter(here, name)).collect()
    }

    fn start_listings(&mut self) {
        while self.listing.len() < self.concurrency {
            let Some(folder) = self.pending.pop() else { return };
            let lister = Arc::clone(&self.lister);
            self.listing.spawn(async move {
                let outcome = lister.list(&folder.path).await;
                (folder, outcome)
            });
        }
    }

    /// The files among the entries that match the masks, and the folders that may have such.
    fn matching(&self, folder: &Folder, entries: Vec<Entry>) -> (Vec<String>, Vec<Folder>) {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in entries {
            if entry.is_dir {
                let matches = self.enter(folder, &entry.name);
                if matches.iter().any(|matches| !matches.is_empty()) {
                    folders.push(Folder { path: folder.join(&entry.name), matches });
                }
            } else if self.masks.iter().zip(&folder.matches).any(|(mask, here)| mask.matches_file(here, &entry.name)) {
                files.push(folder.join(&entry.name));
            }
        }
        (files, folders)
    }

    /// Keeps those `entries` of `folder` that match the masks and that the skipper does not leave out.
    async fn take_in(&mut self, folder: &Folder, entries: Vec<Entry>) -> Result<()> {
        let (mut files, mut folders) = self.matching(folder, entries);
        if files.is_empty() && folders.is_empty() {
            return Ok(());
        }
        let asked = files.iter().cloned().chain(folders.iter().map(|folder| format!("{}/.", folder.path))).collect();
        let mut skipped = self.skipper.skip(asked).await?.into_iter();
        let mut stays = || !skipped.next().unwrap_or(false);
        files.retain(|_| stays());
        folders.retain(|_| stays());
        self.found.extend(files);
        self.pending.extend(folders.into_iter().rev());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Mutex;

    use super::*;
    use crate::finder::NeverSkip;
    use serde_json::Value;

    /// A tree in memory that remembers what was listed.
    #[derive(Clone, Default)]
    struct Tree {
        folders: BTreeMap<String, Vec<Entry>>,
        broken: BTreeSet<String>,
        listed: Arc<Mutex<Vec<String>>>,
    }

    impl Tree {
        fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
            let mut entries: BTreeMap<String, BTreeMap<String, bool>> =
                BTreeMap::from([(String::new(), BTreeMap::new())]);
            for path in paths {
                let mut folder = String::new();
                let mut names = path.split('/').peekable();
                while let Some(name) = names.next() {
                    let is_dir = names.peek().is_some();
                    entries.entry(folder.clone()).or_default().insert(name.to_owned(), is_dir);
                    folder = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                }
            }
            let list = |names: BTreeMap<String, bool>| {
                names.into_iter().map(|(name, is_dir)| Entry { name, is_dir, is_file: !is_dir }).collect::<Vec<_>>()
            };
            let folders = entries.into_iter().map(|(folder, names)| (folder, list(names))).collect();
            Self { folders, ..Self::default() }
        }

        fn listed(&self) -> Vec<String> {
            let mut listed = self.listed.lock().unwrap().clone();
            listed.sort();
            listed
        }
    }

    impl Lister for Tree {
        async fn list(&self, folder: &str) -> Result<Option<Vec<Entry>>> {
            self.listed.lock().unwrap().push(folder.to_owned());
            tokio::task::yield_now().await;
            if self.broken.contains(folder) {
                return Err(Error::Api {
                    method: "GET".into(),
                    path: folder.into(),
                    status: 500,
                    detail: "Server Error".into(),
                    code: None,
                    retry_after: None,
                    browser_url: None,
                    recognised: true,
                });
            }
            Ok(self.folders.get(folder).cloned())
        }
    }

    #[derive(Clone, Default)]
    struct Refuse(BTreeSet<&'static str>, Arc<Mutex<Vec<String>>>);

    impl Skipper for Refuse {
        async fn skip(&self, paths: Vec<String>) -> Result<Vec<bool>> {
            self.1.lock().unwrap().extend(paths.iter().cloned());
            Ok(paths.iter().map(|path| self.0.contains(path.as_str())).collect())
        }
    }

    fn masks(texts: &[&str]) -> Vec<Mask> {
        texts.iter().map(|text| Mask::parse(text).unwrap()).collect()
    }

    #[tokio::test]
    async fn every_recorded_mask_is_found_listing_only_folders_that_can_hold_a_match() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/data/masks.json")).unwrap();
        let paths: Vec<&str> = vectors["tree"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
        for case in vectors["cases"].as_array().unwrap() {
            let tree = Tree::new(paths.iter().copied());
            let mask = Mask::parse(case["mask"].as_str().unwrap()).unwrap();
            let found = find(tree.clone(), std::slice::from_ref(&mask), NeverSkip, 4).await.unwrap();
            let mut expected: Vec<&str> =
                case["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
            expected.sort_unstable();
            assert_eq!(found.files, expected, "{case}");
            let listed = tree.listed();
            assert!(listed.iter().all(|folder| mask.may_match_below(folder)), "{case} listed {listed:?}");
            assert!(listed.windows(2).all(|pair| pair[0] != pair[1]), "{case} listed twice: {listed:?}");
        }
    }

    #[tokio::test]
    async fn folders_that_the_masks_spell_out_are_not_searched_for() {
        let tree = Tree::new(["a/b/c/x", "a/b/y", "z"]);
        let found = find(tree.clone(), &masks(&["a/b/c/*", "a/b/*"]), NeverSkip, 4).await.unwrap();
        assert_eq!(found.files, ["a/b/c/x", "a/b/y"]);
        assert_eq!(tree.listed(), ["a/b", "a/b/c"]);
    }

    #[tokio::test]
    async fn the_skipper_is_asked_once_for_each_entry_and_what_it_refuses_is_not_listed() {
        let tree = Tree::new(["a/x", "a/y", "b/deep/x", "x", "other"]);
        let refuse = Refuse(BTreeSet::from(["b/.", "a/y"]), Arc::default());
        let found = find(tree.clone(), &masks(&["**/x", "**/y"]), refuse.clone(), 4).await.unwrap();
        assert_eq!(found.files, ["a/x", "x"]);
        assert_eq!(tree.listed(), ["", "a"]);
        let mut asked = refuse.1.lock().unwrap().clone();
        asked.sort();
        assert_eq!(asked, ["a/.", "a/x", "a/y", "b/.", "x"]);
    }

    #[tokio::test]
    async fn a_refused_folder_above_a_spelled_out_one_saves_every_request() {
        let tree = Tree::new(["a/b/x"]);
        let refuse = Refuse(BTreeSet::from(["a/."]), Arc::default());
        let found = find(tree.clone(), &masks(&["a/b/*"]), refuse.clone(), 4).await.unwrap();
        assert!(found.files.is_empty() && tree.listed().is_empty());
        assert_eq!(*refuse.1.lock().unwrap(), ["a/."]);
    }

    #[tokio::test]
    async fn a_failed_folder_is_told_and_the_others_are_found() {
        let mut tree = Tree::new(["a/x", "b/x", "c/x"]);
        tree.broken.insert("b".to_owned());
        let found = find(tree, &masks(&["**"]), NeverSkip, 4).await.unwrap();
        assert_eq!(found.files, ["a/x", "c/x"]);
        assert_eq!(found.failed.len(), 1);
        assert_eq!((found.failed[0].0.as_str(), found.failed[0].1.status()), ("b", Some(500)));
    }

    #[tokio::test]
    async fn a_walk_lists_no_further_than_it_is_asked() {
        let tree = Tree::new(["a/x", "b/x", "c/x", "first"]);
        let mut walk = Walk::new(tree.clone(), masks(&["**"]), NeverSkip, 1);
        assert_eq!(walk.next().await.unwrap().as_deref(), Some("first"));
        assert_eq!(tree.listed(), [""]);
        assert_eq!(walk.next().await.unwrap().as_deref(), Some("a/x"));
        assert_eq!(tree.listed(), ["", "a"]);
    }
}
