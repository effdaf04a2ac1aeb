//! The files below a folder with their content, so that two moments, or the two sides, can be compared byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::platform::mode_of;

/// What Python compiles when it imports the site.
const COMPILED: &str = "__pycache__";

/// Digest and mode of each file, by its path below the folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<PathBuf, (String, Option<u32>)>);

impl Snapshot {
    /// Reads all files below `root`, but for what Python compiles.
    ///
    /// # Errors
    /// `Local` if one cannot be read.
    pub fn of(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let failed = |source| Error::Local { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let (path, facts) = (entry.path(), entry.metadata().map_err(failed)?);
                if !facts.is_dir() {
                    let content = fs::read(&path).map_err(|source| Error::Local { path: path.clone(), source })?;
                    let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
                    files.insert(name, (sha256(content), mode_of(&facts)));
                } else if entry.file_name() != COMPILED {
                    folders.push(path);
                }
            }
        }
        Ok(Self(files))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all files of `other` are among these, with the same content. Modes of another machine may differ.
    pub fn holds(&self, other: &Self) -> bool {
        other.0.iter().all(|(name, (digest, _))| self.0.get(name).is_some_and(|(own, _)| own == digest))
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(Path::new(name))
    }
}
