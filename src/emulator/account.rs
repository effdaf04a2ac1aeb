//! The account's files: a real directory, and how paths in the account lead into it.
//!
//! `/home/<user>/x` in the account is `<root>/home/<user>/x`. Symbolic links are resolved here, one segment at a time,
//! as if the root were `/`: an absolute target starts at the root and `..` does not climb above it, so no path leaves
//! the root (as with `chroot`). The kernel's own call for this, `openat2`, exists on Linux only. The account's
//! processes run as the same user of this machine, so swapping a link during the walk gives them nothing that they
//! could not reach already.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tempfile::TempDir;

use super::account_path::AccountPath;
use super::settings::{AccountKind, Settings};
use crate::locks::lock;
use crate::platform::temporary_folder;

/// The emulator's own folder in the root, which is hidden from the account.
const PRIVATE: &str = ".emulator";

const MAX_LINKS: usize = 40;

/// The files of one account.
#[derive(Debug)]
pub struct Account {
    root: PathBuf,
    user: String,
    /// It can be changed while the emulator runs, as by an upgrade.
    kind: RwLock<AccountKind>,
    /// The disk space in bytes that was chosen, instead of what the kind of account has.
    chosen_quota: Option<u64>,
    used: Mutex<Used>,
    /// Removes the root at the end, unless the user chose it.
    temporary: Mutex<Option<TempDir>>,
}

/// The disk space that is used, as far as is known.
#[derive(Debug, Default)]
struct Used {
    /// In bytes; it lacks what processes wrote since the last scan. `None` if there was none.
    bytes: Option<u64>,
    /// From when on it is out of date.
    until: Option<Instant>,
}

/// A scan takes at most a fiftieth of the time.
const SCAN_SHARE: u32 = 50;

const LEAST_PAUSE: Duration = Duration::from_millis(50);

/// How to treat a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLink {
    /// Follow it.
    Follow,
    /// The path refers to the link itself.
    Keep,
}

impl Account {
    /// Opens the account in the root that the settings name, and creates the folders that every account has.
    ///
    /// # Errors
    /// If the user name is invalid, or the root cannot be created or written.
    pub fn open(settings: &Settings) -> io::Result<Self> {
        let user = settings.user.clone();
        check_user(&user)?;
        let (root, temporary) = if let Some(root) = &settings.root {
            (root.clone(), None)
        } else {
            let folder = temporary_folder("pythonanywhere-")?;
            (folder.path().to_owned(), Some(folder))
        };
        for folder in [format!("home/{user}"), "var/www".into(), "var/log".into(), PRIVATE.into()] {
            fs::create_dir_all(root.join(folder))?;
        }
        Ok(Self {
            root: root.canonicalize()?,
            user,
            kind: RwLock::new(settings.account),
            chosen_quota: settings.disk_quota,
            used: Mutex::default(),
            temporary: Mutex::new(temporary),
        })
    }

    /// The kind of account, which decides what is allowed.
    #[must_use]
    pub fn kind(&self) -> AccountKind {
        *self.kind.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the kind of account. What there is already stays, as tasks of an account that was paid.
    pub fn set_kind(&self, kind: AccountKind) {
        *self.kind.write().unwrap_or_else(PoisonError::into_inner) = kind;
    }

    /// Disk space in bytes, if it is limited.
    #[must_use]
    pub fn quota(&self) -> Option<u64> {
        self.chosen_quota.or(self.kind().disk_quota()).filter(|quota| *quota < u64::MAX)
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

    /// A real folder for the emulator's own files, on the account's file system but hidden from the account.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.root.join(PRIVATE)
    }

    /// Removes a root that was created for this emulator only.
    pub(crate) fn remove_temporary(&self) {
        let temporary = lock(&self.temporary).take();
        if let Some(Err(error)) = temporary.map(TempDir::close) {
            log::warn!("cannot remove the emulator's temporary directory {}: {error}", self.root.display());
        }
    }

    /// The real path of `path`, without symbolic links (except a last one that is kept); it need not exist.
    ///
    /// # Errors
    /// `NotADirectory` if a parent of the path is a file, `ELOOP` if links form a loop, and errors from the system.
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
            if !is_link(&at)? {
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP.into());
            }
            self.follow(&mut at, &mut left)?;
        }
        if at.starts_with(self.private()) { Err(Errno::NOENT.into()) } else { Ok(at) }
    }

    /// Goes from the link `at` to where its target counts from, with the target's segments as the next of what is left.
    fn follow(&self, at: &mut PathBuf, left: &mut VecDeque<OsString>) -> io::Result<()> {
        let target = fs::read_link(&at)?;
        at.pop();
        if target.is_absolute() {
            at.clone_from(&self.root);
        }
        // A process that sees the account below the real root creates links that contain the root.
        for part in target.strip_prefix(&self.root).unwrap_or(&target).components().rev() {
            match part {
                Component::Normal(name) => left.push_front(name.to_owned()),
                Component::ParentDir => left.push_front("..".into()),
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        Ok(())
    }

    /// Whether the account may create, change or delete the real path `real`.
    #[must_use]
    pub fn may_write(&self, real: &Path) -> bool {
        let folders = [self.home(), self.root.join("var/www"), self.root.join("var/log")];
        folders.iter().any(|folder| real != folder && real.starts_with(folder))
    }

    /// Whether the listing of the real folder `folder` omits `name`.
    #[must_use]
    pub fn hides(&self, folder: &Path, name: &OsStr) -> bool {
        name == PRIVATE && folder == self.root
    }

    /// Reserves `bytes` of the disk quota; false if they do not fit. May scan the account's files.
    pub fn reserve(&self, bytes: u64) -> bool {
        let Some(quota) = self.quota() else { return true };
        let mut used = lock(&self.used);
        let is_current = used.until.is_some_and(|until| Instant::now() < until);
        let known = used.bytes.filter(|_| is_current).map(|used| used.saturating_add(bytes));
        // Only another scan can tell what has been written or deleted since.
        let total = known.filter(|total| *total <= quota).unwrap_or_else(|| {
            let started = Instant::now();
            let scanned = self.scan();
            let ended = Instant::now();
            used.until = Some(ended + LEAST_PAUSE.max((ended - started) * SCAN_SHARE));
            scanned.saturating_add(bytes)
        });
        let fits = total <= quota;
        used.bytes = Some(if fits { total } else { total - bytes });
        fits
    }

    /// The real folders whose files count for the disk quota.
    #[must_use]
    pub fn counted(&self) -> [PathBuf; 2] {
        [self.home(), self.root.join("var/www")]
    }

    /// The bytes of all files; a file that vanishes or cannot be read counts as empty.
    fn scan(&self) -> u64 {
        let mut folders = Vec::from(self.counted());
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

fn check_user(user: &str) -> io::Result<()> {
    if !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        return Ok(());
    }
    let reason = format!("a user name consists of letters, digits, `-` and `_`, unlike {user:?}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

/// Whether a symbolic link is there; nothing need be.
fn is_link(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        found => Ok(found.is_ok_and(|metadata| metadata.is_symlink())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
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
