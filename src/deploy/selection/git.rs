//! What git says about a project: which files it lists, which of them it tracks, and which paths it ignores.
//!
//! Git itself decides, because the pattern language, `info/exclude`, `core.excludesFile`, `core.ignorecase` and the
//! formats of the index are its own. It is run once for each repository: the one that the project lies in, submodules that
//! are checked out, and nested repositories. It runs without the repository's file system monitor, which could be any
//! program, and without variables that point it to another repository, such as those that a hook has.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::deploy::paths::folders_of;
use crate::error::{Error, Result};
use crate::platform::{composed, slashed};
use crate::setting::Setting;
use crate::text::first_few;

/// The work tree that a project lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkTree {
    /// The folder that holds `.git`.
    pub top: PathBuf,
    /// The project's root, relative to `top`.
    pub prefix: PathBuf,
}

impl WorkTree {
    /// The work tree that `root`, an absolute path without links, lies in.
    pub(crate) fn around(root: &Path) -> Option<Self> {
        let top = root.ancestors().find(|folder| is_repository(folder))?;
        Some(Self { top: top.to_owned(), prefix: root.strip_prefix(top).unwrap_or(Path::new("")).to_owned() })
    }
}

/// Whether `.git` is there, as a file or as a folder with a repository in it. An empty folder is not one.
fn is_repository(folder: &Path) -> bool {
    let git = folder.join(".git");
    git.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir() || git.join("HEAD").symlink_metadata().is_ok())
}

/// A folder from `place` up to `top`, without that, which git would take for a repository in place of the one at `top`:
/// committed there by whoever made this one, with settings that start programs. Git refuses it since 2.38, when asked to.
fn bare_repository(place: &Path, top: &Path) -> Option<PathBuf> {
    let is_bare = |folder: &Path| {
        folder.join("HEAD").exists() && ["objects", "commondir"].iter().any(|name| folder.join(name).exists())
    };
    place.ancestors().take_while(|folder| *folder != top).find(|folder| is_bare(folder)).map(Path::to_owned)
}

/// What a work tree was at when it was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    /// The commit; `None` before the first one.
    pub commit: Option<String>,
    /// The branch; `None` if the work tree is at none.
    pub branch: Option<String>,
    /// Whether a tracked file of the project differs from the commit, staged or not.
    pub dirty: bool,
}

impl Revision {
    /// What git says about the project at `root`; `None` if it says nothing: that stops no deploy.
    pub(crate) fn of(root: &Path) -> Option<Self> {
        let tree = WorkTree::around(root)?;
        if bare_repository(root, &tree.top).is_some() {
            return None;
        }
        let mut command = git(root, &tree.top);
        // Files that git does not track are known from the selection; renames and a comparison with the server cost time.
        command.args(["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=no"]);
        command.args(["--no-renames", "--no-ahead-behind", "--", "."]);
        let output = command.output().ok()?;
        if !output.status.success() {
            log::debug!("the commit of this deploy is not known: {}", words_of(&output));
            return None;
        }
        Some(Self::read(&output.stdout))
    }

    fn read(status: &[u8]) -> Self {
        let mut revision = Self { commit: None, branch: None, dirty: false };
        for record in status.split(|&byte| byte == 0).filter(|record| !record.is_empty()) {
            let record = String::from_utf8_lossy(record);
            match record.strip_prefix("# ").map(|header| header.split_once(' ').unwrap_or((header, ""))) {
                Some(("branch.oid", commit)) if commit.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    revision.commit = Some(commit.to_owned());
                }
                Some(("branch.head", branch)) if branch != "(detached)" => revision.branch = Some(branch.to_owned()),
                Some(_) => {}
                None => revision.dirty = true,
            }
        }
        revision
    }
}

/// The outcome of asking git.
pub(crate) enum Answer {
    Listed(Box<Listing>),
    /// Git ignores the project's root itself.
    RootIgnored,
    NotInstalled,
}

