//! Which files a deploy is about: everything local that rules, masks and the caller's skipper leave in.
//!
//! All of it is done before the first request: a local mistake costs none, and changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::filter::Filter;
use super::git::{Answer, Listing, WorkTree};
use super::ignore::Rules;
use super::machine;
use super::protect::Protection;
use super::read::{Hashed, hash_all, unreadable};
use super::walk::{self, LeftOut, Walked};
use crate::blocking::blocking;
use crate::deploy::state::manifest::{FileState, Origin};
use crate::error::{Error, Result};
use crate::finder::{Mask, Skipper};
use crate::platform::canonical;
use crate::setting::Setting;
use crate::text::{counted, first_few};

/// Files larger than this are refused by the service (100 MiB).
pub const MAX_FILE_SIZE: u64 = 100 * 1024 * 1024;

/// What a deploy is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct SelectOptions {
    /// Masks of project-relative paths, as for a search.
    pub masks: Vec<String>,
    /// Patterns of files that are never touched, in `.gitignore` syntax; `None` is [`DEFAULT_PROTECTED`].
    pub protected: Option<Vec<String>>,
    /// Masks of files that are deployed in spite of protection and ignore rules; one that matches nothing is an error.
    pub include: Vec<String>,
    /// The same, but one that matches nothing is a warning.
    pub include_if_there: Vec<String>,
    /// Whether what cannot be sent (links to folders, sockets, …) is an error.
    pub strict: bool,
    /// In bytes. A larger file is an error, before any request.
    pub max_file_size: u64,
    /// Read the `.gitignore` files rather than ask git.
    pub no_git: bool,
    /// Send pointers of Git LFS as they are.
    pub allow_lfs_pointers: bool,
    /// Count files as removed that git did not track and that another machine sent.
    pub delete_untracked: bool,
}

