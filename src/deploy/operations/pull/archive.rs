//! Reads a tar archive that is not trusted.
//!
//! The `tar` crate reads the name of a member into memory however long it is, so the members are read here, and all that
//! an archive decides has a limit: its extended headers, its names, its files and their bytes. It knows the formats that
//! the runner writes, and GNU's long names.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::mem;

use tar::{EntryType, Header, PaxExtensions};

use crate::error::{Error, Result};
use crate::setting::Setting;
use crate::text::excerpt;

const BLOCK: usize = 512;

/// The longest header member, in bytes: a long name, or the pax fields of a file.
const MAX_HEADER: u64 = 64 << 10;

/// The longest name, in bytes. No system that the host may be has longer ones.
pub(crate) const MAX_NAME: usize = 4 << 10;

/// The longest names together, in bytes: all of them are in memory at once.
const MAX_NAMES: usize = 64 << 20;

/// How much an archive may contain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits<'a> {
    /// Files, as the host announced them.
    pub files: u64,
    /// Bytes in them, as the host announced them.
    pub bytes: u64,
    /// Files that could not be read to their end, whose bytes the host did not announce.
    pub unreadable: &'a BTreeMap<String, String>,
    /// Bytes in all files, as the user allows.
    pub max_size: u64,
}

/// A file of an archive.
#[derive(Debug)]
pub(crate) struct Member {
    pub path: String,
    pub size: u64,
    /// Its permission bits on the host.
    pub mode: u32,
}

/// An archive, of which the content of the current file can be read.
pub(crate) struct Archive<'a, R> {
    stream: R,
    limits: Limits<'a>,
    /// Bytes of the current file that were not read yet, and those that fill its last block.
    left: u64,
    padding: u64,
    /// So far: files, the bytes of those that the host announced, the bytes of all, and the bytes of all names.
    files: u64,
    announced: u64,
    total: u64,
    names: usize,
}

/// The headers that precede a file's own.
#[derive(Default)]
struct Extensions {
    long_name: Option<Vec<u8>>,
    /// Path and size, if they are given.
    pax: Option<(Option<Vec<u8>>, Option<u64>)>,
}

impl<'a, R: Read> Archive<'a, R> {
    pub fn new(stream: R, limits: Limits<'a>) -> Self {
        Self { stream, limits, left: 0, padding: 0, files: 0, announced: 0, total: 0, names: 0 }
    }

    /// The next file; `None` at the end.
    ///
    /// # Errors
    /// `Job` if the archive is damaged or not as announced, `Config` if something in it is refused.
    pub fn next_file(&mut self) -> Result<Option<Member>> {
        self.skip_rest()?;
        let mut extensions = Extensions::default();
        while let Some(block) = self.header()? {
            let header = Header::from_byte_slice(&block);
            check_sum(header, &block)?;
            let size = header.entry_size().map_err(|error| damaged(&error))?;
            match header.entry_type() {
                EntryType::GNULongName if extensions.long_name.is_none() => {
                    extensions.long_name = Some(self.long_name(size)?);
                }
                EntryType::XHeader if extensions.pax.is_none() => {
                    extensions.pax = Some(pax_fields(&self.header_member(size)?)?);
                }
                EntryType::GNULongName | EntryType::XHeader => return Err(damaged(&"a header comes twice")),
                kind => return self.file(header, kind, size, extensions).map(Some),
            }
        }
        Ok(None)
    }

