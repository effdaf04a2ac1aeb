//! The walk over the local project: which files there are, before the caller's skipper is asked and before any is read.
//!
//! Links are the one delicate thing. A link to a file inside the project is sent as that file's content; anything else
//! (a link to a folder, out of the project, to nothing; sockets, devices) cannot be sent faithfully and is `skipped` with
//! the reason, never followed: a followed folder link could loop or publish somebody's home. A link does not get around
//! a rule either: its target is judged as if it were sent itself. Links are judged last, when all else is known.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::FileType;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::ignore::{Folder, Rule, Rules};
use super::protect::Protection;
use super::read::unreadable;
use crate::deploy::paths::{is_within, parent_of};
use crate::error::{Error, Result};
use crate::finder::Mask;
use crate::platform::{canonical, composed, slashed, special};

/// What one source of rules left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct LeftOut {
    /// Files left out by themselves, not with a folder.
    pub files: usize,
    /// Folders left out with all below them, which were not entered.
    pub folders: usize,
    /// One of the rules that left them out.
    pub rule: String,
}

/// What the walk found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Project-relative path to the local file; for a link, to what it leads to.
    pub files: BTreeMap<String, PathBuf>,
    /// The same of protected files.
    pub protected: BTreeMap<String, PathBuf>,
    /// Path to the reason why it cannot be sent.
    pub skipped: BTreeMap<String, String>,
    /// By source.
    pub left_out: BTreeMap<String, LeftOut>,
    /// Folders with nothing in them.
    pub empty_folders: usize,
    /// Virtualenvs and the like, which are recognised by their content, and the parts of one in the root.
    pub environments: Vec<String>,
    /// Files that cannot be sent because of their names: path with bytes that are not UTF-8 replaced, and local file.
    pub unsendable: Vec<(String, PathBuf)>,
    pub warnings: Vec<String>,
}

impl Walked {
    fn holds(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.protected.contains_key(path)
    }

    pub(crate) fn count(&mut self, rule: &Rule, is_dir: bool) {
        let left_out = self.left_out.entry(rule.source.clone()).or_default();
        if is_dir {
            left_out.folders += 1;
        } else {
            left_out.files += 1;
        }
        if left_out.rule.is_empty() {
            left_out.rule.clone_from(&rule.pattern);
        }
    }
}

/// Walks the project at `root`, an absolute path without links.
pub(crate) fn walk(
    root: &Path,
    rules: &mut Rules,
    masks: &[Mask],
    protection: &Protection,
    reserved: Option<&str>,
) -> Result<Walked> {
    let mut walk = Walk { root, rules, masks, protection, reserved, out: Walked::default(), links: Vec::new() };
    let mut pending = vec![Pending { path: String::new(), place: root.to_owned(), is_below_environment: false }];
    while let Some(folder) = pending.pop() {
        walk.enter(&folder, &mut pending)?;
    }
    walk.take_differently_spelled()?;
    for (path, link) in std::mem::take(&mut walk.links) {
        walk.take_link(path, &link)?;
    }
    Ok(walk.out)
}

/// A folder to be entered.
struct Pending {
    /// Bytes that are not UTF-8 are replaced.
    path: String,
    place: PathBuf,
    /// Whether it lies in a virtualenv, of which only what git tracks is taken.
    is_below_environment: bool,
}

struct Walk<'a> {
    root: &'a Path,
    rules: &'a mut Rules,
    masks: &'a [Mask],
    protection: &'a Protection,
    /// A folder of the project that belongs to us on the host.
    reserved: Option<&'a str>,
    out: Walked,
    links: Vec<(String, PathBuf)>,
}

/// The file that makes a folder a virtualenv.
pub(crate) const ENVIRONMENT_MARK: &str = "pyvenv.cfg";

