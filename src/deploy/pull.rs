//! Pull: files of the project on the host, as one archive, to a folder of this machine.
//!
//! The archive comes from a place that others may write to, so it is trusted in nothing: names that are absolute, climb,
//! or cannot stand side by side here, and whatever is no regular file, are refused before the first file is written.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::diff::Project;
use super::errand::Errand;
use super::executors::Via;
use super::hash::digest_of;
use super::passing::Passing;
use super::select::{blocking, counted};
use super::state::StateFolder;
use super::verify::{LeftOut, PRUNED};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::finder::Mask;
use crate::host::{Operation, Workshop, random_hex};

/// How long the host may pack.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// How much of two files is compared at a time.
const BLOCK: usize = 64 << 10;

/// What is pulled, and where to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullOptions {
    /// Masks; everything, if there are none.
    pub include: Vec<String>,
    /// Masks of what is left out.
    pub exclude: Vec<String>,
    /// Whether local files with other content are replaced.
    pub overwrite: bool,
}

/// What was pulled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PullReport {
    /// Files written, sorted.
    pub written: Vec<String>,
    /// Files that were here already with the same content.
    pub unchanged: usize,
    /// What could not be read on the host, and why.
    pub unreadable: BTreeMap<String, String>,
    /// What is left out on the host, and why: links, caches, virtualenvs.
    pub skipped: BTreeMap<String, String>,
    /// The masks, as they were given, for which nothing came.
    pub unmatched: Vec<String>,
    /// Bytes in the archive.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct Packed {
    parts: Vec<PackedPart>,
    #[serde(flatten)]
    left_out: LeftOut,
}

#[derive(Deserialize)]
struct PackedPart {
    name: String,
    sha256: String,
    size: u64,
}

/// Brings files of the project on the host to the folder `to`. The archive on the host goes, however this ends.
///
/// # Errors
/// `Config` for masks that are none, before any request; if nothing can pack the files, if a name cannot be taken here, or
/// if a local file would be replaced and that is not allowed: nothing is written then. `Job` if packing failed, `Local` if a
/// file cannot be written.
pub async fn pull(project: &Project, via: &Via, options: &PullOptions, to: &Path) -> Result<PullReport> {
    let wanted = Wanted::of(options)?;
    let (client, root) = (&project.client, &project.remote_root);
    let executor = via.for_job(client, "nothing can pack the files on the host").await?;
    let folder = StateFolder::of(client.user(), root)?;
    let shop = Workshop::new(client, folder.path());
    let (id, mut archive) = (random_hex(8)?, Passing::new(client, "the archive"));
    archive.add(shop.folder(&id)?);
    let errand = Errand { remote: client, folder: &folder, root, shop: shop.clone(), executor: &executor };
    let pulled = pack_and_fetch(&errand, &id, wanted, options.overwrite, to).await;
    archive.remove().await;
    pulled
}

async fn pack_and_fetch(
    errand: &Errand<'_, Client>,
    id: &str,
    wanted: Wanted,
    overwrite: bool,
    to: &Path,
) -> Result<PullReport> {
    let receipt = errand.run_as(id, wanted.operation(), LIMIT).await?;
    if !receipt.is_ok() {
        return Err(receipt.to_error());
    }
    let work = errand.shop.folder(id)?;
    let packed: Packed = serde_json::from_value(receipt.result)
        .map_err(|error| Error::job(format!("what the host says of its archive cannot be read: {error}")))?;
    let folder = tempfile::Builder::new().prefix("pya-pull-").tempdir();
    let folder = folder.map_err(|source| Error::Local { path: std::env::temp_dir(), source })?;
    let mut files = Vec::with_capacity(packed.parts.len());
    for (number, part) in packed.parts.iter().enumerate() {
        let file = folder.path().join(format!("{number:03}"));
        errand.remote.download(&work.join(&part.name)?, &file).await?;
        files.push((file, part.sha256.clone(), part.size));
    }
    let (to, bytes) = (to.to_owned(), packed.parts.iter().map(|part| part.size).sum());
    let LeftOut { errors: unreadable, skipped, links } = packed.left_out;
    let report = blocking(move || {
        // Not removed before it is unpacked.
        let _folder = folder;
        check(&files)?;
        let files: Vec<PathBuf> = files.into_iter().map(|(file, ..)| file).collect();
        unpack(&files, &to, &wanted, overwrite, unreadable)
    })
    .await??;
    let links = links.into_iter().map(|(path, target)| (path, format!("a link to {target}")));
    Ok(PullReport { skipped: skipped.into_iter().chain(links).collect(), bytes, ..report })
}