/// The files of a project that git lists. Paths are relative to the project; bytes that are not UTF-8 are replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    root: PathBuf,
    /// Where the repository begins that the project lies in.
    top: PathBuf,
    /// File to whether git tracks it.
    files: HashMap<String, bool>,
    /// Tracked files that git records as executable.
    programs: HashSet<String>,
    /// Tracked files that git records as symbolic links.
    links: HashSet<String>,
    /// Every folder that holds a listed file, at any depth, to whether it holds a tracked one.
    folders: HashMap<String, bool>,
    /// Files and folders that are not to be judged by what lies here: not checked out, or unreadable to git.
    absent: BTreeSet<String>,
    /// The repositories that were asked, by folder; `""` is the project itself.
    repositories: BTreeSet<String>,
    pub warnings: Vec<String>,
}

impl Listing {
    /// Asks git about the project at `root`, which lies in `tree`.
    ///
    /// # Errors
    /// `Config` with git's own words if it refuses or fails, and for paths that are not merged.
    pub(crate) fn of(root: &Path, tree: &WorkTree) -> Result<Answer> {
        let mut listing = Self { root: root.to_owned(), top: tree.top.clone(), ..Self::default() };
        let entries = match ask(root, &tree.top) {
            Ok(entries) => entries,
            Err(Failure::NotInstalled) => return Ok(Answer::NotInstalled),
            Err(Failure::Refused(words)) => return Err(refused(&words)),
        };
        if entries.is_empty() && !tree.prefix.as_os_str().is_empty() && is_ignored_root(tree)? {
            return Ok(Answer::RootIgnored);
        }
        let mut sparse = Vec::new();
        let mut pending = vec![(String::new(), entries)];
        while let Some((folder, entries)) = pending.pop() {
            let nested = listing.add(&folder, entries, &mut sparse)?;
            listing.repositories.insert(folder);
            pending.extend(nested.into_iter().filter_map(|(path, what)| listing.enter(path, what)));
        }
        listing.leave_out_sparse(sparse);
        Ok(Answer::Listed(Box::new(listing)))
    }

    /// What a repository below the project lists; one that is left out is noted.
    fn enter(&mut self, path: String, what: &str) -> Option<(String, Vec<Entry>)> {
        match self.nested(&path, what) {
            Ok(entries) => Some((path, entries)),
            Err(warning) => {
                self.absent.insert(path);
                self.warnings.push(warning);
                None
            }
        }
    }

    /// Leaves out what is in the index and not checked out.
    fn leave_out_sparse(&mut self, sparse: Vec<String>) {
        if !sparse.is_empty() {
            self.warnings.push(format!(
                "not checked out (git's skip-worktree), so not sent, and left as it is on the host: {}",
                first_few(sparse.iter().cloned())
            ));
            self.absent.extend(sparse);
        }
    }

    /// Takes over what one repository lists, and gives back the repositories in it.
    fn add(
        &mut self,
        folder: &str,
        entries: Vec<Entry>,
        sparse: &mut Vec<String>,
    ) -> Result<Vec<(String, &'static str)>> {
        let mut nested = Vec::new();
        let mut unmerged = BTreeSet::new();
        for Entry { kind, path, mode } in entries {
            let path = if folder.is_empty() { path } else { format!("{folder}/{path}") };
            match kind {
                Kind::Unmerged => {
                    unmerged.insert(path);
                }
                Kind::SkipWorktree => sparse.push(path),
                Kind::Submodule => nested.push((path, "submodule")),
                Kind::Nested => nested.push((path, "repository")),
                Kind::Tracked => self.take(path, true, mode),
                Kind::Other => self.take(path, false, mode),
            }
        }
        if unmerged.is_empty() {
            return Ok(nested);
        }
        Err(Error::config(format!(
            "a merge is not finished, and these files have conflicts: {}. Resolve them and \"git add\" them first",
            first_few(unmerged.into_iter())
        )))
    }

    /// Notes a file and the folders that it lies in.
    fn take(&mut self, path: String, tracked: bool, mode: Mode) {
        for folder in std::iter::once("").chain(folders_of(&path)) {
            match self.folders.get_mut(folder) {
                Some(holds) => *holds |= tracked,
                None => {
                    self.folders.insert(folder.to_owned(), tracked);
                }
            }
        }
        match mode {
            Mode::File => {}
            Mode::Program => {
                self.programs.insert(path.clone());
            }
            Mode::Link => {
                self.links.insert(path.clone());
            }
        }
        self.files.insert(path, tracked);
    }

