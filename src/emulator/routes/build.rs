//! All routes put together, and the answers to what none of them serves.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::response::Response;
use http::{Method, StatusCode, Uri, header};

use super::{consoles, sharing};
use crate::emulator::answer;
use crate::emulator::endpoints::{self, ENDPOINTS, Endpoint};
use crate::emulator::state::State;

/// Routes of the API or beside it.
pub type Router = axum::Router<Arc<State>>;

/// Every route of the API and of the pages beside it.
pub fn router() -> Router {
    let mut router = axum::Router::new();
    for endpoint in ENDPOINTS {
        for route in endpoint.routes() {
            let mut methods = (endpoint.handlers)();
            if endpoint.takes_uploads() {
                // Their limit is the account's, not the framework's.
                methods = methods.layer(DefaultBodyLimit::disable());
            }
            router = router.route(&route, methods);
        }
    }
    router
        .merge(consoles::pages())
        .merge(sharing::pages())
        .fallback(|Shared(state): Shared<Arc<State>>, uri: Uri| async move { unknown_path(&state, &uri) })
        .method_not_allowed_fallback(unknown_method)
}

/// The answer to a path that nothing is served at.
pub fn unknown_path(state: &State, uri: &Uri) -> Response {
    let path = uri.path();
    if state.settings.undocumented.append_slash
        && !path.ends_with('/')
        && endpoints::find(&format!("{path}/")).is_some()
    {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return answer::with_header(
            answer::empty(StatusCode::MOVED_PERMANENTLY),
            header::LOCATION,
            &format!("{path}/{query}"),
        );
    }
    answer::detail(StatusCode::NOT_FOUND, "Not found.")
}

async fn unknown_method(method: Method, uri: Uri) -> Response {
    let allowed = endpoints::find(uri.path()).map_or_else(|| "GET".to_owned(), Endpoint::allowed);
    let body = answer::detail(StatusCode::METHOD_NOT_ALLOWED, &format!("Method \"{method}\" not allowed."));
    answer::with_header(body, header::ALLOW, &allowed)
}