/// What was asked for. The host packs nothing else, unless somebody has changed what packs there.
struct Wanted {
    include: Vec<Asked>,
    exclude: Vec<Asked>,
}

/// A mask.
struct Asked {
    /// As it was given.
    text: String,
    /// As the host is asked, which knows no short forms.
    full: String,
    mask: Mask,
}

impl Asked {
    fn parse(text: &str) -> Result<Self> {
        if text.starts_with('/') {
            return Err(Error::config(format!(
                "the mask {text:?} begins with \"/\": write it relative to the project's root, without \"/\""
            )));
        }
        let folder = text.trim_end_matches('/');
        let full = match folder.strip_suffix("/.") {
            _ if folder.len() < text.len() => format!("{folder}/**"),
            Some(folder) => format!("{folder}/*"),
            None if matches!(text, "" | ".") => "*".to_owned(),
            None => text.to_owned(),
        };
        Ok(Self { text: text.to_owned(), mask: Mask::parse(&full)?, full })
    }
}

impl Wanted {
    fn of(options: &PullOptions) -> Result<Self> {
        let masks = |texts: &[String]| texts.iter().map(|text| Asked::parse(text)).collect::<Result<Vec<_>>>();
        Ok(Self { include: masks(&options.include)?, exclude: masks(&options.exclude)? })
    }

    fn operation(&self) -> Operation {
        let masks = |asked: &[Asked]| asked.iter().map(|asked| asked.full.clone()).collect::<Vec<_>>();
        let include = if self.include.is_empty() { vec!["**/*".to_owned()] } else { masks(&self.include) };
        let prune = PRUNED.iter().map(|&name| name.to_owned()).collect();
        Operation::Archive { include, exclude: masks(&self.exclude), prune }
    }

    fn covers(&self, path: &str) -> bool {
        let is_included = self.include.is_empty() || self.include.iter().any(|asked| asked.mask.matches(path));
        let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
        let is_pruned = folders.split('/').any(|folder| PRUNED.contains(&folder));
        is_included && !is_pruned && !self.exclude.iter().any(|asked| asked.mask.matches(path))
    }
}

fn check(files: &[(PathBuf, String, u64)]) -> Result<()> {
    for (file, sha256, size) in files {
        let (is, length) = digest_of(file).map_err(|source| local(file, source))?;
        if is != *sha256 || length != *size {
            return Err(Error::job("the archive was changed between the host and here: pull again"));
        }
    }
    Ok(())
}

fn local(path: &Path, source: io::Error) -> Error {
    Error::Local { path: path.to_owned(), source }
}