    /// What a repository below the project lists, or why it is left out.
    fn nested(&self, path: &str, what: &str) -> std::result::Result<Vec<Entry>, String> {
        let place = self.root.join(path);
        let is_folder = place.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        if !is_folder || self.is_below_link(path) || !is_repository(&place) {
            return Err(format!(
                "the {what} {path} is not checked out, so nothing in it is sent, and its files on the host stay: \
                 \"git submodule update --init\" checks it out"
            ));
        }
        if is_linked_worktree(&place) {
            return Err(format!("{path} is a linked work tree of a git repository, and is left out"));
        }
        ask(&place, &place).map_err(|failure| match failure {
            Failure::NotInstalled => format!("git could not be started for the {what} {path}: it is left out"),
            Failure::Refused(words) => {
                format!("git cannot read the {what} {path}, which is left out and stays as it is on the host: {words}")
            }
        })
    }

    /// Whether git lists the file.
    pub(crate) fn lists(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    /// Whether git tracks the file.
    pub(crate) fn tracks(&self, file: &str) -> bool {
        self.files.get(file) == Some(&true)
    }

    /// Whether git lists a file below the folder.
    pub(crate) fn lists_below(&self, folder: &str) -> bool {
        self.folders.contains_key(folder)
    }

    /// Whether git tracks a file below the folder.
    pub(crate) fn tracks_below(&self, folder: &str) -> bool {
        self.folders.get(folder) == Some(&true)
    }

    /// Whether git lists the file and does not track it: it is new, or forgotten.
    pub(crate) fn is_untracked(&self, file: &str) -> bool {
        self.files.get(file) == Some(&false)
    }

    /// The permission bits that git records for the file, if it tracks it as one.
    pub(crate) fn recorded_mode(&self, file: &str) -> Option<u32> {
        let is_file = self.tracks(file) && !self.links.contains(file);
        is_file.then(|| if self.programs.contains(file) { 0o755 } else { 0o644 })
    }

    /// Whether the work tree's own permission bits say nothing (`core.fileMode` is false), as on a disk of Windows that is
    /// mounted elsewhere. Submodules have the answer of the repository that they are in, which lies on the same disk.
    pub(crate) fn ignores_modes(&self) -> bool {
        let mut command = git(&self.root, &self.top);
        command.args(["config", "--type=bool", "--get", "core.fileMode"]);
        // Without an answer it is true, as for git.
        command.output().is_ok_and(|output| output.status.success() && output.stdout.trim_ascii() == b"false")
    }

    /// The files that git tracks.
    pub(crate) fn tracked(&self) -> impl Iterator<Item = &String> {
        self.files.iter().filter(|(_, tracked)| **tracked).map(|(path, _)| path)
    }

    /// Whether what lies here says nothing about the path, because it is not checked out.
    pub(crate) fn is_absent(&self, path: &str) -> bool {
        !self.absent.is_empty()
            && (self.absent.contains(path) || folders_of(path).any(|folder| self.absent.contains(folder)))
    }

    /// Those of `paths` that git ignores, whether they are here or not. A folder's path ends with a slash.
    ///
    /// # Errors
    /// `Config` with git's own words.
    pub(crate) fn ignored(&self, paths: &[String]) -> Result<HashSet<String>> {
        let mut questions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut links: HashMap<&str, bool> = HashMap::new();
        for path in paths {
            // Git refuses to say anything about what lies behind a link.
            if folders_of(path).any(|folder| *links.entry(folder).or_insert_with(|| self.is_link(folder))) {
                continue;
            }
            let repository = folders_of(path).rfind(|folder| self.repositories.contains(*folder)).unwrap_or("");
            let inside = if repository.is_empty() { path } else { &path[repository.len() + 1..] };
            if !inside.is_empty() {
                questions.entry(repository).or_default().push(inside);
            }
        }
        let mut ignored = HashSet::new();
        for (repository, inside) in questions {
            ignored.extend(self.ignored_below(repository, &inside)?);
        }
        Ok(ignored)
    }

    /// Those of `paths` in a repository that this one ignores, as paths of the project.
    fn ignored_below(&self, repository: &str, paths: &[&str]) -> Result<Vec<String>> {
        if repository.is_empty() {
            return Ok(ignored_in(&self.root, &self.top, paths, true)?.into_iter().map(str::to_owned).collect());
        }
        let place = self.root.join(repository);
        Ok(ignored_in(&place, &place, paths, true)?.into_iter().map(|path| format!("{repository}/{path}")).collect())
    }

    /// Whether one of the folders of a path is a link here.
    fn is_below_link(&self, path: &str) -> bool {
        folders_of(path).any(|folder| self.is_link(folder))
    }

    fn is_link(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_symlink())
    }
}

