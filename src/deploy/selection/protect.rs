//! Files that a deploy leaves alone on both sides: databases, uploads of the site's users, secrets.
//!
//! Two rules look at more than the name. Folders for uploads are protected only where they hold no code: what git tracks
//! is the project's own, and a folder with an `__init__.py` is a package of that name. And a file that begins as a
//! database of `SQLite` does is one, whatever its name ([`super::read`] looks for that); only `include` and `!pattern` lift it.

use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::git::Listing;
use crate::deploy::state::manifest::Origin;
use crate::error::{Error, Result};
use crate::finder::Mask;

/// What is protected when nothing else is configured, in `.gitignore` syntax: databases, their side files (folders of such
/// a name are not databases) and secrets. Folders for uploads are protected besides, see [`UPLOADS`].
pub const DEFAULT_PROTECTED: [&str; 23] = [
    "*.sqlite",
    "*.sqlite3*",
    "*.db",
    "*.db3",
    "*-wal",
    "!*-wal/",
    "*-shm",
    "!*-shm/",
    "*-journal",
    "!*-journal/",
    "*.env",
    ".env.*",
    "!.env.example",
    "!.env.sample",
    "!.env.template",
    "!example.env",
    "!sample.env",
    "!template.env",
    "!*.example.env",
    "!*.sample.env",
    "!*.template.env",
    ".envs/",
    ".envrc",
];

/// Folders that are protected besides by default, for what git does not track in them and where no `__init__.py` lies.
pub const UPLOADS: [&str; 3] = ["/media/", "/instance/", "/*/media/"];

/// The patterns of protected files, and what the caller named in spite of them.
#[derive(Debug, Clone)]
pub(crate) struct Protection {
    patterns: Gitignore,
    /// Protected only where they hold no code.
    uploads: Gitignore,
    /// The caller's own patterns: what they bring back is lifted from every rule.
    own: Gitignore,
    include: Vec<Mask>,
    listing: Option<Arc<Listing>>,
}

impl Protection {
    /// Reads patterns in `.gitignore` syntax, and masks of files to deploy all the same. Without patterns, or with
    /// nothing but patterns that bring files back, the defaults hold as well.
    pub(crate) fn new(patterns: Option<&[String]>, include: &[String]) -> Result<Self> {
        let own = patterns.unwrap_or_default();
        let by_default = patterns.is_none() || (!own.is_empty() && own.iter().all(|pattern| pattern.starts_with('!')));
        let defaults = if by_default { &DEFAULT_PROTECTED[..] } else { &[] };
        let uploads = if by_default { &UPLOADS[..] } else { &[] };
        let all = defaults.iter().copied().chain(own.iter().map(String::as_str));
        Ok(Self {
            patterns: matcher(all)?,
            uploads: matcher(uploads.iter().copied())?,
            own: matcher(own.iter().map(String::as_str))?,
            include: include.iter().map(|mask| Mask::parse(mask)).collect::<Result<_>>()?,
            listing: None,
        })
    }

    /// The same for a project about which git was asked.
    pub(crate) fn with_listing(mut self, listing: Option<&Arc<Listing>>) -> Self {
        self.listing = listing.cloned();
        self
    }

    /// What is protected by default in the same project at `root`, whatever is configured.
    pub(crate) fn by_default(&self, root: &Path) -> Result<Self> {
        Ok(Self::new(None, &[])?.without_packages(root)?.with_listing(self.listing.as_ref()))
    }

    /// Takes folders for uploads that are packages out, for the project at `root`.
    pub(crate) fn without_packages(mut self, root: &Path) -> Result<Self> {
        if self.uploads.is_empty() {
            return Ok(self);
        }
        let mut packages = Vec::new();
        let mut folders = vec![String::new()];
        for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
            folders.extend(entry.file_name().to_str().map(|name| format!("/{name}")));
        }
        for folder in folders {
            for name in ["media", "instance"] {
                let place = format!("{folder}/{name}");
                if root.join(&place[1..]).join("__init__.py").is_file() {
                    packages.push(format!("!{}/", literal(&place)));
                }
            }
        }
        self.uploads = matcher(UPLOADS.into_iter().chain(packages.iter().map(String::as_str)))?;
        Ok(self)
    }

    /// The same with more files named.
    pub(crate) fn including(&self, include: &[String]) -> Result<Self> {
        let mut more = self.clone();
        more.include.extend(include.iter().map(|mask| Mask::parse(mask)).collect::<Result<Vec<_>>>()?);
        Ok(more)
    }

    /// Whether the file at `path` must be left alone.
    pub(crate) fn covers(&self, path: &str) -> bool {
        self.covers_as(path, self.listing.as_ref().is_some_and(|listing| listing.tracks(path)))
    }

    /// What the manifest says of git's knowledge of a local file that `machine` sends.
    pub(crate) fn origin_of(&self, path: &str, machine: &str) -> Option<Origin> {
        let listing = self.listing.as_ref()?;
        Some(if listing.tracks(path) { Origin::Tracked } else { Origin::Untracked(machine.to_owned()) })
    }

    /// What git lists, if it was asked.
    pub(crate) fn listing(&self) -> Option<&Listing> {
        self.listing.as_deref()
    }

    /// Whether git was asked, and whether it lists one of `files` without tracking it; `None` if it was not asked.
    pub(crate) fn any_untracked<'a>(&self, mut files: impl Iterator<Item = &'a String>) -> Option<bool> {
        let listing = self.listing.as_ref()?;
        Some(files.any(|file| listing.is_untracked(file)))
    }

    /// Whether the file at `path` must be left alone, which git tracks or tracked when it was sent.
    pub(crate) fn covers_as(&self, path: &str, is_tracked: bool) -> bool {
        let is_matched = |patterns: &Gitignore| patterns.matched_path_or_any_parents(path, false).is_ignore();
        (is_matched(&self.patterns) || (!is_tracked && is_matched(&self.uploads))) && !self.lifts(path)
    }

    /// Whether everything below the folder at `path` must be left alone.
    pub(crate) fn covers_folder(&self, path: &str) -> bool {
        let is_matched = |patterns: &Gitignore| patterns.matched_path_or_any_parents(path, true).is_ignore();
        let holds_code = || self.listing.as_ref().is_some_and(|listing| listing.tracks_below(path));
        (is_matched(&self.patterns) || (is_matched(&self.uploads) && !holds_code())) && !self.may_lift_below(path)
    }

    /// Whether the file at `path` is named in spite of every rule.
    pub(crate) fn lifts(&self, path: &str) -> bool {
        self.include.iter().any(|mask| mask.matches(path))
            || (self.own.num_whitelists() > 0
                && matches!(self.own.matched_path_or_any_parents(path, false), Match::Whitelist(_)))
    }

    /// Whether a file below the folder at `path` may be named in spite of every rule.
    pub(crate) fn may_lift_below(&self, path: &str) -> bool {
        self.own.num_whitelists() > 0 || self.include.iter().any(|mask| mask.may_match_below(path))
    }
}

