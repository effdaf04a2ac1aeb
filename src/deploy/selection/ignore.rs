//! Which local files the project's ignore rules leave out.
//!
//! Three sources are asked in this order: what never belongs on a host ([`is_never_deployed`]); `.pythonanywhereignore`
//! in the project's root; and git, which lists the files of its work tree itself. Only where git has nothing to say
//! (outside a work tree, without git, or because the caller wants it so) are the `.gitignore` files read here. Unlike
//! in git, `!staticfiles/` in `.pythonanywhereignore` brings back the folder with everything below it, because that is
//! why people write it: their `.gitignore` leaves built files out.
//!
//! In a work tree the `.gitignore` files are read as well, but only to name the rule that left a file out, and to pass
//! by folders in which git lists nothing.
//!
//! The same questions are asked for files that are gone: a path that a rule would leave out is not `removed`.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder, gitconfig_excludes_path};

use super::git::{Listing, WorkTree};
use super::read::unreadable;
use crate::deploy::paths::{folders_of, name_of, parent_of};
use crate::error::{Error, Result};
use crate::platform::slashed;
use crate::text::first_few;

/// The file with rules of ours, in the project's root.
pub(crate) const IGNORE_FILE: &str = ".pythonanywhereignore";

/// The source of the rules that nothing overrides.
const NEVER: &str = "never deployed";

/// What left a file out, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// `.gitignore`, `app/.gitignore`, `.pythonanywhereignore`, …
    pub source: String,
    /// The pattern, or what kind of thing it is.
    pub pattern: String,
}

impl Rule {
    pub(crate) fn never(what: &str) -> Self {
        Self { source: NEVER.to_owned(), pattern: what.to_owned() }
    }

    /// A rule of git's whose place is not known.
    fn of_git(pattern: &str) -> Self {
        Self { source: "git".to_owned(), pattern: pattern.to_owned() }
    }

    /// Whether `include` cannot lift it.
    fn is_final(&self) -> bool {
        self.source == NEVER
    }
}

/// How the rules judge an entry; what is below a folder inherits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IgnoreState {
    /// No rule matches.
    In,
    /// `.pythonanywhereignore` asks for it, whatever git's rules say.
    Kept,
    /// A `.gitignore` leaves it out; in a work tree git has the last word.
    OutByGit(Rule),
    /// Left out for good.
    Out(Rule),
}

/// What the rules say about a path that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It would be selected.
    In,
    /// It would be left out.
    Out,
    /// It depends on whether git ignores it.
    AskGit,
}

/// A folder on the way down, with the rules that hold in it.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub state: IgnoreState,
    /// The `.gitignore` files from the top down to here.
    git: Vec<Arc<Gitignore>>,
}

/// All rules of one project.
#[derive(Clone)]
pub(crate) struct Rules {
    root: PathBuf,
    /// The work tree whose rules hold in the project, if there is one.
    tree: Option<WorkTree>,
    /// What git lists, where git decides.
    listing: Option<Arc<Listing>>,
    own: Gitignore,
    /// Submodules that are not checked out, as far as that is known without git.
    absent: BTreeSet<String>,
    folders: HashMap<String, Folder>,
    /// Rules that could not be read, and what is not checked out.
    pub warnings: Vec<String>,
}

impl Rules {
    /// Reads the rules that hold at `root`.
    pub(crate) fn at(root: &Path, tree: Option<WorkTree>, listing: Option<Arc<Listing>>) -> Result<Self> {
        let mut rules = Self {
            root: root.to_owned(),
            tree,
            listing,
            own: Gitignore::empty(),
            absent: BTreeSet::new(),
            folders: HashMap::new(),
            warnings: Vec::new(),
        };
        if let Some(own) = rules.read(&root.join(IGNORE_FILE), Path::new(""), true)? {
            rules.own = own;
        }
        let top = rules.top_folder()?;
        rules.folders.insert(String::new(), top);
        if rules.listing.is_none() {
            rules.find_empty_submodules();
        }
        Ok(rules)
    }

