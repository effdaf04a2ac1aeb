//! The responses that several endpoints share, in the service's wording.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;

/// What a handler returns that refuses some requests.
pub(crate) type Answer = Result<Response, Response>;

/// A JSON response.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => with_header(with_body(status, body), header::CONTENT_TYPE, "application/json"),
        Err(error) => internal(&error),
    }
}

/// An error in Django REST framework's shape.
pub(crate) fn detail(status: StatusCode, text: &str) -> Response {
    json(status, &json!({ "detail": text }))
}

/// Django REST framework's 403, which the service returns for what the account's plan does not include.
pub(crate) fn forbidden() -> Response {
    detail(StatusCode::FORBIDDEN, "You do not have permission to perform this action.")
}

/// The 404 for a resource that does not exist.
pub(crate) fn not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Not found.")
}

/// What was looked for, as `shown` answers with it; 404 if it does not exist.
pub(crate) fn found<T>(outcome: io::Result<Option<T>>, shown: impl FnOnce(T) -> Response) -> Response {
    match outcome {
        Ok(found) => found.map_or_else(not_found, shown),
        Err(error) => internal(&error),
    }
}

/// Django REST framework's 429.
pub(crate) fn throttled(wait: Duration, retry_after: bool) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let text = format!("Request was throttled. Expected available in {seconds} {unit}.");
    let response = detail(StatusCode::TOO_MANY_REQUESTS, &text);
    if retry_after { with_header(response, header::RETRY_AFTER, &seconds.to_string()) } else { response }
}

/// An error in the shape in which `DELETE files/path` refuses.
pub(crate) fn message(status: StatusCode, text: &str, code: &str) -> Response {
    json(status, &json!({ "message": text, "code": code }))
}

/// A web page.
pub(crate) fn html(status: StatusCode, page: impl Into<Body>) -> Response {
    with_header(with_body(status, page), header::CONTENT_TYPE, "text/html; charset=utf-8")
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    with_body(status, Body::empty())
}

/// A 500 for a failure that the request did not cause.
pub(crate) fn internal(error: &dyn std::error::Error) -> Response {
    log::warn!("the emulator failed to handle a request: {error}");
    detail(StatusCode::INTERNAL_SERVER_ERROR, &format!("The emulator failed: {error}"))
}

pub(crate) fn with_body(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}

/// Sets a header; a value that cannot be sent is omitted.
pub(crate) fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}