impl Walk<'_> {
    fn enter(&mut self, here: &Pending, pending: &mut Vec<Pending>) -> Result<()> {
        let path = here.path.as_str();
        if let Some(rule) = self.leaves_out_folder(path)? {
            self.out.count(&rule, true);
            return Ok(());
        }
        let folder = self.rules.folder(path)?;
        let mut entries = entries_of(&here.place).map_err(|source| unreadable(&here.place, source))?;
        if entries.is_empty() {
            self.out.empty_folders += 1;
        }
        let found_environment = !here.is_below_environment && is_environment(&here.place, &entries);
        if found_environment {
            self.note_environment(here, &entries);
        }
        let is_below_environment = here.is_below_environment || (found_environment && !path.is_empty());
        if is_below_environment && !self.rules.tracks_below(path) {
            self.out.count(&environment_rule(), true);
            return Ok(());
        }
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (name, kind) in entries {
            let place = here.place.join(&name);
            let name = composed(&name.to_string_lossy()).into_owned();
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            let is_below_environment = is_below_environment || self.is_environment_part(&path);
            if kind.is_dir() {
                pending.push(Pending { path, place, is_below_environment });
                continue;
            }
            if is_below_environment && !self.rules.tracks(&path) {
                self.out.count(&environment_rule(), false);
                continue;
            }
            self.take(&folder, path, place, kind)?;
        }
        Ok(())
    }

    /// Notes a virtualenv; the parts of one in the root, with a warning.
    fn note_environment(&mut self, here: &Pending, entries: &[(OsString, FileType)]) {
        if !here.path.is_empty() {
            self.out.environments.push(here.path.clone());
            return;
        }
        let parts = environment_parts(&here.place, entries);
        self.out.warnings.push(format!(
            "the project's folder is a virtual environment itself ({ENVIRONMENT_MARK}): {} are left out, except \
             for files that git tracks",
            parts.join(", ")
        ));
        self.out.environments = parts;
    }

    fn is_environment_part(&self, path: &str) -> bool {
        self.out.environments.iter().any(|part| part == path)
    }

    fn leaves_out_folder(&mut self, path: &str) -> Result<Option<Rule>> {
        if let Some(rule) = self.rules.leaves_out_all_of(path, self.protection.may_lift_below(path))? {
            return Ok(Some(rule));
        }
        if self.reserved == Some(path) {
            return Ok(Some(Rule::never("the state of deploys")));
        }
        let matches = self.masks.iter().any(|mask| mask.may_match_below(path));
        Ok((!matches).then(masks_rule))
    }

    fn take(&mut self, folder: &Folder, path: String, place: PathBuf, kind: FileType) -> Result<()> {
        let matches = |mask: &Mask| mask.matches(&path) || (kind.is_symlink() && mask.may_match_below(&path));
        let unmatched = (!self.masks.iter().any(matches)).then(masks_rule);
        let what = special(kind).filter(|_| !kind.is_symlink());
        let rule = match what {
            Some(_) => self.rules.ignores_special(folder, &path),
            None => self.rules.leaves_out(folder, &path, self.protection.lifts(&path)),
        };
        match (rule.or(unmatched), what) {
            (Some(rule), _) => self.out.count(&rule, false),
            (None, Some(what)) => {
                self.out.skipped.insert(path, what.to_owned());
            }
            (None, None) if kind.is_symlink() => self.links.push((path, place)),
            (None, None) => self.keep(path, &place.clone(), place)?,
        }
        Ok(())
    }

    /// Takes the file `place`, which is called `name` here.
    fn keep(&mut self, path: String, name: &Path, place: PathBuf) -> Result<()> {
        if !is_sendable(name) {
            if self.protection.covers(&path) {
                self.out.count(&protection_rule(), false);
            } else {
                self.out.unsendable.push((path, name.to_owned()));
            }
            return Ok(());
        }
        let files = if self.protection.covers(&path) { &mut self.out.protected } else { &mut self.out.files };
        match files.entry(path) {
            Entry::Vacant(entry) => {
                entry.insert(place);
                Ok(())
            }
            Entry::Occupied(entry) => Err(same_file(entry.get(), &place)),
        }
    }

    /// Takes the files that git tracks under another spelling than the file system's, where that ignores case: they are
    /// sent under git's name.
    fn take_differently_spelled(&mut self) -> Result<()> {
        let Some(listing) = self.rules.listing().cloned() else { return Ok(()) };
        let missed: BTreeSet<&String> = listing.tracked().filter(|path| !self.out.holds(path)).collect();
        if missed.is_empty() || !ignores_case(self.root) {
            return Ok(());
        }
        for path in missed {
            let place = self.root.join(path);
            let Ok(metadata) = place.symlink_metadata() else { continue };
            if !metadata.is_file() || self.leaves_out_folder(parent_of(path))?.is_some() {
                continue;
            }
            let folder = self.rules.folder(parent_of(path))?;
            let is_out = self.rules.leaves_out(&folder, path, self.protection.lifts(path)).is_some();
            if !is_out && self.masks.iter().any(|mask| mask.matches(path)) {
                self.keep(path.clone(), &place.clone(), place)?;
            }
        }
        Ok(())
    }

    fn take_link(&mut self, path: String, link: &Path) -> Result<()> {
        match self.resolve_link(link)? {
            Ok(target) => self.keep(path, link, target),
            Err(_) if self.protection.covers(&path) => self.keep(path, link, link.to_owned()),
            Err(reason) => {
                self.out.skipped.insert(path, reason);
                Ok(())
            }
        }
    }

    /// The file that a link leads to, which is read in its place, or why it cannot be sent.
    fn resolve_link(&mut self, link: &Path) -> Result<std::result::Result<PathBuf, String>> {
        let target = match canonical(link) {
            Ok(target) => target,
            Err(error) => return Ok(Err(format!("a symbolic link that leads nowhere ({error})"))),
        };
        let Ok(inside) = target.strip_prefix(self.root) else {
            return Ok(Err(format!("a symbolic link out of the project, to {}", target.display())));
        };
        let kind = std::fs::symlink_metadata(&target).map_err(|source| unreadable(&target, source))?.file_type();
        if kind.is_dir() {
            return Ok(Err("a symbolic link to a folder".to_owned()));
        }
        if let Some(what) = special(kind) {
            return Ok(Err(format!("a symbolic link to {what}")));
        }
        let inside = composed(&slashed(inside)).into_owned();
        Ok(self.refuses_target(&inside)?.map_or(Ok(target), Err))
    }

    /// Why a file is not sent in place of a link to it, if it is not.
    fn refuses_target(&mut self, path: &str) -> Result<Option<String>> {
        if self.protection.covers(path) {
            return Ok(Some(format!("a symbolic link to the protected file {path}")));
        }
        Ok(self.leaves_out_target(path)?.map(|Rule { source, pattern }| {
            format!("a symbolic link to {path}, which is left out by {source} ({pattern})")
        }))
    }

    /// What leaves the target of a link out, if anything does. Masks do not count: they choose the names that are sent.
    fn leaves_out_target(&mut self, path: &str) -> Result<Option<Rule>> {
        if self.reserved.is_some_and(|folder| is_within(folder, path)) {
            return Ok(Some(Rule::never("the state of deploys")));
        }
        let is_inside = |environment: &String| is_within(environment, path);
        if !self.rules.tracks(path) && self.out.environments.iter().any(is_inside) {
            return Ok(Some(environment_rule()));
        }
        let folder = self.rules.folder(parent_of(path))?;
        Ok(self.rules.leaves_out(&folder, path, self.protection.lifts(path)))
    }
}