    /// Finds submodules that are named in `.gitmodules` and hold nothing here: without git, that is all that tells that
    /// their files are not removed.
    fn find_empty_submodules(&mut self) {
        let (top, prefix) = self.top();
        let text = std::fs::read_to_string(top.join(".gitmodules")).unwrap_or_default();
        let paths = text.lines().filter_map(|line| line.trim().strip_prefix("path")?.trim_start().strip_prefix('='));
        let inside = paths.filter_map(|path| Path::new(path.trim()).strip_prefix(&prefix).ok()?.to_str());
        let is_empty =
            |path: &&str| std::fs::read_dir(self.root.join(path)).is_ok_and(|mut found| found.next().is_none());
        let absent: BTreeSet<String> =
            inside.filter(|path| !path.is_empty()).filter(is_empty).map(str::to_owned).collect();
        if !absent.is_empty() {
            self.warnings.push(format!(
                "not checked out, so nothing in these submodules is sent, and their files on the host stay: {}",
                first_few(absent.iter().cloned())
            ));
        }
        self.absent = absent;
    }

    /// Whether what lies here says nothing about the path, because it is not checked out.
    fn is_absent(&self, path: &str) -> bool {
        let is_empty = |folder: &str| self.absent.contains(folder);
        self.listing.as_ref().is_some_and(|listing| listing.is_absent(path))
            || (!self.absent.is_empty() && (is_empty(path) || folders_of(path).any(is_empty)))
    }

    /// What git lists, where git decides.
    pub(crate) fn listing(&self) -> Option<&Arc<Listing>> {
        self.listing.as_ref()
    }

    /// Whether git decides and tracks the file.
    pub(crate) fn tracks(&self, file: &str) -> bool {
        self.listing.as_ref().is_some_and(|listing| listing.tracks(file))
    }

    /// Whether git decides and tracks a file below the folder.
    pub(crate) fn tracks_below(&self, folder: &str) -> bool {
        self.listing.as_ref().is_some_and(|listing| listing.tracks_below(folder))
    }

    /// What leaves the folder `path` out with all below it, if anything does. `is_wanted` is whether something below
    /// may be included in spite of the rules.
    pub(crate) fn leaves_out_all_of(&mut self, path: &str, is_wanted: bool) -> Result<Option<Rule>> {
        if self.is_absent(path) {
            return Ok(Some(Rule::of_git("not checked out")));
        }
        Ok(match self.folder(path)?.state {
            IgnoreState::Out(rule) if rule.is_final() || !is_wanted => Some(rule),
            IgnoreState::OutByGit(rule) if !is_wanted && !self.may_hold_exceptions(path) => Some(rule),
            _ => None,
        })
    }

    /// Whether a folder that git's rules leave out may still hold something to deploy.
    fn may_hold_exceptions(&self, folder: &str) -> bool {
        self.own.num_whitelists() > 0 || self.listing.as_ref().is_some_and(|listing| listing.lists_below(folder))
    }

    /// How the folder `path` is judged, and which rules hold in it.
    pub(crate) fn folder(&mut self, path: &str) -> Result<Folder> {
        if let Some(folder) = self.folders.get(path) {
            return Ok(folder.clone());
        }
        let parent = self.folder(parent_of(path))?;
        let state = self.judge(&parent, path, true);
        let mut git = parent.git;
        // Below a folder that is out or kept as a whole its own rules change nothing, and it may not be readable.
        if matches!(state, IgnoreState::In) {
            let prefix = self.in_tree(path);
            git.extend(self.read_gitignore(&self.root.join(path).join(".gitignore"), &prefix)?.map(Arc::new));
        }
        let folder = Folder { state, git };
        self.folders.insert(path.to_owned(), folder.clone());
        Ok(folder)
    }

    /// What leaves the file at `path` out, if anything does. `is_lifted` is whether it is included in spite of the rules.
    pub(crate) fn leaves_out(&self, folder: &Folder, path: &str, is_lifted: bool) -> Option<Rule> {
        let rule = match self.judge(folder, path, false) {
            IgnoreState::Kept => None,
            IgnoreState::Out(rule) => Some(rule),
            IgnoreState::In => match &self.listing {
                Some(listing) if !listing.lists(path) => {
                    Some(self.named_rule(folder, path).unwrap_or_else(|| Rule::of_git("ignored")))
                }
                _ => None,
            },
            IgnoreState::OutByGit(rule) => match &self.listing {
                Some(listing) if listing.lists(path) => None,
                _ => Some(rule),
            },
        };
        if self.is_absent(path) {
            return Some(Rule::of_git("not checked out"));
        }
        rule.filter(|rule| rule.is_final() || !is_lifted)
    }