/// Looks through the whole archive first, then writes.
fn unpack(
    files: &[PathBuf],
    to: &Path,
    wanted: &Wanted,
    overwrite: bool,
    unreadable: BTreeMap<String, String>,
) -> Result<PullReport> {
    let mut report = PullReport { unreadable, ..PullReport::default() };
    let mut names = Names::default();
    let mut in_the_way = Vec::new();
    let mut unmatched: Vec<&Asked> = wanted.include.iter().collect();
    unmatched.retain(|asked| !report.unreadable.keys().any(|path| asked.mask.matches(path)));
    each(files, |Member { path, size, .. }, content| {
        names.take(path)?;
        unmatched.retain(|asked| !asked.mask.matches(path));
        if !wanted.covers(path) {
            return Err(Error::config(format!(
                "the archive holds {path:?}, which was not asked for: nothing was written"
            )));
        }
        if report.unreadable.contains_key(path) {
            // It broke off while it was packed: what is in the archive is not the file.
            return Ok(());
        }
        check_parents(to, path)?;
        match compare(&to.join(path), size, content)? {
            Here::Nothing => report.written.push(path.to_owned()),
            Here::Same => report.unchanged += 1,
            Here::Other => {
                in_the_way.push(path.to_owned());
                report.written.push(path.to_owned());
            }
        }
        Ok(())
    })?;
    if !in_the_way.is_empty() && !overwrite {
        return Err(Error::config(format!(
            "{} in {} would be replaced, the first is {}: give another folder, or allow it (overwrite)",
            counted(in_the_way.len(), "file"),
            to.display(),
            in_the_way[0]
        )));
    }
    report.written.sort_unstable();
    in_the_way.sort_unstable();
    let holds = |paths: &[String], path: &str| paths.binary_search_by(|other| other.as_str().cmp(path)).is_ok();
    each(files, |member, content| {
        if holds(&report.written, member.path) {
            write(to, member, content, holds(&in_the_way, member.path))
        } else {
            Ok(())
        }
    })?;
    report.unmatched = unmatched.into_iter().map(|asked| asked.text.clone()).collect();
    Ok(report)
}

/// A file of the archive.
#[derive(Clone, Copy)]
struct Member<'a> {
    path: &'a str,
    size: u64,
    #[cfg_attr(not(unix), allow(dead_code, reason = "other systems have no such bit"))]
    is_executable: bool,
}

/// Gives each file of the archive to `take`, and its content to be read, which may be any amount.
fn each(files: &[PathBuf], mut take: impl FnMut(Member<'_>, &mut dyn Read) -> Result<()>) -> Result<()> {
    let mut stream: Box<dyn Read> = Box::new(io::empty());
    for file in files {
        stream = Box::new(stream.chain(fs::File::open(file).map_err(|source| local(file, source))?));
    }
    let mut archive = tar::Archive::new(MultiGzDecoder::new(io::BufReader::new(stream)));
    for entry in archive.entries().map_err(|error| damaged(&error))? {
        let mut entry = entry.map_err(|error| damaged(&error))?;
        let name = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|error| Error::config(format!("the archive holds a name that is not UTF-8: {error}")))?;
        if !entry.header().entry_type().is_file() {
            return Err(Error::config(format!(
                "the archive holds {name:?}, which is no regular file: nothing was written"
            )));
        }
        let mode = entry.header().mode().map_err(|error| damaged(&error))?;
        let member = Member { path: &name, size: entry.size(), is_executable: mode & 0o100 != 0 };
        take(member, &mut entry)?;
        // One that ends before it should is damaged, also where nobody wanted its content.
        io::copy(&mut entry, &mut io::sink()).map_err(|error| damaged(&error))?;
    }
    Ok(())
}

fn damaged(error: &io::Error) -> Error {
    Error::job(format!("the archive from the host is damaged: {error}"))
}

/// The names seen so far, as a file system may confuse them.
#[derive(Default)]
struct Names {
    files: BTreeMap<String, String>,
    folders: BTreeMap<String, String>,
}

impl Names {
    /// Takes a name, unless it cannot be taken here.
    fn take(&mut self, path: &str) -> Result<()> {
        let refuse =
            |why: &str| Err(Error::config(format!("the archive holds {path:?}, which {why}: nothing was written")));
        if !super::manifest::is_relative(path) {
            return refuse("leads out of the folder");
        }
        if cfg!(windows) && path.split('/').any(cannot_exist_on_windows) {
            return refuse("cannot exist on this system");
        }
        let is_other = |seen: Option<String>, name: &str| seen.is_some_and(|seen| seen != name);
        for folder in super::compare::folders_of(path) {
            let key = confused(folder);
            if self.files.contains_key(&key) || is_other(self.folders.insert(key, folder.to_owned()), folder) {
                return refuse("collides with another name in it on this system");
            }
        }
        let key = confused(path);
        if self.folders.contains_key(&key) || self.files.insert(key, path.to_owned()).is_some() {
            return refuse("collides with another name in it on this system");
        }
        Ok(())
    }
}

