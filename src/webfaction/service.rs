//! A server, a session, and calls in it.
//!
//! The session is kept here, so that callers need not pass it on and no text shows it.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use dxr::Value;
use secrecy::{ExposeSecret, SecretString};

use super::calls::{self, WebfactionCall};
use super::secrets::Secrets;
use super::wire::{self, Fault};
use crate::client::{Client, Options, RateLimit, Request, Response};
use crate::error::{Error, Result};
use crate::locks::lock;

/// The URL that the service had.
pub const DEFAULT_URL: &str = "https://api.webfaction.com/";

/// How long a call may take. The server answers only when an application is installed, or when `system` is done.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// No answer of this API is nearly as long.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The error that ends a call.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The server's own error.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Everything else: no answer, an answer that is not XML-RPC, arguments that cannot be sent.
    #[error(transparent)]
    Other(#[from] Error),
}

/// A server and the session with it.
pub struct Service {
    client: Client,
    session: Mutex<Option<SecretString>>,
}

impl Service {
    /// The server at `url`. Sends nothing yet.
    ///
    /// # Errors
    /// `Config` if it is not a URL, or one with plain `http` to another machine.
    pub fn new(url: &str, timeout: Duration) -> Result<Self> {
        let options =
            Options { read_timeout: timeout, total_timeout: timeout, rate_limit: RateLimit::Off, ..Options::default() };
        Ok(Self { client: Client::at(url, options)?, session: Mutex::new(None) })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.client.base()
    }

    /// The session, if there is one.
    #[must_use]
    pub fn session(&self) -> Option<SecretString> {
        lock(&self.session).clone()
    }

    /// Continues with a session that another process started, or without one.
    pub fn set_session(&self, session: Option<SecretString>) {
        *lock(&self.session) = session;
    }

    /// Makes a call of the table; `login` starts a session, the others use it.
    ///
    /// # Errors
    /// The server's fault; `Config` without a session or for what cannot be sent; else as [`Client::send`].
    pub async fn call(&self, call: &WebfactionCall, arguments: Vec<Value>) -> Result<Value, CallError> {
        let session = self.session();
        let secrets = Secrets::of(Some(call), session.as_ref(), &arguments);
        if !call.takes_session() {
            let answer = self.perform(call.name, &arguments, &secrets).await?;
            self.set_session(Some(session_of(&answer)?));
            return Ok(answer);
        }
        let Some(session) = session else {
            return Err(
                Error::config(format!("{} needs a session: call login(username, password) first", call.name)).into()
            );
        };
        let mut all = vec![Value::String(session.expose_secret().to_owned())];
        all.extend(arguments);
        self.perform(call.name, &all, &secrets).await
    }

    /// Makes any call, with the arguments as they are.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_raw(&self, name: &str, arguments: Vec<Value>) -> Result<Value, CallError> {
        let call = calls::find(name);
        let takes_session = call.is_some_and(WebfactionCall::takes_session);
        let after_session = arguments.get(usize::from(takes_session)..).unwrap_or_default();
        let secrets = Secrets::of(call, self.session().as_ref(), after_session);
        self.perform(name, &arguments, &secrets).await
    }

    async fn perform(&self, name: &str, arguments: &[Value], secrets: &Secrets) -> Result<Value, CallError> {
        let request = Request::post("").content(wire::encode(name, arguments)?, "text/xml").at_most(MAX_ANSWER_BYTES);
        let response = self.client.send(request).await?;
        if !response.status.is_success() {
            return Err(without_secrets(response, secrets).to_error().into());
        }
        match wire::decode(&response.body) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => Err(Fault { message: secrets.hide(&fault.message), ..fault }.into()),
            Err(expected) => Err(unexpected(&response, expected).into()),
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("url", &self.url()).finish_non_exhaustive()
    }
}

fn session_of(answer: &Value) -> Result<SecretString> {
    match answer {
        Value::Array(items) => match items.first() {
            Some(Value::String(session)) if !session.is_empty() => Some(SecretString::from(session.as_str())),
            _ => None,
        },
        _ => None,
    }
    .ok_or_else(|| Error::Decode {
        method: "POST".to_owned(),
        path: calls::LOGIN.to_owned(),
        status: 200,
        expected: "a list that starts with the session",
        snippet: "another value".to_owned(),
    })
}

/// The answer is not quoted: it may be that of a login.
fn unexpected(response: &Response, expected: &'static str) -> Error {
    Error::Decode {
        method: response.method.to_string(),
        path: response.url.path().to_owned(),
        status: response.status.as_u16(),
        expected,
        snippet: format!("{} bytes, not shown since they may contain a session", response.body.len()),
    }
}

/// An error page may repeat what was sent. It is searched before it is cut, so that no half of a secret remains.
fn without_secrets(response: Response, secrets: &Secrets) -> Response {
    let body = secrets.hide(&String::from_utf8_lossy(&response.body)).into();
    Response { body, ..response }
}
