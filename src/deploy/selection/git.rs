//! The git work tree around a project: where it begins, and which files git tracks.
//!
//! git itself is asked for the tracked files, because its index has several formats. It runs without the repository's
//! file system monitor, which could be any program, and without variables that point it to another repository.

use crate::deploy::paths::composed;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A git work tree, seen from a project inside it.
#[derive(Clone)]
pub(crate) struct WorkTree {
    /// The folder that holds `.git`.
    pub top: PathBuf,
    /// The project's root, relative to `top`.
    pub prefix: PathBuf,
    /// Relative to the project's root.
    tracked: HashSet<String>,
    /// Every folder that holds a tracked file, at any depth.
    folders: HashSet<String>,
}

impl WorkTree {
    /// The work tree that `root` (an absolute path) lies in, and a warning if its tracked files are not known.
    pub(crate) fn around(root: &Path) -> Option<(Self, Option<String>)> {
        let top = root.ancestors().find(|folder| folder.join(".git").exists())?;
        let prefix = root.strip_prefix(top).unwrap_or(Path::new("")).to_owned();
        let (tracked, warning) = match tracked_files(root) {
            Ok(tracked) => (tracked, None),
            Err(why) => (HashSet::new(), Some(why)),
        };
        let mut folders = HashSet::new();
        for file in &tracked {
            folders.insert(String::new());
            for (end, _) in file.match_indices('/') {
                folders.insert(file[..end].to_owned());
            }
        }
        Some((Self { top: top.to_owned(), prefix, tracked, folders }, warning))
    }

    #[cfg(test)]
    pub(crate) fn untracked(top: &Path, prefix: &str) -> Self {
        Self { top: top.to_owned(), prefix: prefix.into(), tracked: HashSet::new(), folders: HashSet::new() }
    }

    pub(crate) fn tracks(&self, file: &str) -> bool {
        self.tracked.contains(file)
    }

    pub(crate) fn has_tracked_below(&self, folder: &str) -> bool {
        self.folders.contains(folder)
    }
}

/// The files that git tracks below `root`, relative to it.
fn tracked_files(root: &Path) -> Result<HashSet<String>, String> {
    let advice = "files that git tracks although a .gitignore rule matches them are left out; \
                  name them in .pythonanywhereignore with a leading \"!\"";
    let mut command = Command::new("git");
    command.args([
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.quotePath=false",
        "ls-files",
        "-z",
        "--recurse-submodules",
    ]);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE"] {
        // A git hook that deploys has them set, for another folder perhaps.
        command.env_remove(variable);
    }
    let output = command.current_dir(root).env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("this is a git work tree, but the command \"git\" is not installed: {advice}"));
        }
        Err(error) => return Err(format!("git could not be started ({error}): {advice}")),
    };
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let first = words.lines().next().unwrap_or("no message");
        return Err(format!("git could not list its files ({first}): {advice}"));
    }
    // A name that is no UTF-8 is refused later, by the walk, with a better message.
    Ok(output.stdout.split(|&byte| byte == 0).filter_map(|name| std::str::from_utf8(name).ok()).map(compose).collect())
}

/// Names as the walk gives them.
fn compose(name: &str) -> String {
    composed(name).into_owned()
}
