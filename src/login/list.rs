//! The list of logins: a file in the configuration folder.
//!
//! It may hold tokens, so nobody else may read it: its folder has the mode 0700, and the file is made anew under another
//! name, with the mode 0600 and only if nothing has that name yet, and then takes the place of the one before. A list that
//! others can read is refused rather than mended, since they may have read it already.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use super::lock::{PATIENCE, lock};
use crate::error::{Error, Result};
use crate::platform::{check_private, make_private, open_unlinked};

/// More than any list has, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// The version of the format.
const VERSION: u32 = 1;

/// One login. It has no `Debug`, as it may hold a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// URL of the host, with its closing slash.
    pub host: String,
    pub user: String,
    /// The token, unless the keyring has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    logins: Vec<Record>,
}

/// Where the list is.
pub(super) fn path() -> Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy()
        .map_err(|error| Error::config(format!("the folder for configuration files is unknown: {error}")))?;
    Ok(strategy.config_dir().join("pythonanywhere-api").join("logins.json"))
}

/// The logins in the list; none where there is no list.
///
/// # Errors
/// `Config` if others can read or change it, or if its content is not a list; `Local` if it cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<Record>> {
    let content = match content_of(path) {
        Ok(content) => content,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(Error::config(format!("{} {error}", path.display())));
        }
        Err(source) => return Err(Error::Local { path: path.to_owned(), source }),
    };
    let damaged = || {
        Error::config(format!(
            "{} is not a list of logins of this version: delete it and log in again (\"pya login\")",
            path.display()
        ))
    };
    let document: Document = serde_json::from_slice(&content).map_err(|_| damaged())?;
    if document.version == VERSION { Ok(document.logins) } else { Err(damaged()) }
}

/// Changes the list while nobody else does. What takes long is done before.
///
/// # Errors
/// As for [`read`] and [`write`]; `Config` if somebody else does not come to an end with a change.
pub(super) async fn change(path: &Path, change: impl FnOnce(&mut Vec<Record>)) -> Result<()> {
    let _lock = lock(path, PATIENCE).await?;
    let mut records = read(path)?;
    change(&mut records);
    write(path, &records)
}

/// Replaces the list; an empty one is removed.
///
/// # Errors
/// `Local` if that fails.
fn write(path: &Path, logins: &[Record]) -> Result<()> {
    let failed = |source| Error::Local { path: path.to_owned(), source };
    if logins.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
    }
    let document = Document { version: VERSION, logins: logins.to_vec() };
    let text = serde_json::to_vec_pretty(&document).expect("texts make JSON");
    replace(path, &text).map_err(failed)
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(ErrorKind::NotFound)?;
    make_private(folder)?;
    // Made with O_EXCL and the mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// The content of a file that is ours alone. `InvalidData` says what is wrong with another.
fn content_of(path: &Path) -> io::Result<Vec<u8>> {
    let refused = |why: &str| io::Error::new(ErrorKind::InvalidData, why);
    // Opening a pipe would wait for its other end.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(refused("is not a regular file: remove it"));
    }
    let mut file = open_unlinked(path)?;
    check_private(&file.metadata()?).map_err(|why| refused(&why))?;
    let mut content = Vec::new();
    (&mut file).take(MOST_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(user: &str, token: Option<&str>) -> Record {
        let (host, user) = ("https://www.pythonanywhere.com/".to_owned(), user.to_owned());
        Record { host, user, token: token.map(str::to_owned) }
    }

    #[test]
    fn a_list_comes_back_and_an_empty_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/logins.json");
        assert!(read(&path).unwrap().is_empty());
        let logins = [record("ada", Some("t0ken")), record("bob", None)];
        write(&path, &logins).unwrap();
        assert!(read(&path).unwrap() == logins);
        write(&path, &[]).unwrap();
        assert!(!path.exists());
        write(&path, &[]).unwrap();
    }

    #[test]
    fn what_is_no_list_is_refused_without_being_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.json");
        for content in
            ["s3cret", "{}", r#"{"version": 2, "logins": []}"#, r#"{"version": 1, "logins": [{"s3cret": 1}]}"#]
        {
            write(&path, &[record("ada", None)]).unwrap();
            fs::write(&path, content).unwrap();
            let why = read(&path).err().unwrap().to_string();
            assert!(why.contains("pya login") && !why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn changes_at_the_same_time_are_all_made() {
        const THREADS: usize = 8;
        let folder = tempfile::tempdir().unwrap();
        let (path, start) = (folder.path().join("config/logins.json"), std::sync::Barrier::new(THREADS));
        let runs = |thread: usize| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            start.wait();
            for turn in 0..4 {
                let added = record(&format!("{thread}-{turn}"), None);
                runtime.block_on(change(&path, |records| records.push(added))).unwrap();
            }
            // One of them goes again.
            let gone = format!("{thread}-0");
            runtime.block_on(change(&path, |records| records.retain(|record| record.user != gone))).unwrap();
        };
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let runs = &runs;
                scope.spawn(move || runs(thread));
            }
        });
        let mut users: Vec<String> = read(&path).unwrap().into_iter().map(|record| record.user).collect();
        users.sort();
        let expected: Vec<String> =
            (0..THREADS).flat_map(|thread| (1..4).map(move |turn| format!("{thread}-{turn}"))).collect();
        assert_eq!(users, expected);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/logins.json");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        fs::create_dir(path.parent().unwrap()).unwrap();
        chmod(path.parent().unwrap(), 0o755);
        write(&path, &[record("ada", Some("t0ken"))]).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        for other in [0o640, 0o604, 0o620] {
            chmod(&path, other);
            let why = read(&path).err().unwrap().to_string();
            assert!(why.contains("other users") && why.contains("chmod 600"), "{why}");
        }
        // Logging in again makes it anew.
        write(&path, &[record("ada", None)]).unwrap();
        assert_eq!(mode(&path), 0o600);
        let link = folder.path().join("config/link.json");
        symlink(&path, &link).unwrap();
        assert!(read(&link).err().unwrap().to_string().contains("not a regular file"));
    }
}
