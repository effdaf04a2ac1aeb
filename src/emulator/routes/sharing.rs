//! `files/sharing`: sharing files publicly, and the pages that serve them.

use std::fs;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::{StatusCode, Uri, header};
use serde_json::{Value, json};

use super::paths;
use crate::digest::random_hex;
use crate::emulator::account::LastLink;
use crate::emulator::account_path::AccountPath;
use crate::emulator::files::{download, failed, on_disk, open_file};
use crate::emulator::response::{self, Answer};
use crate::emulator::state::{EmulatorState, SharedState};

const ID_DIGITS: usize = 16;

/// Longer than any path.
const MAX_BODY: usize = 64 << 10;

/// The pages of shared files.
pub fn pages() -> Router<Arc<EmulatorState>> {
    Router::new().route("/user/{user}/shares/{id}/", get(shared_file))
}

fn address(state: &EmulatorState, id: &str) -> Value {
    json!({ "url": format!("/user/{}/shares/{id}/", state.account.user()) })
}

pub(crate) async fn share(State(state): SharedState, request: Request) -> Answer {
    let path = path_to_share(request).await?;
    on_disk(move || share_file(&state, path)).await
}

async fn path_to_share(request: Request) -> Result<AccountPath, Response> {
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let body = axum::body::to_bytes(request.into_body(), MAX_BODY)
        .await
        .map_err(|_| response::detail(StatusCode::BAD_REQUEST, "The request's body could not be read."))?;
    let value = if is_json {
        let fields: Value = serde_json::from_slice(&body)
            .map_err(|error| response::detail(StatusCode::BAD_REQUEST, &format!("JSON parse error - {error}")))?;
        fields.get("path").and_then(Value::as_str).map(str::to_owned)
    } else {
        paths::parameter(&body)
    };
    paths::of_parameter(value)
}

/// Shares a file, if it is not shared already. Blocks.
fn share_file(state: &EmulatorState, path: AccountPath) -> Response {
    let found = state.account.resolve(&path, LastLink::Follow).and_then(fs::symlink_metadata);
    match found {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return response::detail(StatusCode::BAD_REQUEST, &format!("{path} is not a file")),
        Err(error) => return failed(&error, &path),
    }
    if let Some(id) = state.shares.id_of(&path) {
        return response::json(StatusCode::OK, &address(state, &id));
    }
    match random_hex(ID_DIGITS) {
        Ok(id) => {
            let body = address(state, &id);
            state.shares.lock().insert(id, path);
            response::json(StatusCode::CREATED, &body)
        }
        Err(error) => response::internal(&error),
    }
}

pub(crate) async fn status(State(state): SharedState, uri: Uri) -> Answer {
    Ok(match state.shares.id_of(&paths::of_query(&uri)?) {
        Some(id) => response::json(StatusCode::OK, &address(&state, &id)),
        None => response::not_found(),
    })
}

pub(crate) async fn unshare(State(state): SharedState, uri: Uri) -> Answer {
    let path = paths::of_query(&uri)?;
    state.shares.lock().retain(|_, shared| *shared != path);
    Ok(response::empty(StatusCode::NO_CONTENT))
}

async fn shared_file(State(state): SharedState, Path((user, id)): Path<(String, String)>) -> Answer {
    let path = state.shares.lock().get(&id).filter(|_| user == state.account.user()).cloned();
    let Some(path) = path else {
        return Ok(response::html(StatusCode::NOT_FOUND, "<h1>Not Found</h1>"));
    };
    on_disk(move || {
        let opened = state.account.resolve(&path, LastLink::Follow).and_then(|real| {
            let metadata = fs::symlink_metadata(&real)?;
            if metadata.is_file() { open_file(&real, &metadata).map(Some) } else { Ok(None) }
        });
        match opened {
            Ok(Some((body, length))) => download(body, length, "application/octet-stream"),
            Ok(None) | Err(_) => response::html(StatusCode::NOT_FOUND, "<h1>Not Found</h1>"),
        }
    })
    .await
}
