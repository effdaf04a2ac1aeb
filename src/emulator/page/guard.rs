//! Who may use the page, and what its responses forbid a browser.
//!
//! The emulator listens on loopback, but any web site that a developer visits can send requests there. So: a request
//! must name this machine (a name that was made to resolve to it is refused), must know the page's token, and must carry
//! it in a header to change anything, which another site's script cannot send without being allowed to. Nothing allows it.

use axum::response::Response;
use http::{HeaderName, Method, Request, StatusCode, header};
use url::form_urlencoded;

use crate::emulator::named_host::{is_this_machine, named_host};
use crate::emulator::response;

/// The header with the page's token.
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-page-token");

const NO_TOKEN: &str = "<!DOCTYPE html><title>Emulator</title><p>This page needs its token: open the address that the \
    emulator printed as <code>page</code> when it started. A new emulator has a new token.";

/// Refuses what the page does not ask.
#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
pub(super) fn check<B>(token: &str, request: &Request<B>) -> Result<(), Response> {
    if !named_host(request).is_some_and(is_this_machine) {
        let text = "The emulator's page answers at 127.0.0.1, localhost and [::1] only.";
        return Err(response::with_body(StatusCode::MISDIRECTED_REQUEST, text));
    }
    let given = request.headers().get(TOKEN_HEADER).map(|value| value.as_bytes().to_vec());
    let given = given.or_else(|| (request.method() == Method::GET).then(|| token_of(request.uri().query())).flatten());
    if given.is_some_and(|given| given == token.as_bytes()) {
        return Ok(());
    }
    Err(response::html(StatusCode::FORBIDDEN, NO_TOKEN))
}

fn token_of(query: Option<&str>) -> Option<Vec<u8>> {
    let mut fields = form_urlencoded::parse(query?.as_bytes());
    fields.find(|(name, _)| name == "token").map(|(_, value)| value.into_owned().into_bytes())
}

/// Adds what keeps a browser from running, framing, storing or telling others anything that is in a response. `nonce`
/// marks the scripts and styles that may run.
pub(super) fn seal(response: Response, nonce: &str) -> Response {
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    headers.into_iter().fold(response, |response, (name, value)| response::with_header(response, name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &str, host: &str, address: &str, header: Option<&str>) -> Option<u16> {
        let mut request = Request::builder().method(method).uri(address).header(header::HOST, host);
        if let Some(token) = header {
            request = request.header(TOKEN_HEADER, token);
        }
        check("secret", &request.body(()).unwrap()).err().map(|refused| refused.status().as_u16())
    }

    #[test]
    fn the_token_in_the_address_is_for_reading_only() {
        assert_eq!(status("GET", "127.0.0.1:80", "/?token=secret", None), None);
        assert_eq!(status("POST", "127.0.0.1:80", "/?token=secret", None), Some(403));
        assert_eq!(status("POST", "127.0.0.1:80", "/", Some("secret")), None);
        for wrong in ["/", "/?token=", "/?token=Secret", "/?token=secretx", "/?token=x&token=secret"] {
            assert_eq!(status("GET", "localhost", wrong, None), Some(403), "{wrong}");
        }
        assert_eq!(status("GET", "localhost", "/?token=secret", Some("wrong")), Some(403));
    }

    #[test]
    fn only_loopback_names_are_answered() {
        for host in ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:1", "[::1]"] {
            assert_eq!(status("GET", host, "/?token=secret", None), None, "{host}");
        }
        for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "::1", ""] {
            assert_eq!(status("GET", host, "/?token=secret", None), Some(421), "{host}");
        }
        let without = Request::builder().uri("/?token=secret").body(()).unwrap();
        assert_eq!(check("secret", &without).unwrap_err().status(), 421);
        let http2 = Request::builder().uri("http://localhost:9/?token=secret").body(()).unwrap();
        assert!(check("secret", &http2).is_ok());
    }
}