    /// Whether the rules, as far as they are known here, leave a file out that git does not list. Git does not list
    /// sockets and devices, whether they are ignored or not.
    pub(crate) fn ignores_special(&self, folder: &Folder, path: &str) -> Option<Rule> {
        match self.judge(folder, path, false) {
            IgnoreState::In if self.listing.is_some() => self.named_rule(folder, path),
            IgnoreState::In | IgnoreState::Kept => None,
            IgnoreState::OutByGit(rule) | IgnoreState::Out(rule) => Some(rule),
        }
    }

    /// The rule of git's by which a file is left out, as far as the files that were read tell.
    fn named_rule(&self, folder: &Folder, path: &str) -> Option<Rule> {
        match self.judge_by_git(&folder.git, &self.in_tree(path), false) {
            IgnoreState::OutByGit(rule) => Some(rule),
            _ => None,
        }
    }

    /// What the rules say about the file at `path`, which is not here.
    pub(crate) fn judge_missing(&mut self, path: &str, is_lifted: bool) -> Result<Verdict> {
        let folder = self.folder(parent_of(path))?;
        let state = self.judge(&folder, path, false);
        if self.is_absent(path) {
            return Ok(Verdict::Out);
        }
        let Some(listing) = &self.listing else {
            return Ok(match state {
                IgnoreState::Out(rule) if rule.is_final() || !is_lifted => Verdict::Out,
                IgnoreState::OutByGit(_) if !is_lifted => Verdict::Out,
                _ => Verdict::In,
            });
        };
        Ok(match state {
            IgnoreState::Out(rule) if rule.is_final() || !is_lifted => Verdict::Out,
            IgnoreState::Kept => Verdict::In,
            _ if is_lifted || listing.tracks(path) => Verdict::In,
            _ => Verdict::AskGit,
        })
    }

    /// What the rules say about the folder at `path` on the host.
    pub(crate) fn judge_remote_folder(&mut self, path: &str, is_wanted: bool) -> Result<Verdict> {
        if self.is_absent(path) {
            return Ok(Verdict::Out);
        }
        Ok(match self.folder(path)?.state {
            IgnoreState::Out(rule) if rule.is_final() || !is_wanted => Verdict::Out,
            // Git's answer about a folder that is not here is not enough: of a path that ends with a slash it also judges
            // the empty name behind it, which `*` matches in spite of `!*/`.
            IgnoreState::OutByGit(_) if !is_wanted && !self.may_hold_exceptions(path) => match self.listing {
                Some(_) => Verdict::AskGit,
                None => Verdict::Out,
            },
            _ => Verdict::In,
        })
    }

    fn judge(&self, parent: &Folder, path: &str, is_dir: bool) -> IgnoreState {
        let name = name_of(path);
        let never = is_never_deployed(name, is_dir).or_else(|| is_temporary(name).filter(|_| !self.tracks(path)));
        match (&parent.state, never) {
            (IgnoreState::Out(rule), _) if rule.is_final() => return IgnoreState::Out(rule.clone()),
            (_, Some(what)) => return IgnoreState::Out(Rule::never(what)),
            (IgnoreState::Out(rule), None) => return IgnoreState::Out(rule.clone()),
            (_, None) => {}
        }
        if let Some(state) = self.judge_by_own(path, is_dir) {
            return state;
        }
        match &parent.state {
            // Git has decided already.
            IgnoreState::In if !is_dir && self.listing.as_ref().is_some_and(|listing| listing.lists(path)) => {
                IgnoreState::In
            }
            IgnoreState::In => self.judge_by_git(&parent.git, &self.in_tree(path), is_dir),
            inherited => inherited.clone(),
        }
    }

    /// What `.pythonanywhereignore` says, if it says anything.
    fn judge_by_own(&self, path: &str, is_dir: bool) -> Option<IgnoreState> {
        match self.own.matched(path, is_dir) {
            Match::Ignore(glob) => {
                Some(IgnoreState::Out(Rule { source: IGNORE_FILE.into(), pattern: glob.original().into() }))
            }
            Match::Whitelist(_) => Some(IgnoreState::Kept),
            Match::None => None,
        }
    }

    /// The deepest `.gitignore` that has something to say decides.
    fn judge_by_git(&self, git: &[Arc<Gitignore>], path: &Path, is_dir: bool) -> IgnoreState {
        for matcher in git.iter().rev() {
            match matcher.matched(path, is_dir) {
                Match::Ignore(glob) => {
                    let source = glob.from().map_or_else(|| ".gitignore".to_owned(), |from| self.relative(from));
                    return IgnoreState::OutByGit(Rule { source, pattern: glob.original().into() });
                }
                Match::Whitelist(_) => return IgnoreState::In,
                Match::None => {}
            }
        }
        IgnoreState::In
    }

