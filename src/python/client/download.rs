//! Where `files.download` puts a file: at a path, or into a binary file of Python.
//!
//! A Python file gets nothing before all has arrived: what was written to it could not be taken back, neither for a
//! retry nor after a failure. Until then the content is in a temporary file.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use pyo3::exceptions::{PyBlockingIOError, PyOSError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use tempfile::NamedTempFile;

use super::upload::{PIECE, is_text, local_path};
use crate::blocking::blocking;
use crate::client::{Client, RemotePath};
use crate::error::{Error, Result};
use crate::python::convert::type_name;
use crate::python::runtime::CallerThread;

/// Where a download goes.
pub(super) enum Target {
    Path(PathBuf),
    File(Arc<Py<PyAny>>),
}

impl Target {
    /// Recognizes what was given.
    ///
    /// # Errors
    /// `TypeError` for what is neither a path nor a binary file.
    pub(super) fn of(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = value.py();
        if value.is_instance_of::<PyString>() || value.hasattr(intern!(py, "__fspath__"))? {
            return Ok(Self::Path(local_path(value)?));
        }
        let advice = match value.hasattr(intern!(py, "write"))? {
            true if !is_text(value)? => return Ok(Self::File(Arc::new(value.clone().unbind()))),
            true => " (opened as text: open it with mode \"wb\")",
            false => "",
        };
        let found = type_name(value);
        let words = format!("{name}: to must be a path or a binary file object, not {found}{advice}");
        Err(PyTypeError::new_err(words))
    }

    /// Downloads the file at `path` to it and returns its length in bytes.
    pub(super) async fn fill(self, core: &Client, path: &RemotePath, caller: &CallerThread) -> Result<u64> {
        match self {
            Self::Path(to) => core.download(path, &to).await,
            Self::File(file) => into_file(core, path, file, caller).await,
        }
    }
}

async fn into_file(core: &Client, path: &RemotePath, file: Arc<Py<PyAny>>, caller: &CallerThread) -> Result<u64> {
    let target = Arc::clone(&file);
    // A file that is closed, or not for writing, says so before anything is asked of the service.
    caller.call(move |py| write_all(target.bind(py), &Bytes::new())).await?;
    let copy = blocking(|| NamedTempFile::new().map_err(Error::temporary)).await?.into_temp_path();
    let length = core.download(path, &copy).await?;
    let path = copy.to_path_buf();
    let mut arrived = blocking(move || File::open(path).map_err(Error::temporary)).await?;
    loop {
        let (rest, piece) = blocking(move || next_piece(arrived)).await?;
        if piece.is_empty() {
            return Ok(length);
        }
        arrived = rest;
        let target = Arc::clone(&file);
        caller.call(move |py| write_all(target.bind(py), &piece)).await?;
    }
}

fn next_piece(mut arrived: File) -> Result<(File, Bytes)> {
    let mut piece = Vec::with_capacity(PIECE);
    (&mut arrived).take(PIECE as u64).read_to_end(&mut piece).map_err(Error::temporary)?;
    Ok((arrived, Bytes::from(piece)))
}

/// Writes all of `bytes`; unbuffered files take a part at a time.
fn write_all(file: &Bound<'_, PyAny>, bytes: &Bytes) -> PyResult<()> {
    let py = file.py();
    let raw = py.import(intern!(py, "io"))?.getattr(intern!(py, "RawIOBase"))?;
    let mut rest = &bytes[..];
    loop {
        let written = file.call_method1(intern!(py, "write"), (PyBytes::new(py, rest),))?;
        if written.is_none() {
            // Of a raw file this says that it took nothing; simple writers return nothing at all.
            if file.is_instance(&raw)? {
                return Err(PyBlockingIOError::new_err("the file is non-blocking and cannot be written to now"));
            }
            return Ok(());
        }
        rest = left_after(rest, written.extract()?)?;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// What is left of `bytes` once the file has taken `count` of them.
fn left_after(bytes: &[u8], count: usize) -> PyResult<&[u8]> {
    match bytes.get(count..) {
        None => Err(PyOSError::new_err("the file reports more bytes written than it was given")),
        Some([_, ..]) if count == 0 => Err(PyOSError::new_err("the file accepts no more bytes")),
        Some(left) => Ok(left),
    }
}
