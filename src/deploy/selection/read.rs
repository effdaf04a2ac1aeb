//! SHA-256 of local files, many at a time, and what their first bytes tell.
//!
//! A file is read through a buffer that each thread keeps: for small files the cost is opening and reading, not hashing.
//! The threads belong to one call, not to the process, so that a forked child has its own.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::open::{OpenError, OpenFile, Root};
use super::protect::is_sqlite;
use crate::deploy::state::manifest::FileState;
use crate::digest::hex;
use crate::error::Error;
use crate::platform::mode_of;

const BUFFER: usize = 128 * 1024;

thread_local! {
    static SPACE: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// The outcome for one file.
pub(crate) enum Hashed {
    Done(FileState),
    /// It is a database of `SQLite`. Without a digest if it is larger than allowed.
    Database(FileState),
    /// It is what Git LFS leaves in place of a file that it has not fetched.
    LfsPointer(FileState),
    /// Larger than allowed; its size. It was not read.
    TooLarge(u64),
    /// It is not there any more.
    Gone,
    Failed(io::Error),
}

/// Hashes all `files`, which are below `root`, with as many threads as there are processors; the outcomes are in the same
/// order. No path is followed out of `root`, see [`super::open`].
pub(crate) fn hash_all<P: AsRef<Path> + Sync>(root: &Path, files: &[P], max_size: u64) -> io::Result<Vec<Hashed>> {
    let root = Root::open(root)?;
    let pool =
        rayon::ThreadPoolBuilder::new().thread_name(|_| "pya-hash".to_owned()).build().map_err(io::Error::other)?;
    Ok(pool.install(|| files.par_iter().with_min_len(8).map(|file| hash_one(&root, file.as_ref(), max_size)).collect()))
}

fn hash_one(root: &Root, file: &Path, max_size: u64) -> Hashed {
    match SPACE.with_borrow_mut(|space| hash_with(root, file, max_size, space)) {
        Ok(hashed) => hashed,
        Err(error) if error.is_gone() => Hashed::Gone,
        Err(OpenError::TooLarge(size)) => Hashed::TooLarge(size),
        Err(OpenError::Io(error)) => Hashed::Failed(error),
        Err(error @ OpenError::NotRegular) => Hashed::Failed(io::Error::other(error)),
    }
}

fn hash_with(root: &Root, path: &Path, max_size: u64, space: &mut [u8]) -> Result<Hashed, OpenError> {
    // A database is left alone whatever its size, so the head comes first.
    let OpenFile { mut file, metadata } = root.open_file(path, u64::MAX)?;
    let length = read_head(&mut file, space)?;
    let head = &space[..length];
    let (is_database, is_pointer) = (is_sqlite(head), is_lfs_pointer(head));
    if metadata.len() > max_size {
        let unread = FileState { size: Some(metadata.len()), ..FileState::default() };
        return Ok(if is_database { Hashed::Database(unread) } else { Hashed::TooLarge(metadata.len()) });
    }
    let digest = Sha256::new_with_prefix(head);
    // Most files are smaller than the buffer, and a read that fills it in part has met the end.
    let (sha256, rest) =
        if length < space.len() { (hex(&digest.finalize()), 0) } else { digest_in(&mut file, digest, space)? };
    let size = length as u64 + rest;
    if size > max_size {
        return Ok(Hashed::TooLarge(size));
    }
    let state = FileState { sha256: Some(sha256), size: Some(size), mode: mode_of(&metadata), ..FileState::default() };
    Ok(match (is_database, is_pointer) {
        (true, _) => Hashed::Database(state),
        (false, true) => Hashed::LfsPointer(state),
        (false, false) => Hashed::Done(state),
    })
}

/// Fills the buffer, or reads to the end of the file.
fn read_head(file: &mut File, space: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < space.len() {
        match file.read(&mut space[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Whether a file is a pointer of Git LFS, which is a text of less than 1024 bytes.
fn is_lfs_pointer(content: &[u8]) -> bool {
    let version = content.strip_prefix(b"version https://git-lfs.github.com/spec/v1\n");
    let is_object = |rest: &[u8]| rest.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"oid sha256:"));
    content.len() < 1024 && version.is_some_and(is_object)
}

/// The digest of a file and how much was read, without ever having the whole of it in memory.
pub(crate) fn digest_of(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    SPACE.with_borrow_mut(|space| digest_in(&mut file, Sha256::new(), space))
}

fn digest_in(file: &mut File, mut digest: Sha256, space: &mut [u8]) -> io::Result<(String, u64)> {
    let mut size = 0;
    loop {
        let count = match file.read(space) {
            Ok(0) => return Ok((hex(&digest.finalize()), size)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        digest.update(&space[..count]);
        size += count as u64;
    }
}

/// A file or folder that cannot be read; where that is a matter of permission, with what to do.
pub(crate) fn unreadable(path: &Path, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::PermissionDenied {
        return Error::config(format!(
            "{} cannot be read ({source}): make it readable, or leave it out in .pythonanywhereignore",
            path.display()
        ));
    }
    Error::Local { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_in_order_and_large_files_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        let paths: Vec<_> = ["empty", "three", "large", "gone"].iter().map(|name| root.join(name)).collect();
        std::fs::write(&paths[0], "").unwrap();
        std::fs::write(&paths[1], "abc").unwrap();
        std::fs::write(&paths[2], vec![7; BUFFER * 2 + 1]).unwrap();
        let hashed = hash_all(&root, &paths, BUFFER as u64 * 2).unwrap();
        let sha = |hashed: &Hashed| match hashed {
            Hashed::Done(state) => state.sha256.clone(),
            _ => None,
        };
        assert_eq!(sha(&hashed[0]), Some(crate::digest::sha256("")));
        assert_eq!(sha(&hashed[1]), Some(crate::digest::sha256("abc")));
        assert!(matches!(hashed[2], Hashed::TooLarge(size) if size == BUFFER as u64 * 2 + 1));
        assert!(matches!(hashed[3], Hashed::Gone));
        let whole = hash_all(&root, &paths[2..3], u64::MAX).unwrap();
        assert_eq!(sha(&whole[0]), Some(crate::digest::sha256(vec![7; BUFFER * 2 + 1])));
    }

    #[test]
    fn databases_and_pointers_are_told_by_how_they_begin() {
        let folder = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(folder.path()).unwrap();
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 3\n";
        let long = format!("{pointer}{}", "x".repeat(1024));
        let database = format!("SQLite format 3\0{}", "x".repeat(100));
        let texts = [
            database.as_str(),
            "SQLite format 3",
            pointer,
            long.as_str(),
            "version https://git-lfs.github.com/spec/v1\n",
        ];
        let paths: Vec<_> = (0..texts.len()).map(|number| root.join(number.to_string())).collect();
        for (path, text) in paths.iter().zip(texts) {
            std::fs::write(path, text).unwrap();
        }
        let kinds = |max: u64| -> Vec<char> {
            let letter = |hashed: &Hashed| match hashed {
                Hashed::Database(_) => 'd',
                Hashed::LfsPointer(_) => 'p',
                Hashed::Done(_) => 'f',
                Hashed::TooLarge(_) => 'l',
                Hashed::Gone | Hashed::Failed(_) => '!',
            };
            hash_all(&root, &paths, max).unwrap().iter().map(letter).collect()
        };
        assert_eq!(kinds(u64::MAX), ['d', 'f', 'p', 'f', 'f']);
        assert_eq!(kinds(15), ['d', 'f', 'l', 'l', 'l']);
    }
}