/// Whether Windows takes no such name, or takes it for another one.
fn cannot_exist_on_windows(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_numbered = |kind: &str| {
        stem.strip_prefix(kind).is_some_and(|rest| rest.chars().count() == 1 && rest.contains(|c: char| c.is_numeric()))
    };
    name.contains(['\\', ':', '<', '>', '"', '|', '?', '*'])
        || name.contains(|c: char| c.is_ascii_control())
        || name.ends_with([' ', '.'])
        || ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&stem.as_str())
        || is_numbered("COM")
        || is_numbered("LPT")
}

/// A name as this system's file systems compare it.
fn confused(name: &str) -> String {
    if cfg!(any(windows, target_os = "macos")) {
        name.nfc().collect::<String>().to_lowercase()
    } else {
        name.to_owned()
    }
}

enum Here {
    Nothing,
    Same,
    Other,
}

fn compare(place: &Path, size: u64, content: &mut dyn Read) -> Result<Here> {
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Here::Nothing),
        Err(error) => Err(local(place, error)),
        Ok(metadata) if metadata.is_file() && metadata.len() != size => Ok(Here::Other),
        Ok(metadata) if metadata.is_file() => {
            let file = fs::File::open(place).map_err(|source| local(place, source))?;
            Ok(if is_same(file, place, content)? { Here::Same } else { Here::Other })
        }
        Ok(_) => Err(Error::config(format!("{} is no regular file, and will not be replaced", place.display()))),
    }
}

/// Whether a file holds this content; both are of the same size.
fn is_same(mut file: fs::File, place: &Path, content: &mut dyn Read) -> Result<bool> {
    let (mut ours, mut theirs) = (vec![0; BLOCK], vec![0; BLOCK]);
    loop {
        let count = content.read(&mut theirs).map_err(|error| damaged(&error))?;
        if count == 0 {
            return Ok(true);
        }
        match file.read_exact(&mut ours[..count]) {
            Ok(()) if ours[..count] == theirs[..count] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(source) => return Err(local(place, source)),
        }
    }
}

/// Raises unless all folders above a file are folders, or not there yet: a link on the way would lead out of the folder.
fn check_parents(to: &Path, path: &str) -> Result<()> {
    for folder in super::compare::folders_of(path) {
        let folder = to.join(folder);
        match fs::symlink_metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) => return Err(Error::config(format!("{} is no folder, and {path} needs one", folder.display()))),
            Err(source) => return Err(local(&folder, source)),
        }
    }
    Ok(())
}

