//! A client: the account, the host and the options.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use http::header::{AUTHORIZATION, HeaderMap};
use url::Url;

use super::auth::Token;
use super::budget::owner::Owner;
use super::budget::window;
use super::host::{self, BaseUrl};
use super::observer::Observer;
use super::options::{Options, RateLimit};
use super::path::quote_segments;
use super::pool::ConnectionKind;
use super::request::header;
use super::secrets::Secrets;
use super::timeline::Timeline;
use crate::clock::{self, Tick};
use crate::error::{Error, Result};
use crate::locks::lock;

/// The service for one account. Cheap to clone: clones share connections, rate budget and clock with each other, and
/// connections and budget with every other client of the process.
#[derive(Clone)]
pub struct Client {
    pub(super) account: Arc<Account>,
    pub(super) options: Arc<Options>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) requests: Arc<AtomicU64>,
    /// Where each request is noted, if somebody wants to know.
    pub(super) timeline: Option<Arc<Timeline>>,
}

pub(super) struct Account {
    host: BaseUrl,
    user: String,
    /// `https://host/api/v0/user/<user>/`
    pub(super) base: Url,
    pub(super) headers: HeaderMap,
    pub(super) owner: Owner,
    pub(super) kind: ConnectionKind,
    /// Whether the host is the service, whose answers are documented.
    pub(super) is_service: bool,
    /// The rate limit as given, before the environment was read.
    rate_limit: RateLimit,
    /// The last `Date` of the service and when it came.
    pub(super) server_clock: Mutex<Option<(SystemTime, Tick)>>,
}

impl Client {
    /// A client for `user` on `host`. Sends nothing yet.
    ///
    /// # Errors
    /// `Config` if the user name is empty or not valid, or an environment variable that we read is malformed.
    pub fn new(host: &BaseUrl, user: &str, token: &Token, options: Options) -> Result<Self> {
        check_user(user)?;
        let base = format!("{host}api/v0/user/{}/", quote_segments(user));
        let headers = HeaderMap::from_iter([(AUTHORIZATION, token.header()?)]);
        Self::build(host::check(&base)?, user.to_owned(), headers, options, true)
    }

    /// A client for a base URL like `https://www.pythonanywhere.com/api/v0/user/me/` that sends these headers.
    ///
    /// # Errors
    /// `Config` if the URL breaks the rules of [`BaseUrl`], a header cannot be sent, or the token in one is none.
    pub fn with_base(base_url: &str, headers: &[(String, String)], options: Options) -> Result<Self> {
        headers.iter().try_for_each(|(name, value)| check_token(name, value))?;
        let base = checked_base(base_url)?;
        let user = user_in(base_url)?.to_owned();
        check_user(&user)?;
        let headers = headers.iter().map(|(name, value)| header(name, value)).collect::<Result<HeaderMap>>()?;
        Self::build(base, user, headers, options, true)
    }

    /// A client for one URL of a server that is not `PythonAnywhere`. Its requests have the path `""` and no token.
    ///
    /// # Errors
    /// `Config` if the URL breaks the rules of [`BaseUrl`].
    pub fn at(url: &str, options: Options) -> Result<Self> {
        let mut url = host::check_url(url)?;
        url.set_fragment(None);
        Self::build(url, String::new(), HeaderMap::new(), options, false)
    }

    fn build(base: Url, user: String, headers: HeaderMap, options: Options, is_service: bool) -> Result<Self> {
        let rate_limit = options.rate_limit;
        let options = Options { rate_limit: rate_limit.resolve()?, ..options };
        let host = BaseUrl::of(&base);
        let owner = Owner { host: host.authority().to_owned(), user: user.clone(), shared: !host.is_loopback() };
        let kind = ConnectionKind::of(&host);
        let server_clock = Mutex::new(None);
        let account = Account { host, user, base, headers, owner, kind, is_service, rate_limit, server_clock };
        let (account, options) = (Arc::new(account), Arc::new(options));
        Ok(Self { account, options, observer: None, requests: Arc::default(), timeline: None })
    }

