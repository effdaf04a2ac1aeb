//! Uploads, and where the content of each comes from if it goes by a bundle: from here, or from what the host has already.
//!
//! Decided as the rest of the plan is, by the diff and the options alone, before an executor is chosen. Whether the host
//! still has what its manifest says is for the runner to see: it hashes what it copies, and what it misses is sent then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::deploy::diff::model::{DeployDiff, DiffSnapshot};
use crate::deploy::diff::renames::likeness;
use crate::deploy::state::manifest::{FileState, Origin};

/// Below so many bytes content is sent: naming another place for it takes about as much, and if the host does not have it
/// there any more, one more round.
const LEAST: u64 = 128;

/// Of so many files with the content that is wanted, the one with the most similar name is taken.
const COMPARED: usize = 64;

/// A file to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    pub path: String,
    pub local: PathBuf,
    /// What it held when the plan was made.
    pub sha256: Option<String>,
    pub size: u64,
    pub mode: Option<u32>,
    /// For the manifest.
    pub origin: Option<Origin>,
    pub replaces: bool,
}

impl Upload {
    pub fn new(path: &str, local: &Path, state: FileState, replaces: bool) -> Self {
        Self {
            path: path.to_owned(),
            local: local.to_owned(),
            sha256: state.sha256,
            size: state.size.unwrap_or_default(),
            mode: state.mode,
            origin: state.origin,
            replaces,
        }
    }
}

/// Where content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// It is sent.
    Local,
    /// A file of the project on the host.
    Host(String),
    /// What the deploy that the manifest names replaced or deleted at this path, and keeps for a rollback.
    Kept(String),
    /// The upload with this number, which is sent.
    Upload(usize),
}

impl Source {
    /// Whether the host has it before anything is sent.
    pub fn is_on_host(&self) -> bool {
        matches!(self, Self::Host(_) | Self::Kept(_))
    }

    /// The number of the upload that it is.
    pub fn upload(&self) -> Option<usize> {
        if let Self::Upload(number) = self { Some(*number) } else { None }
    }
}

/// The source of each of the `uploads`. Files that are `going` are preferred, since that is a rename.
pub(crate) fn sources(diff: &DeployDiff, uploads: &[Upload], going: &BTreeSet<&str>) -> Vec<Source> {
    let base = &diff.base;
    let renamed: BTreeMap<&str, &str> = diff.renamed.iter().map(|(old, new)| (new.as_str(), old.as_str())).collect();
    let on_host = paths_by_digest(base);
    let kept: BTreeMap<&str, &str> =
        base.kept.iter().flat_map(|kept| &kept.files).map(|(path, digest)| (digest.as_str(), path.as_str())).collect();
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    let mut source = |number: usize, upload: &Upload| {
        let digest = upload.sha256.as_deref().filter(|_| upload.size >= LEAST)?;
        let old = renamed.get(upload.path.as_str()).copied();
        let there = on_host.get(digest).and_then(|paths| best(paths, &upload.path, old, going));
        let kept = || kept.get(digest).map(|&path| Source::Kept(path.to_owned()));
        let sent_before = || sent.get(digest).copied().map(Source::Upload);
        let source = there.map(|path| Source::Host(path.to_owned())).or_else(kept).or_else(sent_before);
        if source.is_none() {
            sent.insert(digest.to_owned(), number);
        }
        source
    };
    uploads.iter().enumerate().map(|(number, upload)| source(number, upload).unwrap_or(Source::Local)).collect()
}

/// The files of ours on the host whose content is known, by digest.
fn paths_by_digest(base: &DiffSnapshot) -> BTreeMap<&str, Vec<&str>> {
    let contested = base.contested();
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, state) in base.known.ours.iter().chain(&base.adopted) {
        if let Some(digest) = &state.sha256
            && !contested.contains(path)
            && !base.vanished.contains(path)
        {
            found.entry(digest).or_default().push(path);
        }
    }
    found
}

/// Of `paths` with the content of the upload `path` the `old` name of that, else the one with the most similar name.
fn best<'a>(paths: &[&'a str], path: &str, old: Option<&'a str>, going: &BTreeSet<&str>) -> Option<&'a str> {
    let compared = paths.iter().take(COMPARED).copied();
    let alike = || compared.max_by_key(|there| (going.contains(there), likeness(there, path)));
    old.filter(|old| paths.contains(old)).or_else(alike)
}