pub(crate) fn masks_rule() -> Rule {
    Rule { source: "path masks".to_owned(), pattern: "no mask matches".to_owned() }
}

fn protection_rule() -> Rule {
    Rule { source: "protection".to_owned(), pattern: "names that are not UTF-8".to_owned() }
}

/// The error about two spellings of one name, which are possible only where names are composed.
fn same_file(one: &Path, other: &Path) -> Error {
    Error::config(format!("{} and {} would be the same file on the host: rename one", one.display(), other.display()))
}

/// The names and kinds of what a folder holds.
fn entries_of(folder: &Path) -> std::io::Result<Vec<(OsString, FileType)>> {
    std::fs::read_dir(folder)?
        .map(|entry| entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))))
        .collect()
}

fn environment_rule() -> Rule {
    Rule::never("virtualenv")
}

/// A virtualenv, or a conda environment.
fn is_environment(place: &Path, entries: &[(OsString, FileType)]) -> bool {
    entries.iter().any(|(name, kind)| {
        (name == ENVIRONMENT_MARK && kind.is_file())
            || (name == "conda-meta" && kind.is_dir() && place.join("conda-meta/history").is_file())
    })
}

/// What a virtualenv in the project's root consists of, as far as it is there.
fn environment_parts(place: &Path, entries: &[(OsString, FileType)]) -> Vec<String> {
    let mut parts = Vec::new();
    for (name, kind) in entries {
        let Some(name) = name.to_str() else { continue };
        match name {
            ENVIRONMENT_MARK | "bin" | "Scripts" | "include" | "Include" | "lib64" | "share" | "conda-meta" => {
                parts.push(name.to_owned());
            }
            // A project may have a folder of this name itself.
            "lib" | "Lib" if kind.is_dir() => parts.extend(library_parts(place, name)),
            _ => {}
        }
    }
    parts.sort_unstable();
    parts
}

/// What lies in `lib` and has a name as in a virtualenv.
fn library_parts(place: &Path, lib: &str) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(place.join(lib)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_part = |name: &String| name == "site-packages" || name.starts_with("python") || name.starts_with("pypy");
    names.filter(is_part).map(move |name| format!("{lib}/{name}"))
}

/// Whether the file system finds the project's root under another spelling, too.
fn ignores_case(root: &Path) -> bool {
    let Some(name) = root.file_name().and_then(|name| name.to_str()) else { return false };
    let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    let other: String = name.chars().map(swap).collect();
    other != name && root.with_file_name(other).exists()
}

/// Whether a file's name can be sent to the host unchanged.
fn is_sendable(file: &Path) -> bool {
    // Where `\` separates folders, no name that could be sent holds it.
    let is_fine = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| !name.contains(std::path::MAIN_SEPARATOR));
    file.to_str().is_some() && file.file_name().is_none_or(is_fine)
}

/// The error about a file whose name, or whose folder's name, cannot be sent to the host.
pub(crate) fn unsendable(file: &Path) -> Error {
    let place = file.ancestors().filter(|place| !is_sendable(place)).last().unwrap_or(file);
    let name = place.file_name().unwrap_or_default();
    let folder = place.parent().unwrap_or(place).display();
    Error::config(match name.to_str() {
        Some(name) => format!("the name {name:?} in {folder} holds a backslash: rename it"),
        None => format!(
            "the name \"{}\" in {folder} is not valid UTF-8 and could not be sent as it is: rename it",
            name.as_encoded_bytes().escape_ascii()
        ),
    })
}

/// Warnings for names that differ only by how their accents are spelled.
pub(crate) fn lookalikes<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut spellings: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for name in names.filter(|name| !name.is_ascii()) {
        spellings.entry(name.nfc().collect()).or_default().push(name);
    }
    spellings
        .into_iter()
        .filter(|(_, names)| names.len() > 1)
        .map(|(name, names)| {
            format!("{} names that all read {name:?} differ only by Unicode normalisation", names.len())
        })
        .collect()
}
