//! The parts of an API path, `/api/<version>/user/<user>/<rest>`.
//!
//! The handlers, the authentication and the table of endpoints all need them, so they are kept apart from all three.

/// The version, user and rest of `/api/<version>/user/<user>/<rest>`.
pub(crate) fn split(path: &str) -> Option<(&str, &str, &str)> {
    let (version, rest) = path.strip_prefix("/api/")?.split_once("/user/")?;
    let (user, rest) = rest.split_once('/')?;
    (!version.contains('/') && !user.is_empty()).then_some((version, user, rest))
}
