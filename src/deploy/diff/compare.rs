//! The comparison: a pure function of the local files and what is known of the host's.
//!
//! By content only, never by size or time: clocks differ, and `touch` is no change. What is ours but unknown (a deploy
//! was cut off) differs from everything, so it is uploaded again.

use super::listing::RemoteTree;
use crate::deploy::paths::folders_of;
use crate::deploy::selection::select::LocalFile;
use crate::deploy::state::manifest::{FileState, Files, below};
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// What the host's side is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// The manifest. Costs nothing more, and the default where there is one.
    Manifest,
    /// The names on the host: what is on both sides counts as changed.
    Names,
    /// The content on the host, which is downloaded; equal files become ours without an upload.
    Content,
}

impl Compare {
    /// Every way to compare, in the order in which they are listed to users.
    pub const ALL: [Self; 3] = [Self::Manifest, Self::Names, Self::Content];

    /// Its name, as options spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Names => "names",
            Self::Content => "content",
        }
    }
}

impl std::str::FromStr for Compare {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|compare| compare.as_str() == text).ok_or_else(|| {
            crate::Error::config(format!("compare={text:?} is unknown: use \"manifest\", \"names\" or \"content\""))
        })
    }
}

/// Something of ours that is in the way of an upload: a file where a folder is needed, or the reverse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    /// What is in the way.
    pub path: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// The files that must go; for a folder those of ours below it.
    pub files: Vec<String>,
}

impl Obstacle {
    fn file(path: &str) -> Self {
        Self { path: path.to_owned(), is_dir: false, files: vec![path.to_owned()] }
    }
}

/// How the two sides differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub unchanged: Vec<String>,
    /// Equal on both sides, and not ours so far.
    pub adopted: Files,
    /// Ours and not there any more.
    pub vanished: BTreeSet<String>,
    pub obstacles: Vec<Obstacle>,
    /// Uploads that cannot be, and why.
    pub blocked: BTreeMap<String, String>,
}

/// What is known of the host besides `ours`.
pub(crate) enum Seen<'a> {
    /// Nothing.
    Manifest,
    /// The names. The content is not trusted to be what we know.
    Names(&'a RemoteTree),
    /// The names, and what a first deploy noted before it was cut off.
    NamesAndNotes(&'a RemoteTree),
    /// The names, and the digests of files on both sides.
    Content(&'a RemoteTree, &'a BTreeMap<String, String>),
}

impl Seen<'_> {
    fn tree(&self) -> Option<&RemoteTree> {
        match self {
            Self::Manifest => None,
            Self::Names(tree) | Self::NamesAndNotes(tree) | Self::Content(tree, _) => Some(tree),
        }
    }
}

/// Compares. `gone` are the files of ours that are gone locally and that this deploy is about.
pub(crate) fn compare(
    local: &BTreeMap<String, LocalFile>,
    ours: &Files,
    gone: &BTreeSet<String>,
    seen: &Seen<'_>,
) -> Differences {
    let mut differences = Differences::default();
    for (path, file) in local {
        differences.list_of(judge(path, &file.state, ours, seen)).push(path.clone());
    }
    if let Some(tree) = seen.tree() {
        differences.vanished = gone.iter().filter(|path| !tree.files.contains(*path)).cloned().collect();
    }
    if matches!(seen, Seen::Content(..)) {
        let equal = differences.unchanged.iter().map(|path| (path, &local[path].state));
        let adopted = equal.filter(|(path, state)| !is_known_as(ours, path, state));
        differences.adopted = adopted.map(|(path, state)| (path.clone(), state.clone())).collect();
    }
    differences.find_obstacles(local, ours, seen);
    differences
}

#[derive(Clone, Copy)]
enum Judged {
    Added,
    Changed,
    Unchanged,
}

/// Whether a file is ours and known to have this content.
fn is_known_as(ours: &Files, path: &str, state: &FileState) -> bool {
    ours.get(path).is_some_and(|our| our.same_content(state))
}

fn judge(path: &str, local: &FileState, ours: &Files, seen: &Seen<'_>) -> Judged {
    let (there, same) = match seen {
        Seen::Manifest => (ours.contains_key(path), is_known_as(ours, path, local)),
        Seen::Names(tree) => (tree.files.contains(path), false),
        Seen::NamesAndNotes(tree) => (tree.files.contains(path), is_known_as(ours, path, local)),
        Seen::Content(tree, digests) => {
            let same = digests.get(path).is_some_and(|digest| Some(digest) == local.sha256.as_ref());
            (tree.files.contains(path), same)
        }
    };
    match (there, same) {
        (false, _) => Judged::Added,
        (true, false) => Judged::Changed,
        (true, true) => Judged::Unchanged,
    }
}

