//! The content of an upload: a local file, or stdin.
//!
//! A regular file is sent in chunks. The service must know the length in advance, and stdin and pipes do not tell it,
//! so they are read into memory first.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::blocking::blocking;
use crate::client::FileContent;
use crate::deploy::MAX_FILE_SIZE;
use crate::error::{Error, Result};

/// The content of `local`, where `-` is stdin, and its size in bytes.
///
/// # Errors
/// `Config` for a folder, and for more than the service takes; `Local` for what cannot be read.
pub async fn content_of(local: PathBuf) -> Result<(FileContent, u64)> {
    blocking(move || open(&local)).await
}

fn open(local: &Path) -> Result<(FileContent, u64)> {
    let failed = |source| Error::Local { path: local.to_owned(), source };
    let (content, size) =
        if local.as_os_str() == "-" { read(std::io::stdin().lock()).map_err(failed)? } else { content_at(local)? };
    if size > MAX_FILE_SIZE {
        return Err(Error::config(format!(
            "{} is larger than 100 MiB, the most that PythonAnywhere accepts",
            local.display()
        )));
    }
    Ok((content, size))
}

/// What is at a path, which is no folder.
fn content_at(local: &Path) -> Result<(FileContent, u64)> {
    let failed = |source| Error::Local { path: local.to_owned(), source };
    let metadata = local.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Error::config(format!(
            "{} is a folder, but only single files can be uploaded: use \"pya deploy\" for a project",
            local.display()
        )));
    }
    if metadata.is_file() {
        return Ok((FileContent::Path(local.to_owned()), metadata.len()));
    }
    read(File::open(local).map_err(failed)?).map_err(failed)
}

fn read(source: impl Read) -> std::io::Result<(FileContent, u64)> {
    let mut bytes = Vec::new();
    // One byte more than allowed shows that the content is too large, without reading forever.
    let size = source.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
    Ok((FileContent::Bytes(bytes.into()), size as u64))
}
