//! What no message may show of a request: its token, its credentials and the passwords that it sets.
//!
//! A server, or a proxy before it, may repeat in an error page what it was sent. So whatever it says is masked here,
//! before it is cut to a length and quoted. A secret is found as it is and in the encodings that pages use (percent,
//! JSON, HTML), also where they are mixed. A short password could be any word of the page: then nothing is quoted.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, PROXY_AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::request::{Body, Request};

/// A shorter password would be found in ordinary words.
const SHORTEST_PASSWORD: usize = 8;

/// A longer body is the content of a file rather than fields of a form.
const LONGEST_FORM: usize = 1 << 20;

/// What stands in place of a secret.
const MASK: &str = "***";

/// The secrets of one request.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// The longest first, so that none hides only a part of another.
    masked: Vec<SecretString>,
    /// Whether one was sent that is too short to be found.
    has_short: bool,
}

impl Secrets {
    /// Secrets that a caller knows of, all of which are to be found, whatever their length.
    pub(crate) fn known(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        Self { masked: secrets.into_iter().collect(), has_short: false }.sorted()
    }

    /// Those in the headers of an account.
    pub(super) fn of_headers(headers: &HeaderMap) -> Self {
        let mut secrets = Self::default();
        for (name, value) in headers {
            // Tokens and passwords that we send are ASCII or Latin-1 text.
            let Ok(value) = value.to_str() else { continue };
            if name == AUTHORIZATION || name == PROXY_AUTHORIZATION {
                secrets.add_credentials(value);
            } else if is_secret_name(name.as_str()) {
                secrets.add_password(value);
            }
        }
        secrets.sorted()
    }

    /// Those of a request with the headers of its account.
    pub(super) fn of(headers: &HeaderMap, request: &Request) -> Self {
        let mut secrets = Self::of_headers(headers);
        let own = Self::of_headers(&request.headers);
        secrets.masked.extend(own.masked);
        secrets.has_short |= own.has_short;
        match &request.body {
            Body::Bytes(body) if body.len() <= LONGEST_FORM => secrets.add_body(body, &request.headers),
            Body::Multipart { fields, .. } => fields.iter().for_each(|(name, value)| secrets.add_field(name, value)),
            Body::Bytes(_) | Body::Empty => {}
        }
        secrets.sorted()
    }

    /// Whether the server's words may be quoted once they are masked.
    pub(super) fn allow_quotes(&self) -> bool {
        !self.has_short
    }

    /// The text with `***` for each secret. If the text `is_cut`, so is a secret of which only the start is left.
    pub(crate) fn mask(&self, text: &str, is_cut: bool) -> String {
        let bytes = text.as_bytes();
        let mut masked = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let end =
                self.masked.iter().find_map(|secret| end_of(bytes, at, secret.expose_secret().as_bytes(), is_cut));
            if let Some(end) = end {
                masked.extend_from_slice(MASK.as_bytes());
                at = end;
            } else {
                masked.push(bytes[at]);
                at += 1;
            }
        }
        String::from_utf8_lossy(&masked).into_owned()
    }

    fn add_credentials(&mut self, value: &str) {
        let (scheme, secret) = value.trim().split_once(' ').unwrap_or(("", value.trim()));
        let secret = secret.trim();
        self.add(secret);
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(decoded) = STANDARD.decode(secret)
            && let Ok(pair) = String::from_utf8(decoded)
        {
            self.add_password(pair.split_once(':').map_or(pair.as_str(), |(_, password)| password));
        }
    }

    /// Adds those of a form, or of JSON.
    fn add_body(&mut self, body: &[u8], headers: &HeaderMap) {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/x-www-form-urlencoded") {
            for (name, value) in url::form_urlencoded::parse(body) {
                self.add_field(&name, &value);
            }
        } else if kind.starts_with("application/json")
            && let Ok(value) = serde_json::from_slice(body)
        {
            self.add_fields(&value);
        }
    }

    fn add_fields(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) => self.add_field(name, text),
                        other => self.add_fields(other),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_fields(item)),
            _ => {}
        }
    }

    fn add_field(&mut self, name: &str, value: &str) {
        if is_secret_name(name) {
            self.add_password(value);
        }
    }

    fn add_password(&mut self, password: &str) {
        if password.chars().count() >= SHORTEST_PASSWORD {
            self.add(password);
        } else {
            self.has_short |= !password.is_empty();
        }
    }

    fn add(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.masked.push(SecretString::from(secret));
        }
    }

    fn sorted(mut self) -> Self {
        self.masked.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        self
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Whether a header or a field of this name holds a secret. `password_protection_enabled` does not, nor does a name.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let last = name.rsplit('_').next().unwrap_or_default();
    matches!(last, "password" | "passwd" | "secret" | "token" | "cookie" | "authorization")
        || name.ends_with("private_key")
        || name.ends_with("api_key")
}

