//! Bundles: many files as one compressed archive, in parts that are small enough for the service.
//!
//! A bundle is a tar.gz of members `files/<path>`, in the given order, followed by `plan.json`, which says what each
//! member must be, and which other files are copies. The plan comes last, since only then is it known what was packed. Equal files give equal bytes (no
//! times, no owners). Groups of files are read, hashed and compressed in parallel, each into a gzip member of its own;
//! concatenated gzip members are one gzip stream, which any unpacker reads.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use rayon::ThreadPool;
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::digest::{hex, sha256};
use crate::error::{Error, Result};
use crate::platform::temporary_folder;

/// Less than the service accepts in one request, 100 MiB, with room for what multipart adds.
pub const PART_SIZE: u64 = 95 << 20;

/// Files are packed together up to this many bytes.
const GROUP: u64 = 1 << 20;

/// How many bytes of files are in memory at a time; a larger file goes alone.
const BATCH: u64 = 64 << 20;

/// The compression of `gzip` itself: higher levels take much longer for little.
const LEVEL: u32 = 6;

/// A file to pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name in the bundle.
    pub path: String,
    /// Where it is on this machine.
    pub local: PathBuf,
    /// Its expected size, in bytes.
    pub size: u64,
}

/// What was packed for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Of the content.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
}

/// One part of a bundle, as a job names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its file name.
    pub name: String,
    /// Of its bytes.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
}

/// A bundle on this machine; its files are removed when it is dropped.
#[derive(Debug)]
pub struct Bundle {
    folder: TempDir,
    /// Its parts, in order.
    pub parts: Vec<Part>,
    /// Its unpacked size, in bytes.
    pub bytes: u64,
}

/// Reads a file that is packed: whoever chose the files knows how to open them safely.
pub type Reader<'a> = &'a (dyn Fn(&Path) -> Result<Vec<u8>> + Sync);

impl Bundle {
    /// Packs `items`, as `read` reads them, and the plan that `plan` makes from what was read.
    ///
    /// # Errors
    /// Those of `read`; `Local` if the temporary folder cannot be written.
    pub fn pack(items: &[Item], read: Reader<'_>, plan: impl FnOnce(&[Packed]) -> Result<Vec<u8>>) -> Result<Self> {
        Self::pack_in_parts("bundle", items, read, |packed| plan(packed).map(Some), PART_SIZE)
    }

    /// Packs `items` without a plan: what the host turned out not to have. `check` sees what was read.
    ///
    /// # Errors
    /// As for [`Self::pack`], and those of `check`.
    pub fn pack_more(items: &[Item], read: Reader<'_>, check: impl FnOnce(&[Packed]) -> Result<()>) -> Result<Self> {
        Self::pack_in_parts("more", items, read, |packed| check(packed).map(|()| None), PART_SIZE)
    }

    fn pack_in_parts(
        name: &'static str,
        items: &[Item],
        read: Reader<'_>,
        plan: impl FnOnce(&[Packed]) -> Result<Option<Vec<u8>>>,
        part_size: u64,
    ) -> Result<Self> {
        let folder = temporary_folder("pya-bundle-").map_err(Error::temporary)?;
        let mut parts = Parts::new(name, folder.path(), part_size);
        let pool = thread_pool()?;
        let mut packed = Vec::with_capacity(items.len());
        for batch in split(items, BATCH) {
            for group in pack_groups(&pool, batch, read) {
                let group = group?;
                parts.write(&group.compressed).map_err(Error::temporary)?;
                packed.extend(group.packed);
            }
        }
        let bytes = packed.iter().map(|file| file.size).sum();
        let end = end_of_archive(plan(&packed)?).map_err(Error::temporary)?;
        parts.write(&end).map_err(Error::temporary)?;
        Ok(Self { parts: parts.end().map_err(Error::temporary)?, folder, bytes })
    }

    /// Where a part is on this machine.
    #[must_use]
    pub fn file(&self, part: &Part) -> PathBuf {
        self.folder.path().join(&part.name)
    }
}

/// Some files, packed.
struct Group {
    packed: Vec<Packed>,
    compressed: Vec<u8>,
}

/// Splits `items` into groups of at most `most` bytes.
fn split(items: &[Item], most: u64) -> impl Iterator<Item = &[Item]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|item| {
            bytes += item.size;
            bytes <= most
        });
        let count = fitting.count().max(1).min(rest.len());
        let (group, left) = rest.split_at(count);
        rest = left;
        (!group.is_empty()).then_some(group)
    })
}

fn thread_pool() -> Result<ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().thread_name(|_| "pya-pack".to_owned()).build();
    pool.map_err(|error| Error::temporary(io::Error::other(error)))
}

/// Packs a batch in groups, on all cores.
fn pack_groups(pool: &ThreadPool, batch: &[Item], read: Reader<'_>) -> Vec<Result<Group>> {
    let groups: Vec<&[Item]> = split(batch, GROUP).collect();
    pool.install(|| groups.into_par_iter().map(|group| pack_group(group, read)).collect())
}

fn pack_group(items: &[Item], read: Reader<'_>) -> Result<Group> {
    let size: u64 = items.iter().map(|item| item.size + 1024).sum();
    let mut archive = tar::Builder::new(Vec::with_capacity(usize::try_from(size + 1024).unwrap_or_default()));
    let mut packed = Vec::with_capacity(items.len());
    for item in items {
        let local = |source| Error::Local { path: item.local.clone(), source };
        let content = read(&item.local)?;
        append(&mut archive, &format!("files/{}", item.path), &content).map_err(local)?;
        packed.push(Packed { sha256: sha256(&content), size: content.len() as u64 });
    }
    let mut members = archive.into_inner().map_err(Error::temporary)?;
    // Without the end mark of an archive, since more members follow.
    members.truncate(members.len() - 1024);
    Ok(Group { packed, compressed: compress(&members).map_err(Error::temporary)? })
}