/// Whether `.git` points into the `worktrees` of another repository.
fn is_linked_worktree(place: &Path) -> bool {
    let Ok(text) = std::fs::read_to_string(place.join(".git")) else { return false };
    let Some(target) = text.strip_prefix("gitdir:") else { return false };
    place.join(target.trim()).join("commondir").is_file()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tracked,
    Other,
    SkipWorktree,
    Unmerged,
    /// In the index.
    Submodule,
    /// Not in the index.
    Nested,
}

/// What git records of a file besides its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    File,
    Program,
    Link,
}

impl Mode {
    /// That of a record which begins with the mode in octal digits.
    fn of(record: &[u8]) -> Self {
        match record {
            [b'1', b'0', b'0', b'7', ..] => Self::Program,
            [b'1', b'2', ..] => Self::Link,
            _ => Self::File,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    kind: Kind,
    path: String,
    /// Of a tracked file.
    mode: Mode,
}

enum Failure {
    NotInstalled,
    /// In git's own words.
    Refused(String),
}

/// The mode of a submodule in the index.
const GITLINK: &[u8] = b"160000";

/// What git lists in the folder `place` of a repository whose work tree begins at `top`.
fn ask(place: &Path, top: &Path) -> std::result::Result<Vec<Entry>, Failure> {
    if let Some(folder) = bare_repository(place, top) {
        return Err(Failure::Refused(format!(
            "it would take {} for a repository of its own, whose settings may start any program",
            folder.display()
        )));
    }
    let mut command = git(place, top);
    command.args(["ls-files", "-z", "-t", "--stage", "--cached", "--others", "--exclude-standard"]);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Failure::NotInstalled),
        Err(error) => return Err(Failure::Refused(format!("git could not be started ({error})"))),
    };
    if !output.status.success() {
        return Err(Failure::Refused(words_of(&output)));
    }
    Ok(output.stdout.split(|&byte| byte == 0).filter_map(entry).collect())
}

/// Reads `H 100644 <object> 0\tpath`, or `? path` for what is not in the index.
fn entry(record: &[u8]) -> Option<Entry> {
    let (&tag, rest) = record.split_first()?;
    let rest = rest.strip_prefix(b" ")?;
    if tag == b'?' {
        let (kind, name) = rest.strip_suffix(b"/").map_or((Kind::Other, rest), |folder| (Kind::Nested, folder));
        return Some(Entry { kind, path: text(name), mode: Mode::File });
    }
    let tab = rest.iter().position(|&byte| byte == b'\t')?;
    let kind = match tag {
        b'M' => Kind::Unmerged,
        b'S' => Kind::SkipWorktree,
        _ if rest.starts_with(GITLINK) => Kind::Submodule,
        _ => Kind::Tracked,
    };
    Some(Entry { kind, path: text(&rest[tab + 1..]), mode: Mode::of(rest) })
}

/// A name as the walk has it.
fn text(name: &[u8]) -> String {
    composed(&String::from_utf8_lossy(name)).into_owned()
}

/// Whether git ignores the root of a project in which it lists nothing.
fn is_ignored_root(tree: &WorkTree) -> Result<bool> {
    let prefix = slashed(&tree.prefix);
    Ok(!ignored_in(&tree.top, &tree.top, &[&format!("{prefix}/")], false)?.is_empty())
}

