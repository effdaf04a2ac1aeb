//! Files: their mode bits, kinds and owners, and how paths are spelled.

use std::io;

use tempfile::TempDir;

pub(crate) use system::{
    canonical, check_private, is_own, make_private, mode_of, open_unlinked, set_new_mode, special, try_lock,
};

#[cfg(unix)]
mod system {
    use std::fs::{self, File, FileType, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
    use std::path::{Path, PathBuf};

    use rustix::fs::{FlockOperation, OFlags, flock};
    use rustix::io::Errno;

    /// The absolute path without links.
    pub(crate) fn canonical(path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    /// Whether a file belongs to the user of this process, or to the one who became root by `sudo`, as git sees it.
    pub(crate) fn is_own(facts: &Metadata) -> bool {
        let (owner, user) = (facts.uid(), rustix::process::geteuid());
        let before_sudo = || std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse::<u32>().ok());
        owner == user.as_raw() || (user.is_root() && before_sudo() == Some(owner))
    }

    /// Makes a folder, and those above it, unless it is there. Only its owner may enter it.
    pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::set_permissions(folder, Permissions::from_mode(0o700))
            }
            outcome => outcome,
        }
    }

    /// Why a file with these facts, which holds secrets, is not to be used.
    pub(crate) fn check_private(facts: &Metadata) -> Result<(), String> {
        if facts.uid() != rustix::process::geteuid().as_raw() {
            return Err("belongs to another user of this machine, so it is not used".to_owned());
        }
        let mode = facts.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "can be read or changed by other users of this machine (its mode is {mode:o}): if its tokens may be known \
                 to them, replace these on the Account page of PythonAnywhere; then chmod 600 it, or delete it and log in \
                 again"
            ));
        }
        Ok(())
    }

    /// Opens a file for reading, unless it is a link.
    pub(crate) fn open_unlinked(path: &Path) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW.bits();
        OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
    }

    /// Locks a file, which is made if it is not there and is private then, until it is closed or the process ends. `None`
    /// while somebody else has it locked.
    pub(crate) fn try_lock(path: &Path) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        // Over NFS only what is open for writing can be locked.
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Permission bits, where the system has them.
    #[allow(clippy::unnecessary_wraps, reason = "other systems have none")]
    pub(crate) fn mode_of(facts: &Metadata) -> Option<u32> {
        Some(facts.mode() & 0o777)
    }

    /// Gives a temporary file or folder this mode, less the umask. By default a file is private, and a folder is not.
    pub(crate) fn set_new_mode(builder: &mut tempfile::Builder<'_, '_>, mode: u32) {
        builder.permissions(Permissions::from_mode(mode));
    }

    /// What a thing is that is no regular file.
    pub(crate) fn special(kind: FileType) -> Option<&'static str> {
        match () {
            () if kind.is_file() => None,
            () if kind.is_socket() => Some("a socket"),
            () if kind.is_fifo() => Some("a named pipe"),
            () if kind.is_block_device() || kind.is_char_device() => Some("a device"),
            () => Some("not a regular file"),
        }
    }
}

#[cfg(windows)]
mod system {
    use std::fs::{self, File, FileType, Metadata, OpenOptions};
    use std::io;
    use std::os::windows::fs::OpenOptionsExt;
    use std::path::{Path, PathBuf};

    /// What Windows says of a file that somebody else has opened for themselves alone.
    const SHARING_VIOLATION: i32 = 32;

    /// The absolute path without links, spelled as people and git spell it. The standard library gives it the prefix
    /// `\\?\`, which it adds to long paths by itself, and which programs do not take for their working folder.
    pub(crate) fn canonical(path: &Path) -> io::Result<PathBuf> {
        let full = fs::canonicalize(path)?;
        Ok(full.to_str().and_then(super::without_verbatim_prefix).map_or(full.clone(), PathBuf::from))
    }