/// What follows the files: the plan, if there is one, and the end mark.
fn end_of_archive(plan: Option<Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    if let Some(plan) = plan {
        append(&mut archive, "plan.json", &plan)?;
    }
    compress(&archive.into_inner()?)
}

fn append(archive: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, content)
}

fn compress(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::with_capacity(bytes.len() / 3), Compression::new(LEVEL));
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Writes a stream as files of a limited size.
struct Parts<'a> {
    name: &'static str,
    folder: &'a Path,
    limit: u64,
    ended: Vec<Part>,
    current: Option<(File, Sha256, u64)>,
}

impl<'a> Parts<'a> {
    fn new(name: &'static str, folder: &'a Path, limit: u64) -> Self {
        Self { name, folder, limit, ended: Vec::new(), current: None }
    }

    fn name(&self) -> String {
        format!("{}-{:03}", self.name, self.ended.len())
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (mut file, mut digest, size) = match self.current.take() {
                Some(current) => current,
                None => (File::create(self.folder.join(self.name()))?, Sha256::new(), 0),
            };
            let room = usize::try_from(self.limit - size).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(bytes.len().min(room));
            file.write_all(now)?;
            digest.update(now);
            self.current = Some((file, digest, size + now.len() as u64));
            bytes = later;
            if now.len() == room {
                self.close();
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some((_, digest, size)) = self.current.take() {
            self.ended.push(Part { name: self.name(), sha256: hex(&digest.finalize()), size });
        }
    }

    fn end(mut self) -> io::Result<Vec<Part>> {
        self.close();
        if self.ended.len() > 1000 {
            return Err(io::Error::other("the files come to more than 95 GiB"));
        }
        Ok(self.ended)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use flate2::read::MultiGzDecoder;

    use super::*;

    fn items(folder: &Path, files: &[(&str, Vec<u8>)]) -> Vec<Item> {
        let item = |(index, (path, content)): (usize, &(&str, Vec<u8>))| {
            let local = folder.join(index.to_string());
            std::fs::write(&local, content).unwrap();
            Item { path: (*path).to_owned(), local, size: content.len() as u64 }
        };
        files.iter().enumerate().map(item).collect()
    }

    fn read(path: &Path) -> Result<Vec<u8>> {
        std::fs::read(path).map_err(|source| Error::Local { path: path.to_owned(), source })
    }

    fn stream(bundle: &Bundle) -> Vec<u8> {
        bundle.parts.iter().flat_map(|part| std::fs::read(bundle.file(part)).unwrap()).collect()
    }

    fn unpack(stream: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(MultiGzDecoder::new(stream));
        let read = |entry: io::Result<tar::Entry<'_, _>>| {
            let mut entry: tar::Entry<'_, MultiGzDecoder<&[u8]>> = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (String::from_utf8(entry.path_bytes().into_owned()).unwrap(), content)
        };
        archive.entries().unwrap().map(read).collect()
    }

    #[allow(clippy::unnecessary_wraps, reason = "as it is called")]
    fn plan(packed: &[Packed]) -> Result<Vec<u8>> {
        Ok(packed.iter().map(|file| file.sha256.clone() + "\n").collect::<String>().into_bytes())
    }

    #[test]
    fn what_is_packed_is_what_is_unpacked_whatever_its_name_and_size() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("{}/{}", "d".repeat(255), "ü".repeat(127));
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(3 << 20).collect();
        let files = [("a#b.txt", b"1".to_vec()), ("empty", vec![]), (&*long, b"2".to_vec()), ("noise", noise)];
        let items = items(folder.path(), &files);
        let bundle = Bundle::pack_in_parts("bundle", &items, &read, |packed| plan(packed).map(Some), 100_000).unwrap();
        assert!(bundle.parts.len() > 5);
        for part in &bundle.parts {
            let content = std::fs::read(bundle.file(part)).unwrap();
            assert_eq!((part.size, &part.sha256), (content.len() as u64, &sha256(&content)));
            assert!(part.size <= 100_000);
        }
        let mut found = unpack(&stream(&bundle));
        let digests: String = files.iter().map(|(_, content)| sha256(content) + "\n").collect();
        assert_eq!(found.remove("plan.json").unwrap(), digests.into_bytes());
        let expected = files.iter().map(|(path, content)| (format!("files/{path}"), content.clone())).collect();
        assert_eq!(found, expected);
        assert_eq!(bundle.bytes, files.iter().map(|(_, content)| content.len() as u64).sum::<u64>());
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let items = items(folder.path(), &[("a", vec![1; 5000]), ("b", vec![2; 2 << 20]), ("c", vec![3; 10])]);
        let pack = || stream(&Bundle::pack(&items, &read, plan).unwrap());
        assert_eq!(pack(), pack());
    }

    #[test]
    fn groups_keep_the_order_and_a_large_file_goes_alone() {
        let item = |size| Item { path: String::new(), local: PathBuf::new(), size };
        let items = [item(4), item(6), item(1), item(50), item(3)];
        let sizes = |most| split(&items, most).map(|group| group.iter().map(|item| item.size).collect()).collect();
        let groups: Vec<Vec<u64>> = sizes(10);
        assert_eq!(groups, [vec![4, 6], vec![1], vec![50], vec![3]]);
        let none: Vec<&[Item]> = split(&[], 10).collect();
        assert!(none.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
        let item = Item { path: "gone".to_owned(), local: "/nonexistent/gone".into(), size: 1 };
        let error = Bundle::pack(&[item], &read, plan).unwrap_err();
        assert!(matches!(&error, Error::Local { path, .. } if path.ends_with("gone")), "{error}");
    }
}
