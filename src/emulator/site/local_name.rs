//! Names below `localhost`, which Chromium and Firefox look for on this machine: `me.pythonanywhere.com.localhost`.
//!
//! The application gets the request as on the host, addressed to its domain, and where its answer leads to that domain
//! the browser is led here. So a site that accepts its own domain only can be looked at without changing it.

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};

const SUFFIX: &str = ".localhost";

/// The domain and the name by which it was asked for, such as `me.pythonanywhere.com.localhost:8001`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LocalName {
    domain: String,
    name: String,
}

impl LocalName {
    /// Addresses a request to the domain instead, if it is to a local name.
    pub(super) fn take(headers: &mut HeaderMap) -> Option<Self> {
        let name = headers.get(header::HOST)?.to_str().ok()?.to_owned();
        let domain = name.rsplit_once(':').map_or(name.as_str(), |(domain, _)| domain).strip_suffix(SUFFIX)?;
        let local = Self { domain: domain.to_owned(), name: name.clone() };
        headers.insert(header::HOST, HeaderValue::from_str(domain).ok()?);
        for header in [header::ORIGIN, header::REFERER] {
            replace(headers, &header, &local.name, &local.domain);
        }
        Some(local)
    }

    /// Lets a redirect to the domain lead here.
    pub(super) fn restore(&self, mut response: Response) -> Response {
        replace(response.headers_mut(), &header::LOCATION, &self.domain, &self.name);
        response
    }
}

/// Replaces the host in the address that a header holds, if it is `old`.
fn replace(headers: &mut HeaderMap, header: &HeaderName, old: &str, new: &str) {
    let address = headers.get(header).and_then(|value| value.to_str().ok());
    let Some((scheme, rest)) = address.and_then(|address| address.split_once("://")) else { return };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host == old
        && let Ok(address) = HeaderValue::try_from(format!("{scheme}://{new}{path}"))
    {
        headers.insert(header, address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_asked_by_its_domain_and_redirects_stay_here() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("a.com.localhost:81"));
        headers.insert(header::ORIGIN, HeaderValue::from_static("http://a.com.localhost:81"));
        headers.insert(header::REFERER, HeaderValue::from_static("http://elsewhere.com/x"));
        let local = LocalName::take(&mut headers).unwrap();
        assert_eq!(headers[header::HOST], "a.com");
        assert_eq!(headers[header::ORIGIN], "http://a.com");
        assert_eq!(headers[header::REFERER], "http://elsewhere.com/x");
        for (location, leads_to) in [
            ("https://a.com/x?y", "https://a.com.localhost:81/x?y"),
            ("http://b.com/", "http://b.com/"),
            ("/login/", "/login/"),
        ] {
            let mut response = Response::default();
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(location));
            assert_eq!(local.restore(response).headers()[header::LOCATION], leads_to);
        }
    }

    #[test]
    fn other_names_stay() {
        for name in ["a.com", "127.0.0.1:81", "localhost:81"] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(name));
            assert_eq!(LocalName::take(&mut headers), None);
            assert_eq!(headers[header::HOST], name);
        }
    }
}
