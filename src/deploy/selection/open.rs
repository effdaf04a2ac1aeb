//! Opens a selected file for reading, so that what was selected is what is read.
//!
//! Between the selection and the moment of reading, anything may take a file's place: a link out of the project, a FIFO
//! whose opening waits for a writer, a device. So the path is opened one component at a time from the root's
//! descriptor, no link is followed, nothing blocks, and the type is asked of the open descriptor, not of the name.
//! Only this file uses the calls of Unix for it; elsewhere a plain check comes before opening.

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
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
        let source = match self {
            Self::Io(source) => source,
            refused => io::Error::other(refused),
        };
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
    #[cfg(unix)]
    descriptor: std::os::fd::OwnedFd,
}

impl Root {
    /// As [`open_selected`].
    pub(crate) fn open_file(&self, file: &Path, max_size: u64) -> Result<OpenFile, OpenError> {
        let relative = file.strip_prefix(&self.path).map_err(|_| OpenError::NotRegular)?;
        let file = self.open_relative(relative)?;
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

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::path::{Component, Path};

    use rustix::fs::{Mode, OFlags, open, openat};
    use rustix::io::Errno;

    use super::{OpenError, Root};

    impl Root {
        /// Opens the folder at `root`, a path without links.
        pub(crate) fn open(root: &Path) -> io::Result<Self> {
            let descriptor = open(root, folder_flags(), Mode::empty())?;
            Ok(Self { path: root.to_owned(), descriptor })
        }

        #[cfg(any(target_os = "linux", target_os = "android"))]
        pub(super) fn open_relative(&self, relative: &Path) -> Result<File, OpenError> {
            use rustix::fs::{ResolveFlags, openat2};

            let is_plain = relative.components().all(|component| matches!(component, Component::Normal(_)));
            if !is_plain || relative.as_os_str().is_empty() {
                return Err(OpenError::NotRegular);
            }
            // The kernel walks the components itself, in one call. Old ones, and some sandboxes, do not have it.
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match openat2(&self.descriptor, relative, file_flags(), Mode::empty(), resolve) {
                Ok(opened) => Ok(File::from(opened)),
                Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => self.open_by_component(relative),
                Err(error) => Err(refusal(error)),
            }
        }

        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        pub(super) fn open_relative(&self, relative: &Path) -> Result<File, OpenError> {
            self.open_by_component(relative)
        }

        pub(super) fn open_by_component(&self, relative: &Path) -> Result<File, OpenError> {
            let mut folder: Option<OwnedFd> = None;
            let mut components = relative.components().peekable();
            while let Some(component) = components.next() {
                let Component::Normal(name) = component else { return Err(OpenError::NotRegular) };
                let here = folder.as_ref().unwrap_or(&self.descriptor).as_fd();
                let is_last = components.peek().is_none();
                let flags = if is_last { file_flags() } else { folder_flags() };
                match openat(here, name, flags, Mode::empty()) {
                    Ok(opened) if is_last => return Ok(File::from(opened)),
                    Ok(opened) => folder = Some(opened),
                    Err(error) => return Err(refusal(error)),
                }
            }
            Err(OpenError::NotRegular)
        }
    }

    fn refusal(error: Errno) -> OpenError {
        match error {
            // A link, a way out, a socket, a device without a driver; a link or a file in place of a folder.
            Errno::LOOP | Errno::MLINK | Errno::XDEV | Errno::NXIO | Errno::NODEV | Errno::NOTDIR => {
                OpenError::NotRegular
            }
            error => OpenError::Io(error.into()),
        }
    }

    /// Non-blocking, as opening a FIFO would wait for a writer.
    fn file_flags() -> OFlags {
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
    }

    /// A folder that is only passed through need not be readable where the system has such a thing.
    fn folder_flags() -> OFlags {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return flags | OFlags::PATH;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return flags | OFlags::RDONLY;
    }
}

#[cfg(not(unix))]
impl Root {
    /// Opens the folder at `root`, a path without links.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { path: root.to_owned() })
    }

    fn open_relative(&self, relative: &Path) -> Result<File, OpenError> {
        let mut place = self.path.clone();
        for component in relative.components() {
            place.push(component);
            if place.symlink_metadata()?.file_type().is_symlink() {
                return Err(OpenError::NotRegular);
            }
        }
        if !place.symlink_metadata()?.is_file() {
            return Err(OpenError::NotRegular);
        }
        Ok(File::open(place)?)
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
    fn the_call_of_the_kernel_and_the_walk_by_component_agree() {
        let (_folder, root) = project();
        symlink("b", root.join("a/folder")).unwrap();
        let open = Root::open(&root).unwrap();
        for path in ["a/b/file", "a/folder/file", "a/b/gone", "a/b/file/x", "a/../a/b/file", ""] {
            let kind = |opened: Result<File, OpenError>| match opened {
                Ok(_) => "open",
                Err(OpenError::NotRegular) => "not regular",
                Err(error) if error.is_gone() => "gone",
                Err(_) => "error",
            };
            let path = Path::new(path);
            assert_eq!(kind(open.open_relative(path)), kind(open.open_by_component(path)), "{}", path.display());
        }
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
