//! The body of an answer that is written to a file instead of memory.
//!
//! It is written to a temporary file beside its destination and renamed when it is complete, so that no half-written
//! file ever appears there. The future owns the name of the temporary file, the writing thread the open file: a
//! download that is dropped removes the name at once, even while a write is under way on another thread.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tempfile::TempPath;

use crate::blocking::blocking;
use crate::error::{Error, Result};
use crate::locks::lock;
use crate::platform::{canonical, mode_of, set_new_mode};

/// How many bytes are collected before they are written.
const WRITE_SIZE: usize = 256 * 1024;

/// The mode of a file, to begin one with and to give it to the file in the end.
#[derive(Debug, Clone)]
struct Mode {
    bits: Option<u32>,
    permissions: Permissions,
}

/// Where the body of an answer goes.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    path: PathBuf,
    /// The mode of the file that is there.
    replaced: Option<Mode>,
    arrived: Arc<Mutex<Option<Saved>>>,
}

/// A complete body, not yet at its destination. It is removed if it is dropped.
#[derive(Debug)]
pub(crate) struct Saved {
    name: TempPath,
    file: File,
    length: u64,
}

impl Destination {
    /// Checks the destination before any request is sent.
    ///
    /// # Errors
    /// `Local` if there is no folder for the file, or something other than a file has its name.
    pub(crate) async fn new(to: &Path) -> Result<Self> {
        let to = to.to_owned();
        let inspect = move || inspect(&to).map_err(|source| Error::Local { path: to, source });
        let (path, replaced) = blocking(inspect).await?;
        Ok(Self { path, replaced, arrived: Arc::default() })
    }

    pub(super) async fn begin(&self) -> Result<Saving> {
        let (path, replaced) = (self.path.clone(), self.replaced.clone());
        let make = move || make(&path, replaced).map_err(|source| Error::Local { path, source });
        let (file, name) = blocking(make).await?.into_parts();
        Ok(Saving { to: self.clone(), name, file: Some(file), gathered: BytesMut::new(), length: 0 })
    }

    /// Moves the body that arrived to its destination and returns its length; `None` if none arrived.
    pub(crate) async fn place(&self) -> Result<Option<u64>> {
        let Some(saved) = self.lock().take() else { return Ok(None) };
        let path = self.path.clone();
        blocking(move || {
            // Otherwise a crash of the machine could leave an empty file in place of a complete one.
            let placed = saved.file.sync_data().and_then(|()| saved.name.persist(&path).map_err(|error| error.error));
            placed.map_err(|source| Error::Local { path, source })?;
            Ok(Some(saved.length))
        })
        .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Saved>> {
        lock(&self.arrived)
    }
}

/// A body that is arriving.
pub(super) struct Saving {
    to: Destination,
    name: TempPath,
    file: Option<File>,
    gathered: BytesMut,
    length: u64,
}

impl Saving {
    pub(super) async fn write_chunk(&mut self, chunk: &[u8]) -> Result<()> {
        self.gathered.extend_from_slice(chunk);
        self.length += chunk.len() as u64;
        if self.gathered.len() >= WRITE_SIZE { self.flush().await } else { Ok(()) }
    }

    pub(super) async fn finish(mut self) -> Result<()> {
        self.flush().await?;
        let saved = self.file.take().map(|file| Saved { name: self.name, file, length: self.length });
        *self.to.lock() = saved;
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        let Some(mut file) = self.file.take() else { return Err(Error::Closed) };
        let (bytes, path): (Bytes, _) = (self.gathered.split().freeze(), self.to.path.clone());
        let write = move || match file.write_all(&bytes) {
            Ok(()) => Ok(file),
            Err(source) => Err(Error::Local { path, source }),
        };
        self.file = Some(blocking(write).await?);
        Ok(())
    }
}

/// The destination with links resolved, and the mode of an existing file.
fn inspect(to: &Path) -> io::Result<(PathBuf, Option<Mode>)> {
    match fs::metadata(to) {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        // A rename would replace a device with a file.
        Ok(there) if !there.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        Ok(there) => Ok((canonical(to)?, Some(Mode { bits: mode_of(&there), permissions: there.permissions() }))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = to.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
            let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok((canonical(folder)?.join(name), None))
        }
        Err(error) => Err(error),
    }
}

fn make(path: &Path, replaced: Option<Mode>) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".download-");
    // The mode of a new file, less the umask of the process; temporary files are private to their owner otherwise. Whoever
    // opens one in time reads all that comes, so it has no wider mode than it is to have in the end.
    set_new_mode(&mut builder, replaced.as_ref().and_then(|mode| mode.bits).unwrap_or(0o666));
    let temporary = builder.tempfile_in(folder)?;
    if let Some(mode) = replaced {
        temporary.as_file().set_permissions(mode.permissions)?;
    }
    Ok(temporary)
}
