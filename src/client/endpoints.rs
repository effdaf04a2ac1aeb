//! Which rate bucket a request belongs to: the table of endpoints, in one place.
//!
//! The service allows 40 requests a minute to each endpoint and 120 to a console's `send_input`
//! (<https://help.pythonanywhere.com/pages/API/>, "Rate-limits"). All methods of an endpoint share its bucket: of the
//! possible readings, this one never sends too many requests.

use std::time::Duration;

/// The window of the limits: the service counts the requests of the last 60 s.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// A rate bucket of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The path's pattern, relative to the user; `*` is any one segment, `**` all the rest.
    pub name: &'static str,
    /// Requests per minute.
    pub limit: u32,
}

const DEFAULT_LIMIT: u32 = 40;

macro_rules! endpoints {
    ($($name:literal $(: $limit:literal)?),* $(,)?) => {
        &[$(Endpoint { name: $name, limit: endpoints!(@limit $($limit)?) }),*]
    };
    (@limit $limit:literal) => { $limit };
    (@limit) => { DEFAULT_LIMIT };
}

const ENDPOINTS: &[Endpoint] = endpoints![
    "files/path/**",
    "files/sharing",
    "files/tree",
    "webapps",
    "webapps/*",
    "webapps/*/reload",
    "webapps/*/enable",
    "webapps/*/disable",
    "webapps/*/ssl",
    "webapps/*/static_files",
    "webapps/*/static_files/*",
    "webapps/*/static_headers",
    "webapps/*/static_headers/*",
    "consoles",
    "consoles/shared_with_you",
    "consoles/*",
    "consoles/*/get_latest_output",
    "consoles/*/send_input": 120,
    "always_on",
    "always_on/*",
    "always_on/*/restart",
    "schedule",
    "schedule/*",
    "cpu",
    "databases/mysql",
    "default_python3_version",
    "default_python_version",
    "default_save_and_run_python_version",
    "students",
    "students/*",
    "system_image",
    "websites",
    "websites/*",
    "websites/*/reload",
    "domains/*/ssl",
];

/// Endpoints that are not in the table share one bucket, so that a new one never gets too many requests.
const OTHER: Endpoint = Endpoint { name: "other", limit: DEFAULT_LIMIT };

/// The bucket of a path relative to the user, as in `webapps/x.pythonanywhere.com/reload/`.
#[must_use]
pub fn endpoint_of(path: &str) -> Endpoint {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    ENDPOINTS.iter().find(|endpoint| matches(endpoint.name, path)).copied().unwrap_or(OTHER)
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for part in pattern.split('/') {
        if part == "**" {
            return true;
        }
        match segments.next() {
            Some(segment) if part == "*" || part == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_bucket() {
        for (path, name, limit) in [
            ("files/path/home/u/a/b", "files/path/**", 40),
            ("files/path/", "files/path/**", 40),
            ("files/sharing/?path=/x", "files/sharing", 40),
            ("consoles/shared_with_you/", "consoles/shared_with_you", 40),
            ("consoles/12/send_input/", "consoles/*/send_input", 120),
            ("webapps/a.b/static_files/3/", "webapps/*/static_files/*", 40),
            ("something/new/", "other", 40),
        ] {
            let endpoint = endpoint_of(path);
            assert_eq!((endpoint.name, endpoint.limit), (name, limit), "{path}");
        }
    }
}
