//! Paths in the account as people type them: absolute, or relative to the home folder.

use crate::client::{RemotePath, check_typed};
use crate::error::Result;

/// The account's home folder.
pub fn home(user: &str) -> Result<RemotePath> {
    RemotePath::parse("/home")?.join(user)
}

/// A path as people type it: absolute, or relative to the home folder, with or without `~/`.
pub fn remote_path(text: &str, user: &str) -> Result<RemotePath> {
    if text.starts_with('/') {
        return RemotePath::parse(text);
    }
    check_typed(text)?;
    match text.strip_prefix("~/").unwrap_or(text).trim_end_matches('/') {
        "" | "~" => home(user),
        relative => home(user)?.join(relative),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_or_below_home() {
        let path = |text| remote_path(text, "me").map(|path| path.to_string()).unwrap_or_default();
        assert_eq!(path("/var/log"), "/var/log");
        assert_eq!(
            (path("x/y/"), path("~/x"), path("")),
            ("/home/me/x/y".into(), "/home/me/x".into(), "/home/me".into())
        );
        assert_eq!((path("~"), path("../you"), path("/home/me/..")), ("/home/me".into(), String::new(), String::new()));
    }
}
