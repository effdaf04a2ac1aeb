//! What earlier commands learned from the account's sites, in the cache folder of this machine's user.
//!
//! The id of a web app's agent, which makes the key with the API token, the last manifest that a site sent, and when a web app
//! expires. None is believed: a wrong id makes signatures that the agent does not take, a manifest counts by its digest, which
//! the agent signs, and an expiry that is near is asked for anew. So a file that is damaged, too long or not ours costs at most a request. Nothing here is secret, but
//! manifests name the project's files: the folder is readable for its owner only.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::digest::sha256;
use crate::platform::make_private;

/// The longest file, in bytes: more than the agent sends.
const MOST_BYTES: u64 = 5 << 20;

/// How many files are kept; the least recently written ones go.
const MOST_FILES: usize = 40;

/// An agent that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownAgent {
    pub id: String,
    /// How far this machine's clock is behind that of the service, in seconds.
    #[serde(default)]
    pub behind: i64,
}

/// The agent of a web app, as far as is known.
pub(super) fn agent(client: &Client, domain: &str) -> Option<KnownAgent> {
    let known: KnownAgent = serde_json::from_slice(&read(&place("agent", client, domain)?)?).ok()?;
    let is_id = known.id.len() == 32 && known.id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(known)
}

pub(super) fn keep_agent(client: &Client, domain: &str, known: &KnownAgent) {
    if agent(client, domain).as_ref() != Some(known) {
        keep("agent", client, domain, &serde_json::to_vec(known).expect("texts and numbers make JSON"));
    }
}

pub(super) fn forget_agent(client: &Client, domain: &str) {
    if let Some(place) = place("agent", client, domain) {
        // It is only a hint.
        let _ = fs::remove_file(place);
    }
}

/// The last day of a web app, as the API said it last.
pub(crate) fn known_expiry(client: &Client, domain: &str) -> Option<String> {
    String::from_utf8(read(&place("expiry", client, &domain.to_lowercase())?)?).ok()
}

pub(crate) fn keep_expiry(client: &Client, domain: &str, text: &str) {
    if known_expiry(client, domain).as_deref() != Some(text) {
        keep("expiry", client, &domain.to_lowercase(), text.as_bytes());
    }
}

/// The last manifest that a site sent for a state folder.
pub(super) fn manifest(client: &Client, state: &str) -> Option<Bytes> {
    read(&place("manifest", client, state)?).map(Bytes::from)
}

pub(super) fn keep_manifest(client: &Client, state: &str, content: &[u8]) {
    keep("manifest", client, state, content);
}

fn place(kind: &str, client: &Client, of: &str) -> Option<PathBuf> {
    let folder = etcetera::choose_base_strategy().ok()?.cache_dir().join("pythonanywhere-api").join("sites");
    let digest = sha256(format!("{}\0{}\0{of}", client.host().authority(), client.user()));
    Some(folder.join(format!("{kind}-{}.json", &digest[..32])))
}

fn keep(kind: &str, client: &Client, of: &str, content: &[u8]) {
    let Some(place) = place(kind, client, of) else { return };
    if let Err(error) = write(&place, content) {
        log::debug!("{} could not be written: {error}", place.display());
    }
}

/// A file of ours; `None` if there is none, or something else.
fn read(place: &Path) -> Option<Vec<u8>> {
    let facts = fs::symlink_metadata(place).ok()?;
    if !facts.is_file() || facts.len() > MOST_BYTES {
        return None;
    }
    let mut content = Vec::new();
    File::open(place).ok()?.take(MOST_BYTES + 1).read_to_end(&mut content).ok()?;
    (content.len() as u64 <= MOST_BYTES).then_some(content)
}

/// Writes a file that nobody else may read, as a whole or not at all.
fn write(place: &Path, content: &[u8]) -> io::Result<()> {
    if content.len() as u64 > MOST_BYTES {
        return Ok(());
    }
    let folder = place.parent().ok_or(io::ErrorKind::NotFound)?;
    make_private(folder)?;
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(place)?;
    remove_oldest(folder)
}

fn remove_oldest(folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Another process may remove it meanwhile.
        let modified = entry.metadata().and_then(|facts| facts.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        files.push((modified, entry.path()));
    }
    files.sort_unstable();
    let surplus = files.len().saturating_sub(MOST_FILES);
    files.into_iter().take(surplus).for_each(|(_, path)| drop(fs::remove_file(path)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_and_whatever_else_is_there_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/sites/x.json");
        assert_eq!(read(&place), None);
        write(&place, b"content").unwrap();
        assert_eq!(read(&place).as_deref(), Some(&b"content"[..]));
        write(&place, &vec![0; usize::try_from(MOST_BYTES).unwrap() + 1]).unwrap();
        assert_eq!(read(&place).as_deref(), Some(&b"content"[..]), "what is too long is not written");
        File::options().write(true).open(&place).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert_eq!(read(&place), None, "nor read");
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        assert_eq!(read(&place), None);
        assert!(write(&place, b"content").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_them_and_links_are_not_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("sites/x.json");
        fs::create_dir(folder.path().join("sites")).unwrap();
        write(&place, b"content").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&place), mode(place.parent().unwrap())), (0o600, 0o700));
        let link = folder.path().join("sites/link.json");
        symlink(&place, &link).unwrap();
        assert_eq!(read(&link), None);
        write(&link, b"other").unwrap();
        assert_eq!(read(&place).as_deref(), Some(&b"content"[..]));
        assert_eq!(read(&link).as_deref(), Some(&b"other"[..]));
    }

    #[test]
    fn the_folder_does_not_grow() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..MOST_FILES + 5 {
            write(&folder.path().join(format!("sites/{number}.json")), b"x").unwrap();
        }
        let kept = fs::read_dir(folder.path().join("sites")).unwrap().count();
        assert_eq!(kept, MOST_FILES);
    }
}