    /// The next header; `None` for the one that ends the archive.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        self.stream.read_exact(&mut block).map_err(|error| damaged(&error))?;
        Ok(block.iter().any(|&byte| byte != 0).then_some(block))
    }

    /// The file that a header describes, if it is one, and within the limits.
    fn file(&mut self, header: &Header, kind: EntryType, size: u64, extensions: Extensions) -> Result<Member> {
        let (pax_path, pax_size) = extensions.pax.unwrap_or_default();
        let name = pax_path.or(extensions.long_name).unwrap_or_else(|| header.path_bytes().into_owned());
        let size = pax_size.unwrap_or(size);
        let path = checked_path(name)?;
        if !kind.is_file() {
            return Err(refused(format_args!("{:?}, which is not a regular file", excerpt(&path))));
        }
        let mode = header.mode().map_err(|error| damaged(&error))?;
        self.count(&path, size)?;
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        Ok(Member { path, size, mode: mode & 0o777 })
    }

    /// Counts a file, and fails if there are more than the limits allow.
    fn count(&mut self, path: &str, size: u64) -> Result<()> {
        self.files += 1;
        self.names += path.len();
        self.total = self.total.saturating_add(size);
        if !self.limits.unreadable.contains_key(path) {
            self.announced = self.announced.saturating_add(size);
        }
        if self.files > self.limits.files || self.announced > self.limits.bytes {
            return Err(Error::job(
                "the archive from the host contains more than the host announced; nothing was written".to_owned(),
            ));
        }
        check_size(self.total, self.limits.max_size)?;
        if self.names > MAX_NAMES {
            return Err(refused(format_args!("more names than fit into memory ({MAX_NAMES} bytes): pull parts of it")));
        }
        Ok(())
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut name = self.header_member(size)?;
        name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    /// The content of a header member.
    fn header_member(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > MAX_HEADER {
            return Err(refused(format_args!("a header of {size} bytes, and at most {MAX_HEADER} are allowed")));
        }
        let mut content = vec![0; usize::try_from(size.next_multiple_of(BLOCK as u64)).expect("at most 64 KiB")];
        self.stream.read_exact(&mut content).map_err(|error| damaged(&error))?;
        content.truncate(usize::try_from(size).expect("at most 64 KiB"));
        Ok(content)
    }

    /// Skips what was not read of the current file. An archive that is cut off is damaged, even in a file that is skipped.
    fn skip_rest(&mut self) -> Result<()> {
        let rest = mem::take(&mut self.left) + mem::take(&mut self.padding);
        let skipped =
            io::copy(&mut self.stream.by_ref().take(rest), &mut io::sink()).map_err(|error| damaged(&error))?;
        if skipped == rest { Ok(()) } else { Err(damaged(&io::Error::from(io::ErrorKind::UnexpectedEof))) }
    }
}

impl<R: Read> Read for Archive<'_, R> {
    /// Reads the content of the current file.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.by_ref().take(self.left).read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// The name of a file as a text of limited length.
fn checked_path(name: Vec<u8>) -> Result<String> {
    if name.len() > MAX_NAME {
        return Err(refused(format_args!(
            "a name of {} bytes (\"{}…\"), and at most {MAX_NAME} are allowed",
            name.len(),
            excerpt(&String::from_utf8_lossy(&name[..MAX_NAME]))
        )));
    }
    String::from_utf8(name).map_err(|error| {
        refused(format_args!("a name that is not UTF-8: {:?}", excerpt(&String::from_utf8_lossy(error.as_bytes()))))
    })
}

/// Fails if there are more bytes than the user allows.
///
/// # Errors
/// `Config` if so.
pub(crate) fn check_size(bytes: u64, max_size: u64) -> Result<()> {
    if bytes <= max_size {
        return Ok(());
    }
    Err(Error::config(format!(
        "the files to pull have more than {max_size} bytes; nothing was written: pull fewer of them, or allow more ({})",
        Setting::MaxSize
    )))
}

/// The path and the size in the pax fields of a file.
fn pax_fields(content: &[u8]) -> Result<(Option<Vec<u8>>, Option<u64>)> {
    let (mut path, mut size) = (None, None);
    for field in PaxExtensions::new(content) {
        let field = field.map_err(|error| damaged(&error))?;
        match field.key_bytes() {
            b"path" => path = Some(field.value_bytes().to_vec()),
            b"size" => {
                let number = field.value().ok().and_then(|value| value.parse().ok());
                size = Some(number.ok_or_else(|| damaged(&"a size is not a number"))?);
            }
            key if key.starts_with(b"GNU.sparse") => return Err(refused(format_args!("a sparse file"))),
            _ => {}
        }
    }
    Ok((path, size))
}

fn check_sum(header: &Header, block: &[u8; BLOCK]) -> Result<()> {
    let field = 148..156;
    let byte = |(place, &byte): (usize, &u8)| u32::from(if field.contains(&place) { b' ' } else { byte });
    let sum: u32 = block.iter().enumerate().map(byte).sum();
    let is_right = header.cksum().is_ok_and(|stored| stored == sum);
    if is_right { Ok(()) } else { Err(damaged(&"the checksum of a header is wrong")) }
}

pub(crate) fn damaged(why: &dyn fmt::Display) -> Error {
    Error::job(format!("the archive from the host is damaged: {why}"))
}

