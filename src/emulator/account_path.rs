//! Paths in the account, which start at its `/`.
//!
//! They are bytes, as on the host: a file name need not be UTF-8.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// An absolute path in the account: between the slashes any bytes except NUL, but no `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPath {
    segments: Vec<OsString>,
    /// Whether it was written with a trailing slash.
    pub ends_in_slash: bool,
}

/// Why no file in the account can have a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It contains a NUL.
    #[error("Paths cannot contain null bytes.")]
    Nul,
    /// It contains `.` or `..`. The emulator refuses them, since it is unknown what the service does with them.
    #[error("Paths cannot contain '.' or '..' segments.")]
    Dots,
    /// It does not start with a slash.
    #[error("Paths must start with a slash.")]
    Relative,
}

impl AccountPath {
    /// Parses a path; consecutive slashes count as one.
    ///
    /// # Errors
    /// If no file can have this path.
    pub fn parse(path: &[u8]) -> Result<Self, BadPath> {
        if !path.is_empty() && path[0] != b'/' {
            return Err(BadPath::Relative);
        }
        let mut segments = Vec::new();
        for segment in path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
            if segment.contains(&0) {
                return Err(BadPath::Nul);
            }
            if matches!(segment, b"." | b"..") {
                return Err(BadPath::Dots);
            }
            segments.push(OsString::from_vec(segment.to_vec()));
        }
        Ok(Self { segments, ends_in_slash: path.last() == Some(&b'/') })
    }

    /// The names between the slashes.
    #[must_use]
    pub fn segments(&self) -> &[OsString] {
        &self.segments
    }

    /// The path of the entry `name` in this folder.
    #[must_use]
    pub fn child(&self, name: &OsStr) -> Self {
        let mut segments = self.segments.clone();
        segments.push(name.to_owned());
        Self { segments, ends_in_slash: false }
    }

    /// The path's bytes, without a trailing slash.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.segments.is_empty() {
            return b"/".to_vec();
        }
        self.segments.iter().flat_map(|segment| [b"/", segment.as_bytes()].concat()).collect()
    }
}

impl fmt::Display for AccountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_climb_are_refused() {
        for (path, problem) in [
            (&b"/a/../b"[..], BadPath::Dots),
            (b"/a/.", BadPath::Dots),
            (b"/a\0", BadPath::Nul),
            (b"a", BadPath::Relative),
        ] {
            assert_eq!(AccountPath::parse(path), Err(problem));
        }
        assert_eq!(AccountPath::parse(b"/a//b/").unwrap().to_bytes(), b"/a/b");
    }
}
