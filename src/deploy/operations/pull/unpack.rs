//! An archive from the host, unpacked into a folder of this machine.
//!
//! Others may be able to write to where it comes from, so nothing in it is trusted: names that are absolute, that lead
//! out of the folder or that cannot exist side by side here are refused before the first file is written, and so is
//! everything that is not a regular file.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::archive::{self, Archive, Limits, Member, damaged};
use super::masks::{PullFilter, PullMask};
use crate::deploy::paths::folders_of;
use crate::deploy::selection::read::digest_of;
use crate::deploy::state::manifest::is_relative;
use crate::error::{Error, Result};
use crate::platform::{NameRules, mode_of, set_new_mode};
use crate::setting::Setting;
use crate::text::{counted, excerpt};

/// How much of two files is compared at a time.
const BLOCK: usize = 64 << 10;

/// What was unpacked.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    /// Files written, sorted.
    pub written: Vec<String>,
    /// Files that were here already with the same content.
    pub unchanged: usize,
    /// The masks, as they were given, that match no file.
    pub unmatched: Vec<String>,
}

/// Fails unless each part has the digest and size that the host reported: file, digest, size.
pub(crate) fn check(files: &[(PathBuf, String, u64)]) -> Result<()> {
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

/// Checks the whole archive first, then writes. Unreadable files are in it only in part, and are skipped.
pub(crate) fn unpack(
    files: &[PathBuf],
    to: &Path,
    wanted: &PullFilter,
    overwrite: bool,
    limits: Limits<'_>,
) -> Result<Unpacked> {
    let (report, mut in_the_way) = look_through(files, to, wanted, limits)?;
    if !in_the_way.is_empty() && !overwrite {
        return Err(not_replaced(&in_the_way, to));
    }
    in_the_way.sort_unstable();
    let holds = |paths: &[String], path: &String| paths.binary_search(path).is_ok();
    each(files, limits, |member, content| {
        if holds(&report.written, &member.path) {
            write(to, member, content, holds(&in_the_way, &member.path))
        } else {
            Ok(())
        }
    })?;
    Ok(report)
}

/// What is to be written, and those of these files that are here with other content.
fn look_through(
    files: &[PathBuf],
    to: &Path,
    wanted: &PullFilter,
    limits: Limits<'_>,
) -> Result<(Unpacked, Vec<String>)> {
    let mut report = Unpacked::default();
    let mut names = Names::new(NameRules::HERE);
    let mut in_the_way = Vec::new();
    let mut unmatched: Vec<&PullMask> = wanted.include.iter().collect();
    unmatched.retain(|asked| !limits.unreadable.keys().any(|path| asked.mask.matches(path)));
    each(files, limits, |Member { path, size, .. }, content| {
        names.take(path)?;
        unmatched.retain(|asked| !asked.mask.matches(path));
        if !wanted.covers(path) {
            return Err(Error::config(format!(
                "the archive contains {:?}, which was not asked for; nothing was written",
                excerpt(path)
            )));
        }
        if limits.unreadable.contains_key(path) {
            // It could not be read to its end while it was packed, so the archive does not have the whole file.
            return Ok(());
        }
        check_parents(to, path)?;
        match compare(&to.join(path), *size, content)? {
            Here::Nothing => report.written.push(path.clone()),
            Here::Same => report.unchanged += 1,
            Here::Other => {
                in_the_way.push(path.clone());
                report.written.push(path.clone());
            }
        }
        Ok(())
    })?;
    report.written.sort_unstable();
    report.unmatched = unmatched.into_iter().map(|asked| asked.text.clone()).collect();
    Ok((report, in_the_way))
}

fn not_replaced(in_the_way: &[String], to: &Path) -> Error {
    Error::config(format!(
        "{} in {} would be replaced, such as {}: choose another folder, or allow it ({})",
        counted(in_the_way.len(), "file"),
        to.display(),
        excerpt(&in_the_way[0]),
        Setting::Overwrite
    ))
}

/// Passes each file of the archive to `take`, with its content, of which `take` may read any amount.
fn each(
    files: &[PathBuf],
    limits: Limits<'_>,
    mut take: impl FnMut(&Member, &mut dyn Read) -> Result<()>,
) -> Result<()> {
    let mut stream: Box<dyn Read> = Box::new(io::empty());
    for file in files {
        stream = Box::new(stream.chain(fs::File::open(file).map_err(|source| local(file, source))?));
    }
    let mut archive = Archive::new(io::BufReader::new(MultiGzDecoder::new(io::BufReader::new(stream))), limits);
    while let Some(member) = archive.next_file()? {
        take(&member, &mut archive)?;
    }
    Ok(())
}

/// The names seen so far, as this system's file systems compare them: a tree, since a path per folder would take more
/// memory than the archive has bytes.
struct Names {
    rules: NameRules,
    /// By the number of the folder that they are in, and their name as it is compared.
    seen: HashMap<(u32, String), Seen>,
}

struct Seen {
    number: u32,
    /// As the archive spells it.
    name: String,
    is_file: bool,
}

/// How many files and folders an archive may have: they are in memory at once.
const MAX_SEEN: usize = 1_000_000;

impl Names {
    fn new(rules: NameRules) -> Self {
        Self { rules, seen: HashMap::new() }
    }

    /// Adds a name, unless it is unsafe or cannot exist beside the others.
    fn take(&mut self, path: &str) -> Result<()> {
        self.check(path)?;
        let (mut folder, mut rest) = (0, Some(path));
        while let Some(below) = rest {
            let (name, after) = below.split_once('/').map_or((below, None), |(name, after)| (name, Some(after)));
            let number = u32::try_from(self.seen.len() + 1).expect("names are limited");
            let is_file = after.is_none();
            let mut is_new = false;
            let seen = self.seen.entry((folder, self.rules.folded(name))).or_insert_with(|| {
                is_new = true;
                Seen { number, name: name.to_owned(), is_file }
            });
            if !is_new && (is_file || seen.is_file || seen.name != name) {
                return Err(refused(path, "collides with another of its names on this system"));
            }
            (folder, rest) = (seen.number, after);
            self.check_count()?;
        }
        Ok(())
    }

    /// Refuses a name that is unsafe, or none here.
    fn check(&self, path: &str) -> Result<()> {
        if !is_relative(path) {
            return Err(refused(path, "leads out of the folder"));
        }
        if path.split('/').any(|name| self.rules.refuses(name)) {
            return Err(refused(path, "cannot exist on this system"));
        }
        Ok(())
    }

    fn check_count(&self) -> Result<()> {
        if self.seen.len() <= MAX_SEEN {
            return Ok(());
        }
        Err(Error::config(format!(
            "the archive contains more than {MAX_SEEN} files and folders; nothing was written: pull parts of it"
        )))
    }
}

fn refused(path: &str, why: &str) -> Error {
    archive::refused(format_args!("{:?}, which {why}", excerpt(path)))
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
        Ok(_) => Err(Error::config(format!("{} is not a regular file, so it is not replaced", shown(place)))),
    }
}

