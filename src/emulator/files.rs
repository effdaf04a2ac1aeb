//! Reading the account's files for responses, and the responses to failures.
//!
//! The API, shared files and static files all send files, so the helpers belong to none of them.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use axum::body::Body;
use axum::response::Response;
use http::{StatusCode, header};
use tokio_util::io::ReaderStream;

use super::account_path::AccountPath;
use super::response;

/// Files above this size are streamed from disk.
const READ_AT_ONCE: u64 = 256 << 10;

/// Runs disk operations on a thread that may block.
pub(crate) async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Response> {
    tokio::task::spawn_blocking(work).await.map_err(|error| response::internal(&error))
}

/// The response to a failed file operation, in the service's words.
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

/// A file's content and length. A small file is read at once, a large one while it is sent.
pub(crate) fn open_file(real: &Path, metadata: &Metadata) -> io::Result<(Body, u64)> {
    let mut file = File::open(real)?;
    if metadata.len() <= READ_AT_ONCE {
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let length = content.len() as u64;
        return Ok((Body::from(content), length));
    }
    // Anything appended meanwhile would exceed the announced length.
    let content = tokio::io::AsyncReadExt::take(tokio::fs::File::from_std(file), metadata.len());
    Ok((Body::from_stream(ReaderStream::with_capacity(content, 128 << 10)), metadata.len()))
}

/// A file as the body of a successful response.
pub(crate) fn download(body: Body, length: u64, content_type: &str) -> Response {
    let response = response::with_header(response::with_body(StatusCode::OK, body), header::CONTENT_TYPE, content_type);
    response::with_header(response, header::CONTENT_LENGTH, &length.to_string())
}
