//! An answer of the service, whatever its status, and how an error status becomes an [`Error`].

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::decode::LONGEST_ERROR;
use super::secrets::Secrets;
use super::success::Success;
use crate::error::{Error, Result};

/// How much of an unexpected answer is quoted.
const SNIPPET_CHARACTERS: usize = 200;

/// How much of an explanation in JSON is quoted: a form's errors may be many.
const LONGEST_DETAIL: usize = 2000;

/// What is said in place of a body that may repeat a short password.
const NOT_QUOTED: &str = "the answer is not shown, because it may repeat the password that was sent";

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
    /// The body, decompressed. That of an error is cut to 64 KiB.
    pub body: Bytes,
    /// Whether the rest of the body was left out.
    pub(crate) is_cut: bool,
    /// What means success here.
    pub(crate) success: Success,
    /// What is not quoted of the body.
    pub(crate) secrets: Secrets,
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
        self.status == StatusCode::OK && self.media_type() == "application/octet-stream"
    }

    /// The body as JSON, whatever its content type says (the service sends `text/json` too).
    ///
    /// # Errors
    /// `Decode` if it is not JSON, or not of the expected shape; `expected` names the shape.
    pub fn json<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|_| self.unexpected(expected))
    }

    /// The answer itself if it is the success that the service documents.
    ///
    /// # Errors
    /// `Api` with the service's own words for an error status, also where an error comes with status 200;
    /// `Undocumented` for another status than the endpoint's, or a page of HTML: something else answered.
    pub fn error_for_status(self) -> Result<Self> {
        if !self.status.is_success() || self.reports_error() {
            return Err(self.to_error());
        }
        if self.success.includes(self.status, self.is_page()) {
            return Ok(self);
        }
        Err(Error::Undocumented {
            method: self.method.to_string(),
            path: self.url.path().to_owned(),
            status: self.status.as_u16(),
            words: self.plain_text(&self.quotable()),
        })
    }

    /// Whether it is the service's own "not there". A proxy's 404 says nothing about what is on the host.
    #[must_use]
    pub(crate) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.is_documented_error()
    }

    fn is_page(&self) -> bool {
        !self.body.is_empty() && matches!(&*self.media_type(), "text/html" | "application/xhtml+xml")
    }

    /// Whether it is an error in spite of its status, as in `{"status": "ERROR", "error_message": "taken"}`.
    fn reports_error(&self) -> bool {
        self.method != Method::GET
            && self.success != Success::Any
            && serde_json::from_slice::<Value>(&self.body).is_ok_and(|answer| answer["status"] == "ERROR")
    }

    /// Whether the body has one of the shapes in which the service reports errors.
    fn is_documented_error(&self) -> bool {
        serde_json::from_slice(&self.body).is_ok_and(|body| is_documented_error(&body))
    }

    /// The text of the body as messages may quote it: without secrets, and in full, so that none is cut in two. Empty
    /// if it cannot be told apart from a password.
    fn quotable(&self) -> String {
        if !self.secrets.allow_quotes() {
            return String::new();
        }
        let head = &self.body[..self.body.len().min(LONGEST_ERROR)];
        self.secrets.mask(&String::from_utf8_lossy(head), self.is_cut || head.len() < self.body.len())
    }

    /// An error saying that the answer is not what the endpoint promises.
    #[must_use]
    pub fn unexpected(&self, expected: &'static str) -> Error {
        Error::Decode {
            method: self.method.to_string(),
            path: self.url.path().to_owned(),
            status: self.status.as_u16(),
            expected,
            snippet: if self.secrets.allow_quotes() {
                cut(&self.quotable(), SNIPPET_CHARACTERS)
            } else {
                NOT_QUOTED.to_owned()
            },
        }
    }

    /// The error that the status stands for.
    #[must_use]
    pub fn to_error(&self) -> Error {
        let words = ServiceError::of(self);
        let recognised = self.success == Success::Any || self.is_documented_error();
        Error::Api {
            method: self.method.to_string(),
            path: self.url.path().to_owned(),
            status: self.status.as_u16(),
            detail: words.detail,
            code: words.code,
            retry_after: self.retry_after(),
            browser_url: None,
            recognised,
        }
    }

    /// The readable part of a text that is not a JSON object: that of an HTML page, or the reason phrase if it is empty.
    fn plain_text(&self, text: &str) -> String {
        let text = if text.trim_start().starts_with('<') { Cow::Owned(without_tags(text)) } else { text.into() };
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !words.is_empty() {
            return cut(&words, SNIPPET_CHARACTERS);
        }
        let reason = self.status.canonical_reason().unwrap_or("no explanation");
        if self.secrets.allow_quotes() { reason.to_owned() } else { format!("{reason}; {NOT_QUOTED}") }
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
        let text = response.quotable();
        let error = match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(fields)) => Self::of_fields(&fields),
            _ => None,
        };
        let error = error.unwrap_or_else(|| Self { detail: response.plain_text(&text), code: None });
        Self { detail: cut(&error.detail, LONGEST_DETAIL), code: error.code.map(|code| cut(&code, SNIPPET_CHARACTERS)) }
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

/// Whether the JSON of a body has one of the shapes in which the service reports errors: a proxy's page has none.
pub(crate) fn is_documented_error(body: &Value) -> bool {
    let has = |name: &str| body.get(name).is_some_and(|value| !value.is_null());
    has("detail") || has("error") || (has("message") && has("code")) || (has("error_type") && has("error_message"))
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
        let mut ends = [("script", "</script>"), ("style", "</style>"), ("!--", "-->")].into_iter();
        let end = ends.find(|(name, _)| lower[1..].starts_with(name)).map_or(">", |(_, end)| end);
        rest = rest.find(end).map_or("", |at| &rest[at + end.len()..]);
    }
    text.push_str(rest);
    text
}

/// The first characters of a text.
fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
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
            is_cut: false,
            success: Success::Unknown,
            secrets: Secrets::default(),
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
        // A date that has passed asks for no wait, by the service's clock.
        response.headers.insert(RETRY_AFTER, "Sun, 06 Nov 1994 08:00:00 GMT".parse().unwrap());
        assert_eq!(response.retry_after(), Some(Duration::ZERO));
        for garbage in ["", "soon", "-5", "1.5", "99999999999999999999", "Sun, 99 Nov 1994 08:00:00 GMT"] {
            response.headers.insert(RETRY_AFTER, garbage.parse().unwrap());
            assert_eq!(response.retry_after(), Some(Duration::from_secs(17)), "{garbage:?}: the body is read then");
        }
        for body in ["", "<h1>no</h1>", r#"{"detail": "available in a while"}"#] {
            assert_eq!(answer(429, body).retry_after(), None, "{body}");
        }
    }

    #[test]
    fn a_page_that_ends_in_a_tag_is_no_trouble() {
        assert_eq!(without_tags("a<b").trim(), "a");
        assert_eq!(without_tags("<script>never closed").trim(), "");
        assert_eq!(without_tags("<é>x<ü").trim(), "x");
    }
}