/// Where the secret ends that begins at `at` in the text, in whatever encoding.
fn end_of(text: &[u8], mut at: usize, secret: &[u8], is_cut: bool) -> Option<usize> {
    let mut rest = secret;
    while !rest.is_empty() {
        if at == text.len() {
            return is_cut.then_some(at);
        }
        let (length, taken) = unit(&text[at..], rest, is_cut)?;
        at += length;
        rest = &rest[taken..];
    }
    Some(at)
}

/// The length of an escape of JSON, and what it means.
fn escape(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    match text.get(1)? {
        b'u' => Some((6, utf8(hexadecimal(text.get(2..6))?)?)),
        b'n' => Some((2, vec![b'\n'])),
        b'r' => Some((2, vec![b'\r'])),
        b't' => Some((2, vec![b'\t'])),
        other => Some((2, vec![*other])),
    }
}

/// The next character of the secret as it stands at the start of the text: its length there, and its own.
fn unit(text: &[u8], secret: &[u8], is_cut: bool) -> Option<(usize, usize)> {
    if text[0] == secret[0] {
        return Some((1, 1));
    }
    let decoded = match text[0] {
        b'%' => hexadecimal(text.get(1..3)).map(|code| (3, vec![u8::try_from(code).unwrap_or_default()])),
        b'+' => Some((1, vec![b' '])),
        b'\\' => escape(text),
        b'&' => entity(text),
        _ => return None,
    };
    match decoded {
        Some((length, bytes)) if secret.starts_with(&bytes) => Some((length, bytes.len())),
        // An escape that was cut in two.
        None if is_cut && text.len() < 10 => Some((text.len(), 1)),
        _ => None,
    }
}

fn hexadecimal(digits: Option<&[u8]>) -> Option<u32> {
    let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn utf8(code: u32) -> Option<Vec<u8>> {
    Some(char::from_u32(code)?.to_string().into_bytes())
}

/// A character reference of HTML.
fn entity(text: &[u8]) -> Option<(usize, Vec<u8>)> {
    let end = text.iter().take(10).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let bytes = match name {
        "amp" => vec![b'&'],
        "lt" => vec![b'<'],
        "gt" => vec![b'>'],
        "quot" => vec![b'"'],
        "apos" => vec![b'\''],
        _ => {
            let number = name.strip_prefix('#')?;
            let hexadecimal = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
            utf8(hexadecimal.unwrap_or_else(|| number.parse()).ok()?)?
        }
    };
    Some((end + 1, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(authorization: &str) -> Secrets {
        Secrets::of_headers(&HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap())]))
    }

    #[test]
    fn a_token_is_masked_in_every_encoding() {
        let secrets = secrets("Token a/b=c.0123");
        for said in [
            "a/b=c.0123",
            "a%2Fb%3Dc.0123",
            "a%2fb%3dc%2E0123",
            "%61%2F%62%3D%63%2E%30%31%32%33",
            r"a\/b=c.0123",
            r"a\u002fb\u003Dc.0123",
            "a&#47;b&#x3d;c.0123",
        ] {
            assert_eq!(secrets.mask(&format!("Token {said} is wrong"), false), "Token *** is wrong", "{said}");
        }
        assert_eq!(secrets.mask("a/b=c.0124 é", false), "a/b=c.0124 é");
    }

    #[test]
    fn what_is_cut_in_the_middle_of_a_secret_shows_no_part_of_it() {
        let secrets = secrets("Token a/bcdefgh");
        for said in ["x a/bcd", "x a%2Fb", "x a%2", "x a\\u00"] {
            assert_eq!(secrets.mask(said, true), "x ***", "{said}");
            assert_eq!(secrets.mask(said, false), said);
        }
    }

    #[test]
    fn basic_credentials_are_masked_encoded_and_in_clear() {
        let value = STANDARD.encode("me:correct horse");
        let secrets = secrets(&format!("Basic {value}"));
        assert!(secrets.allow_quotes());
        assert_eq!(
            secrets.mask(&format!("{value} correct horse correct+horse correct%20horse"), false),
            "*** *** *** ***"
        );
    }

    #[test]
    fn a_short_password_forbids_quotes() {
        assert!(!secrets(&format!("Basic {}", STANDARD.encode("me:short"))).allow_quotes());
        let headers = HeaderMap::new();
        let form = |password: &str| Request::patch("webapps/a.b/").form([("password_protection_password", password)]);
        assert!(!Secrets::of(&headers, &form("short")).allow_quotes());
        assert!(Secrets::of(&headers, &form("")).allow_quotes());
        let long = Secrets::of(&headers, &form("long enough"));
        assert!(long.allow_quotes());
        assert_eq!(long.mask("{\"x\": \"long enough\"}", false), "{\"x\": \"***\"}");
    }

    #[test]
    fn fields_of_json_are_searched_for_secrets() {
        let key = "-----BEGIN\nabc";
        let request =
            Request::post("x/").json(&serde_json::json!({"a": [{"private_key": key}], "user": "me"})).unwrap();
        let secrets = Secrets::of(&HeaderMap::new(), &request);
        assert_eq!(secrets.mask(r"me -----BEGIN\nabc", false), "me ***");
        assert_eq!(format!("{secrets:?}"), "***");
    }
}
