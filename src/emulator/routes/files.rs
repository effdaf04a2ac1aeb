//! `files/path{path}`: listing folders; reading, writing and deleting files.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use axum::body::Body;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::{Map, Value, json};

use super::paths;
use crate::emulator::account::{Account, LastLink};
use crate::emulator::account_path::AccountPath;
use crate::emulator::files::{download, failed, on_disk, open_file};
use crate::emulator::response::{self, Answer};
use crate::emulator::state::{EmulatorState, SharedState};
use crate::emulator::upload::{self, UploadRefusal};

pub(crate) async fn read(State(state): SharedState, uri: Uri) -> Answer {
    let path = paths::of_address(&uri)?;
    let content_type = download_type(&state);
    on_disk(move || match open(&state, &path) {
        Ok(PathContent::Folder(listing)) => response::json(StatusCode::OK, &listing),
        Ok(PathContent::File(body, length)) => download(body, length, content_type),
        Ok(PathContent::Neither) => {
            response::detail(StatusCode::BAD_REQUEST, &format!("{path} is not a file or directory"))
        }
        Err(error) => failed(&error, &path),
    })
    .await
}

fn download_type(state: &EmulatorState) -> &'static str {
    if state.settings.undocumented.download_charset {
        "application/octet-stream; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

enum PathContent {
    Folder(Map<String, Value>),
    File(Body, u64),
    /// A socket, a FIFO or a device: opening it could block forever.
    Neither,
}

fn open(state: &EmulatorState, path: &AccountPath) -> io::Result<PathContent> {
    let real = state.account.resolve(path, LastLink::Follow)?;
    let metadata = fs::symlink_metadata(&real)?;
    if metadata.is_dir() {
        return list(state, path, &real).map(PathContent::Folder);
    }
    if !metadata.is_file() {
        return Ok(PathContent::Neither);
    }
    let (body, length) = open_file(&real, &metadata)?;
    Ok(PathContent::File(body, length))
}

/// The listing of a folder, sorted; a link is listed as its target.
fn list(state: &EmulatorState, path: &AccountPath, real: &Path) -> io::Result<Map<String, Value>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(real)? {
        let entry = entry?;
        let name = entry.file_name();
        if state.account.hides(real, &name) {
            continue;
        }
        let child = path.child(&name);
        // An entry that has vanished in the meantime is listed as a file.
        let kind = entry.file_type();
        let is_dir = kind.is_ok_and(|kind| kind.is_dir() || kind.is_symlink() && leads_to_dir(&state.account, &child));
        // JSON cannot contain bytes that are not UTF-8.
        let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let kind = if is_dir { "directory" } else { "file" };
        entries.push((name, json!({ "type": kind, "url": paths::url_of(state, &child) })));
    }
    entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    Ok(entries.into_iter().collect())
}

fn leads_to_dir(account: &Account, link: &AccountPath) -> bool {
    account.resolve(link, LastLink::Follow).and_then(fs::symlink_metadata).is_ok_and(|metadata| metadata.is_dir())
}

pub(crate) async fn write(State(state): SharedState, uri: Uri, form: Result<Multipart, MultipartRejection>) -> Answer {
    let path = paths::of_address(&uri)?;
    let content = match form {
        Ok(form) => upload::receive(&state, form).await,
        Err(_) => Err(UploadRefusal::NoContent),
    };
    let content = content.map_err(|refusal| refusal.answer(&path))?;
    on_disk(move || match upload::place(&state, content, &path) {
        Ok(true) => response::empty(StatusCode::CREATED),
        Ok(false) => response::empty(StatusCode::OK),
        Err(refusal) => refusal.answer(&path),
    })
    .await
}

pub(crate) async fn delete(State(state): SharedState, uri: Uri) -> Answer {
    let path = paths::of_address(&uri)?;
    on_disk(move || match remove(&state, &path) {
        Ok(true) => response::empty(StatusCode::NO_CONTENT),
        Ok(false) => forbidden(),
        Err(error) => match failed(&error, &path) {
            response if response.status() == StatusCode::NOT_FOUND => {
                response::message(StatusCode::NOT_FOUND, "File does not exist", "not_found")
            }
            response if response.status() == StatusCode::FORBIDDEN => forbidden(),
            response => response,
        },
    })
    .await
}

fn forbidden() -> Response {
    response::message(StatusCode::FORBIDDEN, "You do not have permission to delete this", "forbidden")
}

/// Deletes a file, a link, or a folder with its content; false if that is not allowed.
fn remove(state: &EmulatorState, path: &AccountPath) -> io::Result<bool> {
    let real = state.account.resolve(path, LastLink::Keep)?;
    let metadata = fs::symlink_metadata(&real)?;
    if !state.account.may_write(&real) {
        return Ok(false);
    }
    if metadata.is_dir() {
        fs::remove_dir_all(&real)?;
    } else if path.ends_in_slash && !state.settings.undocumented.delete_with_slash {
        return Err(io::ErrorKind::NotADirectory.into());
    } else {
        fs::remove_file(&real)?;
    }
    Ok(true)
}
