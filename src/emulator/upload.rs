//! Uploads: from a multipart form to a file, completely or not at all.
//!
//! Nothing is written to the account before the last byte has arrived. A large upload is buffered in a temporary file
//! in the emulator's private folder, on the same file system, and renamed into place. If the client disconnects midway,
//! the old file stays as it was.

use std::fs::{self, File, Permissions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::extract::Multipart;
use axum::extract::multipart::Field;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::account::LastLink;
use super::account_path::AccountPath;
use super::response;
use super::state::EmulatorState;

const FIELD: &str = "content";

/// Uploads up to this size are kept in memory.
const IN_MEMORY: usize = 1 << 20;

/// The file in an upload.
pub(crate) enum UploadedContent {
    Memory(Vec<u8>),
    Disk(NamedTempFile, u64),
}

impl UploadedContent {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Disk(_, length) => *length,
        }
    }
}

/// Why an upload is refused.
#[derive(Debug)]
pub(crate) enum UploadRefusal {
    /// There is no file named `content`.
    NoContent,
    /// The form ends early or is malformed.
    Malformed,
    /// It is larger than the service accepts.
    TooLarge(u64),
    /// It does not fit in the disk quota.
    NoSpace,
    /// The account may not write there.
    Forbidden,
    /// The path is a folder.
    IsDirectory,
    /// A parent of the path is a file.
    ThroughFile,
    /// No file can have this name.
    BadName,
    /// The disk failed.
    Disk(io::Error),
}

impl From<io::Error> for UploadRefusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            // The emulator's own folder is hidden, so paths in it are reported as missing.
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Forbidden
            }
            // Creating a folder where a file is fails with "exists".
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Self::ThroughFile,
            io::ErrorKind::InvalidFilename => Self::BadName,
            _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Self::BadName,
            _ => Self::Disk(error),
        }
    }
}

impl UploadRefusal {
    /// The response. The service's own wording is only known for a missing file.
    pub(crate) fn answer(&self, path: &AccountPath) -> Response {
        let (status, text) = match self {
            Self::NoContent => (StatusCode::BAD_REQUEST, "You must provide a file with the name 'content'.".to_owned()),
            Self::Malformed => (StatusCode::BAD_REQUEST, "The multipart form could not be read.".to_owned()),
            Self::TooLarge(limit) => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("Uploads are limited to {} MiB.", limit >> 20))
            }
            // The service's answer is not documented. 507 makes clearer than 500 that a retry would not help.
            Self::NoSpace => (StatusCode::INSUFFICIENT_STORAGE, "You have exceeded your disk quota.".to_owned()),
            Self::Forbidden => (StatusCode::FORBIDDEN, format!("You do not have permission to write {path}")),
            Self::IsDirectory => (StatusCode::BAD_REQUEST, format!("{path} is a directory")),
            Self::ThroughFile => (StatusCode::BAD_REQUEST, format!("A parent of {path} is a file")),
            Self::BadName => (StatusCode::BAD_REQUEST, format!("{path} is not a valid file name")),
            Self::Disk(error) => return response::internal(error),
        };
        response::detail(status, &text)
    }
}

/// Reads the form to its end and returns the file in it.
pub(crate) async fn receive(state: &EmulatorState, mut form: Multipart) -> Result<UploadedContent, UploadRefusal> {
    let mut content = None;
    while let Some(field) = form.next_field().await.map_err(|_| UploadRefusal::Malformed)? {
        // A part without a file name is a text field, not a file.
        if content.is_none() && field.name() == Some(FIELD) && field.file_name().is_some() {
            content = Some(read(state, field).await);
        }
        // The rest of the form is read as well, so that the client sees the response.
    }
    content.unwrap_or(Err(UploadRefusal::NoContent))
}

