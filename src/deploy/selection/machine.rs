//! The id of this machine, by which a deploy recognises the results of its own builds.
//!
//! It is random and says nothing about the machine or who uses it. A machine without a configuration folder that can be
//! written has none: what it sends counts as another's next time, so it stays on the host.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::digest::random_hex;

const DIGITS: usize = 16;

/// The id of this machine, which is made at the first call; empty if none can be kept.
pub(crate) fn id() -> String {
    place().and_then(|place| read_or_make(&place).ok()).unwrap_or_default()
}

/// The same where it matters, else an empty text: nothing is written for those who need no id.
pub(crate) fn id_if_needed(is_needed: bool) -> String {
    if is_needed { id() } else { String::new() }
}

fn place() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("pythonanywhere-api").join("machine-id"))
}

fn read_or_make(place: &Path) -> io::Result<String> {
    if let Some(id) = read(place)? {
        return Ok(id);
    }
    let folder = place.parent().ok_or(ErrorKind::NotFound)?;
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let id = random_hex(DIGITS)?;
    writeln!(file, "{id}")?;
    match file.persist_noclobber(place) {
        Ok(_) => Ok(id),
        // Another process was faster, or what is there is no id: the latter is replaced.
        Err(failed) => match read(place)? {
            Some(id) => Ok(id),
            None => failed.file.persist(place).map(|_| id).map_err(io::Error::from),
        },
    }
}

/// What is there, if it is an id.
fn read(place: &Path) -> io::Result<Option<String>> {
    match OpenOptions::new().read(true).open(place).and_then(io::read_to_string) {
        Ok(text) => {
            let id = text.trim();
            let is_id = id.len() == DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            Ok(is_id.then(|| id.to_owned()))
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_once_and_garbage_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("config/machine-id");
        let id = read_or_make(&place).unwrap();
        assert_eq!(id.len(), DIGITS);
        assert_eq!(read_or_make(&place).unwrap(), id);
        fs::write(&place, "garbage").unwrap();
        let other = read_or_make(&place).unwrap();
        assert_ne!(other, id);
        assert_eq!(read_or_make(&place).unwrap(), other);
    }
}
