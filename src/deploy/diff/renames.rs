//! Renamed files: those that are gone here and whose content is here under a new name.
//!
//! By content only, and equal content only: a file that was renamed and changed is one that goes and one that comes.

use std::collections::{BTreeMap, BTreeSet};

use crate::deploy::state::manifest::FileState;

/// Beyond so many pairs of one content, files are paired in order rather than by how alike their names are.
const MOST_PAIRS: usize = 1 << 20;

/// Pairs files of equal content, each with one other at most: old name to new name.
pub(crate) fn renames<'a>(
    old: impl Iterator<Item = (&'a String, &'a FileState)>,
    new: impl Iterator<Item = (&'a String, &'a FileState)>,
) -> BTreeMap<String, String> {
    let mut found: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (path, state) in old {
        if let Some(digest) = &state.sha256 {
            found.entry(digest).or_default().0.push(path);
        }
    }
    for (path, state) in new {
        if let Some((_, new)) = state.sha256.as_deref().and_then(|digest| found.get_mut(digest)) {
            new.push(path);
        }
    }
    found.into_values().flat_map(|(old, new)| pair(&old, &new)).collect()
}

/// Those whose names are most alike first.
fn pair(old: &[&str], new: &[&str]) -> BTreeMap<String, String> {
    if old.len() * new.len() > MOST_PAIRS {
        return old.iter().zip(new).map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect();
    }
    let mut pairs: Vec<(&str, &str)> = old.iter().flat_map(|old| new.iter().map(|new| (*old, *new))).collect();
    pairs.sort_by_cached_key(|(old, new)| std::cmp::Reverse(likeness(old, new)));
    let (mut renamed, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (old, new) in pairs {
        if !renamed.contains_key(old) && !taken.contains(new) {
            renamed.insert(old.to_owned(), new.to_owned());
            taken.insert(new);
        }
    }
    renamed
}

/// How many names two paths have in common, from the last one on.
pub(crate) fn likeness(one: &str, other: &str) -> usize {
    one.rsplit('/').zip(other.rsplit('/')).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::state::manifest::Files;

    fn files(files: &[(&str, &str)]) -> Files {
        let state = |sha: &str| FileState { sha256: Some(sha.to_owned()), size: Some(1), ..FileState::default() };
        files.iter().map(|&(path, sha)| (path.to_owned(), state(sha))).collect()
    }

    fn found(old: &[(&str, &str)], new: &[(&str, &str)]) -> Vec<(String, String)> {
        renames(files(old).iter(), files(new).iter()).into_iter().collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(old, new)| (old.to_owned(), new.to_owned())).collect()
    }

    #[test]
    fn only_equal_content_makes_a_rename() {
        assert_eq!(found(&[("a", "1"), ("b", "2")], &[("c", "1"), ("d", "3")]), pairs(&[("a", "c")]));
        let unknown: Files = [("a".to_owned(), FileState::unknown())].into();
        assert_eq!(renames(unknown.iter(), unknown.iter()).len(), 0);
    }

    #[test]
    fn one_file_is_renamed_to_one() {
        assert_eq!(found(&[("a", "1")], &[("b", "1"), ("c", "1")]), pairs(&[("a", "b")]));
        assert_eq!(found(&[("a", "1"), ("b", "1")], &[("c", "1")]), pairs(&[("a", "c")]));
    }

    #[test]
    fn of_files_with_the_same_content_those_with_the_same_names_belong_together() {
        let old = [("x/__init__.py", "e"), ("y/z/__init__.py", "e"), ("y/__init__.py", "e")];
        let new = [("src/x/__init__.py", "e"), ("src/y/__init__.py", "e"), ("src/y/z/__init__.py", "e")];
        let expected = old.map(|(path, _)| (path.to_owned(), format!("src/{path}")));
        let found = found(&old, &new);
        assert!(expected.iter().all(|pair| found.contains(pair)), "{found:?}");
    }
}
