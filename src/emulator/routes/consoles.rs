//! `consoles/`, and the pages that start consoles.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::json;

use super::fields::Fields;
use super::id::{PathId, UserAndId};
use crate::emulator::response::{self, not_found};
use crate::emulator::state::{EmulatorState, SharedState};

/// The programs that the service allows in a console, besides each version of Python and `IPython`
/// (<https://help.pythonanywhere.com/pages/TypesOfConsoles/>, and what the client `pypawapi` offers).
const EXECUTABLES: [&str; 9] =
    ["bash", "python3", "python", "ipython3", "ipython", "pypy2", "pypy3", "mysql", "postgres"];

/// The pages that start consoles.
pub fn pages() -> Router<Arc<EmulatorState>> {
    Router::new().route("/user/{user}/consoles/{id}/", get(page)).route("/user/{user}/consoles/{id}/frame/", get(page))
}

pub(crate) async fn list(State(state): SharedState) -> Response {
    response::json(StatusCode::OK, &state.processes.consoles.all())
}

/// There is nobody else to share a console.
pub(crate) async fn shared_with_you() -> Response {
    response::json(StatusCode::OK, &json!([]))
}

pub(crate) async fn create(State(state): SharedState, fields: Fields) -> Response {
    if let Err(missing) = fields.require(&["executable"]) {
        return *missing;
    }
    let executable = fields.get("executable").unwrap_or_default();
    if !EXECUTABLES.contains(&executable) && !executable.strip_prefix('i').unwrap_or(executable).starts_with("python3.")
    {
        return response::json(StatusCode::BAD_REQUEST, &json!({"executable": ["This is not a valid choice."]}));
    }
    let most = state.account.kind().consoles();
    let arguments = fields.get("arguments").unwrap_or_default();
    let folder = fields.get("working_directory");
    match state.processes.consoles.create(state.account.user(), executable, arguments, folder, most) {
        Some(console) => response::json(StatusCode::CREATED, &console),
        None => response::html(
            StatusCode::TOO_MANY_REQUESTS,
            "<!DOCTYPE html><html><body><h1>Console limit reached</h1><p>Close one of your consoles first.</p></body></html>",
        ),
    }
}

pub(crate) async fn read(State(state): SharedState, PathId((_, id)): UserAndId) -> Response {
    match state.processes.consoles.get(id) {
        Some(console) => response::json(StatusCode::OK, &console),
        None => not_found(),
    }
}

pub(crate) async fn kill(State(state): SharedState, PathId((_, id)): UserAndId) -> Response {
    if state.processes.consoles.kill(id) { response::empty(StatusCode::NO_CONTENT) } else { not_found() }
}

pub(crate) async fn latest_output(State(state): SharedState, PathId((_, id)): UserAndId) -> Response {
    match state.processes.consoles.latest_output(id) {
        Some(output) => response::json(StatusCode::OK, &json!({ "output": output })),
        None => not_running(&state, id),
    }
}

pub(crate) async fn send_input(State(state): SharedState, PathId((_, id)): UserAndId, fields: Fields) -> Response {
    let Some(input) = fields.get("input") else {
        return response::json(StatusCode::BAD_REQUEST, &json!({"input": ["This field is required."]}));
    };
    match state.processes.consoles.send_input(id, input) {
        Some(Ok(())) => response::json(StatusCode::OK, &json!({"status": "OK"})),
        Some(Err(error)) => response::internal(&error),
        None => not_running(&state, id),
    }
}

fn not_running(state: &EmulatorState, id: u64) -> Response {
    if state.processes.consoles.get(id).is_none() {
        return not_found();
    }
    let text = "Console not yet started. Please load it (or its iframe) in a browser first";
    response::json(StatusCode::PRECONDITION_FAILED, &json!({ "error": text }))
}

/// The page of a console, which starts it. It needs no login: only this machine can reach it.
async fn page(State(state): SharedState, PathId((user, id)): UserAndId) -> Response {
    if user != state.account.user() {
        return response::html(StatusCode::NOT_FOUND, "<h1>Not found</h1>");
    }
    match state.processes.consoles.open(id, &state.session()) {
        Some(Ok(())) => response::html(
            StatusCode::OK,
            format!(
                "<!DOCTYPE html><title>Console {id}</title><p>Console {id} runs. Its output is read through the API.</p>"
            ),
        ),
        Some(Err(error)) => response::internal(&error),
        None => response::html(StatusCode::NOT_FOUND, "<h1>Not found</h1>"),
    }
}
