//! Names of files: which ones a system refuses, which ones it confuses, and what separates them in a path.
//!
//! The rules are values, so that those of Windows are tested on every system.

use std::borrow::Cow;
use std::path::{MAIN_SEPARATOR, Path};

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// How a system's file systems take names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameRules {
    /// Names of devices, some characters and final dots are not to be had, and `\` separates folders.
    is_windows: bool,
    /// Names that differ only by case or by how their accents are spelled are one.
    folds: bool,
}

impl NameRules {
    /// Those of this system.
    pub(crate) const HERE: Self = Self { is_windows: cfg!(windows), folds: cfg!(any(windows, target_os = "macos")) };

    #[cfg(test)]
    pub(crate) const WINDOWS: Self = Self { is_windows: true, folds: true };

    #[cfg(test)]
    pub(crate) const LINUX: Self = Self { is_windows: false, folds: false };

    /// Whether the system refuses a name, or takes it for another one.
    pub(crate) fn refuses(self, name: &str) -> bool {
        self.is_windows && cannot_exist_on_windows(name)
    }

    /// A name as the system compares it.
    pub(crate) fn folded(self, name: &str) -> String {
        if self.folds { name.nfc().collect::<String>().to_lowercase() } else { name.to_owned() }
    }

    /// What is wrong with a path of the host as somebody typed it here, where `\` is the separator that people know; the
    /// host would take it for a part of the name.
    pub(crate) fn mistyped(self, path: &str) -> Option<String> {
        if !self.is_windows {
            return None;
        }
        let bytes = path.as_bytes();
        let has_drive = bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1) == Some(&b':');
        if has_drive && matches!(bytes.get(2), Some(b'/' | b'\\')) {
            return Some(
                "is a path of this machine. A path on the host begins with /home/. If that is what you typed, Git Bash \
                 changed it: set MSYS_NO_PATHCONV=1, or give a path relative to your home folder there"
                    .to_owned(),
            );
        }
        path.contains('\\').then(|| {
            format!("contains a backslash, which separates no folders on the host: write {:?}", path.replace('\\', "/"))
        })
    }
}

/// Whether Windows refuses a name, or confuses it with another one.
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

/// A name as it is sent. On macOS it is composed, as git does: its file systems hand names out decomposed.
pub(crate) fn composed(name: &str) -> Cow<'_, str> {
    if cfg!(target_os = "macos") && !is_nfc(name) { Cow::Owned(name.nfc().collect()) } else { Cow::Borrowed(name) }
}

/// A relative path of this system as the host spells it, bytes that are not Unicode replaced.
pub(crate) fn slashed(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    if MAIN_SEPARATOR == '/' { text } else { Cow::Owned(text.replace(MAIN_SEPARATOR, "/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_windows_confuses_are_known() {
        for name in ["NUL", "nul.txt", "com1", "LPT9.tar.gz", "a:b", "a\\b", "what?", "end.", "end ", "a\tb", "CON .x"]
        {
            assert!(NameRules::WINDOWS.refuses(name), "{name}");
            assert!(!NameRules::LINUX.refuses(name), "{name}");
        }
        for name in ["null", "com", "com10", "console.log", ".htaccess", "a b", "LPT", "ü"] {
            assert!(!NameRules::WINDOWS.refuses(name), "{name}");
        }
    }

    #[test]
    fn names_that_differ_only_by_case_are_one_on_windows() {
        assert_eq!(NameRules::WINDOWS.folded("README.md"), NameRules::WINDOWS.folded("Readme.MD"));
        assert_eq!(NameRules::WINDOWS.folded("u\u{308}"), NameRules::WINDOWS.folded("Ü"));
        assert_ne!(NameRules::LINUX.folded("README.md"), NameRules::LINUX.folded("Readme.md"));
    }

    #[test]
    fn a_backslash_in_a_path_of_the_host_is_explained_where_people_type_it() {
        let why = NameRules::WINDOWS.mistyped(r"docs\notes\a.md").unwrap();
        assert!(why.contains(r#"write "docs/notes/a.md""#), "{why}");
        for typed in ["C:/Program Files/Git/home/me", r"c:\site"] {
            let why = NameRules::WINDOWS.mistyped(typed).unwrap();
            assert!(why.contains("path of this machine") && why.contains("MSYS_NO_PATHCONV"), "{why}");
        }
        for path in ["docs/a.md", "/home/me/a:b", "~/x", "", "c:"] {
            assert_eq!(NameRules::WINDOWS.mistyped(path), None, "{path}");
        }
        assert_eq!(NameRules::LINUX.mistyped(r"a\b"), None, "a name may hold one there");
    }
}
