//! Uploads, and where the content of each comes from if it goes by a bundle: from here, or from what the host has already.
//!
//! Decided as the rest of the plan is, by the diff and the options alone, before an executor is chosen. Whether the host
//! still has what its manifest says is for the runner to see: it hashes what it copies, and what it misses is sent then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::deploy::diff::model::DeployDiff;
use crate::deploy::diff::renames::likeness;
use crate::deploy::state::manifest::Origin;

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
    let contested = base.contested();
    let renamed: BTreeMap<&str, &str> = diff.renamed.iter().map(|(old, new)| (new.as_str(), old.as_str())).collect();
    let mut there: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, state) in base.known.ours.iter().chain(&base.adopted) {
        if let Some(digest) = &state.sha256
            && !contested.contains(path)
            && !base.vanished.contains(path)
        {
            there.entry(digest).or_default().push(path);
        }
    }
    let kept: BTreeMap<&str, &str> =
        base.kept.iter().flat_map(|kept| &kept.files).map(|(path, digest)| (digest.as_str(), path.as_str())).collect();
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    let mut source = |number: usize, upload: &Upload| {
        let digest = upload.sha256.as_deref().filter(|_| upload.size >= LEAST)?;
        if let Some(paths) = there.get(digest) {
            let rename = renamed.get(upload.path.as_str()).copied().filter(|old| paths.contains(old));
            let alike = || {
                let first = paths.iter().take(COMPARED).copied();
                first.max_by_key(|path| (going.contains(path), likeness(path, &upload.path)))
            };
            return rename.or_else(alike).map(|path| Source::Host(path.to_owned()));
        }
        if let Some(&path) = kept.get(digest) {
            return Some(Source::Kept(path.to_owned()));
        }
        if let Some(&other) = sent.get(digest) {
            return Some(Source::Upload(other));
        }
        sent.insert(digest.to_owned(), number);
        None
    };
    uploads.iter().enumerate().map(|(number, upload)| source(number, upload).unwrap_or(Source::Local)).collect()
}
