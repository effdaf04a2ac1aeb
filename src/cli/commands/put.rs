//! `pya put`: one file, or what comes on stdin, into the account.

use std::io::Read;

use bytes::Bytes;
use serde_json::json;

use super::dispatch::settings;
use crate::api::Uploaded;
use crate::cli::args::Put;
use crate::cli::exit::Exit;
use crate::cli::output::shown;
use crate::cli::run::Context;
use crate::cli::settings::remote_path;
use crate::client::RemotePath;
use crate::error::{Error, Result};

/// The service refuses larger uploads.
const MAX_SIZE: u64 = 100 << 20;

pub async fn run(args: &Put, context: &Context) -> Result<Exit> {
    let client = settings(context)?.client()?;
    let path = destination(args, client.user())?;
    let bytes = read(args).await?;
    let size = bytes.len();
    let uploaded = client.upload_file(&path, bytes).await;
    client.persist_budget();
    let created = uploaded? == Uploaded::Created;
    context.output.say(&format!("{} {}", if created { "created" } else { "replaced" }, shown(path.as_str())));
    if context.output.is_json() {
        context.output.document(&json!({ "path": path.as_str(), "size": size, "created": created }));
    }
    Ok(Exit::Ok)
}

fn destination(args: &Put, user: &str) -> Result<RemotePath> {
    let path = remote_path(&args.remote, user)?;
    if !(args.remote.is_empty() || args.remote.ends_with('/') || args.remote == "~") {
        return Ok(path);
    }
    match args.local.file_name().and_then(|name| name.to_str()) {
        Some(name) if name != "-" => path.join(name),
        _ => Err(Error::config(format!("{:?} is a folder: name the file as well", args.remote))),
    }
}

async fn read(args: &Put) -> Result<Bytes> {
    let local = args.local.clone();
    let job = move || -> Result<Bytes> {
        let failed = |source| Error::Local { path: local.clone(), source };
        let mut content = Vec::new();
        // One byte more than allowed shows what is too large, without reading a whole disk image.
        if local.as_os_str() == "-" {
            std::io::stdin().lock().take(MAX_SIZE + 1).read_to_end(&mut content).map_err(failed)?;
        } else {
            let file = std::fs::File::open(&local).map_err(failed)?;
            if file.metadata().map_err(failed)?.is_dir() {
                return Err(Error::config(format!(
                    "{} is a folder: put sends one file; a project goes with deploy",
                    local.display()
                )));
            }
            file.take(MAX_SIZE + 1).read_to_end(&mut content).map_err(failed)?;
        }
        if content.len() as u64 > MAX_SIZE {
            return Err(Error::config(format!(
                "{} is larger than the 100 MiB that PythonAnywhere takes",
                local.display()
            )));
        }
        Ok(content.into())
    };
    tokio::task::spawn_blocking(job).await.map_err(|_| Error::Closed)?
}
