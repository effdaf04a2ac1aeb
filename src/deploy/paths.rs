//! Project-relative paths: folders, parents, and what lies below.
//!
//! They are texts with `/` between, as they are sent, not [`std::path::Path`]: the host's rules hold, not this system's.

use std::collections::BTreeSet;

use crate::client::RemotePath;
use crate::error::Result;

/// The folder that `path` lies in; `""` is the root.
pub(crate) fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The last name of `path`.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The folders that `path` lies in, from the top.
pub(crate) fn folders_of(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// Whether `path` is `folder` or lies below it.
pub(crate) fn is_within(folder: &str, path: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether something in `folder` or below it is still to be deleted, in one of the folders `left`.
pub(crate) fn is_due(left: &BTreeSet<&str>, folder: &str) -> bool {
    left.contains(folder) || has_below(left, folder)
}

/// Whether any of `paths` lies below `folder`.
pub(crate) fn has_below(paths: &BTreeSet<&str>, folder: &str) -> bool {
    let prefix = format!("{folder}/");
    paths.range(prefix.as_str()..).next().is_some_and(|path| path.starts_with(&prefix))
}

/// Where a project-relative path lies on the host; `""` is the project itself.
pub(crate) fn place(root: &RemotePath, path: &str) -> Result<RemotePath> {
    if path.is_empty() { Ok(root.clone()) } else { root.join(path) }
}
