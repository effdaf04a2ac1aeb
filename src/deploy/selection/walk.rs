//! The walk over the local project: which files there are, before the caller's skipper is asked and before any is read.
//!
//! Links are the one delicate thing. A link to a file inside the project is sent as that file's content; anything else
//! (a link to a folder, out of the project, to nothing; sockets, devices) cannot be sent faithfully and is `skipped` with
//! the reason, never followed: a followed folder link could loop or publish somebody's home.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::FileType;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use super::ignore::{Folder, Rule, Rules};
use super::protect::Protection;
use super::read::unreadable;
use crate::deploy::paths::composed;
use crate::error::{Error, Result};
use crate::finder::Mask;

/// What one source of rules left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct LeftOut {
    /// Files left out one by one.
    pub files: usize,
    /// Folders left out with all below them, which was not looked at.
    pub folders: usize,
    /// One of the rules that did it.
    pub rule: String,
}

/// What the walk found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Project-relative path to the local file.
    pub files: BTreeMap<String, PathBuf>,
    /// The same of protected files.
    pub protected: BTreeMap<String, PathBuf>,
    /// Path to the reason why it cannot be sent.
    pub skipped: BTreeMap<String, String>,
    /// By source.
    pub left_out: BTreeMap<String, LeftOut>,
    /// Folders with nothing in them.
    pub empty_folders: usize,
    /// Virtualenvs and the like, which only their content tells.
    pub environments: Vec<String>,
}

impl Walked {
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
    let mut walk = Walk { root, rules, masks, protection, reserved, out: Walked::default() };
    let mut pending = vec![String::new()];
    while let Some(folder) = pending.pop() {
        walk.enter(&folder, &mut pending)?;
    }
    Ok(walk.out)
}

struct Walk<'a> {
    root: &'a Path,
    rules: &'a mut Rules,
    masks: &'a [Mask],
    protection: &'a Protection,
    /// A folder of the project that belongs to us on the host.
    reserved: Option<&'a str>,
    out: Walked,
}

/// The file that makes a folder a virtualenv.
pub(crate) const ENVIRONMENT_MARK: &str = "pyvenv.cfg";

impl Walk<'_> {
    fn enter(&mut self, path: &str, pending: &mut Vec<String>) -> Result<()> {
        let folder = self.rules.folder(path)?;
        if let Some(rule) = self.leaves_out_folder(path)? {
            self.out.count(&rule, true);
            return Ok(());
        }
        let place = self.root.join(path);
        let local = |source| unreadable(&place, source);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&place).map_err(local)? {
            let entry = entry.map_err(local)?;
            entries.push((entry.file_name(), entry.file_type().map_err(local)?));
        }
        if entries.is_empty() {
            self.out.empty_folders += 1;
        }
        if !path.is_empty() && is_environment(&place, &entries) {
            self.out.count(&Rule::always("virtualenv"), true);
            self.out.environments.push(path.to_owned());
            return Ok(());
        }
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (name, kind) in entries {
            let local = place.join(&name);
            let name = checked_name(&local, name.to_str())?;
            let path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
            if kind.is_dir() {
                pending.push(path);
            } else {
                self.take(&folder, path, local, kind)?;
            }
        }
        Ok(())
    }

    fn leaves_out_folder(&mut self, path: &str) -> Result<Option<Rule>> {
        if let Some(rule) = self.rules.leaves_out_all_of(path)? {
            return Ok(Some(rule));
        }
        if self.reserved == Some(path) {
            return Ok(Some(Rule::always("the deploys' own notes")));
        }
        let matches = self.masks.iter().any(|mask| mask.may_match_below(path));
        Ok((!matches).then(masks_rule))
    }

    fn take(&mut self, folder: &Folder, path: String, local: PathBuf, kind: FileType) -> Result<()> {
        if let Some(rule) = self.rules.leaves_out(folder, &path) {
            self.out.count(&rule, false);
            return Ok(());
        }
        let matches = |mask: &Mask| mask.matches(&path) || (kind.is_symlink() && mask.may_match_below(&path));
        if !self.masks.iter().any(matches) {
            self.out.count(&masks_rule(), false);
            return Ok(());
        }
        let found = if kind.is_symlink() {
            self.resolve_link(&local)?
        } else {
            special(kind).map_or(Ok(local), |what| Err(what.to_owned()))
        };
        let local = match found {
            Ok(local) => local,
            Err(reason) => {
                self.out.skipped.insert(path, reason);
                return Ok(());
            }
        };
        let files = if self.protection.covers(&path) { &mut self.out.protected } else { &mut self.out.files };
        match files.entry(path) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(local);
                Ok(())
            }
            // Possible only where names are composed: two spellings of one name.
            std::collections::btree_map::Entry::Occupied(entry) => Err(Error::config(format!(
                "{} and {} would be the same file on the host: rename one",
                entry.get().display(),
                local.display()
            ))),
        }
    }

    /// The file that a link leads to, which is read in its place, or why it cannot be sent.
    fn resolve_link(&self, link: &Path) -> Result<std::result::Result<PathBuf, String>> {
        let target = match std::fs::canonicalize(link) {
            Ok(target) => target,
            Err(error) => return Ok(Err(format!("a symbolic link that leads nowhere ({error})"))),
        };
        let Ok(inside) = target.strip_prefix(self.root) else {
            return Ok(Err(format!("a symbolic link out of the project, to {}", target.display())));
        };
        let kind = std::fs::metadata(&target).map_err(|source| unreadable(&target, source))?.file_type();
        if kind.is_dir() {
            return Ok(Err("a symbolic link to a folder".to_owned()));
        }
        if let Some(what) = special(kind) {
            return Ok(Err(format!("a symbolic link to {what}")));
        }
        if inside.to_str().is_some_and(|inside| self.protection.covers(inside)) {
            return Ok(Err(format!("a symbolic link to the protected file {}", inside.display())));
        }
        Ok(Ok(target))
    }
}

pub(crate) fn masks_rule() -> Rule {
    Rule { source: "path masks".to_owned(), pattern: "no mask matches".to_owned() }
}

/// A virtualenv, or a conda environment.
fn is_environment(place: &Path, entries: &[(std::ffi::OsString, FileType)]) -> bool {
    entries.iter().any(|(name, kind)| {
        (name == ENVIRONMENT_MARK && kind.is_file())
            || (name == "conda-meta" && kind.is_dir() && place.join("conda-meta/history").is_file())
    })
}

#[cfg(unix)]
fn special(kind: FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt;
    match () {
        () if kind.is_file() => None,
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_block_device() || kind.is_char_device() => Some("a device"),
        () => Some("no regular file"),
    }
}

#[cfg(not(unix))]
fn special(kind: FileType) -> Option<&'static str> {
    (!kind.is_file()).then_some("no regular file")
}

/// A name as it is sent, or an error that names what cannot be.
fn checked_name<'a>(local: &Path, name: Option<&'a str>) -> Result<Cow<'a, str>> {
    let Some(name) = name else {
        return Err(Error::config(format!(
            "the name \"{}\" in {} is not valid UTF-8 and could not be sent as it is: rename it",
            local.file_name().unwrap_or_default().as_encoded_bytes().escape_ascii(),
            local.parent().unwrap_or(local).display()
        )));
    };
    if cfg!(windows) && name.contains('\\') {
        return Err(Error::config(format!("the name of {} holds a backslash: rename it", local.display())));
    }
    Ok(composed(name))
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
