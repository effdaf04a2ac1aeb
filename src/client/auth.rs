//! The API token: checked when created, never printed.

use std::fmt;

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

/// An API token. Prints as `***`, is wiped from memory when dropped, and never appears in a message.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// Takes a token as the account page shows it.
    ///
    /// # Errors
    /// `Config` if it is empty or contains anything but ASCII letters, digits, `-`, `_`, `.` and `=`: a token pasted
    /// with its `Token ` prefix, quotes or a line break is the usual cause. The message does not quote it.
    pub fn new(token: &str) -> Result<Self> {
        const WHERE: &str = "it is on the Account page of PythonAnywhere, tab 'API Token'; \
             in consoles, web apps and tasks there, it is in $API_TOKEN";
        if token.is_empty() {
            return Err(Error::config(format!("the API token is missing: {WHERE}")));
        }
        if !token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=".contains(&b)) {
            return Err(Error::config(format!(
                "the API token is malformed: it contains a space, a quote or another character that no token has \
                 ({WHERE})"
            )));
        }
        Ok(Self(SecretString::from(token)))
    }

    /// The value of the `Authorization` header.
    #[must_use]
    pub fn header_text(&self) -> SecretString {
        SecretString::from(format!("Token {}", self.0.expose_secret()))
    }

    /// The token itself, to be put where a person keeps it.
    pub(crate) fn text(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn header(&self) -> Result<HeaderValue> {
        let mut value = HeaderValue::from_str(self.header_text().expose_secret())
            .map_err(|_| Error::config("the API token cannot be sent in a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_token_is_refused_without_being_quoted() {
        for bad in ["", "Token abc", "abc\n", "\"abc\"", "äbc"] {
            let error = Token::new(bad).unwrap_err().to_string();
            assert!(error.contains("API token"), "{error}");
            assert!(bad.is_empty() || !error.contains(bad.trim()), "{error}");
        }
    }

    #[test]
    fn debug_hides_the_token() {
        assert_eq!(format!("{:?}", Token::new("s3cret").unwrap()), "***");
    }
}
