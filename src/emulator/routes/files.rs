//! `files/path{path}`: folders are listed, files are read, written and deleted.
//!
//! A path is taken from the raw request, decoded to bytes and then split, which is what the service's web server does
//! before the application sees it: `%2F` separates folders like `/`, and any byte but NUL can be in a name.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State as Shared};
use axum::response::Response;
use http::{StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde_json::{Map, Value, json};
use tokio_util::io::ReaderStream;

use crate::emulator::account::{Account, AccountPath, BadPath, LastLink};
use crate::emulator::response;
use crate::emulator::routes::table;
use crate::emulator::state::State;
use crate::emulator::upload::{self, Refused};

const PREFIX: &str = "files/path";

/// Larger files are streamed from the disk.
const READ_AT_ONCE: u64 = 256 << 10;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Runs what reads or writes the disk where it may block.
pub(crate) async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Response> {
    tokio::task::spawn_blocking(work).await.map_err(|error| response::internal(&error))
}

/// What a file operation failed with, as the service would say it.
pub(crate) fn failed(error: &io::Error, path: &AccountPath) -> Response {
    use io::ErrorKind as Kind;
    let (status, text) = match error.kind() {
        Kind::NotFound | Kind::NotADirectory | Kind::InvalidFilename => {
            (StatusCode::NOT_FOUND, format!("No such file or directory: {path}"))
        }
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            (StatusCode::FORBIDDEN, format!("You do not have permission to access {path}"))
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            (StatusCode::NOT_FOUND, format!("No such file or directory: {path}"))
        }
        _ => return response::internal(error),
    };
    response::detail(status, &text)
}

/// The address of a path in the account, below the API's own.
pub(crate) fn url_of(state: &State, path: &AccountPath) -> String {
    let quoted = percent_encode(&path.to_bytes(), UNRESERVED).to_string();
    format!("{}/api/v0/user/{}/{PREFIX}{quoted}", state.url, state.account.user())
}

#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
fn requested(uri: &Uri) -> Result<AccountPath, Response> {
    let rest = table::split(uri.path()).map_or("", |(_, _, rest)| rest);
    let path: Vec<u8> = percent_decode_str(rest.strip_prefix(PREFIX).unwrap_or(rest)).collect();
    AccountPath::parse(&path).map_err(|problem| response::detail(bad_path_status(problem), &problem.to_string()))
}

fn bad_path_status(problem: BadPath) -> StatusCode {
    match problem {
        BadPath::Dots => StatusCode::FORBIDDEN,
        BadPath::Nul | BadPath::Relative => StatusCode::BAD_REQUEST,
    }
}

pub(crate) async fn read(Shared(state): Shared<Arc<State>>, uri: Uri) -> Result<Response, Response> {
    let path = requested(&uri)?;
    let content_type = download_type(&state);
    on_disk(move || match open(&state, &path) {
        Ok(Content::Folder(listing)) => response::json(StatusCode::OK, &listing),
        Ok(Content::File(body, length)) => download(body, length, content_type),
        Ok(Content::Neither) => {
            response::detail(StatusCode::BAD_REQUEST, &format!("{path} is not a file or directory"))
        }
        Err(error) => failed(&error, &path),
    })
    .await
}

fn download_type(state: &State) -> &'static str {
    if state.settings.undocumented.download_charset {
        "application/octet-stream; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

pub(crate) fn download(body: Body, length: u64, content_type: &str) -> Response {
    let response = response::with_header(response::with_body(StatusCode::OK, body), header::CONTENT_TYPE, content_type);
    response::with_header(response, header::CONTENT_LENGTH, &length.to_string())
}

enum Content {
    Folder(Map<String, Value>),
    File(Body, u64),
    /// A socket, a FIFO or a device: opening it could wait for ever.
    Neither,
}

fn open(state: &State, path: &AccountPath) -> io::Result<Content> {
    let real = state.account.resolve(path, LastLink::Follow)?;
    let metadata = fs::symlink_metadata(&real)?;
    if metadata.is_dir() {
        return list(state, path, &real).map(Content::Folder);
    }
    if !metadata.is_file() {
        return Ok(Content::Neither);
    }
    let (body, length) = open_file(&real, &metadata)?;
    Ok(Content::File(body, length))
}

/// A file's content and length, read at once or, if it is large, as it is sent.
pub(crate) fn open_file(real: &Path, metadata: &Metadata) -> io::Result<(Body, u64)> {
    let mut file = File::open(real)?;
    if metadata.len() <= READ_AT_ONCE {
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let length = content.len() as u64;
        return Ok((Body::from(content), length));
    }
    // What is appended meanwhile would not fit the length that was announced.
    let content = tokio::io::AsyncReadExt::take(tokio::fs::File::from_std(file), metadata.len());
    Ok((Body::from_stream(ReaderStream::with_capacity(content, 128 << 10)), metadata.len()))
}

/// The listing of a folder, sorted; a link counts as what it leads to.
fn list(state: &State, path: &AccountPath, real: &Path) -> io::Result<Map<String, Value>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(real)? {
        let entry = entry?;
        let name = entry.file_name();
        if state.account.hides(real, &name) {
            continue;
        }
        let child = path.child(&name);
        // An entry that vanishes meanwhile is a file of the past, as good as any.
        let kind = entry.file_type();
        let is_dir = kind.is_ok_and(|kind| kind.is_dir() || kind.is_symlink() && leads_to_dir(&state.account, &child));
        // JSON holds no bytes that are no UTF-8.
        let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let kind = if is_dir { "directory" } else { "file" };
        entries.push((name, json!({ "type": kind, "url": url_of(state, &child) })));
    }
    entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    Ok(entries.into_iter().collect())
}

fn leads_to_dir(account: &Account, link: &AccountPath) -> bool {
    account.resolve(link, LastLink::Follow).and_then(fs::symlink_metadata).is_ok_and(|metadata| metadata.is_dir())
}

pub(crate) async fn write(
    Shared(state): Shared<Arc<State>>,
    uri: Uri,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Response> {
    let path = requested(&uri)?;
    let content = match form {
        Ok(form) => upload::receive(&state, form).await,
        Err(_) => Err(Refused::NoContent),
    };
    let content = content.map_err(|refused| refused.answer(&path))?;
    on_disk(move || match upload::place(&state, content, &path) {
        Ok(true) => response::empty(StatusCode::CREATED),
        Ok(false) => response::empty(StatusCode::OK),
        Err(refused) => refused.answer(&path),
    })
    .await
}

pub(crate) async fn delete(Shared(state): Shared<Arc<State>>, uri: Uri) -> Result<Response, Response> {
    let path = requested(&uri)?;
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

/// Deletes a file, a link, or a folder with all below it; false if the account may not.
fn remove(state: &State, path: &AccountPath) -> io::Result<bool> {
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
