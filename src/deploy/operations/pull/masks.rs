//! Masks of what is pulled, as users write them and as the host gets them.

use crate::deploy::operations::verify::PRUNED;
use crate::error::{Error, Result};
use crate::finder::Mask;
use crate::host::Operation;

/// What was asked for. The host packs nothing else, unless its runner was tampered with.
pub(crate) struct PullFilter {
    pub include: Vec<PullMask>,
    exclude: Vec<PullMask>,
}

/// A mask.
pub(crate) struct PullMask {
    /// As it was given.
    pub text: String,
    /// As the host gets it, which knows no short forms.
    full: String,
    pub mask: Mask,
}

impl PullMask {
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

impl PullFilter {
    /// # Errors
    /// `Config` for an invalid mask, or one that is not relative to the project.
    pub fn of(include: &[String], exclude: &[String]) -> Result<Self> {
        let masks = |texts: &[String]| texts.iter().map(|text| PullMask::parse(text)).collect::<Result<Vec<_>>>();
        Ok(Self { include: masks(include)?, exclude: masks(exclude)? })
    }

    /// The job for the host.
    pub fn operation(&self) -> Operation {
        let masks = |asked: &[PullMask]| asked.iter().map(|asked| asked.full.clone()).collect::<Vec<_>>();
        let include = if self.include.is_empty() { vec!["**/*".to_owned()] } else { masks(&self.include) };
        let prune = PRUNED.iter().map(|&name| name.to_owned()).collect();
        Operation::Archive { include, exclude: masks(&self.exclude), prune }
    }

    /// Whether a file was asked for.
    pub fn covers(&self, path: &str) -> bool {
        let is_included = self.include.is_empty() || self.include.iter().any(|asked| asked.mask.matches(path));
        let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
        let is_pruned = folders.split('/').any(|folder| PRUNED.contains(&folder));
        is_included && !is_pruned && !self.exclude.iter().any(|asked| asked.mask.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(PullMask::parse(text).unwrap().full, full, "{text:?}");
        }
        for text in ["/media/**", "/", "//a", "./media", "a/../b"] {
            assert!(PullMask::parse(text).is_err(), "{text:?}");
        }
        let media = PullMask::parse("media/").unwrap().mask;
        assert!(media.matches("media/a") && media.matches("media/b/c") && !media.matches("media"));
    }

    #[test]
    fn caches_and_notes_are_never_pulled() {
        let wanted = PullFilter::of(&["a/**".into()], &["**/*.pyc".into()]).unwrap();
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
        assert!(!PullFilter::of(&[], &[]).unwrap().covers(".git/config"));
    }
}
