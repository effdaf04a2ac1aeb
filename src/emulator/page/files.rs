//! The account's files on the page: a folder's entries, or the text of a file, of which a long one shows its end.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use axum::extract::State;
use http::{StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde_json::{Value, json};

use super::json::{epoch, ok, refuse};
use crate::emulator::account::LastLink;
use crate::emulator::account_path::AccountPath;
use crate::emulator::files::on_disk;
use crate::emulator::response::Answer;
use crate::emulator::state::{EmulatorState, SharedState};

/// How many entries of a folder are shown.
const MOST_ENTRIES: usize = 1000;

/// How much of a file is shown, in bytes: its end, which matters in logs.
const MOST_BYTES: u64 = 128 << 10;

pub(super) async fn read(State(state): SharedState, uri: Uri) -> Answer {
    let path = path_in(uri.query().unwrap_or_default());
    let path = AccountPath::parse(&path).map_err(|bad| refuse(StatusCode::BAD_REQUEST, &bad.to_string()))?;
    let shown = path.to_string();
    let found = on_disk(move || look(&state, &path)).await?;
    found.map(|found| ok(&found)).map_err(|error| {
        let status =
            if error.kind() == io::ErrorKind::NotFound { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        refuse(status, &format!("{shown} cannot be read: {error}."))
    })
}

/// The parameter `path`, which may hold bytes that are no text.
fn path_in(query: &str) -> Vec<u8> {
    let value = query.split('&').find_map(|field| field.strip_prefix("path=")).unwrap_or("/");
    percent_decode_str(value).collect()
}

fn quoted(path: &AccountPath) -> String {
    percent_encode(&path.to_bytes(), NON_ALPHANUMERIC).to_string()
}

fn look(state: &EmulatorState, path: &AccountPath) -> io::Result<Value> {
    let real = state.account.resolve(path, LastLink::Follow)?;
    let metadata = fs::symlink_metadata(&real)?;
    if metadata.is_dir() {
        return folder(state, path, &real);
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a folder"));
    }
    file(path, &real, &metadata)
}

fn folder(state: &EmulatorState, path: &AccountPath, real: &Path) -> io::Result<Value> {
    let entries = entries(state, real)?;
    let more = entries.len().saturating_sub(MOST_ENTRIES);
    let shown = |(name, metadata): &(OsString, Metadata)| {
        json!({
            "name": name.to_string_lossy(),
            "path": quoted(&path.child(name)),
            "kind": kind(metadata),
            "size": metadata.len(),
            "modified": metadata.modified().map(epoch).ok(),
        })
    };
    let entries: Vec<Value> = entries.iter().take(MOST_ENTRIES).map(shown).collect();
    Ok(json!({ "kind": "folder", "name": path.to_string(), "path": quoted(path), "entries": entries, "more": more }))
}

/// What is in a folder, the folders first.
fn entries(state: &EmulatorState, real: &Path) -> io::Result<Vec<(OsString, Metadata)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(real)? {
        let entry = entry?;
        let name = entry.file_name();
        // What has vanished meanwhile is left out.
        if let (false, Ok(metadata)) = (state.account.hides(real, &name), entry.metadata()) {
            entries.push((name, metadata));
        }
    }
    entries.sort_unstable_by(|(left, of_left), (right, of_right)| {
        (!of_left.is_dir(), left).cmp(&(!of_right.is_dir(), right))
    });
    Ok(entries)
}

fn kind(metadata: &Metadata) -> &'static str {
    match metadata {
        metadata if metadata.is_dir() => "folder",
        metadata if metadata.is_symlink() => "link",
        metadata if metadata.is_file() => "file",
        _ => "other",
    }
}

fn file(path: &AccountPath, real: &Path, metadata: &Metadata) -> io::Result<Value> {
    let mut content = File::open(real)?;
    let skipped = metadata.len().saturating_sub(MOST_BYTES);
    content.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    content.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let is_binary = bytes.contains(&0);
    let text = if is_binary { String::new() } else { String::from_utf8_lossy(&bytes).into_owned() };
    Ok(json!({
        "kind": "file",
        "name": path.to_string(),
        "path": quoted(path),
        "size": metadata.len(),
        "skipped": skipped,
        "binary": is_binary,
        "text": text,
    }))
}