    /// How the root itself is judged: the work tree may leave out the very folder that is deployed.
    fn top_folder(&mut self) -> Result<Folder> {
        let mut folder = Folder { state: IgnoreState::In, git: Vec::new() };
        let (top, prefix) = self.top();
        if self.tree.is_some() {
            for excludes in [gitconfig_excludes_path(), Some(top.join(".git/info/exclude"))].into_iter().flatten() {
                folder.git.extend(self.read_gitignore(&excludes, Path::new(""))?.map(Arc::new));
            }
        }
        let mut at = PathBuf::new();
        for segment in std::iter::once(None).chain(prefix.components().map(Some)) {
            if let Some(segment) = segment {
                at.push(segment);
                if folder.state == IgnoreState::In {
                    folder.state = self.judge_by_git(&folder.git, &at, true);
                }
            }
            folder.git.extend(self.read_gitignore(&top.join(&at).join(".gitignore"), &at)?.map(Arc::new));
        }
        Ok(folder)
    }

    /// Where the work tree begins, and the project's root in it.
    fn top(&self) -> (PathBuf, PathBuf) {
        let tree = self.tree.as_ref().map(|tree| (tree.top.clone(), tree.prefix.clone()));
        tree.unwrap_or_else(|| (self.root.clone(), PathBuf::new()))
    }

    /// A path of the project as git sees it, from the top of the work tree.
    fn in_tree(&self, path: &str) -> PathBuf {
        self.tree.as_ref().map_or_else(|| PathBuf::from(path), |tree| tree.prefix.join(path))
    }

    /// Reads a file of git's. Where git decides, what cannot be read here only lacks a name.
    fn read_gitignore(&mut self, file: &Path, prefix: &Path) -> Result<Option<Gitignore>> {
        let decides = self.listing.is_none();
        self.read(file, prefix, decides).or_else(|error| if decides { Err(error) } else { Ok(None) })
    }

    /// Reads a file of rules that hold below `prefix`; `None` if there is none.
    fn read(&mut self, file: &Path, prefix: &Path, warns: bool) -> Result<Option<Gitignore>> {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(unreadable(file, source)),
        };
        let mut builder = GitignoreBuilder::new(prefix);
        let text = String::from_utf8_lossy(&text);
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if let Err(error) = builder.add_line(Some(file.to_owned()), line)
                && warns
            {
                self.warnings.push(format!("{}:{}: {error}; the rule is not applied", self.relative(file), index + 1));
            }
        }
        let matcher = builder.build().map_err(|error| Error::config(format!("{}: {error}", self.relative(file))))?;
        Ok(Some(matcher))
    }

    /// A file as seen from the project's root.
    fn relative(&self, file: &Path) -> String {
        if let Ok(path) = file.strip_prefix(&self.root) {
            return slashed(path).into_owned();
        }
        let Some(tree) = self.tree.as_ref().filter(|tree| file.starts_with(&tree.top)) else {
            return slashed(file).into_owned();
        };
        let climbs = self.root.ancestors().position(|folder| file.starts_with(folder)).unwrap_or(0);
        let common = self.root.ancestors().nth(climbs).unwrap_or(&tree.top);
        let rest = file.strip_prefix(common).unwrap_or(file);
        format!("{}{}", "../".repeat(climbs), slashed(rest))
    }
}

/// Why a name never belongs on a host, if it doesn't: version control and compiled Python, whether git tracks it or not.
/// Virtualenvs are recognised by their content, see [`super::walk`].
pub(crate) fn is_never_deployed(name: &str, is_dir: bool) -> Option<&'static str> {
    let is_compiled = |name: &str| [".pyc", ".pyo"].iter().any(|extension| name.ends_with(extension));
    match name {
        // Also a file, in a linked work tree or a submodule.
        ".git" => Some(".git"),
        ".hg" if is_dir => Some(".hg"),
        ".svn" if is_dir => Some(".svn"),
        "CVS" if is_dir => Some("CVS"),
        ".bzr" if is_dir => Some(".bzr"),
        ".jj" if is_dir => Some(".jj"),
        "__pycache__" => Some("__pycache__"),
        _ if is_compiled(name) => Some("*.pyc"),
        _ => None,
    }
}