impl Default for SelectOptions {
    fn default() -> Self {
        Self {
            masks: vec!["**/*".to_owned()],
            protected: None,
            include: Vec::new(),
            include_if_there: Vec::new(),
            strict: false,
            max_file_size: MAX_FILE_SIZE,
            no_git: false,
            allow_lfs_pointers: false,
            delete_untracked: false,
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
    /// The id of this machine; empty if it has none, or if git was not asked.
    pub machine: String,
}

impl Selection {
    /// Whether a file is here, protected or not.
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.protected.contains_key(path)
    }
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
    let files = std::mem::take(&mut walked.files);
    let (root, options, protection) = (root.to_owned(), options.clone(), filter.protection.clone());
    let (files, databases, machine) = blocking(move || hash(&root, files, &options, &protection)).await?;
    walked.protected.extend(databases);
    warnings.extend(walk::lookalikes(files.keys()));
    let selection = Selection {
        files,
        protected: walked.protected,
        skipped: walked.skipped,
        left_out: walked.left_out,
        empty_folders: walked.empty_folders,
        warnings,
        machine,
    };
    Ok((selection, filter))
}

/// The project's root without links, if it can be one.
pub(crate) fn checked_root(root: &Path) -> Result<PathBuf> {
    let place = match canonical(root) {
        Ok(place) if place.is_dir() => place,
        Ok(_) => return Err(Error::config(format!("the local root {} is not a folder", root.display()))),
        Err(error) => {
            return Err(Error::config(format!("the local root {} cannot be opened: {error}", root.display())));
        }
    };
    let home = std::env::home_dir().and_then(|home| canonical(&home).ok());
    if place.parent().is_none() || home.is_some_and(|home| home.starts_with(&place)) {
        return Err(Error::config(format!(
            "the local root {} contains your home folder: name the folder of the project itself",
            root.display()
        )));
    }
    Ok(place)
}

fn scan(root: &Path, options: &SelectOptions, reserved: Option<String>) -> Result<(Walked, Filter, Vec<String>)> {
    let masks = options.masks.iter().map(|mask| Mask::parse(mask)).collect::<Result<Vec<_>>>()?;
    let include: Vec<String> = options.include.iter().chain(&options.include_if_there).cloned().collect();
    let protection = Protection::new(options.protected.as_deref(), &include)?.without_packages(root)?;
    let (mut rules, mut warnings) = rules(root, options)?;
    let protection = protection.with_listing(rules.listing());
    let mut walked = walk::walk(root, &mut rules, &masks, &protection, reserved.as_deref())?;
    warnings.append(&mut rules.warnings);
    warnings.append(&mut walked.warnings);
    warnings.extend(check_include(options, &walked)?);
    let filter = Filter::new(rules, masks, protection, &walked, reserved);
    Ok((walked, filter, warnings))
}

/// The ignore rules that hold at `root`: git's own answer in a work tree, unless the caller wants it otherwise.
fn rules(root: &Path, options: &SelectOptions) -> Result<(Rules, Vec<String>)> {
    let Some(tree) = WorkTree::around(root) else { return Ok((Rules::at(root, None, None)?, Vec::new())) };
    if options.no_git {
        return Ok((Rules::at(root, Some(tree), None)?, Vec::new()));
    }
    match Listing::of(root, &tree)? {
        Answer::Listed(mut listing) => {
            let warnings = std::mem::take(&mut listing.warnings);
            Ok((Rules::at(root, Some(tree), Some(Arc::new(*listing)))?, warnings))
        }
        Answer::RootIgnored => Ok((Rules::at(root, None, None)?, Vec::new())),
        Answer::NotInstalled => {
            let warning =
                "this is a git work tree, but the command \"git\" is not installed: the .gitignore files alone \
                           decide, so files that git tracks in spite of them are left out"
                    .to_owned();
            Ok((Rules::at(root, Some(tree), None)?, vec![warning]))
        }
    }
}

/// Refuses masks of files to include that match nothing, and gives warnings for those that may.
fn check_include(options: &SelectOptions, walked: &Walked) -> Result<Vec<String>> {
    let matches = |text: &String| -> Result<bool> {
        let mask = Mask::parse(text)?;
        Ok(walked.files.keys().any(|path| mask.matches(path)))
    };
    for text in &options.include {
        if !matches(text)? {
            return Err(nothing_included(text));
        }
    }
    let mut warnings = Vec::new();
    for text in &options.include_if_there {
        if !matches(text)? {
            warnings.push(format!("include = {text:?} matches no file here"));
        }
    }
    Ok(warnings)
}

/// The error about a mask of files to include that matches nothing.
pub(crate) fn nothing_included(mask: &str) -> Error {
    Error::config(format!(
        "{} {mask:?} matches no file that could be deployed: it is a path relative to the project, in which * and ** match \
         anything",
        Setting::Include
    ))
}

fn refuse_what_cannot_be_sent(root: &Path, walked: &Walked, options: &SelectOptions) -> Result<()> {
    if let Some((_, file)) = walked.unsendable.first() {
        return Err(walk::unsendable(file));
    }
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
        None => format!("{place} contains no files"),
        Some((source, left_out)) => format!(
            "no file of {place} is left to deploy: {source} (rule {:?}) left out {} and {}",
            left_out.rule,
            counted(left_out.files, "file"),
            counted(left_out.folders, "folder"),
        ),
    }
}

type HashedFiles = (BTreeMap<String, LocalFile>, BTreeMap<String, PathBuf>, String);

/// Hashes, and refuses what is too large or cannot be read. Apart from the files: databases, which are protected, and the
/// id of this machine.
fn hash(
    root: &Path,
    files: BTreeMap<String, PathBuf>,
    options: &SelectOptions,
    protection: &Protection,
) -> Result<HashedFiles> {
    let (names, paths): (Vec<String>, Vec<PathBuf>) = files.into_iter().unzip();
    let hashed = hash_all(root, &paths, options.max_file_size)
        .map_err(|source| Error::Local { path: PathBuf::from("(threads)"), source })?;
    let mut sorted = Sorted::default();
    for ((name, path), hashed) in names.into_iter().zip(paths).zip(hashed) {
        sorted.take(name, path, hashed, protection)?;
    }
    sorted.check(options)?;
    let Sorted { mut files, databases, .. } = sorted;
    if let Some(listing) = protection.listing() {
        take_recorded_modes(&mut files, listing);
    }
    let machine = note_origins(&mut files, protection);
    Ok((files, databases, machine))
}

