//! The router, and the responses to requests that no route serves.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use http::{Method, StatusCode, Uri, header};

use super::table::{self, ENDPOINTS, Endpoint};
use super::{consoles, sharing};
use crate::emulator::response;
use crate::emulator::state::{EmulatorState, SharedState};

/// The router for the API and the pages beside it.
pub fn router() -> Router<Arc<EmulatorState>> {
    let mut router = Router::new();
    for endpoint in ENDPOINTS {
        for route in endpoint.routes() {
            let mut methods = (endpoint.handlers)();
            if endpoint.takes_uploads() {
                // The limit for uploads is the account's, not the framework's.
                methods = methods.layer(DefaultBodyLimit::disable());
            }
            router = router.route(&route, methods);
        }
    }
    router
        .merge(consoles::pages())
        .merge(sharing::pages())
        .fallback(|State(state): SharedState, uri: Uri| async move { unknown_path(&state, &uri) })
        .method_not_allowed_fallback(unknown_method)
}

/// The response to a path that no route serves.
pub fn unknown_path(state: &EmulatorState, uri: &Uri) -> Response {
    let path = uri.path();
    if state.settings.undocumented.append_slash && !path.ends_with('/') && table::find(&format!("{path}/")).is_some() {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return response::with_header(
            response::empty(StatusCode::MOVED_PERMANENTLY),
            header::LOCATION,
            &format!("{path}/{query}"),
        );
    }
    response::not_found()
}

async fn unknown_method(method: Method, uri: Uri) -> Response {
    let allowed = table::find(uri.path()).map_or_else(|| "GET".to_owned(), Endpoint::allowed);
    let body = response::detail(StatusCode::METHOD_NOT_ALLOWED, &format!("Method \"{method}\" not allowed."));
    response::with_header(body, header::ALLOW, &allowed)
}
