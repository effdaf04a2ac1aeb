//! A mask: the pattern of a path, segment by segment.
//!
//! `**` is zero or more folders (as the last segment: every file at any depth below), every other segment a
//! [`Pattern`]. Leading slashes are dropped, an empty mask and `.` mean `*`, a trailing `/.` means `/*`.
//!
//! A search carries along which segments of a mask can come next ([`Matches`]), so that a folder below which nothing
//! can match is never listed. This is the usual simulation of a finite automaton: no backtracking, however many `**`.

use super::pattern::Pattern;
use crate::error::{Error, Result};

/// The pattern of a path relative to the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Never empty, and the last one is a `Name`, which matches the file.
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    AnyFolders,
    Name(Pattern),
}

/// The segments of one mask that can come next at some folder, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matches(Vec<usize>);

impl Matches {
    /// Whether nothing below can match.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Mask {
    /// Reads a mask.
    ///
    /// # Errors
    /// `Config` for a NUL character and for segments `.` and `..`, which no file's path can have.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_from(text, 0)
    }

    /// Reads a mask whose first `literal` segments are names, not patterns.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_from(text: &str, literal: usize) -> Result<Self> {
        if text.contains('\0') {
            return Err(Error::config(format!(
                "the mask {text:?} contains a NUL character, which no file name can have"
            )));
        }
        let relative = text.trim_start_matches('/');
        let parts: Vec<&str> = if relative.is_empty() { vec!["."] } else { relative.split('/').collect() };
        let last = parts.len() - 1;
        let mut segments = Vec::with_capacity(parts.len() + 1);
        for (index, part) in parts.iter().enumerate() {
            segments.push(match *part {
                "." if index == last => Segment::Name(Pattern::new("*")),
                "." | ".." => {
                    return Err(Error::config(format!(
                        "the mask {text:?} has the segment {part:?}: write it relative to the project's root, without {part:?}"
                    )));
                }
                name if index < literal => Segment::Name(Pattern::literal_text(name)),
                "**" => Segment::AnyFolders,
                pattern => Segment::Name(Pattern::new(pattern)),
            });
        }
        if segments.last() == Some(&Segment::AnyFolders) {
            segments.push(Segment::Name(Pattern::new("*")));
        }
        Ok(Self { segments })
    }

    /// Whether the file at `path`, relative to the project, matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.matches_file(&self.at(folder), name)
    }

    /// Whether some file below `folder` (`""` is the root), at any depth, could match.
    #[must_use]
    pub fn may_match_below(&self, folder: &str) -> bool {
        !self.at(folder).is_empty()
    }

    /// The segments that can come next at the project's root.
    #[must_use]
    pub fn at_root(&self) -> Matches {
        let impossible = |segment: &Segment| matches!(segment, Segment::Name(pattern) if pattern.is_impossible());
        if self.segments.iter().any(impossible) { Matches(Vec::new()) } else { self.close(vec![0]) }
    }

    /// The segments that can come next one folder further down.
    #[must_use]
    pub fn enter(&self, here: &Matches, folder: &str) -> Matches {
        let last = self.segments.len() - 1;
        let mut next = Vec::with_capacity(here.0.len() + 1);
        for &at in &here.0 {
            match &self.segments[at] {
                Segment::AnyFolders => next.push(at),
                Segment::Name(pattern) if at < last && pattern.matches(folder) => next.push(at + 1),
                Segment::Name(_) => {}
            }
        }
        self.close(next)
    }

    /// Whether the file `name` in the folder where `here` holds matches.
    #[must_use]
    pub fn matches_file(&self, here: &Matches, name: &str) -> bool {
        let last = self.segments.len() - 1;
        here.0.contains(&last) && matches!(&self.segments[last], Segment::Name(pattern) if pattern.matches(name))
    }

    /// The name of the only folder that can hold matches below this one, where the mask spells it out.
    #[must_use]
    pub fn only_folder(&self, here: &Matches) -> Option<String> {
        let [at] = here.0[..] else { return None };
        let [Segment::Name(pattern), _, ..] = self.segments.get(at..)? else { return None };
        pattern.literal()
    }

    fn at(&self, folder: &str) -> Matches {
        folder.split('/').filter(|name| !name.is_empty()).fold(self.at_root(), |here, name| self.enter(&here, name))
    }

    /// Adds the segment after each `**`, since `**` may stand for no folder at all.
    fn close(&self, mut positions: Vec<usize>) -> Matches {
        let mut index = 0;
        while index < positions.len() {
            let at = positions[index];
            if self.segments[at] == Segment::AnyFolders && !positions.contains(&(at + 1)) {
                positions.push(at + 1);
            }
            index += 1;
        }
        positions.sort_unstable();
        positions.dedup();
        Matches(positions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Vectors {
        tree: Vec<String>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        mask: String,
        files: Vec<String>,
    }

    #[test]
    fn every_recorded_mask_finds_its_files() {
        let vectors: Vectors = serde_json::from_str(include_str!("../../tests/data/masks.json")).unwrap();
        assert_eq!(vectors.cases.len(), 160);
        for case in &vectors.cases {
            let mask = Mask::parse(&case.mask).unwrap();
            let mut found: Vec<&String> = vectors.tree.iter().filter(|path| mask.matches(path)).collect();
            let mut expected: Vec<&String> = case.files.iter().collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "mask {:?}", case.mask);
        }
    }

    #[test]
    fn masks_that_leave_the_project_are_refused() {
        for mask in ["..", "../x", "a/../b", "./a", "a/./b", "a\0b", "a/.."] {
            let error = Mask::parse(mask).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Config, "{mask:?}");
        }
        for mask in ["", ".", "/", "/.", "a/.", "...", "..a", "[.]."] {
            assert!(Mask::parse(mask).is_ok(), "{mask:?}");
        }
    }

    #[test]
    fn empty_and_impossible_segments_match_nothing_and_need_no_listing() {
        for mask in ["a/", "a//b", "[z-a]/*", "**/[z-a]"] {
            let mask = Mask::parse(mask).unwrap();
            assert!(!mask.may_match_below("") && !mask.matches("a") && !mask.matches("a/b"), "{mask:?}");
        }
    }

    #[test]
    fn literal_segments_are_names() {
        let mask = Mask::parse_from("w[1]/**/x[12]", 2).unwrap();
        assert!(mask.matches("w[1]/**/x1"));
        assert!(!mask.matches("w1/a/x1"));
    }

    /// The documented meaning, said as a recursion.
    fn naive(mask: &[&str], path: &[&str]) -> bool {
        match (mask, path) {
            ([], _) | (_, []) => false,
            (["**"], _) => true,
            (["**", rest @ ..], [_, tail @ ..]) => naive(rest, path) || naive(mask, tail),
            ([only], [name]) => Pattern::new(only).matches(name),
            ([first, rest @ ..], [name, tail @ ..]) => Pattern::new(first).matches(name) && naive(rest, tail),
        }
    }

    proptest! {
        #[test]
        fn segments_match_as_the_recursion_says(
            mask in prop::collection::vec(prop::sample::select(vec!["**", "*", "a", "b", "?", "[ab]", "a*"]), 1..6),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "c"]), 1..6),
        ) {
            let compiled = Mask::parse(&mask.join("/")).unwrap();
            prop_assert_eq!(compiled.matches(&path.join("/")), naive(&mask, &path));
        }

        #[test]
        fn no_folder_above_a_match_is_pruned(
            mask in prop::collection::vec(prop::sample::select(vec!["**", "*", "a", "b", "?", "[ab]", "a*"]), 1..6),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "c"]), 1..6),
        ) {
            let compiled = Mask::parse(&mask.join("/")).unwrap();
            if compiled.matches(&path.join("/")) {
                for depth in 0..path.len() {
                    prop_assert!(compiled.may_match_below(&path[..depth].join("/")));
                }
            }
        }
    }
}
