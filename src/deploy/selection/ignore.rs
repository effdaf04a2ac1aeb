//! Which local files the project's ignore rules leave out.
//!
//! Three sources are asked in this order: what never belongs on a host ([`is_always_out`]); `.pythonanywhereignore` in
//! the project's root; inside a git work tree its `.gitignore` files, from the top of the work tree down. Unlike git,
//! `!staticfiles/` in `.pythonanywhereignore` brings back the folder with everything below it, because that is why
//! people write it: their `.gitignore` leaves built files out.
//!
//! The same questions are asked for files that are gone: a path that a rule would leave out is not `removed`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::git::WorkTree;
use super::read::unreadable;
use crate::deploy::paths::parent_of;
use crate::error::{Error, Result};

/// The file with rules of ours, in the project's root.
pub(crate) const IGNORE_FILE: &str = ".pythonanywhereignore";

/// What left a file out, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// `.gitignore`, `app/.gitignore`, `.pythonanywhereignore`, …
    pub source: String,
    /// The pattern, or what kind of thing it is.
    pub pattern: String,
}

impl Rule {
    pub(crate) fn always(what: &str) -> Self {
        Self { source: "never deployed".to_owned(), pattern: what.to_owned() }
    }
}

/// How an entry stands with the rules; what is below a folder inherits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IntentState {
    /// No rule matches.
    In,
    /// `.pythonanywhereignore` asks for it, whatever `.gitignore` says.
    Kept,
    /// A `.gitignore` leaves it out, unless git tracks it.
    OutByGit(Rule),
    /// Left out for good.
    Out(Rule),
}

/// A folder on the way down, with the rules that hold in it.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub standing: IntentState,
    /// The `.gitignore` files from the top of the work tree down to here.
    git: Vec<Arc<Gitignore>>,
}

/// All rules of one project.
#[derive(Clone)]
pub(crate) struct Rules {
    root: PathBuf,
    tree: Option<WorkTree>,
    own: Gitignore,
    folders: HashMap<String, Folder>,
    /// Rules that could not be read.
    pub warnings: Vec<String>,
}

impl Rules {
    /// Reads the rules that hold at `root`.
    pub(crate) fn at(root: &Path, tree: Option<WorkTree>) -> Result<Self> {
        let mut rules = Self {
            root: root.to_owned(),
            tree,
            own: Gitignore::empty(),
            folders: HashMap::new(),
            warnings: Vec::new(),
        };
        if let Some(own) = rules.read(&root.join(IGNORE_FILE), Path::new(""))? {
            rules.own = own;
        }
        let top = rules.top_folder()?;
        rules.folders.insert(String::new(), top);
        Ok(rules)
    }

    /// What leaves the folder `path` out with all below it, if anything does.
    pub(crate) fn leaves_out_all_of(&mut self, path: &str) -> Result<Option<Rule>> {
        Ok(match self.folder(path)?.standing {
            IntentState::Out(rule) => Some(rule),
            IntentState::OutByGit(rule) if !self.may_hold_exceptions(path) => Some(rule),
            _ => None,
        })
    }

    /// Whether a folder that git's rules leave out may still hold something to deploy.
    fn may_hold_exceptions(&self, folder: &str) -> bool {
        self.own.num_whitelists() > 0 || self.tree.as_ref().is_some_and(|tree| tree.has_tracked_below(folder))
    }

    /// How the entry `path` stands, and for a folder which rules hold in it.
    pub(crate) fn folder(&mut self, path: &str) -> Result<Folder> {
        if let Some(folder) = self.folders.get(path) {
            return Ok(folder.clone());
        }
        let parent = self.folder(parent_of(path))?;
        let standing = self.judge(&parent, path, true);
        let mut git = parent.git;
        // Below a folder that is out or kept as a whole its own rules change nothing, and it may not be readable.
        if self.tree.is_some() && matches!(standing, IntentState::In) {
            let prefix = self.in_tree(path);
            if let Some(matcher) = self.read(&self.root.join(path).join(".gitignore"), &prefix)? {
                git.push(Arc::new(matcher));
            }
        }
        let folder = Folder { standing, git };
        self.folders.insert(path.to_owned(), folder.clone());
        Ok(folder)
    }

