//! Requests to the account's own site: to the agent in it, and for health checks.
//!
//! Plain http is used for this machine only (the emulator), redirects are not followed, and the API token is never
//! sent: the agent gets signatures. A site with password protection gets the credentials from its API record.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::sign::{HEADER, Key, PATH, Signed};
use crate::client::{Client, Options, RateLimit, Request, Response};
use crate::error::{Error, Result};

/// The host gives a request 5 minutes.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(310);

/// The time limit for requests without work: the first answer after a reload comes within 20 seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// More than any answer of the agent, and enough to recognise a page.
const MOST_BYTES: usize = 4 << 20;

/// A site of the account, and how to reach it.
#[derive(Debug)]
pub struct Site {
    /// The account's API, which has the site's password.
    api: Client,
    /// The web app's domain.
    pub domain: String,
    address: String,
    /// The `Host` header for an address that is not the domain itself.
    host: Option<String>,
    /// Whether the password may be sent: to this machine, the web app's domain, or the account's own. Below
    /// pythonanywhere.com each other name is another customer's.
    may_know_password: bool,
    /// The `Authorization` header, once the site has asked for a password.
    authorization: Mutex<Option<SecretString>>,
}

/// The operation that does nothing.
pub(super) const STATUS: &str = "status";

/// The answer at the agent's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The agent accepted the request.
    Taken,
    /// Something else answered: the application, the host's web server.
    Other(StatusCode),
}

impl Site {
    /// The site of `domain`, at `site_url` if it cannot be reached at its domain.
    ///
    /// # Errors
    /// `Config` if `site_url` is not the URL of a site: its scheme is not https (or http on this machine), or it has a
    /// path.
    pub fn new(api: &Client, domain: &str, site_url: Option<&str>) -> Result<Self> {
        let base = crate::client::BaseUrl::parse(site_url.unwrap_or(domain))?;
        let host = base.is_loopback().then(|| domain.to_owned());
        let address = base.as_str().trim_end_matches('/').to_owned();
        let own = ["pythonanywhere.com", "eu.pythonanywhere.com"].map(|zone| format!("{}.{zone}", api.user()));
        let is_own = own.iter().any(|own| own.eq_ignore_ascii_case(base.authority()));
        let may_know_password = base.is_loopback() || base.authority().eq_ignore_ascii_case(domain) || is_own;
        let authorization = Mutex::new(None);
        Ok(Self { api: api.clone(), domain: domain.to_owned(), address, host, may_know_password, authorization })
    }

    /// The address without its closing slash.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a signed operation to the agent. It is not retried: the agent accepts each request once.
    ///
    /// # Errors
    /// `Transport` or `Timeout` if no answer came, which says nothing about what the agent did.
    pub async fn ask(&self, key: &Key, operation: &str, body: &[u8]) -> Result<Answer> {
        let answer = self.ask_once(key, operation, body).await?;
        if answer == Answer::Other(StatusCode::UNAUTHORIZED) && self.learn_password().await? {
            return self.ask_once(key, operation, body).await;
        }
        Ok(answer)
    }

    async fn ask_once(&self, key: &Key, operation: &str, body: &[u8]) -> Result<Answer> {
        let now = super::time::host_time(&self.api);
        let Signed { header, answer } = key.sign(operation, body, now)?;
        let request = Request::post("").content(body.to_vec(), "application/json").header(HEADER, &header)?;
        let limit = if operation == STATUS { ANSWER_LIMIT } else { REQUEST_LIMIT };
        let response = self.send(PATH, request.timeout(limit)).await?;
        let said: Value = response.json("the agent's answer").unwrap_or_default();
        if response.status == StatusCode::OK && said["id"] == Value::String(answer) {
            return Ok(Answer::Taken);
        }
        Ok(Answer::Other(response.status))
    }

    /// Gets a page of the site, as a visitor would, but with the password.
    ///
    /// # Errors
    /// `Config` for an invalid path; `Transport` or `Timeout` if no answer came.
    pub async fn get(&self, path: &str) -> Result<Response> {
        if !path.starts_with('/') {
            return Err(Error::config(format!("the path {path:?} must start with \"/\"")));
        }
        self.send(path, Request::get("").timeout(ANSWER_LIMIT)).await
    }

    async fn send(&self, path: &str, mut request: Request) -> Result<Response> {
        let options = Options { rate_limit: RateLimit::Off, retries: 0, ..*self.api.options() };
        if let Some(host) = &self.host {
            request = request.header("host", host)?;
        }
        let authorization = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization.expose_secret())?;
        }
        Client::at(&format!("{}{path}", self.address), options)?.send(request.at_most(MOST_BYTES)).await
    }

    /// Reads the site's password from its API record; false if it has none, if it is known already, or if it would be
    /// sent to an address to which visitors do not send it.
    async fn learn_password(&self) -> Result<bool> {
        if !self.may_know_password {
            log::warn!(
                "{} asks for a password, which is not sent: it is not the address of {}",
                self.address,
                self.domain
            );
            return Ok(false);
        }
        let record = self.api.webapp(&self.domain).await?;
        let field = |name: &str| record[name].as_str().unwrap_or_default();
        if record["password_protection_enabled"] != Value::Bool(true) {
            return Ok(false);
        }
        let (user, password) = (field("password_protection_username"), field("password_protection_password"));
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let mut known = self.authorization.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = known.as_ref().is_none_or(|known| known.expose_secret() != value);
        *known = Some(value.into());
        Ok(is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sites_password_goes_where_visitors_send_it() {
        let base = "https://www.pythonanywhere.com/api/v0/user/me/";
        let api = Client::with_base(base, [], Options::default()).unwrap();
        let domain = "www.example.com";
        for (address, may_know) in [
            (None, true),
            (Some("https://www.example.com"), true),
            (Some("https://me.pythonanywhere.com"), true),
            (Some("https://me.eu.pythonanywhere.com"), true),
            (Some("http://127.0.0.1:8000"), true),
            (Some("https://you.pythonanywhere.com"), false),
            (Some("https://me.you.pythonanywhere.com"), false),
            (Some("https://www.pythonanywhere.com"), false),
            (Some("https://me.pythonanywhere.com:8443"), false),
            (Some("https://other.example.com"), false),
            (Some("https://www.example.com.example.org"), false),
            (Some("https://pythonanywhere.com.example.org"), false),
            (Some("https://www.example.com:8443"), false),
        ] {
            assert_eq!(Site::new(&api, domain, address).unwrap().may_know_password, may_know, "{address:?}");
        }
    }
}