pub(super) fn refused(what: fmt::Arguments<'_>) -> Error {
    Error::config(format!("the archive contains {what}; nothing was written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member with a header of its own making.
    fn member(name: &str, kind: EntryType, size: u64, content: &[u8]) -> Vec<u8> {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn pax(key: &str, value: &str) -> Vec<u8> {
        let rest = format!(" {key}={value}\n");
        let length =
            (rest.len()..rest.len() + 9).find(|length| length.to_string().len() + rest.len() == *length).unwrap();
        let content = format!("{length}{rest}");
        member("pax", EntryType::XHeader, content.len() as u64, content.as_bytes())
    }

    fn long(name: &str) -> Vec<u8> {
        member("././@LongLink", EntryType::GNULongName, name.len() as u64 + 1, format!("{name}\0").as_bytes())
    }

    fn file(name: &str, content: &str) -> Vec<u8> {
        member(name, EntryType::Regular, content.len() as u64, content.as_bytes())
    }

    fn read(pieces: &[Vec<u8>], files: u64, bytes: u64, max_size: u64) -> Result<Vec<(String, String)>> {
        let unreadable = BTreeMap::new();
        let mut stream = pieces.concat();
        stream.resize(stream.len() + 2 * BLOCK, 0);
        let mut archive = Archive::new(&*stream, Limits { files, bytes, unreadable: &unreadable, max_size });
        let mut found = Vec::new();
        while let Some(member) = archive.next_file()? {
            let mut content = String::new();
            archive.read_to_string(&mut content).map_err(|error| damaged(&error))?;
            assert_eq!(content.len() as u64, member.size);
            found.push((member.path, content));
        }
        Ok(found)
    }

    #[test]
    fn long_names_and_sizes_come_from_the_headers_before_a_file() {
        let name = "n/".repeat(300) + "n";
        let sized = member("b", EntryType::Regular, 0, b"six by");
        let found = read(&[long(&name), file("cut", "1"), pax("path", &name), pax_size(6), sized], 2, 7, 7);
        assert!(found.is_err(), "two pax headers of one file");
        let sized = member("b", EntryType::Regular, 0, b"six by");
        let found =
            read(&[long(&name), file("cut", "1"), pax("path", &name), file("cut", "22"), pax_size(6), sized], 3, 9, 9);
        let expected = [(name.as_str(), "1"), (name.as_str(), "22"), ("b", "six by")];
        assert_eq!(found.unwrap(), expected.map(|(path, content)| (path.to_owned(), content.to_owned())));
    }

    fn pax_size(size: u64) -> Vec<u8> {
        pax("size", &size.to_string())
    }

    #[test]
    fn headers_and_names_have_limits_and_are_quoted_in_part() {
        for (pieces, why) in [
            (vec![member("x", EntryType::GNULongName, 64 << 20, b"")], "a header of 67108864 bytes"),
            (vec![member("x", EntryType::XHeader, 1 << 40, b"")], "a header of 1099511627776 bytes"),
            (vec![long(&"n".repeat(5000)), file("x", "")], "a name of 5000 bytes"),
            (vec![pax("path", &"n".repeat(60_000)), file("x", "")], "a name of 60000 bytes"),
            (vec![long(&"n".repeat(4000)), member("x", EntryType::Symlink, 0, b"")], "not a regular file"),
            (vec![long("a"), long("b"), file("x", "")], "twice"),
            (vec![pax("GNU.sparse.major", "1"), file("x", "")], "sparse"),
            (vec![member("x", EntryType::XGlobalHeader, 0, b"")], "not a regular file"),
            (vec![vec![1; BLOCK]], "checksum"),
        ] {
            let error = read(&pieces, 9, 9, 9).unwrap_err().to_string();
            assert!(error.contains(why) && error.len() < 400, "{why}: {error}");
        }
    }

    #[test]
    fn more_than_was_announced_or_is_allowed_ends_it() {
        let pieces = || [file("a", "12"), file("b", "3")];
        assert_eq!(read(&pieces(), 2, 3, 3).unwrap().len(), 2);
        for (files, bytes, max_size, why) in
            [(1, 3, 3, "announced"), (2, 2, 3, "announced"), (2, 3, 2, "more than 2 bytes")]
        {
            let error = read(&pieces(), files, bytes, max_size).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let huge = [pax_size(u64::MAX), file("a", ""), pax_size(u64::MAX), file("b", "")];
        assert!(read(&huge, 2, u64::MAX - 1, u64::MAX).is_err());
    }

    #[test]
    fn an_archive_that_is_cut_off_is_damaged_wherever() {
        let unreadable = BTreeMap::new();
        let mut whole = file("a", "12");
        whole.resize(whole.len() + 2 * BLOCK, 0);
        for length in 0..2 * BLOCK {
            let limits = Limits { files: 1, bytes: 2, unreadable: &unreadable, max_size: 2 };
            let mut archive = Archive::new(&whole[..length], limits);
            let ended = archive.next_file().and_then(|_| archive.next_file());
            assert!(ended.is_err(), "{length}");
        }
    }
}
