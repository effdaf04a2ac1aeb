//! A request as the layers above describe it: relative path, query, body. It is turned into bytes anew for each
//! attempt.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use url::Url;

use super::content::FileContent;
use super::endpoints::{Endpoint, endpoint_of};
use super::save::Destination;
use crate::error::{Error, Result};

/// One request to the service. The path is relative to the user, as in `files/path/home/me/x.py`, and already quoted.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: Method,
    /// Of the API.
    pub(super) version: u8,
    pub(super) path: String,
    /// Where the service redirected it to, in place of path and query.
    pub(super) redirected_to: Option<Url>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    pub(super) timeout: Option<Duration>,
    pub(super) max_bytes: Option<usize>,
    pub(super) head: Option<usize>,
    pub(super) destination: Option<Destination>,
}

/// The body of a request.
#[derive(Debug, Clone, Default)]
pub(super) enum Body {
    #[default]
    Empty,
    Bytes(Bytes),
    Multipart {
        fields: Vec<(String, String)>,
        files: Vec<FilePart>,
    },
}

#[derive(Debug, Clone)]
pub(super) struct FilePart {
    pub field: String,
    pub name: String,
    pub content: FileContent,
}

impl Request {
    /// A request of any method.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            version: 0,
            path: path.into(),
            redirected_to: None,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            timeout: None,
            max_bytes: None,
            head: None,
            destination: None,
        }
    }

    /// A GET request.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST request.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// A PATCH request.
    #[must_use]
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// A DELETE request.
    #[must_use]
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Uses another version of the API than 0.
    #[must_use]
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// Adds a query parameter; it is quoted here.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets a header, replacing what the account would send.
    ///
    /// # Errors
    /// `Config` if name or value are not valid in a header. The message does not quote the value: it may be a secret.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let (name, value) = header(name, value)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sends a body as it is, with this content type.
    #[must_use]
    pub fn content(mut self, content: impl Into<Bytes>, content_type: &'static str) -> Self {
        self.body = Body::Bytes(content.into());
        self.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
        self
    }

    /// Sends a body whose content type, if any, is among the headers.
    #[must_use]
    pub fn raw(mut self, content: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(content.into());
        self
    }

    /// Sends form fields.
    #[must_use]
    pub fn form<K: AsRef<str>, V: AsRef<str>>(self, fields: impl IntoIterator<Item = (K, V)>) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.content(body, "application/x-www-form-urlencoded")
    }

    /// Sends a value as JSON.
    ///
    /// # Errors
    /// `Config` if the value has no JSON form.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value)
            .map_err(|error| Error::config(format!("the value cannot be sent as JSON: {error}")))?;
        Ok(self.content(body, "application/json"))
    }

    /// Adds a field to a multipart body.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.multipart().0.push((name.into(), value.into()));
        self
    }

    /// Adds a file to a multipart body. A local file or a source is read while it is sent.
    #[must_use]
    pub fn file(mut self, field: impl Into<String>, name: impl Into<String>, content: impl Into<FileContent>) -> Self {
        let file = FilePart { field: field.into(), name: name.into(), content: content.into() };
        self.multipart().1.push(file);
        self
    }

    fn multipart(&mut self) -> (&mut Vec<(String, String)>, &mut Vec<FilePart>) {
        if !matches!(self.body, Body::Multipart { .. }) {
            self.body = Body::Multipart { fields: Vec::new(), files: Vec::new() };
        }
        match &mut self.body {
            Body::Multipart { fields, files } => (fields, files),
            _ => unreachable!("the body was made multipart just above"),
        }
    }

    /// Limits one whole attempt to `timeout`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Refuses an answer with a longer body, after decompression; that of an error is cut instead.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Reads only so many bytes of a file's content, and then closes the connection.
    #[must_use]
    pub(crate) fn head(mut self, bytes: usize) -> Self {
        self.head = Some(bytes);
        self
    }

    /// Writes the body of a successful answer to a file, if it is the content of one by its media type.
    #[must_use]
    pub(crate) fn save_to(mut self, destination: Destination) -> Self {
        self.destination = Some(destination);
        self
    }

    /// Its rate bucket.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        endpoint_of(&self.path)
    }

    /// Whether sending it twice does the same as sending it once.
    ///
    /// A POST creates, except to a file's path, where it overwrites.
    pub(super) fn is_repeatable(&self) -> bool {
        (self.method != Method::POST || self.path.starts_with("files/path/")) && !self.is_sent_once()
    }

    /// Whether its body can be sent only once, so that it cannot even be repeated after a 429.
    pub(super) fn is_sent_once(&self) -> bool {
        match &self.body {
            Body::Empty | Body::Bytes(_) => false,
            Body::Multipart { files, .. } => files.iter().any(|file| !file.content.is_repeatable()),
        }
    }

    /// Whether a 429 is a throttle. On the list of consoles it says that no more consoles are allowed.
    pub(super) fn obeys_throttle(&self) -> bool {
        !(self.method == Method::POST && self.path.trim_end_matches('/') == "consoles")
    }

    /// Refuses a path that would be resolved to another place.
    pub(super) fn check(&self) -> Result<()> {
        // A URL parser takes a backslash for a slash, and drops tabs and line ends: dots could hide between them.
        if self.path.contains(|c: char| c == '\\' || c.is_control()) {
            return Err(Error::config(format!(
                "the path {:?} has a backslash or a control character: percent-encode it",
                self.path
            )));
        }
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        for segment in path.split('/') {
            let decoded = percent_decode_str(segment).collect::<Vec<u8>>();
            if decoded == b"." || decoded == b".." || decoded.contains(&0) {
                return Err(Error::config(format!(
                    "the path {path:?} has a \".\" or \"..\" segment or a NUL character"
                )));
            }
        }
        Ok(())
    }
}

/// Checks a header's name and value; the value is not quoted in the error, since it may be a secret.
pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let header_name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Error::config(format!("{name:?} is not a valid header name")))?;
    let mut header_value = HeaderValue::from_str(value).map_err(|_| {
        Error::config(format!("the value of the header {name:?} contains characters that a header cannot carry"))
    })?;
    header_value.set_sensitive(header_name == http::header::AUTHORIZATION);
    Ok((header_name, header_value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_creates_is_not_repeatable() {
        assert!(Request::get("consoles/").is_repeatable());
        assert!(Request::patch("webapps/x/").is_repeatable());
        assert!(Request::post("files/path/home/u/x").is_repeatable());
        assert!(!Request::post("webapps/").is_repeatable());
        assert!(!Request::post("webapps/x/reload/").is_repeatable());
    }

    #[test]
    fn a_429_for_a_new_console_is_no_throttle() {
        assert!(!Request::post("consoles/").obeys_throttle());
        assert!(Request::get("consoles/").obeys_throttle());
        assert!(Request::post("consoles/1/send_input/").obeys_throttle());
    }

    #[test]
    fn climbing_paths_are_refused() {
        for bad in ["files/path/home/../x", "files/path/%2e%2E/x", "./x", "a%00b", "..\\x", ".\t./x", ".\n./x"] {
            assert!(Request::get(bad).check().is_err(), "{bad}");
        }
        for good in ["files/path/home/%252e%252e/x", "files/path/a..b/", "files/tree/?path=/home/../x"] {
            assert!(Request::get(good).check().is_ok(), "{good}");
        }
    }
}
