//! Which answers are a success: those that the service documents, not any with a 2xx status.
//!
//! Between us and the service there may be a proxy, a captive portal or a maintenance page, and those answer with 200
//! and a page of their own. A file that such a page "accepted" is nowhere, so a page of HTML is never a success, and
//! neither is a status that the endpoint does not give. An empty body says nothing: Django labels that `text/html` too.

use http::Method;

use super::endpoints::endpoint_of;

/// The statuses that mean success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Success {
    /// Only these, and never with a page of HTML.
    Documented(&'static [u16]),
    /// Any 2xx, never with a page of HTML: an endpoint that we do not know.
    Unknown,
    /// Any 2xx: the server is not the service, and its pages are what was asked for.
    Any,
}

impl Success {
    /// What the service documents for a method and a path below the account.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let endpoint = endpoint_of(path).name;
        Self::Documented(match (method.as_str(), endpoint) {
            (_, "other") => return Self::Unknown,
            ("GET" | "PUT" | "PATCH", _) | ("POST", "webapps/*/reload" | "websites/*/reload") => &[200],
            ("POST", "files/path/**") => &[200, 201],
            ("POST", _) => &[200, 201, 204],
            ("DELETE", "webapps/*/ssl") => &[200, 204],
            ("DELETE", _) => &[204],
            _ => return Self::Unknown,
        })
    }

    /// Whether an answer of this kind is a success.
    pub(super) fn includes(self, status: http::StatusCode, is_page: bool) -> bool {
        match self {
            Self::Documented(statuses) => statuses.contains(&status.as_u16()) && !is_page,
            Self::Unknown => status.is_success() && !is_page,
            Self::Any => status.is_success(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn each_endpoint_has_its_statuses() {
        let says = |method: &str, path: &str, status: u16| {
            Success::of(&method.parse().unwrap(), path).includes(StatusCode::from_u16(status).unwrap(), false)
        };
        for (method, path, good, bad) in [
            ("GET", "files/path/home/me/x", vec![200], vec![201, 202, 203, 204, 206]),
            ("POST", "files/path/home/me/x", vec![200, 201], vec![202, 204, 206]),
            ("DELETE", "files/path/home/me/x", vec![204], vec![200, 202]),
            ("POST", "webapps/a.b/reload/", vec![200], vec![201, 202, 204]),
            ("POST", "consoles/", vec![200, 201], vec![202]),
            ("DELETE", "webapps/a.b/ssl/", vec![200, 204], vec![202]),
            ("GET", "something/new/", vec![200, 203], vec![302, 404]),
        ] {
            assert!(good.iter().all(|status| says(method, path, *status)), "{method} {path}");
            assert!(!bad.iter().any(|status| says(method, path, *status)), "{method} {path}");
        }
    }

    #[test]
    fn a_page_is_a_success_only_where_pages_are_asked_for() {
        let known = Success::of(&Method::POST, "files/path/home/me/x");
        assert!(!known.includes(StatusCode::OK, true) && !Success::Unknown.includes(StatusCode::OK, true));
        assert!(Success::Any.includes(StatusCode::OK, true));
    }
}
