//! The page's addresses.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};
use http::{Request, StatusCode};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::{accounts, consoles, events, faults, files, guard};
use crate::digest::random_hex;
use crate::emulator::response;
use crate::emulator::state::EmulatorState;

const PAGE: &str = include_str!("page.html");

/// In the page, where the mark of what may run belongs.
const NONCE: &str = "{nonce}";

/// Whether a path is the page's, and none of the service.
pub(crate) fn is_at(path: &str) -> bool {
    path == "/" || path.starts_with("/emulator/")
}

/// The router of what the page asks.
pub(crate) fn router() -> Router<Arc<EmulatorState>> {
    Router::new()
        .route("/", get(page))
        .route("/emulator/events", get(events::stream))
        .route("/emulator/files", get(files::read))
        .route("/emulator/account", put(accounts::set_kind))
        .route("/emulator/latency", put(accounts::set_latency))
        .route("/emulator/clock", put(accounts::set_clock))
        .route("/emulator/environment", post(accounts::environment))
        .route("/emulator/consoles", post(consoles::create))
        .route("/emulator/consoles/{id}", delete(consoles::close))
        .route("/emulator/consoles/{id}/open", post(consoles::open))
        .route("/emulator/consoles/{id}/input", post(consoles::enter))
        .route("/emulator/faults", post(faults::add).delete(faults::clear))
        .route("/emulator/faults/{id}", delete(faults::remove))
        .route("/emulator/held", delete(faults::release_all))
        .route("/emulator/held/{number}", delete(faults::release))
        .fallback(|| async { response::not_found() })
}

/// Answers a request to the page.
pub(crate) async fn answer(token: &str, router: Router, mut request: Request<Body>) -> Response {
    let nonce = match random_hex(32) {
        Ok(nonce) => nonce,
        Err(error) => return response::internal(&error),
    };
    request.extensions_mut().insert(Nonce(nonce.clone()));
    let answer = match guard::check(token, &request) {
        Err(refused) => refused,
        Ok(()) => match TowerToHyperService::new(router).call(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        },
    };
    guard::seal(answer, &nonce)
}

/// The mark of the scripts and styles that may run in one response.
#[derive(Debug, Clone)]
struct Nonce(String);

async fn page(Extension(Nonce(nonce)): Extension<Nonce>) -> Response {
    response::html(StatusCode::OK, PAGE.replace(NONCE, &nonce))
}