    /// Who owns a file is not asked: Windows gives no other user's files to a program without saying so, and git for
    /// Windows keeps to the same where the owner is not known.
    pub(crate) fn is_own(_facts: &Metadata) -> bool {
        true
    }

    /// Makes a folder, and those above it. Those in a user's profile are closed to other users, and what is made in them
    /// inherits that.
    pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    /// Nothing, as for [`make_private`].
    #[allow(clippy::unnecessary_wraps, reason = "other systems refuse")]
    pub(crate) fn check_private(_facts: &Metadata) -> Result<(), String> {
        Ok(())
    }

    /// Opens a file for reading.
    pub(crate) fn open_unlinked(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    /// As on other systems. What is opened so that nobody else may open it is locked.
    pub(crate) fn try_lock(path: &Path) -> io::Result<Option<File>> {
        match OpenOptions::new().write(true).create(true).truncate(false).share_mode(0).open(path) {
            Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// There are none: git knows them, see `selection::git`.
    pub(crate) fn mode_of(_facts: &Metadata) -> Option<u32> {
        None
    }

    /// Nothing: there are no modes.
    pub(crate) fn set_new_mode(_builder: &mut tempfile::Builder<'_, '_>, _mode: u32) {}

    /// What a thing is that is no regular file.
    pub(crate) fn special(kind: FileType) -> Option<&'static str> {
        (!kind.is_file()).then_some("not a regular file")
    }
}

/// A temporary folder that other users of this machine cannot enter, where the system has modes. Otherwise the umask
/// decides, which mostly lets all of them read what is in it.
pub(crate) fn temporary_folder(prefix: &str) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    set_new_mode(&mut builder, 0o700);
    #[allow(clippy::disallowed_methods, reason = "this is where all others are sent")]
    builder.prefix(prefix).tempdir()
}

/// A path of Windows without the prefix that turns off how it is read; `None` if there is none that can be left out.
#[cfg(any(windows, test))]
fn without_verbatim_prefix(path: &str) -> Option<String> {
    let rest = path.strip_prefix(r"\\?\")?;
    if let Some(share) = rest.strip_prefix(r"UNC\") {
        return Some(format!(r"\\{share}"));
    }
    let is_disk = rest.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && rest[1..].starts_with(r":\");
    is_disk.then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_windows_are_spelled_as_people_do() {
        let plain = without_verbatim_prefix;
        assert_eq!(plain(r"\\?\C:\work\site").as_deref(), Some(r"C:\work\site"));
        assert_eq!(plain(r"\\?\UNC\server\share\site").as_deref(), Some(r"\\server\share\site"));
        assert_eq!(plain(r"\\?\Volume{1234}\site"), None);
        assert_eq!(plain(r"C:\work\site"), None);
        assert_eq!(plain(r"\\?\"), None);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_enters_a_temporary_folder() {
        use std::os::unix::fs::PermissionsExt;
        let folder = temporary_folder("pya-").unwrap();
        assert_eq!(folder.path().metadata().unwrap().permissions().mode() & 0o077, 0);
    }

    #[test]
    fn a_file_is_locked_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("lock");
        let held = try_lock(&place).unwrap().unwrap();
        assert!(try_lock(&place).unwrap().is_none());
        drop(held);
        assert!(try_lock(&place).unwrap().is_some());
        assert!(try_lock(&folder.path().join("missing/lock")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_opens_a_lock() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (place, link) = (folder.path().join("lock"), folder.path().join("link"));
        assert!(try_lock(&place).unwrap().is_some());
        assert_eq!(place.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        symlink(&place, &link).unwrap();
        assert!(try_lock(&link).is_err());
    }

    #[test]
    fn a_path_without_links_is_that_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let place = canonical(folder.path()).unwrap();
        assert!(place.is_absolute() && place.is_dir());
        assert!(!place.to_string_lossy().starts_with(r"\\?\"));
        assert_eq!(canonical(&place).unwrap(), place);
    }
}