/// Hashed files by what becomes of them.
#[derive(Default)]
struct Sorted {
    files: BTreeMap<String, LocalFile>,
    databases: BTreeMap<String, PathBuf>,
    /// Names with sizes.
    too_large: Vec<String>,
    /// Those of the files that Git LFS has not fetched.
    pointers: Vec<String>,
}

impl Sorted {
    fn take(&mut self, name: String, path: PathBuf, hashed: Hashed, protection: &Protection) -> Result<()> {
        let state = match hashed {
            Hashed::Database(_) if !protection.lifts(&name) => {
                self.databases.insert(name, path);
                return Ok(());
            }
            Hashed::Database(FileState { sha256: None, size, .. }) => {
                self.too_large.push(mebibytes(&name, size.unwrap_or_default()));
                return Ok(());
            }
            Hashed::TooLarge(size) => {
                self.too_large.push(mebibytes(&name, size));
                return Ok(());
            }
            Hashed::LfsPointer(state) => {
                self.pointers.push(name.clone());
                state
            }
            Hashed::Done(state) | Hashed::Database(state) => state,
            // Deleted while it was read, as editors do with their temporary files.
            Hashed::Gone => return Ok(()),
            Hashed::Failed(source) => return Err(unreadable(&path, source)),
        };
        self.files.insert(name, LocalFile { path, state });
        Ok(())
    }

    /// Refuses files that are too large, and pointers unless they are to be sent.
    fn check(&self, options: &SelectOptions) -> Result<()> {
        if !self.too_large.is_empty() {
            return Err(Error::config(format!(
                "larger than the {} MiB that may be uploaded: {}. Leave them out in .pythonanywhereignore, \
                 or raise the limit ({})",
                options.max_file_size / (1024 * 1024),
                first_few(self.too_large.iter().cloned()),
                Setting::MaxFileSize
            )));
        }
        if !self.pointers.is_empty() && !options.allow_lfs_pointers {
            return Err(Error::config(format!(
                "Git LFS has not fetched the content of {}, and only its pointers are here: run \"git lfs pull\" first ({} sends \
                 the pointers)",
                first_few(self.pointers.iter().cloned()),
                Setting::AllowLfsPointers
            )));
        }
        Ok(())
    }
}

fn mebibytes(name: &str, size: u64) -> String {
    format!("{name} ({} MiB)", size.div_ceil(1024 * 1024))
}

/// Takes the permission bits that git records where the file system has none, or has some that git does not go by. Git is
/// asked whether it does only if one of them differs.
fn take_recorded_modes(files: &mut BTreeMap<String, LocalFile>, listing: &Listing) {
    let is_program = |mode: u32| mode & 0o100 != 0;
    let mut ignores_modes = None;
    for (path, file) in files {
        let Some(recorded) = listing.recorded_mode(path) else { continue };
        let is_taken = match file.state.mode {
            None => true,
            Some(here) => {
                is_program(here) != is_program(recorded)
                    && *ignores_modes.get_or_insert_with(|| listing.ignores_modes())
            }
        };
        if is_taken {
            file.state.mode = Some(recorded);
        }
    }
}

/// Notes which files git tracks. The id of this machine is needed, and made, only where there are others.
fn note_origins(files: &mut BTreeMap<String, LocalFile>, protection: &Protection) -> String {
    let is_untracked = |path: &String| matches!(protection.origin_of(path, ""), Some(Origin::Untracked(_)));
    let machine = machine::id_if_needed(files.keys().any(is_untracked));
    for (path, file) in files {
        file.state.origin = protection.origin_of(path, &machine);
    }
    machine
}
