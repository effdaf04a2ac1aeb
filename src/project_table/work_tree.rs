//! How far a table reaches: no file above the work tree is read, and no folder outside of it is sent because of a file.

use std::path::Path;

/// The root of the work tree that `folder`, an absolute path without links, lies in.
pub(super) fn work_tree(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|candidate| [".git", ".hg"].iter().any(|mark| candidate.join(mark).exists()))
}
