//! The service's endpoints: their paths, methods and rate buckets.
//!
//! The table is the emulator's own, taken from <https://help.pythonanywhere.com/pages/API/>, and not the client's:
//! a mistake in one of them has to show. It also names endpoints that are not served, because "not served here" and
//! "does not exist" are different answers.

/// One path of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The path below the user's, which names the rate bucket; `{}` is one segment, `{*}` is any rest.
    pub name: &'static str,
    /// The version of the API that has it.
    version: &'static str,
    /// The methods that the service has for it.
    pub methods: &'static [&'static str],
}

impl Endpoint {
    /// Whether this is the one endpoint with a limit of its own.
    pub fn is_send_input(&self) -> bool {
        self.name == "consoles/{}/send_input/"
    }
}

const READ: &[&str] = &["GET"];
const CALL: &[&str] = &["POST"];
const COLLECTION: &[&str] = &["GET", "POST"];
const ITEM: &[&str] = &["GET", "PUT", "PATCH", "DELETE"];
const SETTING: &[&str] = &["GET", "PATCH"];
const KEPT: &[&str] = &["GET", "POST", "DELETE"];

const fn v0(name: &'static str, methods: &'static [&'static str]) -> Endpoint {
    Endpoint { name, version: "v0", methods }
}

const fn v1(name: &'static str, methods: &'static [&'static str]) -> Endpoint {
    Endpoint { name, version: "v1", methods }
}

const ENDPOINTS: &[Endpoint] = &[
    v0("files/path{*}", KEPT),
    v0("files/sharing/", KEPT),
    v0("files/tree/", READ),
    v0("webapps/", COLLECTION),
    v0("webapps/{}/", ITEM),
    v0("webapps/{}/disable/", CALL),
    v0("webapps/{}/enable/", CALL),
    v0("webapps/{}/reload/", CALL),
    v0("webapps/{}/ssl/", KEPT),
    v0("webapps/{}/static_files/", COLLECTION),
    v0("webapps/{}/static_files/{}/", ITEM),
    v0("webapps/{}/static_headers/", COLLECTION),
    v0("webapps/{}/static_headers/{}/", ITEM),
    v0("consoles/", COLLECTION),
    v0("consoles/shared_with_you/", READ),
    v0("consoles/{}/", &["GET", "DELETE"]),
    v0("consoles/{}/get_latest_output/", READ),
    v0("consoles/{}/send_input/", CALL),
    v0("always_on/", COLLECTION),
    v0("always_on/{}/", ITEM),
    v0("always_on/{}/restart/", CALL),
    v0("schedule/", COLLECTION),
    v0("schedule/{}/", ITEM),
    v0("cpu/", READ),
    v0("databases/mysql/", READ),
    v0("default_python3_version/", SETTING),
    v0("default_python_version/", SETTING),
    v0("default_save_and_run_python_version/", SETTING),
    v0("students/", READ),
    v0("students/{}/", &["DELETE"]),
    v0("system_image/", SETTING),
    v1("websites/", COLLECTION),
    v1("websites/{}/", &["GET", "PATCH", "DELETE"]),
    v1("websites/{}/reload/", CALL),
    v1("domains/{}/ssl/", COLLECTION),
];

/// The version, user and rest of `/api/<version>/user/<user>/<rest>`.
pub(crate) fn split(path: &str) -> Option<(&str, &str, &str)> {
    let (version, rest) = path.strip_prefix("/api/")?.split_once("/user/")?;
    let (user, rest) = rest.split_once('/')?;
    (!version.contains('/') && !user.is_empty()).then_some((version, user, rest))
}

/// The endpoint that a request's path, as it was sent, belongs to.
pub(crate) fn find(path: &str) -> Option<&'static Endpoint> {
    let (version, _, rest) = split(path)?;
    ENDPOINTS.iter().find(|endpoint| endpoint.version == version && matches(endpoint.name, rest))
}

fn matches(pattern: &str, path: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix("{*}") {
        // `files/pathology` is no path in the account.
        return path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    }
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("{}"), Some(segment)) if !segment.is_empty() => {}
            (Some(part), Some(segment)) if part == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_endpoint() {
        for (path, name) in [
            ("/api/v0/user/u/files/path/home/u/a", Some("files/path{*}")),
            ("/api/v0/user/u/files/path", Some("files/path{*}")),
            ("/api/v0/user/u/files/pathology", None),
            ("/api/v0/user/u/consoles/shared_with_you/", Some("consoles/shared_with_you/")),
            ("/api/v0/user/u/consoles/7/", Some("consoles/{}/")),
            ("/api/v0/user/u/consoles/7", None),
            ("/api/v0/user/u/consoles//", None),
            ("/api/v0/user/u/websites/", None),
            ("/api/v1/user/u/websites/", Some("websites/")),
            ("/api/v0/user/u", None),
            ("/user/u/consoles/7/", None),
        ] {
            assert_eq!(find(path).map(|endpoint| endpoint.name), name, "{path}");
        }
    }
}
