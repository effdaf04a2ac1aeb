//! `pya put`: uploads one file, or stdin, to the account.

use serde_json::json;

use super::local_file::content_of;
use crate::api::Uploaded;
use crate::cli::args::Put;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::terminal::shown;
use crate::client::RemotePath;
use crate::error::{Error, Result};

pub async fn run(args: &Put, context: &Context) -> Result<Exit> {
    let client = context.settings()?.client()?;
    let path = destination(args, client.user())?;
    let (sent, size) = content_of(args.local.clone()).await?;
    let created = keeping_budget(&client, client.upload_from(&path, sent)).await? == Uploaded::Created;
    context.output.say(&format!("{} {}", if created { "created" } else { "replaced" }, shown(path.as_str())));
    context.output.answer("", &json!({ "path": path.as_str(), "size": size, "created": created }));
    Ok(Exit::Ok)
}

fn destination(args: &Put, user: &str) -> Result<RemotePath> {
    let path = RemotePath::in_account(&args.remote, user)?;
    if !(args.remote.is_empty() || args.remote.ends_with('/') || args.remote == "~") {
        return Ok(path);
    }
    match args.local.file_name().and_then(|name| name.to_str()) {
        Some(name) if name != "-" => path.join(name),
        _ => Err(Error::config(format!("{:?} is a folder: add the name of the file", args.remote))),
    }
}
