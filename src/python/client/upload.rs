//! What `files.upload` takes: bytes, a path, or a binary file of Python.
//!
//! A Python file is used on the caller's thread only. One that can seek is measured, and read while it is sent: the
//! length is told to the service before the first byte, since not every front end takes a body of unknown length. One
//! that cannot is copied to a temporary file first, which has a length and can be sent again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use pyo3::exceptions::{PyBlockingIOError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};
use tempfile::{NamedTempFile, TempPath};

use crate::blocking::blocking;
use crate::client::{Chunks, ContentSource, FileContent};
use crate::error::{Error, Result};
use crate::python::convert::type_name;
use crate::python::dropin::file_content;
use crate::python::runtime::CallerThread;

/// How much of a file is read or written at once.
pub(super) const PIECE: usize = 256 * 1024;

/// What was given to be uploaded.
pub(super) enum Upload {
    Bytes(Bytes),
    Path(PathBuf),
    File(PythonFile),
}

impl Upload {
    /// Recognizes what was given, without touching a file yet.
    ///
    /// # Errors
    /// `TypeError` for anything else.
    pub(super) fn of(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = value.py();
        let wrong = |advice: &str| wrong_content(name, value, advice);
        if value.is_instance_of::<PyString>() {
            return Err(wrong(": encode a text, or wrap the path of a local file in pathlib.Path"));
        }
        if value.hasattr(intern!(py, "__fspath__"))? {
            return Ok(Self::Path(local_path(value)?));
        }
        if value.hasattr(intern!(py, "read"))? {
            if is_text(value)? {
                return Err(wrong(" (opened as text: open it with mode \"rb\")"));
            }
            return Ok(Self::File(PythonFile(Arc::new(value.clone().unbind()))));
        }
        match file_content(value) {
            Err(error) if error.is_instance_of::<PyTypeError>(py) => Err(wrong("")),
            content => content.map(Self::Bytes),
        }
    }

    /// Makes it ready to be sent; a file that is made for this lives as long as the result.
    ///
    /// # Errors
    /// What the file raised.
    pub(super) async fn prepare(self, caller: &CallerThread) -> Result<(FileContent, Option<TempPath>)> {
        match self {
            Self::Bytes(bytes) => Ok((FileContent::Bytes(bytes), None)),
            Self::Path(path) => Ok((FileContent::Path(path), None)),
            Self::File(file) => match file.measure(caller).await? {
                Measured::Seekable { start, length } => {
                    let turn = Arc::default();
                    let source = SeekableFile { file, caller: caller.clone(), start, length, turn };
                    Ok((FileContent::Source(Arc::new(source)), None))
                }
                Measured::Stream { begun } => {
                    let copy = file.copy(caller, begun).await?;
                    Ok((FileContent::Path(copy.to_path_buf()), Some(copy)))
                }
            },
        }
    }
}

fn wrong_content(name: &str, value: &Bound<'_, PyAny>, advice: &str) -> PyErr {
    let found = type_name(value);
    let words = format!("{name}: content must be bytes, an os.PathLike or a binary file object, not {found}{advice}");
    PyTypeError::new_err(words)
}

/// The path of a file of this machine, as `open` takes it.
///
/// # Errors
/// What the object's `__fspath__` raised.
pub(super) fn local_path(value: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    let py = value.py();
    py.import(intern!(py, "os"))?.call_method1(intern!(py, "fsdecode"), (value,))?.extract()
}

/// Whether it is a file that was opened as text.
///
/// # Errors
/// Only if `io` cannot be imported.
pub(super) fn is_text(file: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = file.py();
    file.is_instance(&py.import(intern!(py, "io"))?.getattr(intern!(py, "TextIOBase"))?)
}

/// A binary file object.
#[derive(Clone)]
pub(super) struct PythonFile(Arc<Py<PyAny>>);

enum Measured {
    Seekable {
        start: u64,
        length: u64,
    },
    /// With what its first `read` gave.
    Stream {
        begun: Bytes,
    },
}