/// Those of `paths`, relative to the folder `place` of a work tree that begins at `top`, that git ignores. A folder's path
/// ends with a slash.
fn ignored_in<'a>(place: &Path, top: &Path, paths: &[&'a str], no_index: bool) -> Result<Vec<&'a str>> {
    let is_here = |folder: &str| place.join(folder).symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let mut questions = Vec::new();
    for path in paths {
        match path.strip_suffix('/') {
            Some(folder) if is_here(folder) => questions.push(folder),
            Some(folder) => questions.extend([folder, *path]),
            None => questions.push(path),
        }
    }
    let matches = check_ignore(place, top, &questions, no_index)?;
    let is_ignored = |path: &&str| match path.strip_suffix('/') {
        Some(folder) if is_here(folder) => matches.contains_key(folder),
        Some(folder) => matches.get(*path).is_some_and(|rule| rule.matches_folder(matches.get(folder))),
        None => matches.contains_key(*path),
    };
    Ok(paths.iter().copied().filter(is_ignored).collect())
}

/// A line of an ignore file, as git tells it.
#[derive(Debug, PartialEq, Eq)]
struct IgnoreRule {
    /// The file and the number of the line in it.
    place: (String, String),
    pattern: String,
}

impl IgnoreRule {
    /// Whether this rule, which git found for the path of a folder that is not here, matches the folder itself. Git takes
    /// such a path for that of a file with an empty name in it, so the rule may be one for the folder's content.
    /// `of_file` is the rule that git found for a file of the folder's name. In doubt the folder counts as not ignored:
    /// then each file in it is asked about.
    fn matches_folder(&self, of_file: Option<&Self>) -> bool {
        let pattern = self.pattern.strip_suffix('/').unwrap_or(&self.pattern);
        let (folder, name) = pattern.rsplit_once('/').map_or((None, pattern), |(folder, name)| (Some(folder), name));
        let matches_empty_name = name.bytes().all(|byte| byte == b'*');
        // A star between slashes matches the folder or what is in it, never both.
        let matches_one_level = name == "*" && folder.is_some_and(|folder| !folder.contains("**"));
        !matches_empty_name || (matches_one_level && of_file == Some(self))
    }
}

/// The rules that make git ignore those of `paths` that it ignores, by path.
fn check_ignore(place: &Path, top: &Path, paths: &[&str], no_index: bool) -> Result<HashMap<String, IgnoreRule>> {
    let mut command = git(place, top);
    command.args(["check-ignore", "-z", "--stdin", "--verbose"]);
    if no_index {
        command.arg("--no-index");
    }
    // With the dot, a name that begins with a colon is a name.
    let question: Vec<u8> =
        paths.iter().flat_map(|path| b"./".iter().copied().chain(path.bytes()).chain([0])).collect();
    let output = talk(command, &question).map_err(|error| refused(&format!("git could not be started ({error})")))?;
    // 1 means that nothing matches.
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(refused(&words_of(&output)));
    }
    let fields: Vec<&[u8]> = output.stdout.split(|&byte| byte == 0).collect();
    Ok(fields.chunks_exact(4).filter_map(rule).collect())
}

/// A path, and the rule that git found for it, unless that is an exception.
fn rule(record: &[&[u8]]) -> Option<(String, IgnoreRule)> {
    let [source, line, pattern, path] =
        [record[0], record[1], record[2], record[3]].map(|field| String::from_utf8_lossy(field).into_owned());
    let path = path.strip_prefix("./")?.to_owned();
    (!pattern.starts_with('!')).then_some((path, IgnoreRule { place: (source, line), pattern }))
}

/// Runs a command, giving it `input` while its output is read.
fn talk(mut command: Command, input: &[u8]) -> std::io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(stdin) = &mut stdin {
                // Git that ended early says why.
                let _ = stdin.write_all(input);
            }
            drop(stdin);
        });
        child.wait_with_output()
    })
}

/// Variables that point git to another repository, or change what it takes paths for. Those that carry settings
/// (`GIT_CONFIG_COUNT`, …) stay: a CI sets `safe.directory` by them.
const CLEANED: [&str; 17] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_TRACE",
    "GIT_WORK_TREE",
];

/// What git, and the programs that a repository has it start, have no use for.
const SECRETS: [&str; 2] = ["API_TOKEN", "WEBFACTION_PASSWORD"];

/// Git in the folder `place`; it looks for its repository no higher than `top`.
fn git(place: &Path, top: &Path) -> Command {
    let mut command = Command::new("git");
    command.args(["-c", "core.fsmonitor=false", "-c", "core.quotePath=false"]);
    command.args(["-c", "safe.bareRepository=explicit"]);
    for variable in CLEANED.into_iter().chain(SECRETS) {
        command.env_remove(variable);
    }
    if let Some(above) = top.parent() {
        command.env("GIT_CEILING_DIRECTORIES", above);
    }
    command.env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C").stdin(Stdio::null()).current_dir(place);
    command
}

