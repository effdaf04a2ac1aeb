//! All routes put together, and the answers to what none of them serves.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use http::{Method, StatusCode, Uri, header};

use super::{consoles, files, sharing, tree, webapps};
use crate::emulator::answer;
use crate::emulator::endpoints;
use crate::emulator::state::State;

/// A family's routes, with full paths (`/api/v0/user/{user}/…`).
pub type Router = axum::Router<Arc<State>>;

/// Every route of the API and of the pages beside it.
pub fn router() -> Router {
    axum::Router::new()
        .merge(files::router())
        .merge(sharing::router())
        .merge(tree::router())
        .merge(consoles::router())
        .merge(webapps::router())
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
}

async fn unknown_path(Shared(state): Shared<Arc<State>>, method: Method, uri: Uri) -> Response {
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
    match endpoints::find(path) {
        Some(endpoint) if endpoint.methods.contains(&method.as_str()) => not_served(&method, endpoint.name),
        Some(endpoint) => method_not_allowed(&method, endpoint.methods),
        None => answer::detail(StatusCode::NOT_FOUND, "Not found."),
    }
}

async fn unknown_method(method: Method, uri: Uri) -> Response {
    match endpoints::find(uri.path()) {
        Some(endpoint) if endpoint.methods.contains(&method.as_str()) => not_served(&method, endpoint.name),
        Some(endpoint) => method_not_allowed(&method, endpoint.methods),
        None => method_not_allowed(&method, &["GET"]),
    }
}

/// The service has it, this emulator has not: neither 404 nor 405 would be true.
fn not_served(method: &Method, endpoint: &str) -> Response {
    answer::detail(
        StatusCode::NOT_IMPLEMENTED,
        &format!("This version of the emulator does not serve {method} {endpoint} yet."),
    )
}

fn method_not_allowed(method: &Method, allowed: &[&str]) -> Response {
    let body = answer::detail(StatusCode::METHOD_NOT_ALLOWED, &format!("Method \"{method}\" not allowed."));
    answer::with_header(body, header::ALLOW, &allowed.join(", "))
}
