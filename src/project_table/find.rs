//! Where the table is: in the project's folder or a folder above it, as other tools have it, but not beyond the work tree,
//! and not in a file of another user. A file that someone else put into a shared folder must not decide where the token goes
//! or what is deleted.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::environments;
use super::model::{Table, parse};
use super::work_tree::work_tree;
use crate::error::{Error, Result};
use crate::platform::{canonical, is_own};

/// The table that holds in `folder` in the environment `chosen`, and the folder of its file. Without a file, an empty one.
///
/// # Errors
/// As for [`find`]; also `Config` if an environment is chosen and there is no table.
pub fn load(folder: &Path, chosen: Option<&str>) -> Result<(Table, Option<PathBuf>)> {
    match (find(folder, chosen)?, chosen) {
        (Some((table, folder)), _) => Ok((table, Some(folder))),
        (None, Some(name)) => Err(Error::config(environments::unknown(name, &[]))),
        (None, None) => Ok((Table::default(), None)),
    }
}

/// The nearest `pyproject.toml` with our table, from `folder` up to the root of the work tree. Without one, only the
/// folder's own counts. `None` if there is none.
///
/// # Errors
/// `Config` if the table cannot be used; the message names the file and the key. `Local` if the file cannot be read.
fn find(folder: &Path, chosen: Option<&str>) -> Result<Option<(Table, PathBuf)>> {
    // The caller finds out that there is no such folder.
    let Ok(folder) = canonical(folder) else { return Ok(None) };
    let tree = work_tree(&folder);
    let top = tree.unwrap_or(&folder);
    for candidate in folder.ancestors() {
        let file = candidate.join("pyproject.toml");
        let is_below_top = candidate.starts_with(top);
        let (text, is_own) = match read_own(&file) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(source) if is_below_top => return Err(Error::Local { path: file, source }),
            Err(_) => continue,
        };
        let table = parse(&text, chosen);
        if !is_own || !is_below_top {
            if !matches!(table, Ok(None)) {
                log::warn!("{} is ignored: {}", file.display(), why_ignored(is_own, tree, &folder));
            }
            continue;
        }
        if let Some(table) = table.map_err(|why| Error::config(format!("{}: {why}", file.display())))? {
            return Ok(Some((table, candidate.to_owned())));
        }
    }
    Ok(None)
}

fn why_ignored(is_own: bool, tree: Option<&Path>, folder: &Path) -> String {
    let folder = folder.display();
    match tree {
        _ if !is_own => "it belongs to another user".to_owned(),
        Some(top) => format!("it is above the work tree in {}", top.display()),
        None => format!("it is above {folder}, which is not in a git work tree; work in that file's folder"),
    }
}

/// The text of a file, and whether it belongs to the user of this process.
fn read_own(file: &Path) -> std::io::Result<(String, bool)> {
    // Opening a pipe would wait for its other end.
    if std::fs::metadata(file).is_ok_and(|facts| !facts.is_file()) {
        return Err(std::io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut open = std::fs::File::open(file)?;
    let is_own = is_own(&open.metadata()?);
    let mut text = String::new();
    open.read_to_string(&mut text)?;
    Ok((text, is_own))
}
