//! Which files a deploy is about: everything local that rules, masks and the caller's skipper leave in.
//!
//! All of it is looked at before the first request: a local mistake costs none, and changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::filter::Filter;
use super::git::WorkTree;
use super::ignore::Rules;
use super::protect::{DEFAULT_PROTECTED, Protection};
use super::read::{Hashed, hash_all, unreadable};
use super::walk::{self, LeftOut, Walked};
use crate::blocking::blocking;
use crate::deploy::state::manifest::FileState;
use crate::error::{Error, Result};
use crate::finder::{Mask, Skipper};
use crate::setting::Setting;
use crate::text::{counted, first_few};

/// Files larger than this are refused by the service (100 MiB).
pub const MAX_FILE_SIZE: u64 = 100 * 1024 * 1024;

/// What a deploy is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectOptions {
    /// Masks of project-relative paths, as for a search.
    pub masks: Vec<String>,
    /// Patterns of files that are never touched, in `.gitignore` syntax; `None` is [`DEFAULT_PROTECTED`].
    pub protected: Option<Vec<String>>,
    /// Masks of protected files that are touched all the same.
    pub include: Vec<String>,
    /// Whether what cannot be sent (links to folders, sockets, …) is an error.
    pub strict: bool,
    /// In bytes. A larger file is an error, before any request.
    pub max_file_size: u64,
}

impl Default for SelectOptions {
    fn default() -> Self {
        Self {
            masks: vec!["**/*".to_owned()],
            protected: None,
            include: Vec::new(),
            strict: false,
            max_file_size: MAX_FILE_SIZE,
        }
    }
}

/// A local file with what was in it when it was hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalFile {
    pub path: PathBuf,
    pub state: FileState,
}

/// The local side of a diff.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    pub files: BTreeMap<String, LocalFile>,
    pub protected: BTreeMap<String, PathBuf>,
    pub skipped: BTreeMap<String, String>,
    pub left_out: BTreeMap<String, LeftOut>,
    pub empty_folders: usize,
    pub warnings: Vec<String>,
}

/// Selects and hashes the files of `root`. `reserved` is the project-relative folder of our state, if it is inside.
pub(crate) async fn select(
    root: &Path,
    options: &SelectOptions,
    reserved: Option<String>,
    skipper: &impl Skipper,
) -> Result<(Selection, Filter)> {
    let (scan_root, scan_options) = (root.to_owned(), options.clone());
    let (mut walked, mut filter, mut warnings) = blocking(move || scan(&scan_root, &scan_options, reserved)).await?;
    filter.leave_to_skipper(&mut walked, skipper).await?;
    refuse_what_cannot_be_sent(root, &walked, options)?;
    let max = options.max_file_size;
    let files = std::mem::take(&mut walked.files);
    let hashed_root = root.to_owned();
    let files = blocking(move || hash(&hashed_root, files, max)).await?;
    warnings.extend(walk::lookalikes(files.keys()));
    let selection = Selection {
        files,
        protected: walked.protected,
        skipped: walked.skipped,
        left_out: walked.left_out,
        empty_folders: walked.empty_folders,
        warnings,
    };
    Ok((selection, filter))
}

/// The project's root without links, if it can be one.
pub(crate) fn checked_root(root: &Path) -> Result<PathBuf> {
    let place = match std::fs::canonicalize(root) {
        Ok(place) if place.is_dir() => place,
        Ok(_) => return Err(Error::config(format!("the local root {} is not a folder", root.display()))),
        Err(error) => {
            return Err(Error::config(format!("the local root {} cannot be opened: {error}", root.display())));
        }
    };
    let home = std::env::home_dir().and_then(|home| std::fs::canonicalize(home).ok());
    if place.parent().is_none() || home.is_some_and(|home| home.starts_with(&place)) {
        return Err(Error::config(format!(
            "the local root {} holds your home folder: name the folder of the project itself",
            root.display()
        )));
    }
    Ok(place)
}

fn scan(root: &Path, options: &SelectOptions, reserved: Option<String>) -> Result<(Walked, Filter, Vec<String>)> {
    let masks = options.masks.iter().map(|mask| Mask::parse(mask)).collect::<Result<Vec<_>>>()?;
    let protection = match &options.protected {
        Some(patterns) => Protection::new(patterns, &options.include)?,
        None => Protection::new(&DEFAULT_PROTECTED, &options.include)?,
    };
    let (tree, warning) = WorkTree::around(root).unzip();
    let mut rules = Rules::at(root, tree)?;
    let walked = walk::walk(root, &mut rules, &masks, &protection, reserved.as_deref())?;
    let mut warnings = std::mem::take(&mut rules.warnings);
    warnings.extend(warning.flatten());
    let filter = Filter::new(rules, masks, protection, &walked, reserved);
    Ok((walked, filter, warnings))
}

fn refuse_what_cannot_be_sent(root: &Path, walked: &Walked, options: &SelectOptions) -> Result<()> {
    if options.strict && !walked.skipped.is_empty() {
        let reasons = walked.skipped.iter().map(|(path, reason)| format!("{path} is {reason}"));
        return Err(Error::config(format!("strict: these cannot be sent: {}", first_few(reasons))));
    }
    if walked.files.is_empty() && walked.protected.is_empty() {
        return Err(Error::config(nothing_selected(root, walked)));
    }
    Ok(())
}

/// Says which rule is to blame, so that an empty selection never becomes a plan to delete everything.
fn nothing_selected(root: &Path, walked: &Walked) -> String {
    let place = root.display();
    if !walked.skipped.is_empty() {
        let reasons = walked.skipped.iter().map(|(path, reason)| format!("{path} is {reason}"));
        return format!("nothing in {place} can be deployed: {}", first_few(reasons));
    }
    match walked.left_out.iter().max_by_key(|(_, left_out)| left_out.files + left_out.folders) {
        None => format!("{place} holds no files"),
        Some((source, left_out)) => format!(
            "no file of {place} is left to deploy: {source} (rule {:?}) left out {} and {}",
            left_out.rule,
            counted(left_out.files, "file"),
            counted(left_out.folders, "folder"),
        ),
    }
}

/// Hashes, and refuses what is too large or cannot be read.
fn hash(root: &Path, files: BTreeMap<String, PathBuf>, max_size: u64) -> Result<BTreeMap<String, LocalFile>> {
    let (names, paths): (Vec<String>, Vec<PathBuf>) = files.into_iter().unzip();
    let hashed =
        hash_all(root, &paths, max_size).map_err(|source| Error::Local { path: PathBuf::from("(threads)"), source })?;
    let mut selected = BTreeMap::new();
    let mut too_large = Vec::new();
    for ((name, path), hashed) in names.into_iter().zip(paths).zip(hashed) {
        match hashed {
            Hashed::Done(state) => {
                selected.insert(name, LocalFile { path, state });
            }
            Hashed::TooLarge(size) => too_large.push(format!("{name} ({} MiB)", size.div_ceil(1024 * 1024))),
            // Deleted while we looked, as editors do with their temporary files.
            Hashed::Gone => {}
            Hashed::Failed(source) => return Err(unreadable(&path, source)),
        }
    }
    if !too_large.is_empty() {
        return Err(Error::config(format!(
            "larger than the {} MiB that may be uploaded: {}. Leave them out in .pythonanywhereignore, \
             or raise the limit ({})",
            max_size / (1024 * 1024),
            first_few(too_large.into_iter()),
            Setting::MaxFileSize
        )));
    }
    Ok(selected)
}
