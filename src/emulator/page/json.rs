//! The form of the page's answers and refusals.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::emulator::response;

/// The body of a request to change something.
pub(super) type Body<T> = Result<Json<T>, JsonRejection>;

/// The value in a body.
#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
pub(super) fn read<T>(body: Body<T>) -> Result<T, Response> {
    body.map(|Json(value)| value).map_err(|rejection| refuse(StatusCode::BAD_REQUEST, &rejection.body_text()))
}

/// A value as a response.
pub(super) fn ok(value: &impl Serialize) -> Response {
    response::json(StatusCode::OK, value)
}

/// The response to a change that needs no words.
pub(super) fn done() -> Response {
    response::empty(StatusCode::NO_CONTENT)
}

/// Why something was not done, for the person at the page.
pub(super) fn refuse(status: StatusCode, reason: &str) -> Response {
    response::json(status, &json!({ "error": reason }))
}

/// The response for something that is not there, or not any more.
pub(super) fn gone(what: &str) -> Response {
    refuse(StatusCode::NOT_FOUND, &format!("{what} is not there any more."))
}

/// Seconds since 1970.
pub(super) fn epoch(moment: SystemTime) -> f64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The account's path of a log.
pub(super) fn log_path(name: &str) -> Value {
    format!("/var/log/{name}").into()
}