impl Differences {
    fn list_of(&mut self, judged: Judged) -> &mut Vec<String> {
        match judged {
            Judged::Added => &mut self.added,
            Judged::Changed => &mut self.changed,
            Judged::Unchanged => &mut self.unchanged,
        }
    }

    fn find_obstacles(&mut self, local: &BTreeMap<String, LocalFile>, ours: &Files, seen: &Seen<'_>) {
        let mut found: BTreeMap<String, Obstacle> = BTreeMap::new();
        let mut blocked = BTreeMap::new();
        for path in self.added.iter().chain(&self.changed) {
            for folder in folders_of(path).filter(|folder| !local.contains_key(*folder)) {
                if ours.contains_key(folder) && !self.vanished.contains(folder) {
                    found.insert(folder.to_owned(), Obstacle::file(folder));
                } else if seen.tree().is_some_and(|tree| tree.files.contains(folder)) {
                    let why = format!("no deploy put the file {folder} on the host, and this needs a folder there");
                    blocked.insert(path.clone(), why);
                }
            }
            let below = below(ours, path);
            if !below.is_empty() || seen.tree().is_some_and(|tree| tree.folders.contains(path)) {
                found.insert(path.clone(), Obstacle { path: path.clone(), is_dir: true, files: below });
            }
        }
        self.obstacles = found.into_values().collect();
        self.blocked = blocked;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(sha: &str) -> FileState {
        FileState { sha256: Some(sha.into()), size: Some(1), ..FileState::default() }
    }

    fn local(files: &[(&str, &str)]) -> BTreeMap<String, LocalFile> {
        files.iter().map(|&(p, sha)| (p.to_owned(), LocalFile { path: p.into(), state: state(sha) })).collect()
    }

    fn ours(files: &[(&str, &str)]) -> Files {
        files.iter().map(|&(path, sha)| (path.to_owned(), state(sha))).collect()
    }

    fn tree(files: &[&str], folders: &[&str]) -> RemoteTree {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        RemoteTree { files: set(files), folders: set(folders) }
    }

    #[test]
    fn the_manifest_is_trusted_and_unknown_content_differs() {
        let mut ours = ours(&[("same", "1"), ("other", "1"), ("unknown", "1")]);
        ours.insert("unknown".into(), FileState::unknown());
        let local = local(&[("same", "1"), ("other", "2"), ("unknown", "1"), ("new", "1")]);
        let found = compare(&local, &ours, &BTreeSet::new(), &Seen::Manifest);
        assert_eq!(found.added, ["new"]);
        assert_eq!(found.changed, ["other", "unknown"]);
        assert_eq!(found.unchanged, ["same"]);
    }

    #[test]
    fn by_names_everything_on_both_sides_is_changed() {
        let found = compare(
            &local(&[("a", "1"), ("b", "1")]),
            &ours(&[("a", "1")]),
            &["c".to_owned()].into(),
            &Seen::Names(&tree(&["a"], &[])),
        );
        assert_eq!((found.added, found.changed, found.unchanged.len()), (vec!["b".into()], vec!["a".into()], 0));
        assert!(found.vanished.contains("c"));
    }

    #[test]
    fn by_content_equal_files_are_adopted() {
        let digests = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "9".to_owned())].into();
        let seen_tree = tree(&["a", "b"], &[]);
        let found = compare(
            &local(&[("a", "1"), ("b", "1")]),
            &Files::new(),
            &BTreeSet::new(),
            &Seen::Content(&seen_tree, &digests),
        );
        assert_eq!((found.unchanged, found.changed), (vec!["a".to_owned()], vec!["b".to_owned()]));
        assert_eq!(found.adopted, ours(&[("a", "1")]));
    }

    #[test]
    fn files_in_the_way_of_folders_and_the_reverse_are_obstacles() {
        let local = local(&[("a/b/x", "1"), ("d", "1")]);
        let found = compare(
            &local,
            &ours(&[("a", "1"), ("d/e", "1"), ("d/f/g", "1"), ("d.txt", "1")]),
            &BTreeSet::new(),
            &Seen::Manifest,
        );
        assert_eq!(
            found.obstacles,
            [
                Obstacle { path: "a".into(), is_dir: false, files: vec!["a".into()] },
                Obstacle { path: "d".into(), is_dir: true, files: vec!["d/e".into(), "d/f/g".into()] },
            ]
        );
    }

    #[test]
    fn a_strange_file_where_a_folder_is_needed_blocks_the_upload() {
        let seen_tree = tree(&["a"], &[]);
        let found = compare(&local(&[("a/x", "1")]), &Files::new(), &BTreeSet::new(), &Seen::Names(&seen_tree));
        assert!(found.obstacles.is_empty());
        assert!(found.blocked["a/x"].contains("no deploy put the file a"));
    }
}
