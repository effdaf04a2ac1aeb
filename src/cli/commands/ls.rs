//! `pya ls`: a folder of the account, or with `-R` the files below it.
//!
//! The service reports neither sizes nor times, so `-l` can only show the type.

use serde_json::{Value, json};

use crate::cli::args::Ls;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::cli::terminal::shown;
use crate::client::{Client, RemotePath};
use crate::error::{Error, Result};
use crate::finder::{DEFAULT_CONCURRENCY, Found, Mask, NeverSkip, RemoteLister, find};
use crate::text::counted;

pub async fn run(args: &Ls, context: &Context) -> Result<Exit> {
    let client = context.settings()?.client()?;
    let path = folder(args.path.as_deref(), client.user())?;
    keeping_budget(&client, list(args, &client, path, &context.output)).await
}

async fn list(args: &Ls, client: &Client, path: RemotePath, output: &Output) -> Result<Exit> {
    if args.recursive {
        return recursive(args, client, path, output).await;
    }
    one_level(args, client, &path, output).await
}

/// The folder that is named, else the account's home folder.
///
/// # Errors
/// `Config` for a path that is none.
pub fn folder(given: Option<&str>, user: &str) -> Result<RemotePath> {
    given.map_or_else(|| RemotePath::home(user), |path| RemotePath::in_account(path, user))
}

async fn one_level(args: &Ls, client: &Client, path: &RemotePath, output: &Output) -> Result<Exit> {
    let entries = entries(client, path).await?;
    let text = if args.long { long_list(&entries, output.width()) } else { short_list(&entries) };
    let rows: Vec<Value> = entries.iter().map(document).collect();
    output.answer(&text, &json!({ "path": path.as_str(), "entries": rows }));
    Ok(Exit::Ok)
}

fn long_list(entries: &[(String, bool)], width: Option<usize>) -> String {
    let row = |(name, is_dir): &(String, bool)| vec![kind(*is_dir).to_owned(), name.clone()];
    table(&entries.iter().map(row).collect::<Vec<_>>(), width)
}

fn short_list(entries: &[(String, bool)]) -> String {
    let line = |(name, is_dir): &(String, bool)| format!("{}{}", shown(name), if *is_dir { "/" } else { "" });
    entries.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What is in a folder, by name, and whether it is a folder itself. A file has one entry, its path.
///
/// # Errors
/// As the service answers.
pub async fn entries(client: &Client, path: &RemotePath) -> Result<Vec<(String, bool)>> {
    match client.list_dir(path).await {
        Ok(entries) => Ok(entries.into_iter().map(|entry| (entry.name, entry.is_dir)).collect()),
        Err(Error::WrongType { .. }) => Ok(vec![(path.to_string(), false)]),
        Err(error) => Err(error),
    }
}

/// An entry as the document of `--json` has it.
pub fn document((name, is_dir): &(String, bool)) -> Value {
    json!({ "name": name, "type": kind(*is_dir) })
}

async fn recursive(args: &Ls, client: &Client, path: RemotePath, output: &Output) -> Result<Exit> {
    let lister = RemoteLister { client: client.clone(), root: path.clone() };
    let found = find(lister, &masks(args)?, NeverSkip, DEFAULT_CONCURRENCY).await?;
    if found.files.is_empty() && found.failed.is_empty() {
        // An empty folder, a file, or nothing at all? The search does not distinguish them.
        match client.list_dir(&path).await {
            Err(Error::WrongType { .. }) => return one_level(args, client, &path, output).await,
            folder => drop(folder?),
        }
    }
    Ok(print_found(&found, &path, args.long, output))
}

/// The masks that were typed, else one of all files.
fn masks(args: &Ls) -> Result<Vec<Mask>> {
    let everything = ["**/*".to_owned()];
    let masks = if args.masks.is_empty() { &everything[..] } else { &args.masks };
    masks.iter().map(|mask| Mask::parse(mask)).collect()
}

fn print_found(found: &Found, path: &RemotePath, is_long: bool, output: &Output) -> Exit {
    let lines: Vec<String> =
        found.files.iter().map(|file| if is_long { format!("file  {}", shown(file)) } else { shown(file) }).collect();
    let failed: Vec<Value> =
        found.failed.iter().map(|(folder, error)| json!({ "folder": folder, "error": error.chain() })).collect();
    output.answer(&lines.join("\n"), &json!({ "path": path.as_str(), "files": found.files, "failed": failed }));
    for (folder, error) in &found.failed {
        output.failure(&format!("{}: {}", shown(if folder.is_empty() { "." } else { folder }), error.chain()));
    }
    if found.failed.is_empty() {
        return Exit::Ok;
    }
    output.warn(&format!("{} could not be listed: the list is incomplete", counted(found.failed.len(), "folder")));
    Exit::Failed
}

/// The type of an entry, as documents have it.
pub fn kind(is_dir: bool) -> &'static str {
    if is_dir { "directory" } else { "file" }
}