fn matcher<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        builder
            .add_line(None, pattern)
            .map_err(|error| Error::config(format!("the protected pattern {pattern:?} cannot be read: {error}")))?;
    }
    builder.build().map_err(|error| Error::config(format!("the protected patterns: {error}")))
}

/// A path as a pattern that matches nothing else.
fn literal(path: &str) -> String {
    path.chars().flat_map(|c| matches!(c, '*' | '?' | '[' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

/// Whether a file that begins with `head` is a database of `SQLite`.
pub(crate) fn is_sqlite(head: &[u8]) -> bool {
    head.starts_with(b"SQLite format 3\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protection(patterns: &[&str], include: &[&str]) -> Protection {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let patterns = texts(patterns);
        let own = (!patterns.is_empty()).then_some(&patterns[..]);
        Protection::new(own, &texts(include)).unwrap()
    }

    #[test]
    fn databases_uploads_and_secrets_are_protected_by_default_at_any_depth() {
        let protection = protection(&[], &[]);
        for path in [
            "db.sqlite3",
            "x/db.sqlite3-journal",
            "data.sqlite",
            "app.db",
            "deep/er/app.db3",
            "app.db-wal",
            "app.db-shm",
            "x/other-journal",
            "media/a/b.jpg",
            "backend/media/a.jpg",
            "instance/config.py",
            ".env",
            "config/.env",
            ".env.local",
            "x/.env.production",
            ".envs/prod",
            "x/.envs/.local/.django",
            ".envrc",
            "production.env",
            "x/mail.env",
        ] {
            assert!(protection.covers(path), "{path}");
        }
        for path in [
            ".env.example",
            "x/.env.sample",
            ".env.template",
            "example.env",
            "x/production.sample.env",
            ".template.env",
            "app/deep/media/a.jpg",
            "app/instance/a.py",
            "sqlite3.py",
            "environment",
            "travel-journal/a.css",
            "dbs/a.py",
        ] {
            assert!(!protection.covers(path), "{path}");
        }
        assert!(protection.covers_folder("media") && protection.covers_folder("app/media/x"));
        assert!(!protection.covers_folder("app") && !protection.covers_folder("x/y/media"));
    }

    #[test]
    fn what_is_named_is_not_protected() {
        let named = protection(&[], &["media/logo.png"]);
        assert!(!named.covers("media/logo.png") && named.covers("media/other.png"));
        assert!(!named.covers_folder("media"));
        assert!(!named.including(&[".env".into()]).unwrap().covers(".env"));
    }

    #[test]
    fn a_list_of_nothing_but_exceptions_keeps_the_defaults() {
        let exceptions = protection(&["!/fixtures/demo.db"], &[]);
        assert!(exceptions.lifts("fixtures/demo.db") && !exceptions.covers("fixtures/demo.db"));
        assert!(exceptions.covers("app.db") && exceptions.covers(".env") && exceptions.covers("media/a"));
        let other = protection(&["*.dump", "!demo.dump"], &[]);
        assert!(other.covers("a.dump") && other.lifts("demo.dump") && !other.covers("app.db"));
        // The exceptions among the defaults say what is not a secret, not that rules of git are lifted.
        assert!(!protection(&[], &[]).lifts(".env.example"));
    }

    #[test]
    fn a_package_is_no_folder_for_uploads_and_what_git_tracks_is_no_upload() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a[b/media")).unwrap();
        std::fs::write(folder.path().join("a[b/media/__init__.py"), "").unwrap();
        let protection = protection(&[], &[]).without_packages(folder.path()).unwrap();
        assert!(!protection.covers("a[b/media/models.py") && protection.covers("other/media/a.jpg"));
        assert!(protection.covers_as("media/logo.png", false) && !protection.covers_as("media/logo.png", true));
        assert!(protection.covers_as("media/app.db", true));
        let configured = Protection::new(Some(&["*.dump".to_owned()]), &["media/b.jpg".to_owned()]).unwrap();
        let protection = configured.by_default(folder.path()).unwrap();
        assert!(!configured.covers("media/a.jpg") && protection.covers("media/a.jpg"));
        assert!(protection.covers("media/b.jpg") && !protection.covers("a[b/media/models.py"));
    }
}
