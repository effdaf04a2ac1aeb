//! `pya get`: downloads one file of the account, whatever its size.

use std::fs;
use std::path::{self, Path, PathBuf};

use serde_json::json;

use crate::cli::args::Get;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::client::RemotePath;
use crate::error::{Error, Result};
use crate::platform::NameRules;

pub async fn run(args: &Get, context: &Context) -> Result<Exit> {
    let client = context.settings()?.client()?;
    let path = RemotePath::in_account(&args.remote, client.user())?;
    let local = destination(&path, args.local.as_deref())?;
    if !args.overwrite && local.symlink_metadata().is_ok() {
        let place = local.display();
        return Err(Error::config(format!(
            "{place} already exists: give another name, or replace it with --overwrite"
        )));
    }
    let _made = args.local.as_deref().filter(|local| names_folder(local)).map(NewFolders::make).transpose()?;
    let size = keeping_budget(&client, client.download(&path, &local)).await?;
    context.output.say(&format!("wrote {size} bytes to {}", local.display()));
    context.output.answer("", &json!({ "path": path.as_str(), "size": size, "local": local.to_string_lossy() }));
    Ok(Exit::Ok)
}

/// Whether a local name says that it is a folder's, there or not, as `put` takes it for names on the host.
fn names_folder(local: &Path) -> bool {
    local.to_string_lossy().ends_with(path::is_separator)
}

/// Folders made for a file, the innermost first. They go again if none comes.
struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    /// Makes `folder` with those above it that are missing.
    ///
    /// # Errors
    /// `Config` if it is something else; `Local` if it cannot be made.
    fn make(folder: &Path) -> Result<Self> {
        if folder.is_dir() {
            return Ok(Self(Vec::new()));
        }
        if folder.components().as_path().symlink_metadata().is_ok() {
            return Err(Error::config(format!("{} is there and is not a folder: give another name", folder.display())));
        }
        let above = folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
        let made = Self(above.map(Path::to_owned).collect());
        fs::create_dir_all(folder).map_err(|source| Error::Local { path: folder.to_owned(), source })?;
        Ok(made)
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        // One that has the file, or what somebody else put there meanwhile, stays with those above it.
        let _ = self.0.iter().try_for_each(fs::remove_dir);
    }
}

/// In a local folder, or without a local name, the file keeps its own name.
fn destination(path: &RemotePath, local: Option<&Path>) -> Result<PathBuf> {
    match local {
        Some(local) if !local.is_dir() && !names_folder(local) => Ok(local.to_owned()),
        _ if path.name().is_empty() => Err(Error::config(format!("{path} is not a file"))),
        _ if NameRules::HERE.refuses(path.name()) => Err(Error::config(format!(
            "a file cannot be called {:?} on this system: give it another name here",
            path.name()
        ))),
        folder => Ok(folder.unwrap_or(Path::new("")).join(path.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_for_a_file_go_again_unless_it_comes() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("a/b/");
        drop(NewFolders::make(&folder).unwrap());
        assert!(top.path().is_dir() && !top.path().join("a").exists());
        let made = NewFolders::make(&folder).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        drop(made);
        assert!(folder.join("file").is_file());
        let beside = top.path().join("c/");
        fs::create_dir(&beside).unwrap();
        drop(NewFolders::make(&beside).unwrap());
        assert!(beside.is_dir(), "it was there before");
        let why = NewFolders::make(&folder.join("file/")).err().unwrap().to_string();
        assert!(why.contains("not a folder"), "{why}");
    }

    #[test]
    fn a_closing_slash_is_that_of_a_folder() {
        assert!(names_folder(Path::new("new/")) && names_folder(Path::new("a/new//")));
        assert!(!names_folder(Path::new("new")) && !names_folder(Path::new("")));
    }
}
