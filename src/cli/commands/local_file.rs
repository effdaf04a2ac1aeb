//! What is sent from here: a file of this machine, or what comes on stdin.
//!
//! A regular file goes piece by piece. Of stdin and of pipes nobody knows the length, which the service must be told, so
//! they are read first.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::client::FileContent;
use crate::deploy::MAX_FILE_SIZE;
use crate::error::{Error, Result};

/// The content of `local`, where `-` is stdin, and its size in bytes.
///
/// # Errors
/// `Config` for a folder, and for more than the service takes; `Local` for what cannot be read.
pub async fn content_of(local: PathBuf) -> Result<(FileContent, u64)> {
    tokio::task::spawn_blocking(move || open(&local)).await.map_err(|_| Error::Closed)?
}

fn open(local: &Path) -> Result<(FileContent, u64)> {
    let failed = |source| Error::Local { path: local.to_owned(), source };
    let (content, size) = if local.as_os_str() == "-" {
        read(std::io::stdin().lock()).map_err(failed)?
    } else {
        let metadata = local.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Error::config(format!(
                "{} is a folder, and one file is sent at a time; a project goes with deploy",
                local.display()
            )));
        }
        if metadata.is_file() {
            (FileContent::Path(local.to_owned()), metadata.len())
        } else {
            read(File::open(local).map_err(failed)?).map_err(failed)?
        }
    };
    if size > MAX_FILE_SIZE {
        return Err(Error::config(format!("{} is larger than the 100 MiB that PythonAnywhere takes", local.display())));
    }
    Ok((content, size))
}

fn read(source: impl Read) -> std::io::Result<(FileContent, u64)> {
    let mut bytes = Vec::new();
    // One byte more than allowed shows what is too large, without reading for ever.
    source.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
    let size = bytes.len() as u64;
    Ok((FileContent::Bytes(bytes.into()), size))
}