    /// What leaves the file at `path` out, if anything does.
    pub(crate) fn leaves_out(&self, folder: &Folder, path: &str) -> Option<Rule> {
        match self.judge(folder, path, false) {
            IntentState::In | IntentState::Kept => None,
            IntentState::OutByGit(_) if self.tree.as_ref().is_some_and(|tree| tree.tracks(path)) => None,
            IntentState::OutByGit(rule) | IntentState::Out(rule) => Some(rule),
        }
    }

    fn judge(&self, parent: &Folder, path: &str, is_dir: bool) -> IntentState {
        if let IntentState::Out(rule) = &parent.standing {
            return IntentState::Out(rule.clone());
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        if let Some(what) = is_always_out(name) {
            return IntentState::Out(Rule::always(what));
        }
        match self.own.matched(path, is_dir) {
            Match::Ignore(glob) => {
                return IntentState::Out(Rule { source: IGNORE_FILE.into(), pattern: glob.original().into() });
            }
            Match::Whitelist(_) => return IntentState::Kept,
            Match::None => {}
        }
        match &parent.standing {
            IntentState::In => self.judge_by_git(&parent.git, &self.in_tree(path), is_dir),
            inherited => inherited.clone(),
        }
    }

    /// The deepest `.gitignore` that has something to say decides.
    fn judge_by_git(&self, git: &[Arc<Gitignore>], path: &Path, is_dir: bool) -> IntentState {
        for matcher in git.iter().rev() {
            match matcher.matched(path, is_dir) {
                Match::Ignore(glob) => {
                    let source = glob.from().map_or_else(|| ".gitignore".to_owned(), |from| self.relative(from));
                    return IntentState::OutByGit(Rule { source, pattern: glob.original().into() });
                }
                Match::Whitelist(_) => return IntentState::In,
                Match::None => {}
            }
        }
        IntentState::In
    }

    /// The root's own standing: the work tree may leave out the very folder that is deployed.
    fn top_folder(&mut self) -> Result<Folder> {
        let Some((top, prefix)) = self.tree.as_ref().map(|tree| (tree.top.clone(), tree.prefix.clone())) else {
            return Ok(Folder { standing: IntentState::In, git: Vec::new() });
        };
        let mut folder = Folder { standing: IntentState::In, git: Vec::new() };
        let mut at = PathBuf::new();
        for segment in std::iter::once(None).chain(prefix.components().map(Some)) {
            if let Some(segment) = segment {
                at.push(segment);
                if folder.standing == IntentState::In {
                    folder.standing = self.judge_by_git(&folder.git, &at, true);
                }
            }
            if let Some(matcher) = self.read(&top.join(&at).join(".gitignore"), &at)? {
                folder.git.push(Arc::new(matcher));
            }
        }
        Ok(folder)
    }

    /// A path of the project as git sees it, from the top of the work tree.
    fn in_tree(&self, path: &str) -> PathBuf {
        self.tree.as_ref().map_or_else(|| PathBuf::from(path), |tree| tree.prefix.join(path))
    }

    /// Reads a file of rules that hold below `prefix`; `None` if there is none.
    fn read(&mut self, file: &Path, prefix: &Path) -> Result<Option<Gitignore>> {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(unreadable(file, source)),
        };
        let mut builder = GitignoreBuilder::new(prefix);
        let text = String::from_utf8_lossy(&text);
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if let Err(error) = builder.add_line(Some(file.to_owned()), line) {
                self.warnings.push(format!("{}:{}: {error}; the rule is not applied", self.relative(file), index + 1));
            }
        }
        let matcher = builder.build().map_err(|error| Error::config(format!("{}: {error}", self.relative(file))))?;
        Ok(Some(matcher))
    }

    /// A file as people name it who stand in the project's root.
    fn relative(&self, file: &Path) -> String {
        if let Ok(path) = file.strip_prefix(&self.root) {
            return path.display().to_string();
        }
        let climbs = self.root.ancestors().position(|folder| file.starts_with(folder)).unwrap_or(0);
        let common = self.root.ancestors().nth(climbs).unwrap_or(&self.root);
        let rest = file.strip_prefix(common).unwrap_or(file);
        format!("{}{}", "../".repeat(climbs), rest.display())
    }
}

