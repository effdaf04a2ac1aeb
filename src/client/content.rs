//! The content of a file in a multipart body: bytes, a local file, or any source of chunks.
//!
//! A request is turned into bytes anew for each attempt, so its content is *opened* for each attempt. If the length is
//! known, the service is told before the first byte. Content that turns out longer or shorter is an error: the request
//! is cut off before its end, so that the service never stores an incomplete file.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use tokio_util::io::ReaderStream;

use crate::blocking::blocking;
use crate::error::{Error, Result};

/// Content is sent in chunks of this size, so that progress can be reported and little is held in memory.
pub(super) const CHUNK_SIZE: usize = 64 * 1024;

/// The chunks of the content, in order. An empty chunk is skipped; the first error ends the request.
pub type Chunks = BoxStream<'static, Result<Bytes>>;

/// Content that is neither in memory nor a file: the caller reads or produces it while it is sent.
pub trait ContentSource: Send + Sync {
    /// How many bytes will come, if that is known. Asked before each [`open`](Self::open).
    fn length(&self) -> Option<u64>;

    /// Whether it can be opened again, from the start. A request is sent once only if one of its sources cannot.
    fn is_repeatable(&self) -> bool;

    /// Opens it from the start. Called on a thread that may block.
    ///
    /// # Errors
    /// Any; it is passed on to the caller of the request unchanged, and nothing is sent.
    fn open(&self) -> Result<Chunks>;
}

/// The content of a file in a multipart body.
#[derive(Clone)]
pub enum FileContent {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A regular local file, opened and read anew for each attempt.
    Path(PathBuf),
    /// Chunks from elsewhere.
    Source(Arc<dyn ContentSource>),
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Source(source) => write!(f, "a source of {:?} bytes", source.length()),
        }
    }
}

impl<T: Into<Bytes>> From<T> for FileContent {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// Content that is ready to be sent once.
pub(super) struct Opened {
    pub length: Option<u64>,
    pub chunks: Chunks,
    /// The file it is read from, for errors.
    path: Option<PathBuf>,
}

impl FileContent {
    pub(super) fn is_repeatable(&self) -> bool {
        match self {
            Self::Bytes(_) | Self::Path(_) => true,
            Self::Source(source) => source.is_repeatable(),
        }
    }

    pub(super) async fn open(&self) -> Result<Opened> {
        match self {
            Self::Bytes(bytes) => Ok(Opened::of_bytes(bytes.clone())),
            Self::Path(path) => {
                let path = path.clone();
                blocking(move || Opened::of_file(path)).await
            }
            Self::Source(source) => {
                let source = Arc::clone(source);
                blocking(move || Ok(Opened { length: source.length(), chunks: source.open()?, path: None })).await
            }
        }
    }
}

impl Opened {
    pub(super) fn of_bytes(bytes: Bytes) -> Self {
        let length = Some(bytes.len() as u64);
        let chunks = stream::unfold(bytes, |mut rest| {
            let chunk = rest.split_to(rest.len().min(CHUNK_SIZE));
            std::future::ready((!chunk.is_empty()).then_some((Ok(chunk), rest)))
        });
        Self { length, chunks: chunks.boxed(), path: None }
    }

    fn of_file(path: PathBuf) -> Result<Self> {
        let (file, length) = open_regular(&path).map_err(|source| Error::Local { path: path.clone(), source })?;
        let failed = path.clone();
        let chunks = ReaderStream::with_capacity(tokio::fs::File::from_std(file), CHUNK_SIZE)
            .map(move |chunk| chunk.map_err(|source| Error::Local { path: failed.clone(), source }));
        Ok(Self { length: Some(length), chunks: chunks.boxed(), path: Some(path) })
    }

    /// The chunks, with an error where they are longer or shorter than the announced length.
    pub(super) fn checked(self) -> Chunks {
        let Some(length) = self.length else { return self.chunks };
        let state = (self.chunks, self.path, 0u64, false);
        let checked = stream::unfold(state, move |(mut chunks, path, mut count, ended)| async move {
            if ended {
                return None;
            }
            let item = match chunks.next().await {
                Some(Ok(chunk)) => {
                    count += chunk.len() as u64;
                    if count > length { Err(changed(path.as_deref(), length, "longer")) } else { Ok(chunk) }
                }
                Some(Err(error)) => Err(error),
                None if count < length => Err(changed(path.as_deref(), length, "shorter")),
                None => return None,
            };
            let ended = item.is_err();
            Some((item, (chunks, path, count, ended)))
        });
        checked.boxed()
    }
}

fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    // Checked first, since opening a pipe waits for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

fn changed(path: Option<&Path>, length: u64, how: &str) -> Error {
    match path {
        Some(path) => Error::Local {
            path: path.to_owned(),
            source: io::Error::other(format!("the file became {how} than its {length} bytes while it was sent")),
        },
        None => Error::config(format!("the content is {how} than the {length} bytes that were announced")),
    }
}
