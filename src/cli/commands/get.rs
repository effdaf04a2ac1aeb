//! `pya get`: downloads one file of the account, whatever its size.

use std::path::{Path, PathBuf};

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
    let size = keeping_budget(&client, client.download(&path, &local)).await?;
    context.output.say(&format!("wrote {size} bytes to {}", local.display()));
    context.output.answer("", &json!({ "path": path.as_str(), "size": size, "local": local.to_string_lossy() }));
    Ok(Exit::Ok)
}

/// In a local folder, or without a local name, the file keeps its own name.
fn destination(path: &RemotePath, local: Option<&Path>) -> Result<PathBuf> {
    match local {
        Some(local) if !local.is_dir() => Ok(local.to_owned()),
        _ if path.name().is_empty() => Err(Error::config(format!("{path} is not a file"))),
        _ if NameRules::HERE.refuses(path.name()) => Err(Error::config(format!(
            "a file cannot be called {:?} on this system: give it another name here",
            path.name()
        ))),
        folder => Ok(folder.unwrap_or(Path::new("")).join(path.name())),
    }
}
