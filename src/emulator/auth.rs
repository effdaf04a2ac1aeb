//! Authentication and permissions: the token, and what the account's plan allows.
//!
//! The answers are those of Django REST framework's `TokenAuthentication`. It treats a header with another scheme as a
//! missing header, and distinguishes a malformed header from a wrong token.

use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;

use super::settings::AccountKind;
use super::state::EmulatorState;
use super::{api_path, response};

/// Checks the token, and that the path belongs to the token's user.
#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
pub(crate) fn check(state: &EmulatorState, headers: &HeaderMap, path: &str) -> Result<(), Response> {
    let given = headers.get(header::AUTHORIZATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut words = given.as_deref().unwrap_or_default().split_ascii_whitespace();
    if !words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("token")) {
        return Err(unauthorized("Authentication credentials were not provided."));
    }
    match (words.next(), words.next()) {
        (None, _) => return Err(unauthorized("Invalid token header. No credentials provided.")),
        (Some(_), Some(_)) => {
            return Err(unauthorized("Invalid token header. Token string should not contain spaces."));
        }
        (Some(token), None) if token != state.token => return Err(unauthorized("Invalid token.")),
        (Some(_), None) => {}
    }
    match api_path::split(path) {
        Some((_, user, _)) if percent_decode_str(user).ne(state.account.user().bytes()) => Err(response::forbidden()),
        _ => Ok(()),
    }
}

/// Refuses what free accounts do not include.
#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
pub(crate) fn paid_only(state: &EmulatorState) -> Result<(), Response> {
    match state.account.kind() {
        AccountKind::Free => Err(response::forbidden()),
        AccountKind::Paid => Ok(()),
    }
}

fn unauthorized(detail: &str) -> Response {
    response::with_header(response::detail(StatusCode::UNAUTHORIZED, detail), header::WWW_AUTHENTICATE, "Token")
}