/// Whether a name is one that editors give to their temporary files. They are left out unless git tracks them.
pub(crate) fn is_temporary(name: &str) -> Option<&'static str> {
    let is_swap = |name: &str| {
        name.starts_with('.') && [".swp", ".swo", ".swn", ".swx"].iter().any(|extension| name.ends_with(extension))
    };
    match name {
        _ if name.len() > 1 && name.ends_with('~') => Some("*~"),
        _ if name.len() > 2 && name.starts_with('#') && name.ends_with('#') => Some("#*#"),
        _ if name.starts_with(".#") || is_swap(name) => Some(".*.swp"),
        _ if name.ends_with("___jb_tmp___") || name.ends_with("___jb_old___") => Some("*___jb_tmp___"),
        _ => None,
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves_out(rules: &mut Rules, path: &str) -> Option<String> {
        let folder = rules.folder(parent_of(path)).unwrap();
        rules.leaves_out(&folder, path, false).map(|rule| rule.source)
    }

    fn tree(top: &Path, prefix: &str) -> WorkTree {
        WorkTree { top: top.to_owned(), prefix: prefix.into() }
    }

    #[test]
    fn what_never_belongs_on_a_host_is_known_by_name() {
        for name in [".git", ".hg", ".svn", "CVS", ".bzr", ".jj", "__pycache__"] {
            assert!(is_never_deployed(name, true).is_some(), "{name}");
        }
        assert!(is_never_deployed(".git", false).is_some() && is_never_deployed("a.pyc", false).is_some());
        for name in ["models.py~", "#models.py#", ".#models.py", ".models.py.swp"] {
            assert!(is_temporary(name).is_some(), "{name}");
        }
        for name in ["#", "##", "~", ".gitignore", ".htaccess", "a.py", "notes.swp", "#a", "git", "CVS", ".hgignore"] {
            assert!(is_never_deployed(name, false).is_none() && is_temporary(name).is_none(), "{name}");
        }
    }

    #[test]
    fn without_git_the_gitignore_files_of_the_project_are_read_and_those_above_are_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("site")).unwrap();
        std::fs::write(folder.path().join(".gitignore"), "*.txt\n").unwrap();
        std::fs::write(folder.path().join("site/.gitignore"), "*.log\n").unwrap();
        let mut rules = Rules::at(&folder.path().join("site"), None, None).unwrap();
        assert_eq!(leaves_out(&mut rules, "a.log").as_deref(), Some(".gitignore"));
        assert_eq!(leaves_out(&mut rules, "a.txt"), None);
    }

    #[test]
    fn a_deeper_gitignore_decides_and_the_root_may_be_left_out_itself() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        std::fs::create_dir_all(top.join("site/app")).unwrap();
        std::fs::write(top.join(".gitignore"), "*.log\n/build/\n").unwrap();
        std::fs::write(top.join("site/.gitignore"), "!keep.log\n").unwrap();
        std::fs::write(top.join("site/app/.gitignore"), "keep.log\n").unwrap();
        let mut rules = Rules::at(&top.join("site"), Some(tree(top, "site")), None).unwrap();
        assert_eq!(leaves_out(&mut rules, "a.log").as_deref(), Some("../.gitignore"));
        assert_eq!(leaves_out(&mut rules, "keep.log"), None);
        assert_eq!(leaves_out(&mut rules, "app/keep.log").as_deref(), Some("app/.gitignore"));

        let mut rules = Rules::at(&top.join("build"), Some(tree(top, "build")), None).unwrap();
        assert_eq!(leaves_out(&mut rules, "index.html").as_deref(), Some("../.gitignore"));
    }

    #[test]
    fn a_folder_brought_back_comes_with_all_below_it() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        std::fs::write(top.join(".gitignore"), "staticfiles/\n*.css\n").unwrap();
        std::fs::write(top.join(IGNORE_FILE), "!staticfiles/\nstaticfiles/raw/\n").unwrap();
        let mut rules = Rules::at(top, Some(tree(top, "")), None).unwrap();
        assert_eq!(leaves_out(&mut rules, "staticfiles/admin/a.css"), None);
        assert_eq!(leaves_out(&mut rules, "staticfiles/raw/a.css").as_deref(), Some(IGNORE_FILE));
        assert_eq!(leaves_out(&mut rules, "b.css").as_deref(), Some(".gitignore"));
        assert_eq!(leaves_out(&mut rules, "staticfiles/a.pyc").as_deref(), Some("never deployed"));
    }
}
