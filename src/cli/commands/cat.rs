//! `pya cat`: a file of the account, byte for byte.

use serde_json::json;

use crate::cli::args::Cat;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::client::RemotePath;
use crate::error::Result;

pub async fn run(args: &Cat, context: &Context) -> Result<Exit> {
    let client = context.settings()?.client()?;
    let path = RemotePath::in_account(&args.path, client.user())?;
    let bytes = keeping_budget(&client, client.read_file(&path)).await?;
    if context.output.is_json() {
        // JSON holds text only; content that is not UTF-8 becomes null rather than being silently mangled.
        let text = std::str::from_utf8(&bytes).ok();
        context.output.document(&json!({ "path": path.as_str(), "size": bytes.len(), "text": text }));
    } else {
        context.output.write(&bytes);
    }
    Ok(Exit::Ok)
}