async fn read(state: &EmulatorState, mut field: Field<'_>) -> Result<UploadedContent, UploadRefusal> {
    let limit = state.settings.undocumented.upload_limit;
    let mut spool = Spool { state, memory: Vec::new(), file: None, total: 0 };
    while let Some(chunk) = field.chunk().await.map_err(|_| UploadRefusal::Malformed)? {
        spool.total += chunk.len() as u64;
        match limit {
            // The rest is read and discarded: if the connection closed earlier, the client would not see the response.
            Some(limit) if spool.total > limit => spool.forget(),
            _ => spool.take(&chunk).await?,
        }
    }
    match limit {
        Some(limit) if spool.total > limit => Err(UploadRefusal::TooLarge(limit)),
        _ => spool.finish().await,
    }
}

fn buffer(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix("upload-").tempfile_in(folder)
}

/// Buffers an upload in memory, and on disk once it is large.
struct Spool<'a> {
    state: &'a EmulatorState,
    memory: Vec<u8>,
    file: Option<NamedTempFile>,
    total: u64,
}

impl Spool<'_> {
    async fn take(&mut self, chunk: &Bytes) -> Result<(), UploadRefusal> {
        self.memory.extend_from_slice(chunk);
        if self.memory.len() > IN_MEMORY { self.flush().await } else { Ok(()) }
    }

    fn forget(&mut self) {
        self.memory = Vec::new();
        self.file = None;
    }

    async fn flush(&mut self) -> Result<(), UploadRefusal> {
        let (memory, file) = (std::mem::take(&mut self.memory), self.file.take());
        let folder = self.state.account.private();
        let write = move || -> io::Result<NamedTempFile> {
            let mut file = match file {
                Some(file) => file,
                None => buffer(&folder)?,
            };
            file.write_all(&memory)?;
            Ok(file)
        };
        let written =
            tokio::task::spawn_blocking(write).await.map_err(|error| UploadRefusal::Disk(io::Error::other(error)))?;
        self.file = Some(written?);
        Ok(())
    }

    async fn finish(mut self) -> Result<UploadedContent, UploadRefusal> {
        if self.file.is_some() {
            self.flush().await?;
        }
        Ok(match self.file {
            Some(file) => UploadedContent::Disk(file, self.total),
            None => UploadedContent::Memory(self.memory),
        })
    }
}

/// Writes an upload to `path`; true if the file is new. Blocks.
pub(crate) fn place(
    state: &EmulatorState,
    content: UploadedContent,
    path: &AccountPath,
) -> Result<bool, UploadRefusal> {
    let real = state.account.resolve(path, LastLink::Follow)?;
    let existing = existing(&real)?;
    if path.ends_in_slash || existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        return Err(UploadRefusal::IsDirectory);
    }
    let parent = real.parent().filter(|_| state.account.may_write(&real)).ok_or(UploadRefusal::Forbidden)?;
    if !state.account.reserve(content.len()) {
        return Err(UploadRefusal::NoSpace);
    }
    fs::create_dir_all(parent)?;
    let mode = existing.as_ref().filter(|_| state.settings.undocumented.keep_mode).map(fs::Metadata::permissions);
    let mode = mode.unwrap_or_else(|| Permissions::from_mode(0o644));
    if state.settings.undocumented.atomic_overwrite || existing.is_none() {
        replace(state, content, &real, mode)?;
    } else {
        overwrite(content, &real)?;
        fs::set_permissions(&real, mode)?;
    }
    Ok(existing.is_none())
}

fn existing(real: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(real) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn replace(state: &EmulatorState, content: UploadedContent, real: &Path, mode: Permissions) -> io::Result<()> {
    let file = match content {
        UploadedContent::Disk(file, _) => file,
        UploadedContent::Memory(bytes) => {
            let mut file = buffer(&state.account.private())?;
            file.write_all(&bytes)?;
            file
        }
    };
    file.as_file().set_permissions(mode)?;
    file.persist(real).map_err(|error| error.error)?;
    Ok(())
}

fn overwrite(content: UploadedContent, real: &Path) -> io::Result<()> {
    let mut target = File::create(real)?;
    match content {
        UploadedContent::Memory(bytes) => target.write_all(&bytes),
        UploadedContent::Disk(mut file, _) => {
            file.as_file_mut().rewind()?;
            io::copy(file.as_file_mut(), &mut target).map(|_| ())
        }
    }
}
