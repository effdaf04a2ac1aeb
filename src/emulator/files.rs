//! Reading files for responses, and what is answered when that fails.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use axum::body::Body;
use axum::response::Response;
use http::{StatusCode, header};
use tokio_util::io::ReaderStream;

use super::account_path::AccountPath;
use super::response;

/// Larger files are streamed from the disk.
const READ_AT_ONCE: u64 = 256 << 10;

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

/// A file as the body of a successful response.
pub(crate) fn download(body: Body, length: u64, content_type: &str) -> Response {
    let response = response::with_header(response::with_body(StatusCode::OK, body), header::CONTENT_TYPE, content_type);
    response::with_header(response, header::CONTENT_LENGTH, &length.to_string())
}