impl PythonFile {
    async fn measure(&self, caller: &CallerThread) -> Result<Measured> {
        let file = Arc::clone(&self.0);
        caller.call(move |py| measured(file.bind(py))).await
    }

    /// Copies what a stream has to a temporary file.
    async fn copy(&self, caller: &CallerThread, begun: Bytes) -> Result<TempPath> {
        let (mut copy, path) = blocking(|| NamedTempFile::new().map_err(Error::temporary)).await?.into_parts();
        let mut piece = begun;
        loop {
            copy = blocking(move || {
                std::io::Write::write_all(&mut copy, &piece).map_err(Error::temporary)?;
                Ok(copy)
            })
            .await?;
            let file = Arc::clone(&self.0);
            piece = caller.call(move |py| read(file.bind(py), PIECE)).await?;
            if piece.is_empty() {
                return Ok(path);
            }
        }
    }
}

fn measured(file: &Bound<'_, PyAny>) -> PyResult<Measured> {
    let py = file.py();
    // Detects a text file that is not a `TextIOBase`, such as a wrapper of one, before anything is sent.
    let begun = read(file, 0)?;
    if !can_seek(file)? {
        return Ok(Measured::Stream { begun });
    }
    let tell = || file.call_method0(intern!(py, "tell"))?.extract::<u64>();
    // A `read` that ignores the size has moved on.
    let start = tell()?.saturating_sub(begun.len() as u64);
    file.call_method1(intern!(py, "seek"), (0, 2))?;
    let end = tell()?;
    file.call_method1(intern!(py, "seek"), (start,))?;
    Ok(Measured::Seekable { start, length: end.saturating_sub(start) })
}

fn can_seek(file: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = file.py();
    match file.getattr_opt(intern!(py, "seekable"))? {
        Some(seekable) => seekable.call0()?.is_truthy(),
        None => Ok(file.hasattr(intern!(py, "seek"))? && file.hasattr(intern!(py, "tell"))?),
    }
}

fn read(file: &Bound<'_, PyAny>, size: usize) -> PyResult<Bytes> {
    let piece = file.call_method1(intern!(file.py(), "read"), (size,))?;
    if piece.is_none() {
        return Err(PyBlockingIOError::new_err("the file is non-blocking and has nothing to read now"));
    }
    if let Ok(piece) = piece.cast::<PyBytes>() {
        return Ok(Bytes::from_owner(PyBackedBytes::from(piece.clone())));
    }
    file_content(&piece).map_err(|_| {
        let found = type_name(&piece);
        PyTypeError::new_err(format!("the file must be binary: its read() returned {found}, not bytes"))
    })
}

/// A file that is read while it is sent, from where it stood, for each attempt anew.
#[derive(Clone)]
struct SeekableFile {
    file: PythonFile,
    caller: CallerThread,
    start: u64,
    length: u64,
    /// Which attempt reads. What an earlier one left in the queue of the caller's thread must not move the file.
    turn: Arc<AtomicU64>,
}

impl ContentSource for SeekableFile {
    fn length(&self) -> Option<u64> {
        Some(self.length)
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn open(&self) -> Result<Chunks> {
        let mine = self.turn.fetch_add(1, Ordering::SeqCst) + 1;
        let pieces = stream::try_unfold((self.clone(), Some(self.start)), move |(file, seek)| async move {
            let piece = file.next(mine, seek).await?;
            Ok((!piece.is_empty()).then_some((piece, (file, None))))
        });
        Ok(pieces.boxed())
    }
}

impl SeekableFile {
    async fn next(&self, mine: u64, seek: Option<u64>) -> Result<Bytes> {
        let (file, turn) = (Arc::clone(&self.file.0), Arc::clone(&self.turn));
        let piece = self.caller.call(move |py| {
            if turn.load(Ordering::SeqCst) != mine {
                return Ok(None);
            }
            let file = file.bind(py);
            if let Some(start) = seek {
                file.call_method1(intern!(py, "seek"), (start,))?;
            }
            read(file, PIECE).map(Some)
        });
        piece.await?.ok_or(Error::Closed)
    }
}