/// A path of this machine that the archive has a part in.
fn shown(path: &Path) -> String {
    excerpt(&path.to_string_lossy()).into_owned()
}

/// Whether a file has this content; both are of the same size.
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

/// Fails unless everything above a file is a folder or does not exist: a link could lead out of the target folder.
fn check_parents(to: &Path, path: &str) -> Result<()> {
    for folder in folders_of(path) {
        let folder = to.join(folder);
        match fs::symlink_metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(_) => {
                return Err(Error::config(format!(
                    "{} is not a folder, but {:?} needs one",
                    shown(&folder),
                    excerpt(path)
                )));
            }
            Err(source) => return Err(local(&folder, source)),
        }
    }
    Ok(())
}

/// Writes a file through a temporary one beside it. A file that appeared meanwhile is not replaced. What only its owner
/// could read, on the host or here, nobody else can read afterwards.
fn write(to: &Path, member: &Member, content: &mut dyn Read, replaces: bool) -> Result<()> {
    // Checked again, since the folders may have changed since the first check.
    check_parents(to, &member.path)?;
    let place = to.join(&member.path);
    let folder = place.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|source| local(folder, source))?;
    let mut builder = tempfile::Builder::new();
    let here = fs::symlink_metadata(&place).ok().as_ref().and_then(mode_of).unwrap_or(0o777);
    set_new_mode(&mut builder, member.mode & (here | 0o700) | 0o600);
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

    use std::collections::BTreeMap;

    use super::*;

    static NONE: BTreeMap<String, String> = BTreeMap::new();
    const LIMITS: Limits<'static> = Limits { files: 9, bytes: 99, unreadable: &NONE, max_size: 99 };

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

    fn all() -> PullFilter {
        PullFilter::of(&[], &[]).unwrap()
    }

    #[test]
    fn only_what_was_asked_for_is_taken() {
        let wanted = PullFilter::of(&["a/**".into()], &[]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file =
            archive(folder.path(), &[("a/b", tar::EntryType::Regular, "1"), ("b", tar::EntryType::Regular, "2")]);
        let to = folder.path().join("to");
        assert!(unpack(&[file], &to, &wanted, true, LIMITS).unwrap_err().to_string().contains("asked for"));
        assert!(!to.exists());
    }

    #[test]
    fn files_arrive_and_equal_ones_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let regular = tar::EntryType::Regular;
        let file = archive(folder.path(), &[("a/b.txt", regular, "1"), ("c", regular, "2")]);
        let to = folder.path().join("to");
        let report = unpack(std::slice::from_ref(&file), &to, &all(), false, LIMITS).unwrap();
        assert_eq!((report.written.len(), report.unchanged), (2, 0));
        assert_eq!(fs::read_to_string(to.join("a/b.txt")).unwrap(), "1");
        let again = unpack(std::slice::from_ref(&file), &to, &all(), false, LIMITS).unwrap();
        assert_eq!((again.written.len(), again.unchanged), (0, 2));
        fs::write(to.join("c"), "mine").unwrap();
        assert!(
            unpack(std::slice::from_ref(&file), &to, &all(), false, LIMITS)
                .unwrap_err()
                .to_string()
                .contains("overwrite")
        );
        assert_eq!(fs::read_to_string(to.join("c")).unwrap(), "mine");
        unpack(&[file], &to, &all(), true, LIMITS).unwrap();
        assert_eq!(fs::read_to_string(to.join("c")).unwrap(), "2");
    }

    #[test]
    fn masks_that_match_nothing_are_named() {
        let texts = ["a/", "b", "broken", "c/**", "**/*.txt"].map(str::to_owned);
        let folder = tempfile::tempdir().unwrap();
        let file = archive(folder.path(), &[("a/b.txt", tar::EntryType::Regular, "1")]);
        let unreadable = [("broken".to_owned(), "no".to_owned())].into();
        let to = folder.path().join("to");
        let report = unpack(
            &[file],
            &to,
            &PullFilter::of(&texts, &[]).unwrap(),
            false,
            Limits { unreadable: &unreadable, ..LIMITS },
        )
        .unwrap();
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
            unpack(&[file], &to, &all(), true, LIMITS).unwrap();
            assert_eq!(is_program(), mode & 0o100 != 0, "{mode:o}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_was_private_on_either_side_stays_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("to");
        let open_to_others = || fs::metadata(to.join("a")).unwrap().permissions().mode() & 0o077 != 0;
        let pull = |mode, content| {
            let file = archive_with(folder.path(), &[("a", tar::EntryType::Regular, content)], mode);
            unpack(&[file], &to, &all(), true, LIMITS).unwrap();
        };
        pull(0o600, "1");
        assert!(!open_to_others());
        pull(0o644, "2");
        assert!(!open_to_others(), "it was private here");
        fs::remove_file(to.join("a")).unwrap();
        pull(0o644, "3");
        assert!(open_to_others(), "the umask of the tests is a usual one");
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
            assert!(unpack(&[file], &to, &all(), true, LIMITS).is_err(), "{hostile:?}");
            assert!(!to.exists(), "{hostile:?}");
        }
    }

    #[test]
    fn obstacles_are_found_before_anything_is_written() {
        let regular = tar::EntryType::Regular;
        let folder = tempfile::tempdir().unwrap();
        let file = archive(folder.path(), &[("a", regular, "1"), ("b/c", regular, "2"), ("d", regular, "3")]);
        for (blocked, by_folder) in [("b", false), ("d", true)] {
            let to = folder.path().join(blocked).join("to");
            fs::create_dir_all(if by_folder { to.join(blocked) } else { to.clone() }).unwrap();
            if !by_folder {
                fs::write(to.join(blocked), "mine").unwrap();
            }
            assert!(unpack(std::slice::from_ref(&file), &to, &all(), true, LIMITS).is_err());
            assert_eq!(fs::read_dir(&to).unwrap().count(), 1, "{blocked}");
        }
    }

    #[test]
    fn names_that_cannot_exist_side_by_side_on_windows_are_refused_there() {
        let take = |rules: NameRules, paths: &[&str]| {
            let mut names = Names::new(rules);
            paths.iter().try_for_each(|path| names.take(path)).map_err(|error| error.to_string())
        };
        for paths in [&["a/README.md", "a/Readme.md"][..], &["static/x", "Static/y"], &["a", "A/b"]] {
            let refused = take(NameRules::WINDOWS, paths).unwrap_err();
            assert!(refused.contains("collides with another"), "{refused}");
            assert_eq!(take(NameRules::LINUX, paths), Ok(()));
        }
        for path in ["aux.py", "docs/com1/a", "a\\b", "a:b"] {
            let refused = take(NameRules::WINDOWS, &[path]).unwrap_err();
            assert!(refused.contains("cannot exist on this system"), "{refused}");
            assert_eq!(take(NameRules::LINUX, &[path]), Ok(()));
        }
        assert_eq!(take(NameRules::WINDOWS, &["a/README.md", "b/Readme.md", "a/x"]), Ok(()));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_folder_is_never_followed_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = archive(folder.path(), &[("a/b", tar::EntryType::Regular, "1")]);
        let (to, outside) = (folder.path().join("to"), folder.path().join("outside"));
        fs::create_dir_all(&to).unwrap();
        fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, to.join("a")).unwrap();
        assert!(unpack(&[file], &to, &all(), true, LIMITS).is_err());
        assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
    }
}
