//! Files that a deploy leaves alone on both sides: databases, uploads of the site's users, secrets.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::{Error, Result};
use crate::finder::Mask;

/// What is protected when nothing else is configured, in `.gitignore` syntax.
pub const DEFAULT_PROTECTED: [&str; 3] = ["*.sqlite3*", "/media/", "/.env*"];

/// The patterns of protected files, and what the caller named in spite of them.
#[derive(Debug, Clone)]
pub(crate) struct Protection {
    patterns: Gitignore,
    include: Vec<Mask>,
}

impl Protection {
    /// Reads patterns in `.gitignore` syntax, and masks for what is touched all the same.
    pub(crate) fn new<P: AsRef<str>>(patterns: &[P], include: &[String]) -> Result<Self> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            builder.add_line(None, pattern.as_ref()).map_err(|error| {
                Error::config(format!("the protected pattern {:?} cannot be read: {error}", pattern.as_ref()))
            })?;
        }
        let patterns = builder.build().map_err(|error| Error::config(format!("the protected patterns: {error}")))?;
        let include = include.iter().map(|mask| Mask::parse(mask)).collect::<Result<_>>()?;
        Ok(Self { patterns, include })
    }

    /// The same with more files named.
    pub(crate) fn including(&self, include: &[String]) -> Result<Self> {
        let mut more = self.clone();
        for mask in include {
            more.include.push(Mask::parse(mask)?);
        }
        Ok(more)
    }

    /// Whether the file at `path` must be left alone.
    pub(crate) fn covers(&self, path: &str) -> bool {
        self.patterns.matched_path_or_any_parents(path, false).is_ignore()
            && !self.include.iter().any(|mask| mask.matches(path))
    }

    /// Whether the file at `path` is named in spite of every rule.
    pub(crate) fn lifts(&self, path: &str) -> bool {
        self.include.iter().any(|mask| mask.matches(path))
    }

    /// Whether everything below the folder at `path` must be left alone.
    pub(crate) fn covers_folder(&self, path: &str) -> bool {
        self.patterns.matched_path_or_any_parents(path, true).is_ignore()
            && !self.include.iter().any(|mask| mask.may_match_below(path))
    }
}

/// Whether a file that begins with `head` is a SQLite database.
pub(crate) fn is_sqlite(head: &[u8]) -> bool {
    head.starts_with(b"SQLite format 3\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_uploads_and_secrets_are_protected_by_default() {
        let protection = Protection::new(&DEFAULT_PROTECTED, &[]).unwrap();
        for path in ["db.sqlite3", "x/db.sqlite3-journal", "media/a/b.jpg", ".env", ".env.local", ".envs/prod"] {
            assert!(protection.covers(path), "{path}");
        }
        for path in ["app/media/a.jpg", "app/.env", "sqlite3.py", "environment"] {
            assert!(!protection.covers(path), "{path}");
        }
        assert!(protection.covers_folder("media") && !protection.covers_folder("app/media"));
    }

    #[test]
    fn what_is_named_is_not_protected() {
        let protection = Protection::new(&DEFAULT_PROTECTED, &["media/logo.png".into()]).unwrap();
        assert!(!protection.covers("media/logo.png") && protection.covers("media/other.png"));
        assert!(!protection.covers_folder("media"));
        assert!(!protection.including(&[".env".into()]).unwrap().covers(".env"));
    }
}
