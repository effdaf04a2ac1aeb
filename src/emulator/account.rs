//! The account's files: a real directory, and the way from the account's paths to it.
//!
//! `/home/<user>/x` of the account is `<root>/home/<user>/x`. Symbolic links are followed here, one segment at a time,
//! as if the root were `/`: an absolute target starts at the root and no `..` climbs above it, so nothing leaves the
//! root (as with `chroot`). The kernel's own way, `openat2`, exists on Linux alone. Processes of the account run as
//! the same user of this machine, so a link that is swapped during the walk gives them nothing they don't have.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use tempfile::TempDir;

use super::account_path::AccountPath;
use super::settings::Settings;

/// The emulator's own folder in the root, which the account does not see.
const PRIVATE: &str = ".emulator";

const MAX_LINKS: usize = 40;

/// The files of one account.
#[derive(Debug)]
pub struct Account {
    root: PathBuf,
    user: String,
    quota: Option<u64>,
    /// Bytes used as far as is known; too low by what processes wrote since the last scan.
    used: Mutex<Option<u64>>,
    /// Removes the root in the end, unless the user gave it.
    temporary: Mutex<Option<TempDir>>,
}

/// What becomes of a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLink {
    /// It is followed.
    Follow,
    /// The path means the link itself.
    Keep,
}

/// A temporary folder that other users of this machine cannot look into.
fn private_folder() -> io::Result<TempDir> {
    let private = fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("pythonanywhere-").permissions(private).tempdir()
}

impl Account {
    /// Opens the account in the settings' root, and makes the folders that each account has.
    ///
    /// # Errors
    /// If the root cannot be made or written.
    pub fn open(settings: &Settings) -> io::Result<Self> {
        let user = settings.user.clone();
        if user.is_empty() || !user.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            let reason = format!("user names are made of letters, digits, `-` and `_`, not {user:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let (root, temporary) = if let Some(root) = &settings.root {
            (root.clone(), None)
        } else {
            let folder = private_folder()?;
            (folder.path().to_owned(), Some(folder))
        };
        for folder in [format!("home/{user}"), "var/www".into(), "var/log".into(), PRIVATE.into()] {
            fs::create_dir_all(root.join(folder))?;
        }
        let quota = settings.disk_quota.or(settings.account.disk_quota()).filter(|quota| *quota < u64::MAX);
        Ok(Self { root: root.canonicalize()?, user, quota, used: Mutex::new(None), temporary: Mutex::new(temporary) })
    }