/// Why a name never belongs on a host, if it doesn't: version control, compiled Python, what editors leave behind.
/// Virtualenvs are told by their content, see [`super::walk`].
pub(crate) fn is_always_out(name: &str) -> Option<&'static str> {
    let is_swap = |name: &str| {
        name.starts_with('.') && [".swp", ".swo", ".swn", ".swx"].iter().any(|extension| name.ends_with(extension))
    };
    let is_compiled = |name: &str| [".pyc", ".pyo"].iter().any(|extension| name.ends_with(extension));
    match name {
        ".git" => Some(".git"),
        "__pycache__" => Some("__pycache__"),
        _ if is_compiled(name) => Some("*.pyc"),
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
        rules.leaves_out(&folder, path).map(|rule| rule.source)
    }

    #[test]
    fn what_never_belongs_on_a_host_is_known_by_name() {
        for name in [".git", "__pycache__", "a.pyc", "models.py~", "#models.py#", ".#models.py", ".models.py.swp"] {
            assert!(is_always_out(name).is_some(), "{name}");
        }
        for name in ["#", "##", "~", ".gitignore", ".htaccess", "a.py", "notes.swp", "#a", "git"] {
            assert!(is_always_out(name).is_none(), "{name}");
        }
    }

    #[test]
    fn outside_a_work_tree_gitignore_is_a_file_like_others() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".gitignore"), "*.log\n").unwrap();
        let mut rules = Rules::at(folder.path(), None).unwrap();
        assert_eq!(leaves_out(&mut rules, "a.log"), None);
    }

    #[test]
    fn a_deeper_gitignore_decides_and_the_root_may_be_left_out_itself() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        std::fs::create_dir_all(top.join("site/app")).unwrap();
        std::fs::write(top.join(".gitignore"), "*.log\n/build/\n").unwrap();
        std::fs::write(top.join("site/.gitignore"), "!keep.log\n").unwrap();
        std::fs::write(top.join("site/app/.gitignore"), "keep.log\n").unwrap();
        let mut rules = Rules::at(&top.join("site"), Some(WorkTree::untracked(top, "site"))).unwrap();
        assert_eq!(leaves_out(&mut rules, "a.log").as_deref(), Some("../.gitignore"));
        assert_eq!(leaves_out(&mut rules, "keep.log"), None);
        assert_eq!(leaves_out(&mut rules, "app/keep.log").as_deref(), Some("app/.gitignore"));

        let mut rules = Rules::at(&top.join("build"), Some(WorkTree::untracked(top, "build"))).unwrap();
        assert_eq!(leaves_out(&mut rules, "index.html").as_deref(), Some("../.gitignore"));
    }

    #[test]
    fn a_folder_brought_back_comes_with_all_below_it() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        std::fs::write(top.join(".gitignore"), "staticfiles/\n*.css\n").unwrap();
        std::fs::write(top.join(IGNORE_FILE), "!staticfiles/\nstaticfiles/raw/\n").unwrap();
        let mut rules = Rules::at(top, Some(WorkTree::untracked(top, ""))).unwrap();
        assert_eq!(leaves_out(&mut rules, "staticfiles/admin/a.css"), None);
        assert_eq!(leaves_out(&mut rules, "staticfiles/raw/a.css").as_deref(), Some(IGNORE_FILE));
        assert_eq!(leaves_out(&mut rules, "b.css").as_deref(), Some(".gitignore"));
        assert_eq!(leaves_out(&mut rules, "staticfiles/a.pyc").as_deref(), Some("never deployed"));
    }
}
