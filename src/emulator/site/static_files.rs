//! What the host's web server handles in front of a web app: password protection and static file mappings.
//!
//! Mappings are tried in the order in which they were created. A mapping that leads to no file is skipped; if all are
//! skipped, the web app answers. A mapping whose path is a file serves it for every address below its own
//! (<https://help.pythonanywhere.com/pages/DebuggingStaticFiles/>). Folders are not listed.

use std::fs::{self, Metadata};
use std::path::PathBuf;
use std::time::SystemTime;

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use percent_encoding::percent_decode_str;

use crate::emulator::account::LastLink;
use crate::emulator::account_path::AccountPath;
use crate::emulator::files::open_file;
use crate::emulator::process::{StaticFile, WebApp};
use crate::emulator::response;
use crate::emulator::state::EmulatorState;

/// Asks for the password if the site is protected and the request lacks it.
pub(crate) fn check_password(app: &WebApp, headers: &HeaderMap) -> Option<Response> {
    let wanted = format!("{}:{}", app.password_protection_username, app.password_protection_password);
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let given = given.and_then(|(_, text)| BASE64.decode(text.trim()).ok());
    if !app.password_protection_enabled || given.as_deref() == Some(wanted.as_bytes()) {
        return None;
    }
    let page = response::html(StatusCode::UNAUTHORIZED, "<h1>401 Authorization Required</h1>");
    Some(response::with_header(page, header::WWW_AUTHENTICATE, "Basic realm=\"Restricted\""))
}

/// The file to which the mappings lead for this request, if there is one. Blocks.
pub(crate) fn find(
    state: &EmulatorState,
    app: &WebApp,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<Response> {
    if *method != Method::GET && *method != Method::HEAD {
        return None;
    }
    let path: Vec<u8> = percent_decode_str(uri.path()).collect();
    let mut response = app.static_files.iter().find_map(|mapping| serve(state, mapping, &path, headers))?;
    for added in app.static_headers.iter().filter(|added| path.starts_with(added.url.as_bytes())) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(&added.name), HeaderValue::try_from(&added.value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Some(response)
}

/// The part of an address below the mapping's address.
fn below<'a>(url: &str, path: &'a [u8]) -> Option<&'a [u8]> {
    let rest = path.strip_prefix(url.as_bytes())?;
    (rest.is_empty() || url.ends_with('/') || rest[0] == b'/').then_some(rest)
}

/// The file to which a mapping leads for the rest of an address.
fn file_at(state: &EmulatorState, mapping: &StaticFile, rest: &[u8]) -> Option<(Metadata, PathBuf)> {
    let mut found = resolve(state, mapping.path.as_bytes())?;
    if found.0.is_dir() && !rest.ends_with(b"/") {
        found = resolve(state, &[mapping.path.as_bytes(), b"/", rest].concat())?;
    }
    found.0.is_file().then_some(found)
}

fn resolve(state: &EmulatorState, path: &[u8]) -> Option<(Metadata, PathBuf)> {
    // Paths with `..` are invalid.
    let path = AccountPath::parse(path).ok()?;
    let real = state.account.resolve(&path, LastLink::Follow).ok()?;
    Some((fs::symlink_metadata(&real).ok()?, real))
}

fn serve(state: &EmulatorState, mapping: &StaticFile, path: &[u8], headers: &HeaderMap) -> Option<Response> {
    let (metadata, real) = file_at(state, mapping, below(&mapping.url, path)?)?;
    let modified = metadata.modified().ok()?;
    if is_fresh(headers, modified) {
        return Some(response::empty(StatusCode::NOT_MODIFIED));
    }
    let Ok((body, length)) = open_file(&real, &metadata) else {
        return Some(response::html(StatusCode::FORBIDDEN, "<h1>403 Forbidden</h1>"));
    };
    let mut response = response::with_body(StatusCode::OK, body);
    if let Some(kind) = mime_guess::from_path(&real).first() {
        let charset = if kind.type_() == mime_guess::mime::TEXT { "; charset=utf-8" } else { "" };
        response = response::with_header(response, header::CONTENT_TYPE, &format!("{kind}{charset}"));
    }
    response = response::with_header(response, header::CONTENT_LENGTH, &length.to_string());
    Some(response::with_header(response, header::LAST_MODIFIED, &httpdate::fmt_http_date(modified)))
}

/// Whether the visitor's copy is current; HTTP dates are in whole seconds.
fn is_fresh(headers: &HeaderMap, modified: SystemTime) -> bool {
    let known = headers.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let known = known.and_then(|value| httpdate::parse_http_date(value).ok());
    known.is_some_and(|known| known + std::time::Duration::from_secs(1) > modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_for_its_address_and_what_is_below() {
        for (url, path, rest) in [
            ("/static/", "/static/a", Some("a")),
            ("/static", "/static/a", Some("/a")),
            ("/static", "/static", Some("")),
            ("/static", "/statics/a", None),
            ("/", "/a", Some("a")),
            ("/static/", "/static", None),
        ] {
            assert_eq!(below(url, path.as_bytes()), rest.map(str::as_bytes), "{url} {path}");
        }
    }
}
