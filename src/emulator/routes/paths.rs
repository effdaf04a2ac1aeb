//! The account paths in requests: in the URL (`files/path…`), or in the parameter `path`.
//!
//! A path in the URL is taken from the raw request, decoded to bytes and then split, as the service's web server does
//! before the application sees it: `%2F` separates folders like `/`, and a name may contain any byte except NUL.

use axum::response::Response;
use http::{StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use url::form_urlencoded;

use crate::emulator::account_path::{AccountPath, BadPath};
use crate::emulator::api_path;
use crate::emulator::response;
use crate::emulator::state::EmulatorState;

const PREFIX: &str = "files/path";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The URL of a path in the account.
pub(crate) fn url_of(state: &EmulatorState, path: &AccountPath) -> String {
    let quoted = percent_encode(&path.to_bytes(), UNRESERVED).to_string();
    format!("{}/api/v0/user/{}/{PREFIX}{quoted}", state.url, state.account.user())
}

/// The path in the URL of `files/path…`.
#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
pub(crate) fn of_address(uri: &Uri) -> Result<AccountPath, Response> {
    let rest = api_path::split(uri.path()).map_or("", |(_, _, rest)| rest);
    let path: Vec<u8> = percent_decode_str(rest.strip_prefix(PREFIX).unwrap_or(rest)).collect();
    AccountPath::parse(&path).map_err(|problem| response::detail(bad_path_status(problem), &problem.to_string()))
}

fn bad_path_status(problem: BadPath) -> StatusCode {
    match problem {
        BadPath::Dots => StatusCode::FORBIDDEN,
        BadPath::Nul | BadPath::Relative => StatusCode::BAD_REQUEST,
    }
}

/// The path in a parameter `path`, normalized: `/a/` and `/a` are the same file.
#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
pub(crate) fn of_parameter(value: Option<String>) -> Result<AccountPath, Response> {
    let bad = |text: &str| response::detail(StatusCode::BAD_REQUEST, text);
    let value = value.ok_or_else(|| bad("You must provide a 'path'."))?;
    let path = value.trim_end_matches('/');
    AccountPath::parse(path.as_bytes()).map_err(|problem| bad(&problem.to_string()))
}

/// The path in the parameter `path` of a query.
#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
pub(crate) fn of_query(uri: &Uri) -> Result<AccountPath, Response> {
    of_parameter(parameter(uri.query().unwrap_or_default().as_bytes()))
}

/// The parameter `path` in a query or a form.
pub(crate) fn parameter(query: &[u8]) -> Option<String> {
    form_urlencoded::parse(query).find(|(key, _)| key == "path").map(|(_, value)| value.into_owned())
}
