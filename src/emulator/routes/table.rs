//! The service's endpoints: their paths, methods, rate buckets and handlers.
//!
//! The table is the emulator's own, taken from <https://help.pythonanywhere.com/pages/API/>, and not the client's, so
//! that a mistake in either shows. To add an endpoint, add a row here; the router is built from the table.

use std::sync::Arc;

use axum::routing::MethodRouter;

use super::{always_on, consoles, files, mappings, resources, schedule, sharing, ssl, tree, webapps, websites};
use crate::emulator::api_path;
use crate::emulator::process::{StaticFile, StaticHeader};
use crate::emulator::state::EmulatorState;

/// One endpoint of the API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint {
    /// The path below the user's, which is also the name of the rate bucket; `{}` is one segment, `{*}` is any rest.
    pub name: &'static str,
    /// The version of the API that contains it.
    version: &'static str,
    /// Its methods, in lower case.
    methods: &'static [&'static str],
    /// The handlers of its methods.
    pub handlers: fn() -> MethodRouter<Arc<EmulatorState>>,
}

impl Endpoint {
    /// Whether its request bodies may be as large as files.
    pub fn takes_uploads(&self) -> bool {
        self.name.ends_with("{*}")
    }

    /// Its methods, as in the header `Allow`.
    pub fn allowed(&self) -> String {
        self.methods.join(", ").to_uppercase()
    }

    /// The paths to route to it, in the router's syntax.
    pub fn routes(&self) -> Vec<String> {
        let full = format!("/api/{}/user/{{user}}/{}", self.version, self.name);
        if let Some(start) = full.strip_suffix("{*}") {
            return vec![start.to_owned(), format!("{start}/"), format!("{start}/{{*rest}}")];
        }
        // The router needs a name for each parameter; handlers take them in order.
        let route = full.replacen("{}", "{first}", 1).replacen("{}", "{second}", 1);
        let bare = self.answers_bare().then(|| route.trim_end_matches('/').to_owned());
        std::iter::once(route).chain(bare).collect()
    }

    /// Whether a path without its last slash is answered as with it: the service's examples for version 1 leave it out.
    fn answers_bare(&self) -> bool {
        self.version == "v1"
    }

    /// Whether the rest of a path is one of its paths.
    fn is_at(&self, path: &str) -> bool {
        matches(self.name, path)
            || self.answers_bare() && !path.ends_with('/') && matches(self.name, &format!("{path}/"))
    }
}

/// Rows of the table: version, path, and a handler for each method.
macro_rules! endpoints {
    ($($version:ident $name:literal { $($method:ident => $handler:path),+ $(,)? })+) => {
        /// Every endpoint of the service.
        pub(crate) const ENDPOINTS: &[Endpoint] = &[$(Endpoint {
            name: $name,
            version: stringify!($version),
            methods: &[$(stringify!($method)),+],
            handlers: || MethodRouter::new()$(.$method($handler))+,
        }),+];
    };
}

endpoints! {
    v0 "files/path{*}" { get => files::read, post => files::write, delete => files::delete }
    v0 "files/sharing/" { get => sharing::status, post => sharing::share, delete => sharing::unshare }
    v0 "files/tree/" { get => tree::tree }
    v0 "webapps/" { get => webapps::list, post => webapps::create }
    v0 "webapps/{}/" {
        get => webapps::read, put => webapps::update, patch => webapps::update, delete => webapps::delete,
    }
    v0 "webapps/{}/disable/" { post => webapps::disable }
    v0 "webapps/{}/enable/" { post => webapps::enable }
    v0 "webapps/{}/reload/" { post => webapps::reload }
    v0 "webapps/{}/ssl/" { get => ssl::read, post => ssl::set, delete => ssl::delete }
    v0 "webapps/{}/static_files/" { get => mappings::list::<StaticFile>, post => mappings::create::<StaticFile> }
    v0 "webapps/{}/static_files/{}/" {
        get => mappings::read::<StaticFile>,
        put => mappings::replace::<StaticFile>,
        patch => mappings::update::<StaticFile>,
        delete => mappings::delete::<StaticFile>,
    }
    v0 "webapps/{}/static_headers/" {
        get => mappings::list::<StaticHeader>, post => mappings::create::<StaticHeader>,
    }
    v0 "webapps/{}/static_headers/{}/" {
        get => mappings::read::<StaticHeader>,
        put => mappings::replace::<StaticHeader>,
        patch => mappings::update::<StaticHeader>,
        delete => mappings::delete::<StaticHeader>,
    }
    v0 "consoles/" { get => consoles::list, post => consoles::create }
    v0 "consoles/shared_with_you/" { get => consoles::shared_with_you }
    v0 "consoles/{}/" { get => consoles::read, delete => consoles::kill }
    v0 "consoles/{}/get_latest_output/" { get => consoles::latest_output }
    v0 "consoles/{}/send_input/" { post => consoles::send_input }
    v0 "always_on/" { get => always_on::list, post => always_on::create }
    v0 "always_on/{}/" {
        get => always_on::read, put => always_on::replace, patch => always_on::update, delete => always_on::delete,
    }
    v0 "always_on/{}/restart/" { post => always_on::restart }
    v0 "schedule/" { get => schedule::list, post => schedule::create }
    v0 "schedule/{}/" {
        get => schedule::read, put => schedule::replace, patch => schedule::update, delete => schedule::delete,
    }
    v0 "cpu/" { get => resources::cpu }
    v0 "databases/mysql/" { get => resources::mysql_databases }
    v0 "default_python3_version/" {
        get => resources::default_python3_version, patch => resources::set_default_python3_version,
    }
    v0 "default_python_version/" {
        get => resources::default_python_version, patch => resources::set_default_python_version,
    }
    v0 "default_save_and_run_python_version/" {
        get => resources::default_save_and_run_python_version,
        patch => resources::set_default_save_and_run_python_version,
    }
    v1 "websites/" { get => websites::list, post => websites::create }
    v1 "websites/{}/" { get => websites::read, patch => websites::update, delete => websites::delete }
    v1 "websites/{}/reload/" { post => websites::reload }
    v1 "domains/{}/ssl/" { get => ssl::read, post => ssl::set }
    v0 "students/" { get => resources::students }
    v0 "students/{}/" { delete => resources::delete_student }
    v0 "system_image/" { get => resources::system_image, patch => resources::set_system_image }
}

/// The endpoint that a request's raw path belongs to.
pub(crate) fn find(path: &str) -> Option<&'static Endpoint> {
    let (version, _, rest) = api_path::split(path)?;
    ENDPOINTS.iter().find(|endpoint| endpoint.version == version && endpoint.is_at(rest))
}

fn matches(pattern: &str, path: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix("{*}") {
        // `files/pathology` is not a path in the account.
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
            ("/api/v1/user/u/websites/a.b/reload", Some("websites/{}/reload/")),
            ("/api/v1/user/u/domains/a.b/ssl", Some("domains/{}/ssl/")),
            ("/api/v0/user/u/webapps/a.b/reload", None),
            ("/api/v0/user/u", None),
            ("/user/u/consoles/7/", None),
        ] {
            assert_eq!(find(path).map(|endpoint| endpoint.name), name, "{path}");
        }
    }
}