fn words_of(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { format!("git ended with {}", output.status) } else { lines.join(" ") }
}

fn refused(words: &str) -> Error {
    Error::config(format!(
        "git cannot say which files belong to the project: {words}. Fix that, or use only the .gitignore files ({})",
        Setting::NoGit
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(unix)]
    use crate::platform::canonical;

    #[test]
    fn records_of_the_index_and_of_other_files_are_told_apart() {
        let read = |record: &[u8]| entry(record).map(|entry| (entry.kind, entry.path));
        assert_eq!(read(b"H 100644 abc 0\ta b\tc"), Some((Kind::Tracked, "a b\tc".into())));
        assert_eq!(read(b"? a\tb"), Some((Kind::Other, "a\tb".into())));
        assert_eq!(read(b"? sub/"), Some((Kind::Nested, "sub".into())));
        assert_eq!(read(b"H 160000 abc 0\tsub"), Some((Kind::Submodule, "sub".into())));
        assert_eq!(read(b"S 100644 abc 0\tx"), Some((Kind::SkipWorktree, "x".into())));
        assert_eq!(read(b"M 100644 abc 2\tx"), Some((Kind::Unmerged, "x".into())));
        assert_eq!(read(b""), None);
    }

    #[test]
    fn programs_and_links_are_told_from_other_files() {
        let mode = |record: &[u8]| entry(record).map(|entry| entry.mode);
        assert_eq!(mode(b"H 100644 abc 0\tx"), Some(Mode::File));
        assert_eq!(mode(b"H 100755 abc 0\tx"), Some(Mode::Program));
        assert_eq!(mode(b"H 120000 abc 0\tx"), Some(Mode::Link));
        assert_eq!(mode(b"? 100755"), Some(Mode::File));
    }

    // Where the core's tests run for Windows, there is no git.
    #[cfg(unix)]
    #[test]
    fn a_repository_that_somebody_committed_starts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let top = canonical(folder.path()).unwrap();
        for arguments in [&["init", "-q"][..], &["init", "-q", "--bare", "site"]] {
            assert!(git(&top, &top).args(arguments).status().unwrap().success());
        }
        let site = top.join("site");
        std::fs::create_dir(site.join("app")).unwrap();
        for place in [&site, &site.join("app")] {
            assert!(matches!(ask(place, &top), Err(Failure::Refused(words)) if words.contains("site")), "{place:?}");
            assert_eq!(Revision::of(place), None);
        }
        std::fs::rename(site.join("objects"), top.join("objects")).unwrap();
        assert!(ask(&site, &top).is_ok());
    }

    #[test]
    fn git_has_no_secrets_in_its_environment() {
        let command = git(Path::new("."), Path::new("."));
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(SECRETS.iter().all(|secret| removed.contains(&std::ffi::OsStr::new(secret))));
    }

    #[test]
    fn a_status_tells_commit_branch_and_whether_files_differ() {
        let read = |status: &str| Revision::read(status.replace('|', "\0").as_bytes());
        let revision = |commit: Option<&str>, branch: Option<&str>, dirty| Revision {
            commit: commit.map(str::to_owned),
            branch: branch.map(str::to_owned),
            dirty,
        };
        assert_eq!(read("# branch.oid 12ab|# branch.head main|"), revision(Some("12ab"), Some("main"), false));
        assert_eq!(read("# branch.oid 12ab|# branch.head (detached)|"), revision(Some("12ab"), None, false));
        assert_eq!(read("# branch.oid (initial)|# branch.head main|"), revision(None, Some("main"), false));
        let changed = "# branch.oid 12ab|# branch.head a b|# branch.upstream o/m|1 .M N... 100644 100644 100644 a a x|";
        assert_eq!(read(changed), revision(Some("12ab"), Some("a b"), true));
    }

    #[test]
    fn an_empty_folder_named_git_is_no_repository() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        assert!(!is_repository(folder.path()));
        std::fs::write(folder.path().join(".git/HEAD"), "").unwrap();
        assert!(is_repository(folder.path()));
    }
}
