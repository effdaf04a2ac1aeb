//! An answer of the service, whatever its status, and how an error status becomes an [`Error`].

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::error::{Error, Result};

/// How much of an unexpected answer is quoted.
const SNIPPET_CHARACTERS: usize = 200;

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The request's method.
    pub method: Method,
    /// The request's URL, which holds no secret.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Response {
    /// The media type of the body without parameters, in lower case.
    #[must_use]
    pub fn media_type(&self) -> String {
        let value = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Whether this is a file's content rather than a listing, a page or an error: the media type tells.
    #[must_use]
    pub(crate) fn is_file_content(&self) -> bool {
        self.status.is_success() && self.media_type() == "application/octet-stream"
    }

    /// The body as JSON, whatever its content type says (the service sends `text/json` too).
    ///
    /// # Errors
    /// `Decode` if it is not JSON, or not of the expected shape; `expected` names the shape.
    pub fn json<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|_| self.unexpected(expected))
    }

    /// The answer itself if its status is a success.
    ///
    /// # Errors
    /// `Api` with the service's own words otherwise.
    pub fn error_for_status(self) -> Result<Self> {
        if self.status.is_success() { Ok(self) } else { Err(self.to_error()) }
    }

    /// An error saying that the answer is not what the endpoint promises.
    #[must_use]
    pub fn unexpected(&self, expected: &'static str) -> Error {
        Error::Decode {
            method: self.method.to_string(),
            path: self.url.path().to_owned(),
            status: self.status.as_u16(),
            expected,
            snippet: snippet(&self.body),
        }
    }

    /// The error that the status stands for.
    #[must_use]
    pub fn to_error(&self) -> Error {
        let words = ServiceError::of(self);
        Error::Api {
            method: self.method.to_string(),
            path: self.url.path().to_owned(),
            status: self.status.as_u16(),
            detail: words.detail,
            code: words.code,
            retry_after: self.retry_after(),
            browser_url: None,
        }
    }

    /// When the service made the answer, by its own clock.
    #[must_use]
    pub fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.headers.get(DATE)?.to_str().ok()?).ok()
    }

    /// How long the service asks to wait: the `Retry-After` header in seconds or as a date (by the service's clock),
    /// else Django REST framework's "available in N seconds".
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let header = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        header.and_then(|text| self.parse_retry_after(text.trim())).or_else(|| {
            if self.status == StatusCode::TOO_MANY_REQUESTS {
                available_in(&String::from_utf8_lossy(&self.body))
            } else {
                None
            }
        })
    }

    fn parse_retry_after(&self, text: &str) -> Option<Duration> {
        if let Ok(seconds) = text.parse::<u32>() {
            return Some(Duration::from_secs(seconds.into()));
        }
        let until = httpdate::parse_http_date(text).ok()?;
        Some(until.duration_since(self.date().unwrap_or_else(SystemTime::now)).unwrap_or(Duration::ZERO))
    }
}

/// `Request was throttled. Expected available in 17 seconds.` → 17 s.
fn available_in(text: &str) -> Option<Duration> {
    let rest = text.split("available in ").nth(1)?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

/// An error as the service describes it.
struct ServiceError {
    detail: String,
    code: Option<String>,
}

impl ServiceError {
    fn of(response: &Response) -> Self {
        match serde_json::from_slice::<Value>(&response.body) {
            Ok(Value::Object(fields)) => Self::of_fields(&fields),
            _ => None,
        }
        .unwrap_or_else(|| Self { detail: plain_text(response), code: None })
    }

    /// The four shapes of the service (`detail`; `message` + `code`; `error`; `error_type` + `error_message`), and a
    /// form's errors, field by field.
    fn of_fields(fields: &serde_json::Map<String, Value>) -> Option<Self> {
        let text = |name: &str| fields.get(name).map(value_text).filter(|text| !text.is_empty());
        let code = text("code").or_else(|| text("error_type"));
        let known = ["detail", "message", "error", "error_message"].into_iter().find_map(text);
        let detail = known.or_else(|| {
            let each: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", value_text(value))).collect();
            (!each.is_empty()).then(|| each.join("; "))
        })?;
        Some(Self { detail, code })
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(value_text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// The readable text of a body that is not a JSON object: that of an HTML page, or the reason phrase if it is empty.
fn plain_text(response: &Response) -> String {
    let text = String::from_utf8_lossy(&response.body);
    let text = if text.trim_start().starts_with('<') { Cow::Owned(without_tags(&text)) } else { text };
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        response.status.canonical_reason().unwrap_or("no explanation").to_owned()
    } else {
        words.chars().take(SNIPPET_CHARACTERS).collect()
    }
}

/// The text between the tags of a page, without its scripts and styles.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        text.push(' ');
        rest = &rest[open..];
        let lower = rest.get(..8).unwrap_or(rest).to_ascii_lowercase();
        let end =
            ["script", "style", "!--"].into_iter().find(|name| lower[1..].starts_with(name)).map_or(">", |name| {
                match name {
                    "script" => "</script>",
                    "style" => "</style>",
                    _ => "-->",
                }
            });
        rest = rest.find(end).map_or("", |at| &rest[at + end.len()..]);
    }
    text.push_str(rest);
    text
}

/// The first characters of a body.
pub(crate) fn snippet(body: &[u8]) -> String {
    let head = &body[..body.len().min(SNIPPET_CHARACTERS * 4)];
    String::from_utf8_lossy(head).chars().take(SNIPPET_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response {
            method: Method::GET,
            url: Url::parse("https://h/api/v0/user/u/cpu/").unwrap(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn every_shape_of_error_keeps_status_and_words() {
        for (body, detail, code) in [
            (r#"{"detail": "Not found."}"#, "Not found.", None),
            (r#"{"message": "File does not exist", "code": "not_found"}"#, "File does not exist", Some("not_found")),
            (r#"{"error": "Console not yet started."}"#, "Console not yet started.", None),
            (r#"{"status": "ERROR", "error_type": "dup", "error_message": "taken"}"#, "taken", Some("dup")),
            (r#"{"command": ["This field is required."]}"#, "command: This field is required.", None),
            ("<html><style>x</style><title>Oh</title>\n<h1>no &amp;</h1></html>", "Oh no &amp;", None),
            ("", "Internal Server Error", None),
            ("[1, 2]", "[1, 2]", None),
            ("\u{0}\u{1}garbage", "\u{0}\u{1}garbage", None),
        ] {
            match answer(500, body).to_error() {
                Error::Api { status, detail: got, code: got_code, .. } => {
                    assert_eq!((status, got.as_str(), got_code.as_deref()), (500, detail, code), "{body}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        let mut response = answer(429, r#"{"detail": "Request was throttled. Expected available in 17 seconds."}"#);
        assert_eq!(response.retry_after(), Some(Duration::from_secs(17)));
        response.headers.insert(RETRY_AFTER, "5".parse().unwrap());
        assert_eq!(response.retry_after(), Some(Duration::from_secs(5)));
        response.headers.insert(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        response.headers.insert(RETRY_AFTER, "Sun, 06 Nov 1994 08:50:07 GMT".parse().unwrap());
        assert_eq!(response.retry_after(), Some(Duration::from_secs(30)));
        assert_eq!(answer(429, "<h1>no</h1>").retry_after(), None);
    }

    #[test]
    fn a_page_that_ends_in_a_tag_is_no_trouble() {
        assert_eq!(without_tags("a<b").trim(), "a");
        assert_eq!(without_tags("<script>never closed").trim(), "");
        assert_eq!(without_tags("<é>x<ü").trim(), "x");
    }
}