    /// The account's user name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.account.user
    }

    /// The API token, if requests carry one.
    pub(crate) fn token(&self) -> Option<&str> {
        self.account.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Token ")
    }

    /// What a server said, with `***` for the token and other credentials of this account.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        Secrets::of_headers(&self.account.headers).mask(text, false)
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &BaseUrl {
        &self.account.host
    }

    /// The URL to which the paths of requests are appended.
    #[must_use]
    pub fn base(&self) -> &str {
        self.account.base.as_str()
    }

    /// Its options, with those of the environment applied.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The same client with other options.
    ///
    /// # Errors
    /// `Config` if `PYTHONANYWHERE_RATE_LIMIT` applies and is malformed.
    pub fn with_options(&self, options: Options) -> Result<Self> {
        let options = Options { rate_limit: options.rate_limit.resolve()?, ..options };
        Ok(Self { options: Arc::new(options), ..self.clone() })
    }

    /// A clone that reports to `observer` and counts its requests from 0.
    #[must_use]
    pub fn with_observer(&self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), requests: Arc::default(), ..self.clone() }
    }

    /// A clone that notes each request in `timeline`, as do the clones of it.
    #[must_use]
    pub fn noting_in(&self, timeline: Arc<Timeline>) -> Self {
        Self { timeline: Some(timeline), ..self.clone() }
    }

    /// The same client, which notes its requests where `other` does.
    pub(crate) fn noting_like(self, other: &Self) -> Self {
        Self { timeline: other.timeline.clone(), ..self }
    }

    /// Whether a client created now would be the same: the environment may have changed.
    #[must_use]
    pub fn fits_environment(&self) -> bool {
        ConnectionKind::of(&self.account.host) == self.account.kind
            && self.account.rate_limit.resolve().is_ok_and(|limit| limit == self.options.rate_limit)
    }

    /// A clone that counts its requests from 0.
    #[must_use]
    pub fn counting_anew(&self) -> Self {
        Self { requests: Arc::default(), ..self.clone() }
    }

    /// How many requests were sent, retries included, since this client (or the one it was cloned from) was made.
    #[must_use]
    pub fn requests_sent(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The time of the service's clock; `None` before its first answer. Exact to about a second.
    #[must_use]
    pub fn server_time(&self) -> Option<SystemTime> {
        let (date, at) = (*lock(&self.account.server_clock))?;
        Some(date + (clock::now() - at))
    }

    /// Takes the time of the service from somebody else who knows it, unless the service itself has said it.
    pub(crate) fn learn_time(&self, time: SystemTime) {
        lock(&self.account.server_clock).get_or_insert((time, clock::now()));
    }

    /// Writes down for later processes what this one requested within the last minute. Called when an operation
    /// ends; does nothing on loopback.
    pub fn persist_budget(&self) {
        window::persist(&self.account.owner);
    }
}

/// A base URL, which ends with a slash and has nothing after it.
fn checked_base(text: &str) -> Result<Url> {
    let mut base = host::check(text)?;
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    Ok(base)
}

/// The user name in the text of a base URL, since a URL resolves the dots of a name like "..".
fn user_in(base_url: &str) -> Result<&str> {
    let (_, user) = base_url.split_once("/user/").ok_or_else(|| {
        Error::config(format!(
            "the base URL {base_url:?} contains no user name: it must look like \
             \"https://www.pythonanywhere.com/api/v0/user/<name>/\""
        ))
    })?;
    Ok(user.strip_suffix('/').unwrap_or(user))
}

/// Refuses a header with a token that is none.
fn check_token(name: &str, value: &str) -> Result<()> {
    match value.strip_prefix("Token ") {
        Some(token) if name.eq_ignore_ascii_case("authorization") => Token::new(token).map(drop),
        _ => Ok(()),
    }
}

fn check_user(user: &str) -> Result<()> {
    if user.is_empty() {
        return Err(Error::config(
            "the user name is missing: give the name of your PythonAnywhere account, or set PYTHONANYWHERE_USERNAME",
        ));
    }
    if user.contains(['/', '\\', '?', '#', '\0']) || matches!(user, "." | "..") {
        return Err(Error::config(format!(
            "the user name {user:?} is not valid: give the name of your PythonAnywhere account, \
             or set PYTHONANYWHERE_USERNAME"
        )));
    }
    Ok(())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("host", &self.account.host.as_str())
            .field("user", &self.account.user)
            .finish_non_exhaustive()
    }
}
