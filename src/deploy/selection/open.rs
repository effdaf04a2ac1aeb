//! Opens a selected file for reading, so that what was selected is what is read.
//!
//! Between the selection and the moment of reading, anything may take a file's place: a link out of the project, a FIFO
//! whose opening waits for a writer, a device. So no link is followed, nothing blocks, and the type is asked of the open
//! file, not of the name; how is a matter of the system, see [`Folder`].

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::platform::Folder;
use crate::text::counted;

/// A selected file that is open for reading, and what it was when it was opened.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub file: File,
    pub metadata: Metadata,
}

/// Why a selected file is not read.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// It is larger than allowed; its size in bytes.
    TooLarge(u64),
    /// It is not a regular file any more, or a link took the place of one of its folders.
    NotRegular,
    /// The system's reason.
    Io(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(size) => {
                let size = usize::try_from(*size).unwrap_or(usize::MAX);
                write!(f, "it has {}, more than may be uploaded", counted(size, "byte"))
            }
            Self::NotRegular => f.write_str("it is no longer a regular file below the project"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// Whether there is nothing at that path any more.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Io(error) if matches!(error.kind(), io::ErrorKind::NotFound))
    }

    /// The error of a file that cannot be sent.
    pub(crate) fn into_error(self, path: &Path) -> Error {
        let source = if let Self::Io(source) = self { source } else { io::Error::other(self) };
        Error::Local { path: path.to_owned(), source }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens `file`, a path without links below `root`. It is a regular file of at most `max_size` bytes.
///
/// # Errors
/// [`OpenError`], also for a path that is not below `root`. This never waits and never follows a link.
pub(crate) fn open_selected(root: &Path, file: &Path, max_size: u64) -> Result<OpenFile, OpenError> {
    Root::open(root)?.open_file(file, max_size)
}

/// The root of a project, open, for those who read many files of it.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    folder: Folder,
}

impl Root {
    /// Opens the folder at `root`, a path without links.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { path: root.to_owned(), folder: Folder::open(root)? })
    }

    /// As [`open_selected`].
    pub(crate) fn open_file(&self, file: &Path, max_size: u64) -> Result<OpenFile, OpenError> {
        let relative = file.strip_prefix(&self.path).map_err(|_| OpenError::NotRegular)?;
        let file = self.folder.open_below(relative)?.ok_or(OpenError::NotRegular)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(OpenError::NotRegular);
        }
        if metadata.len() > max_size {
            return Err(OpenError::TooLarge(metadata.len()));
        }
        Ok(OpenFile { file, metadata })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn project() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join("a/b/file"), "content").unwrap();
        (folder, root)
    }

    #[test]
    fn a_regular_file_is_read_up_to_the_size_that_is_allowed() {
        let (_folder, root) = project();
        let mut opened = open_selected(&root, &root.join("a/b/file"), 7).unwrap();
        let mut text = String::new();
        opened.file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), opened.metadata.len()), ("content", 7));
        assert!(matches!(open_selected(&root, &root.join("a/b/file"), 6), Err(OpenError::TooLarge(7))));
        assert!(open_selected(&root, &root.join("a/gone"), 7).unwrap_err().is_gone());
    }

    #[test]
    fn no_link_is_followed_be_it_the_file_or_one_of_its_folders() {
        let (_folder, root) = project();
        symlink("file", root.join("a/b/link")).unwrap();
        symlink("b", root.join("a/folder")).unwrap();
        for path in ["a/b/link", "a/folder/file", "a/b", "a/b/file/x", "", "a/../a/b/file"] {
            let opened = open_selected(&root, &root.join(path), 100);
            assert!(matches!(opened, Err(OpenError::NotRegular)), "{path}: {opened:?}");
        }
        let outside = open_selected(&root, Path::new("/etc/passwd"), u64::MAX);
        assert!(matches!(outside, Err(OpenError::NotRegular)), "{outside:?}");
    }

    #[test]
    fn a_fifo_a_socket_and_a_device_are_refused_without_waiting() {
        let (_folder, root) = project();
        let fifo = root.join("a/fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("a/socket")).unwrap();
        for path in [fifo, root.join("a/socket")] {
            assert!(matches!(open_selected(&root, &path, 100), Err(OpenError::NotRegular)), "{}", path.display());
        }
        let device = open_selected(Path::new("/dev"), Path::new("/dev/null"), 100);
        assert!(matches!(device, Err(OpenError::NotRegular)), "{device:?}");
    }
}
