//! How a client behaves: time-outs, retries, rate limit.

use std::time::Duration;

use crate::error::{Error, Result};

/// How many requests a minute each endpoint may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateLimit {
    /// `PYTHONANYWHERE_RATE_LIMIT` if set, else what the service documents: 40, and 120 for `send_input`.
    #[default]
    Default,
    /// No limit (for an emulator without one).
    Off,
    /// This many requests for every endpoint.
    PerMinute(u32),
}

impl RateLimit {
    /// The environment variable that `Default` reads.
    pub const VARIABLE: &str = "PYTHONANYWHERE_RATE_LIMIT";

    /// Takes `off` or a number of requests per minute.
    ///
    /// # Errors
    /// `Config` for anything else, 0 included.
    pub fn parse(text: &str) -> Result<Self> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        match text.parse() {
            Ok(number) if number > 0 => Ok(Self::PerMinute(number)),
            _ => Err(Error::config(format!(
                "the rate limit {text:?} is neither \"off\" nor a number of requests per minute"
            ))),
        }
    }

    pub(super) fn resolve(self) -> Result<Self> {
        match (self, std::env::var(Self::VARIABLE)) {
            (Self::Default, Ok(text)) if !text.is_empty() => Self::parse(&text),
            _ => Ok(self),
        }
    }
}

/// Time-outs, retries and rate limit of a client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// For the connection, TLS handshake included.
    pub connect_timeout: Duration,
    /// Between bytes, in both directions, and for the first byte of the answer.
    pub read_timeout: Duration,
    /// For one whole attempt. Waiting for the rate limit does not count.
    pub total_timeout: Duration,
    /// How often a request that is safe to repeat is repeated.
    pub retries: u32,
    /// No retry starts later than this after the first attempt. Waiting for the rate limit does not count.
    pub retry_total: Duration,
    /// Requests per minute and endpoint.
    pub rate_limit: RateLimit,
    /// Fail rather than wait longer than this for the rate limit; `None` waits as long as it takes.
    pub max_wait: Option<Duration>,
}

impl Options {
    /// With one time-out for the connection and for the wait for data.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { connect_timeout: timeout, read_timeout: timeout, ..self }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(15 * 60),
            retries: 4,
            retry_total: Duration::from_secs(120),
            rate_limit: RateLimit::Default,
            max_wait: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limits_are_off_or_positive() {
        assert_eq!(RateLimit::parse("off").unwrap(), RateLimit::Off);
        assert_eq!(RateLimit::parse("40").unwrap(), RateLimit::PerMinute(40));
        for bad in ["", "0", "-1", "fast", "1.5"] {
            assert!(RateLimit::parse(bad).is_err(), "{bad}");
        }
    }
}
