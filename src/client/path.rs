//! Paths on the host and their quoting in URLs.
//!
//! Clients that paste a path into a URL write `a#b.txt` over `a` and let `..` climb out of the project. Here a path is
//! checked once, when it is created, and quoted byte by byte, so that the service sees exactly the name.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{Error, Result};
use crate::platform::NameRules;

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An absolute path in the account: no empty segment, no `.` or `..`, no NUL, no closing slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemotePath(String);

impl RemotePath {
    /// Takes an absolute path; one closing slash is dropped.
    ///
    /// # Errors
    /// `Config` if it is relative, or has an empty segment, `.`, `..` or NUL; on Windows also for a `\`, which may be a part
    /// of a name on the host, but whoever types it there means a folder.
    pub fn parse(path: &str) -> Result<Self> {
        check_typed(path)?;
        let Some(rest) = path.strip_prefix('/') else {
            return Err(Error::config(format!("the remote path {path:?} is not absolute: it must start with \"/\"")));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return Ok(Self("/".to_owned()));
        }
        check_segments(rest)?;
        Ok(Self(format!("/{rest}")))
    }

    /// The home folder of `user`.
    ///
    /// # Errors
    /// `Config` if the name is none that a folder can have.
    pub fn home(user: &str) -> Result<Self> {
        Self("/home".to_owned()).join(user)
    }

    /// A path as people write it: absolute, or relative to the home folder of `user`, with or without `~/`.
    ///
    /// # Errors
    /// As for [`Self::parse`] and [`Self::join`].
    pub fn in_account(text: &str, user: &str) -> Result<Self> {
        if text.starts_with('/') {
            return Self::parse(text);
        }
        check_typed(text)?;
        match text.strip_prefix("~/").unwrap_or(text).trim_end_matches('/') {
            "" | "~" => Self::home(user),
            relative => Self::home(user)?.join(relative),
        }
    }

    /// This path and a relative one below it.
    ///
    /// # Errors
    /// `Config` if `relative` is absolute, or has an empty segment, `.`, `..` or NUL.
    pub fn join(&self, relative: &str) -> Result<Self> {
        check_segments(relative)?;
        Ok(Self(format!("{}/{relative}", self.0.trim_end_matches('/'))))
    }

    /// The folder it lies in; `None` for `/`.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, name) = self.0.rsplit_once('/')?;
        let parent = if parent.is_empty() { "/" } else { parent };
        (!name.is_empty()).then(|| Self(parent.to_owned()))
    }

    /// The last segment; empty for `/`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as it stands in a URL: every byte outside RFC 3986's unreserved characters percent-encoded.
    #[must_use]
    pub fn quoted(&self) -> String {
        quote_segments(&self.0)
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Quotes each segment of a path, keeping the slashes.
pub(crate) fn quote_segments(path: &str) -> String {
    let mut quoted = String::with_capacity(path.len());
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            quoted.push('/');
        }
        quoted.extend(utf8_percent_encode(segment, RESERVED));
    }
    quoted
}

/// Refuses what somebody typed as a path of this machine. [`RemotePath::join`] does not: names from a listing may be any.
///
/// # Errors
/// `Config` with how to write it.
pub(crate) fn check_typed(path: &str) -> Result<()> {
    match NameRules::HERE.mistyped(path) {
        Some(why) => Err(Error::config(format!("the path {path:?} {why}"))),
        None => Ok(()),
    }
}

/// Refuses paths that the service or a proxy before it would resolve to another place.
fn check_segments(relative: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::config(format!("the path {relative:?} {why}")));
    if relative.contains('\0') {
        return refuse("contains a NUL character");
    }
    for segment in relative.split('/') {
        match segment {
            "" => return refuse("is empty, absolute, or has an empty segment"),
            "." | ".." => return refuse("has a \".\" or \"..\" segment: write the path without it"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for bad in ["", "x", "/a//b", "/a/../b", "/./a", "/a\0b", "//a", "/a//"] {
            assert!(RemotePath::parse(bad).is_err(), "{bad:?}");
        }
        let root = RemotePath::parse("/home/u").unwrap();
        for bad in ["", "/x", "..", "a/../../b", "a//b", "a/", "."] {
            assert!(root.join(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths_in_the_account_are_absolute_or_below_home() {
        let path = |text| RemotePath::in_account(text, "me").map(|path| path.to_string()).unwrap_or_default();
        assert_eq!(path("/var/log"), "/var/log");
        assert_eq!(
            (path("x/y/"), path("~/x"), path("")),
            ("/home/me/x/y".into(), "/home/me/x".into(), "/home/me".into())
        );
        assert_eq!((path("~"), path("../you"), path("/home/me/..")), ("/home/me".into(), String::new(), String::new()));
    }

    #[test]
    fn parents_end_at_the_root() {
        let path = RemotePath::parse("/a/b/").unwrap();
        assert_eq!((path.as_str(), path.name()), ("/a/b", "b"));
        assert_eq!(path.parent().unwrap().as_str(), "/a");
        assert_eq!(path.parent().unwrap().parent().unwrap().as_str(), "/");
        assert_eq!(path.parent().unwrap().parent().unwrap().parent(), None);
        assert_eq!(RemotePath::parse("/").unwrap().join("x").unwrap().as_str(), "/x");
    }

    #[test]
    fn every_reserved_byte_is_quoted() {
        let path = RemotePath::parse("/a#b?c%2F+ ;ü").unwrap();
        assert_eq!(path.quoted(), "/a%23b%3Fc%252F%2B%20%3B%C3%BC");
    }

    proptest! {
        #[test]
        fn quoting_round_trips(name in "[^/\0]{1,40}") {
            prop_assume!(name != "." && name != "..");
            let path = RemotePath::parse("/").unwrap().join(&name).unwrap();
            let quoted = path.quoted();
            prop_assert!(quoted.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%/".contains(&b)));
            let url = url::Url::parse(&format!("http://h{quoted}")).unwrap();
            let back = percent_encoding::percent_decode_str(url.path()).decode_utf8().unwrap();
            prop_assert_eq!(back, path.as_str());
        }
    }
}
