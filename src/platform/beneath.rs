//! Opening a file below a folder so that what is there is what is read.
//!
//! Between looking at a path and opening it, anything may take a file's place: a link out of the folder, a FIFO whose
//! opening waits for a writer, a device. So on Unix the path is opened one component at a time from the folder's
//! descriptor, no link is followed and nothing blocks. Elsewhere a plain check comes before opening.

pub(crate) use system::Folder;

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::path::{Component, Path};

    use rustix::fs::{Mode, OFlags, open, openat};
    use rustix::io::Errno;

    /// An open folder.
    #[derive(Debug)]
    pub(crate) struct Folder(OwnedFd);

    impl Folder {
        /// Opens the folder at a path without links.
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            Ok(Self(open(path, folder_flags(), Mode::empty())?))
        }

        /// Opens what is at a relative path below the folder, for reading; `None` if that is a link or lies behind one, or
        /// is a socket or the like. What is open may still be a folder or a device.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        pub(crate) fn open_below(&self, relative: &Path) -> io::Result<Option<File>> {
            use rustix::fs::{ResolveFlags, openat2};

            let is_plain = relative.components().all(|component| matches!(component, Component::Normal(_)));
            if !is_plain || relative.as_os_str().is_empty() {
                return Ok(None);
            }
            // The kernel walks the components itself, in one call. Old ones, and some sandboxes, do not have it.
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match openat2(&self.0, relative, file_flags(), Mode::empty(), resolve) {
                Ok(opened) => Ok(Some(File::from(opened))),
                Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => self.open_by_component(relative),
                Err(error) => refusal(error),
            }
        }

        /// Opens what is at a relative path below the folder, for reading; `None` if that is a link or lies behind one, or
        /// is a socket or the like. What is open may still be a folder or a device.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        pub(crate) fn open_below(&self, relative: &Path) -> io::Result<Option<File>> {
            self.open_by_component(relative)
        }

        fn open_by_component(&self, relative: &Path) -> io::Result<Option<File>> {
            let mut folder: Option<OwnedFd> = None;
            let mut components = relative.components().peekable();
            while let Some(component) = components.next() {
                let Component::Normal(name) = component else { return Ok(None) };
                let here = folder.as_ref().unwrap_or(&self.0).as_fd();
                let is_last = components.peek().is_none();
                let flags = if is_last { file_flags() } else { folder_flags() };
                match openat(here, name, flags, Mode::empty()) {
                    Ok(opened) if is_last => return Ok(Some(File::from(opened))),
                    Ok(opened) => folder = Some(opened),
                    Err(error) => return refusal(error),
                }
            }
            Ok(None)
        }
    }

    fn refusal(error: Errno) -> io::Result<Option<File>> {
        match error {
            // A link, a way out, a socket, a device without a driver; a link or a file in place of a folder.
            Errno::LOOP | Errno::MLINK | Errno::XDEV | Errno::NXIO | Errno::NODEV | Errno::NOTDIR => Ok(None),
            error => Err(error.into()),
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

    #[cfg(test)]
    mod tests {
        use std::fs;
        use std::os::unix::fs::symlink;

        use super::*;

        #[test]
        fn the_call_of_the_kernel_and_the_walk_by_component_agree() {
            let folder = tempfile::tempdir().unwrap();
            let root = fs::canonicalize(folder.path()).unwrap();
            fs::create_dir_all(root.join("a/b")).unwrap();
            fs::write(root.join("a/b/file"), "content").unwrap();
            symlink("b", root.join("a/folder")).unwrap();
            let open = Folder::open(&root).unwrap();
            for path in ["a/b/file", "a/folder/file", "a/b/gone", "a/b/file/x", "a/../a/b/file", ""] {
                let kind = |opened: io::Result<Option<File>>| match opened {
                    Ok(Some(_)) => "open",
                    Ok(None) => "not regular",
                    Err(error) if error.kind() == io::ErrorKind::NotFound => "gone",
                    Err(_) => "error",
                };
                let path = Path::new(path);
                assert_eq!(kind(open.open_below(path)), kind(open.open_by_component(path)), "{}", path.display());
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io;
    use std::path::{Component, Path, PathBuf};

    /// A folder.
    #[derive(Debug)]
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        /// Takes the folder at a path without links.
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            path.symlink_metadata()?;
            Ok(Self(path.to_owned()))
        }

        /// Opens the file at a relative path below the folder, for reading; `None` if something else is there, or it lies
        /// behind a link or a junction.
        pub(crate) fn open_below(&self, relative: &Path) -> io::Result<Option<File>> {
            let mut place = self.0.clone();
            let mut components = relative.components().peekable();
            while let Some(component) = components.next() {
                let Component::Normal(name) = component else { return Ok(None) };
                place.push(name);
                let kind = place.symlink_metadata()?.file_type();
                let is_fitting = if components.peek().is_none() { kind.is_file() } else { kind.is_dir() };
                if !is_fitting {
                    return Ok(None);
                }
            }
            if place == self.0 { Ok(None) } else { Ok(Some(File::open(place)?)) }
        }
    }
}