    /// The real directory that stands for `/`, without symbolic links in its path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The account's user name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The real directory that stands for `/home/<user>`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root.join("home").join(&self.user)
    }

    /// A real folder for the emulator's own files, on the same file system as the account and unseen by it.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.root.join(PRIVATE)
    }

    /// Removes a root that was made for this emulator alone.
    pub(crate) fn remove_temporary(&self) {
        let temporary = self.temporary.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = temporary.map(TempDir::close) {
            log::warn!("the emulator's temporary directory {} stays behind: {error}", self.root.display());
        }
    }

    /// The real path of `path`, free of symbolic links (but for a last one that is kept); it need not exist.
    ///
    /// # Errors
    /// `NotADirectory` if the path leads through a file, `ELOOP` if links lead in circles, and what the system says.
    pub fn resolve(&self, path: &AccountPath, last: LastLink) -> io::Result<PathBuf> {
        let mut left: VecDeque<OsString> = path.segments().iter().cloned().collect();
        let mut at = self.root.clone();
        let mut links = 0;
        while let Some(segment) = left.pop_front() {
            if segment == ".." {
                if at != self.root {
                    at.pop();
                }
                continue;
            }
            at.push(&segment);
            if left.is_empty() && last == LastLink::Keep {
                break;
            }
            match fs::symlink_metadata(&at) {
                Ok(metadata) if metadata.is_symlink() => {}
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(_) | Err(_) => continue,
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP.into());
            }
            let target = fs::read_link(&at)?;
            at.pop();
            if target.is_absolute() {
                at.clone_from(&self.root);
            }
            // A process that sees the account at the real root makes links that name it.
            for part in target.strip_prefix(&self.root).unwrap_or(&target).components().rev() {
                match part {
                    Component::Normal(name) => left.push_front(name.to_owned()),
                    Component::ParentDir => left.push_front("..".into()),
                    Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
                }
            }
        }
        if at.starts_with(self.private()) { Err(Errno::NOENT.into()) } else { Ok(at) }
    }

    /// Whether the account may write below the folder that holds the real path `real`.
    #[must_use]
    pub fn may_write(&self, real: &Path) -> bool {
        let folders = [self.home(), self.root.join("var/www"), self.root.join("var/log")];
        folders.iter().any(|folder| real != folder && real.starts_with(folder))
    }

    /// Whether the listing of the real folder `folder` leaves `name` out.
    #[must_use]
    pub fn hides(&self, folder: &Path, name: &OsStr) -> bool {
        name == PRIVATE && folder == self.root
    }

    /// Takes `bytes` from the disk quota; false if that would be too many. May scan the account's files.
    pub fn reserve(&self, bytes: u64) -> bool {
        let Some(quota) = self.quota else { return true };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let known = used.map(|used| used.saturating_add(bytes)).filter(|used| *used <= quota);
        // What was deleted since is only seen by another scan.
        let total = known.unwrap_or_else(|| self.scan().saturating_add(bytes));
        let fits = total <= quota;
        *used = Some(if fits { total } else { total - bytes });
        fits
    }

    /// The bytes of all files; one that vanishes or cannot be read counts nothing.
    fn scan(&self) -> u64 {
        let mut folders = vec![self.home(), self.root.join("var/www")];
        let mut bytes = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) if metadata.is_file() => bytes += metadata.len(),
                    _ => {}
                }
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn account() -> Account {
        Account::open(&Settings::default()).unwrap()
    }

    fn resolve(account: &Account, path: &str) -> io::Result<PathBuf> {
        account.resolve(&AccountPath::parse(path.as_bytes()).unwrap(), LastLink::Follow)
    }

    #[test]
    fn a_temporary_root_is_for_its_owner_alone() {
        let mode = fs::metadata(account().root()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn links_are_followed_as_if_the_root_were_the_machines() {
        let account = account();
        let home = account.home();
        symlink("/etc", home.join("absolute")).unwrap();
        symlink("../../../../../../../../etc", home.join("climbing")).unwrap();
        symlink("/home/demo/plain", home.join("inner")).unwrap();
        symlink(home.join("plain"), home.join("real")).unwrap();
        symlink("round", home.join("round")).unwrap();
        for (path, real) in [
            ("/home/demo/absolute/passwd", account.root().join("etc/passwd")),
            ("/home/demo/climbing/passwd", account.root().join("etc/passwd")),
            ("/home/demo/inner", home.join("plain")),
            ("/home/demo/real/x", home.join("plain/x")),
            ("/", account.root().to_owned()),
        ] {
            assert_eq!(resolve(&account, path).unwrap(), real, "{path}");
        }
        assert!(resolve(&account, "/home/demo/round").is_err());
        assert_eq!(resolve(&account, "/.emulator/x").unwrap_err().kind(), io::ErrorKind::NotFound);
        let link = AccountPath::parse(b"/home/demo/absolute").unwrap();
        assert_eq!(account.resolve(&link, LastLink::Keep).unwrap(), home.join("absolute"));
    }

    #[test]
    fn a_path_through_a_file_is_no_directory() {
        let account = account();
        fs::write(account.home().join("file"), "").unwrap();
        assert_eq!(resolve(&account, "/home/demo/file/x").unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn the_quota_counts_what_is_there_after_a_deletion() {
        let account = Account::open(&Settings { disk_quota: Some(100), ..Settings::default() }).unwrap();
        let file = account.home().join("file");
        assert!(account.reserve(60));
        fs::write(&file, [0; 60]).unwrap();
        assert!(!account.reserve(60));
        assert!(account.reserve(40));
        fs::remove_file(&file).unwrap();
        assert!(account.reserve(60));
    }
}