/// Writes a file through a temporary one beside it. What came there meanwhile is not replaced.
fn write(to: &Path, member: Member<'_>, content: &mut dyn Read, replaces: bool) -> Result<()> {
    // Once more: what was looked at before the first file was written may be another one by now.
    check_parents(to, member.path)?;
    let place = to.join(member.path);
    let folder = place.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|source| local(folder, source))?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // A temporary file is its owner's alone; this one is to be like any other, so that the umask decides.
        use std::os::unix::fs::PermissionsExt;
        let mode = if member.is_executable { 0o755 } else { 0o644 };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    let mut file = builder.prefix(".pya-").tempfile_in(folder).map_err(|source| local(&place, source))?;
    io::copy(content, &mut file).map_err(|source| local(&place, source))?;
    let kept = if replaces { file.persist(&place) } else { file.persist_noclobber(&place) };
    kept.map(drop).map_err(|error| local(&place, error.error))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// An archive of raw members: name, type, content.
    fn archive(folder: &Path, members: &[(&str, tar::EntryType, &str)]) -> PathBuf {
        archive_with(folder, members, 0o644)
    }

    fn archive_with(folder: &Path, members: &[(&str, tar::EntryType, &str)], mode: u32) -> PathBuf {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for (name, kind, content) in members {
            let mut header = tar::Header::new_ustar();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(mode);
            header.set_cksum();
            encoder.write_all(header.as_bytes()).unwrap();
            encoder.write_all(content.as_bytes()).unwrap();
            encoder.write_all(&vec![0; (512 - content.len() % 512) % 512]).unwrap();
        }
        encoder.write_all(&[0; 1024]).unwrap();
        let file = folder.join("archive");
        fs::write(&file, encoder.finish().unwrap()).unwrap();
        file
    }

    fn all() -> Wanted {
        Wanted::of(&PullOptions::default()).unwrap()
    }

    #[test]
    fn only_what_was_asked_for_is_taken() {
        let options = PullOptions { include: vec!["a/**".into()], exclude: vec!["**/*.pyc".into()], overwrite: false };
        let wanted = Wanted::of(&options).unwrap();
        for (path, is_wanted) in [
            ("a/b", true),
            ("a/b/c", true),
            ("b", false),
            ("a/b.pyc", false),
            ("a/.git/config", false),
            ("a/.git", true),
        ] {
            assert_eq!(wanted.covers(path), is_wanted, "{path}");
        }
        assert!(!all().covers(".git/config"));
        let folder = tempfile::tempdir().unwrap();
        let file =
            archive(folder.path(), &[("a/b", tar::EntryType::Regular, "1"), ("b", tar::EntryType::Regular, "2")]);
        let to = folder.path().join("to");
        assert!(unpack(&[file], &to, &wanted, true, BTreeMap::new()).unwrap_err().to_string().contains("asked for"));
        assert!(!to.exists());
    }

    #[test]
    fn files_arrive_and_equal_ones_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let regular = tar::EntryType::Regular;
        let file = archive(folder.path(), &[("a/b.txt", regular, "1"), ("c", regular, "2")]);
        let to = folder.path().join("to");
        let report = unpack(std::slice::from_ref(&file), &to, &all(), false, BTreeMap::new()).unwrap();
        assert_eq!((report.written.len(), report.unchanged), (2, 0));
        assert_eq!(fs::read_to_string(to.join("a/b.txt")).unwrap(), "1");
        let again = unpack(std::slice::from_ref(&file), &to, &all(), false, BTreeMap::new()).unwrap();
        assert_eq!((again.written.len(), again.unchanged), (0, 2));
        fs::write(to.join("c"), "mine").unwrap();
        assert!(
            unpack(std::slice::from_ref(&file), &to, &all(), false, BTreeMap::new())
                .unwrap_err()
                .to_string()
                .contains("overwrite")
        );
        assert_eq!(fs::read_to_string(to.join("c")).unwrap(), "mine");
        unpack(&[file], &to, &all(), true, BTreeMap::new()).unwrap();
        assert_eq!(fs::read_to_string(to.join("c")).unwrap(), "2");
    }

    #[test]
    fn masks_are_relative_and_a_slash_at_the_end_means_all_below() {
        for (text, full) in [
            ("media/", "media/**"),
            ("a/b//", "a/b/**"),
            ("**/", "**/**"),
            ("a/.", "a/*"),
            (".", "*"),
            ("", "*"),
            ("a/*.py", "a/*.py"),
            ("a", "a"),
        ] {
            assert_eq!(Asked::parse(text).unwrap().full, full, "{text:?}");
        }
        for text in ["/media/**", "/", "//a", "./media", "a/../b"] {
            assert!(Asked::parse(text).is_err(), "{text:?}");
        }
        let media = Asked::parse("media/").unwrap().mask;
        assert!(media.matches("media/a") && media.matches("media/b/c") && !media.matches("media"));
    }

    #[test]
    fn masks_for_which_nothing_came_are_named() {
        let texts = ["a/", "b", "broken", "c/**", "**/*.txt"].map(str::to_owned);
        let options = PullOptions { include: texts.into(), ..PullOptions::default() };
        let folder = tempfile::tempdir().unwrap();
        let file = archive(folder.path(), &[("a/b.txt", tar::EntryType::Regular, "1")]);
        let unreadable = [("broken".to_owned(), "no".to_owned())].into();
        let to = folder.path().join("to");
        let report = unpack(&[file], &to, &Wanted::of(&options).unwrap(), false, unreadable).unwrap();
        assert_eq!(report.unmatched, ["b", "c/**"]);
    }

    #[cfg(unix)]
    #[test]
    fn programs_stay_programs_and_nothing_else_becomes_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("to");
        let is_program = || fs::metadata(to.join("a")).unwrap().permissions().mode() & 0o111 != 0;
        for (mode, content) in [(0o644, "1"), (0o700, "2"), (0o775, "3"), (0o600, "4")] {
            let file = archive_with(folder.path(), &[("a", tar::EntryType::Regular, content)], mode);
            unpack(&[file], &to, &all(), true, BTreeMap::new()).unwrap();
            assert_eq!(is_program(), mode & 0o100 != 0, "{mode:o}");
        }
    }

    #[test]
    fn hostile_members_are_refused_before_anything_is_written() {
        use tar::EntryType as Type;
        for hostile in [
            ("../out", Type::Regular),
            ("/etc/out", Type::Regular),
            ("a/../../out", Type::Regular),
            ("a//b", Type::Regular),
            ("link", Type::Symlink),
            ("hard", Type::Link),
            ("device", Type::Block),
            ("tty", Type::Char),
            ("pipe", Type::Fifo),
            ("good", Type::Regular),
            ("good/below", Type::Regular),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let file = archive(folder.path(), &[("good", Type::Regular, "1"), (hostile.0, hostile.1, "")]);
            let to = folder.path().join("to");
            assert!(unpack(&[file], &to, &all(), true, BTreeMap::new()).is_err(), "{hostile:?}");
            assert!(!to.exists(), "{hostile:?}");
        }
    }

    #[test]
    fn what_stands_in_the_way_is_found_before_anything_is_written() {
        let regular = tar::EntryType::Regular;
        let folder = tempfile::tempdir().unwrap();
        let file = archive(folder.path(), &[("a", regular, "1"), ("b/c", regular, "2"), ("d", regular, "3")]);
        for (blocked, by_folder) in [("b", false), ("d", true)] {
            let to = folder.path().join(blocked).join("to");
            fs::create_dir_all(if by_folder { to.join(blocked) } else { to.clone() }).unwrap();
            if !by_folder {
                fs::write(to.join(blocked), "mine").unwrap();
            }
            assert!(unpack(std::slice::from_ref(&file), &to, &all(), true, BTreeMap::new()).is_err());
            assert_eq!(fs::read_dir(&to).unwrap().count(), 1, "{blocked}");
        }
    }

    #[test]
    fn names_that_windows_confuses_are_known() {
        for name in ["NUL", "nul.txt", "com1", "LPT9.tar.gz", "a:b", "a\\b", "what?", "end.", "end ", "a\tb", "CON .x"]
        {
            assert!(cannot_exist_on_windows(name), "{name}");
        }
        for name in ["null", "com", "com10", "console.log", ".htaccess", "a b", "LPT", "ü"] {
            assert!(!cannot_exist_on_windows(name), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_folder_leads_nobody_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = archive(folder.path(), &[("a/b", tar::EntryType::Regular, "1")]);
        let (to, outside) = (folder.path().join("to"), folder.path().join("outside"));
        fs::create_dir_all(&to).unwrap();
        fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, to.join("a")).unwrap();
        assert!(unpack(&[file], &to, &all(), true, BTreeMap::new()).is_err());
        assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
    }
}
