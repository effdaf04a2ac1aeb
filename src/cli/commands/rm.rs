//! `pya rm`: deletes a file, or with `-r` a folder with everything in it.
//!
//! The service deletes folders as readily as files, so the type is looked up in the listing of the parent first, and
//! the folders that an account depends on are refused before any request.

use serde_json::json;

use super::ls::kind;
use crate::cli::args::Rm;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::terminal::shown;
use crate::client::{Client, RemotePath};
use crate::error::{Error, Result};

pub async fn run(args: &Rm, context: &Context) -> Result<Exit> {
    let client = context.settings()?.client()?;
    let path = RemotePath::in_account(&args.path, client.user())?;
    refuse_account_folders(&path, client.user())?;
    let is_dir = keeping_budget(&client, delete(args, &client, &path)).await?;
    context.output.say(&format!("deleted {}{}", shown(path.as_str()), if is_dir { "/" } else { "" }));
    context.output.answer("", &json!({ "deleted": path.as_str(), "type": kind(is_dir) }));
    Ok(Exit::Ok)
}

/// Deletes what is at `path`, and returns whether it was a folder.
async fn delete(args: &Rm, client: &Client, path: &RemotePath) -> Result<bool> {
    let parent = path.parent().ok_or_else(|| Error::config("the root folder cannot be deleted"))?;
    let entries = client.list_dir(&parent).await?;
    let entry = entries.iter().find(|entry| entry.name == path.name()).ok_or_else(|| missing(path.name(), &parent))?;
    if entry.is_dir && !args.recursive {
        return Err(Error::config(format!("{path} is a folder: use -r to delete it with everything in it")));
    }
    if !entry.is_file && !args.recursive {
        return Err(Error::config(format!(
            "the service does not say whether {path} is a file: use -r to delete it, with everything in it if it is a folder"
        )));
    }
    client.delete_path(path).await?;
    Ok(entry.is_dir)
}

/// What the service would answer to a request for a file that is not there.
fn missing(name: &str, parent: &RemotePath) -> Error {
    Error::Api {
        method: "GET".into(),
        path: format!("files/path{parent}/"),
        status: 404,
        detail: format!("there is no {name:?} in {parent}"),
        code: None,
        retry_after: None,
        browser_url: None,
        recognised: true,
    }
}

/// Refuses the home folder, the folders above it, and the system's folders that hold WSGI files and logs.
pub(super) fn refuse_account_folders(path: &RemotePath, user: &str) -> Result<()> {
    let home = RemotePath::home(user)?;
    let is_above = path.as_str() == "/" || home == *path || home.as_str().starts_with(&format!("{path}/"));
    if is_above || ["/var", "/var/www", "/var/log", "/tmp"].contains(&path.as_str()) {
        return Err(Error::config(format!(
            "{path} cannot be deleted, because the account depends on it: name what to delete in it"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_the_account_depends_on_are_refused() {
        let refused = |path| refuse_account_folders(&RemotePath::parse(path).unwrap(), "me").is_err();
        for path in ["/", "/home", "/home/me", "/home/me/", "/var/www", "/var", "/var/log", "/tmp"] {
            assert!(refused(path), "{path}");
        }
        for path in ["/home/me/x", "/home/mee", "/var/www/me_wsgi.py"] {
            assert!(!refused(path), "{path}");
        }
    }
}
