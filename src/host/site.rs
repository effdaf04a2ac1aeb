//! Requests to the account's own site: to the agent in it, and for health checks.
//!
//! Plain http is used for this machine only (the emulator), redirects are not followed, and the API token is never
//! sent: the agent gets signatures. A site with password protection gets the credentials from its API record. Whatever
//! a site answers is the application's or a proxy's, unless the agent signed it for this very request.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::sign::{HEADER, Key, PATH, Signed};
use crate::client::{Client, Options, RateLimit, Request, Response};
use crate::clock::{self, Tick};
use crate::error::{Error, Result};
use crate::locks::lock;
use crate::per_process::PerProcess;

/// The host gives a request 5 minutes.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(310);

/// The time limit for requests without work: the first answer after a reload comes within 20 seconds.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The time limit for a question that could go to the API as well.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Enough to recognise a page.
const MOST_BYTES: usize = 4 << 20;

/// More than any answer of the agent.
const MOST_ANSWERED: usize = 9 << 20;

/// By how much the clocks must differ for that to be why a request was not taken: half of what the agent allows.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// For how long a site that gave no signed answer is not asked what the API can answer: longer than a command looks for
/// its way.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// Sites that gave no signed answer, and when.
static SILENT: PerProcess<Mutex<BTreeMap<String, Tick>>> = PerProcess::new(|_parent| Mutex::default());

/// What the last signed answers of sites said.
static ANSWERED: PerProcess<Mutex<BTreeMap<String, Answered>>> = PerProcess::new(|_parent| Mutex::default());

/// How long a signed answer shows that the agent is there.
const ANSWER_HOLDS: Duration = Duration::from_secs(30);

/// The most of a bundle that one request brings, in bytes.
const LONGEST_PIECE: u64 = 16 << 20;

/// What leaves room for the rest of a request in the longest body that an agent takes, in bytes.
const ROOM: u64 = 1 << 20;

/// How long a request may take to arrive. A front that buffers passes its headers on only then, and the agent takes none
/// that is two minutes old.
const ARRIVES_WITHIN: Duration = Duration::from_secs(45);

/// The first piece where it is unknown how fast they arrive, in bytes; faster than this needs no try.
const FIRST_PIECE: u64 = 1 << 20;

/// What an agent said of itself in a signed answer.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    /// When it last told a state folder.
    told_at: Option<Tick>,
    pub id: String,
    pub build: Option<String>,
    /// The longest body that it takes, in bytes; 0 for an agent that takes no bundles.
    takes: u64,
    /// How fast pieces of bundles arrived there, in bytes a second.
    speed: Option<f64>,
}

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
    /// How far this machine's clock is behind, in seconds, where that was why the agent took nothing.
    behind: Mutex<Option<i64>>,
}

/// The operation that looks at a state folder.
pub(super) const STATE: &str = "state";

/// The operation that reads a piece of a file in a state folder.
const READ: &str = "read";

/// The longest piece that is read at once, in bytes: shorter than the longest answer.
const READ_PIECE: usize = 7 << 20;

/// The operation that brings a piece of a bundle, and announces the deploy with the first one.
pub(super) const DEPLOY: &str = "deploy";

/// The operation that ends a deploy.
pub(super) const FINISH: &str = "finish";

/// The operation that does nothing.
pub(super) const STATUS: &str = "status";

/// The answer at the agent's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The agent accepted the request. With what it signed, unless it is one from before signed answers.
    Taken(Option<Value>),
    /// The agent refused the request, since its body was changed or cut off on the way, and did nothing.
    Refused,
    /// Nothing that the agent signed: the application answered, or the host's web server, or somebody changed the answer.
    Other(StatusCode),
}

impl Answer {
    /// Whether the web server answered instead of the web app, because a worker died or took too long. What the worker
    /// did is unknown then.
    pub(super) fn is_from_gateway(&self) -> bool {
        use StatusCode as S;
        matches!(self, Self::Other(S::BAD_GATEWAY | S::SERVICE_UNAVAILABLE | S::GATEWAY_TIMEOUT))
    }
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
        let (authorization, behind) = (Mutex::new(None), Mutex::new(None));
        Ok(Self {
            api: api.clone(),
            domain: domain.to_owned(),
            address,
            host,
            may_know_password,
            authorization,
            behind,
        })
    }

    /// Whether to ask it what the API can answer as well: not at an address that is not the account's, and not soon
    /// after it was silent. Else the reason.
    pub(super) fn check_worth_asking(&self) -> Result<(), String> {
        if !self.may_know_password {
            return Err(format!("{} is not an address of the account", self.address));
        }
        let silent = SILENT.get();
        match lock(&silent).get(&self.name()) {
            Some(since) if clock::now() < *since + LEFT_ALONE => Err("it did not answer just now".to_owned()),
            _ => Ok(()),
        }
    }

    /// Leaves it alone for a while, since it was silent.
    pub(super) fn leave_alone(&self) {
        self.forget_answers();
        lock(&SILENT.get()).insert(self.name(), clock::now());
    }

    /// Notes what a signed answer of the agent `id` says of it.
    fn note_answer(&self, id: &str, operation: &str, said: &Value) {
        let known = self.answered();
        let told_at =
            if operation == STATE { Some(clock::now()) } else { known.as_ref().and_then(|known| known.told_at) };
        let answered = Answered {
            told_at,
            id: id.to_owned(),
            build: said["build"].as_str().map(str::to_owned),
            takes: said["takes"].as_u64().unwrap_or(0),
            speed: known.and_then(|known| known.speed),
        };
        lock(&ANSWERED.get()).insert(self.name(), answered);
    }

    /// Forgets what the agent said.
    pub(super) fn forget_answers(&self) {
        lock(&ANSWERED.get()).remove(&self.name());
    }

    fn answered(&self) -> Option<Answered> {
        lock(&ANSWERED.get()).get(&self.name()).cloned()
    }

    /// What the agent said that told a state folder just now.
    pub(super) fn answered_just_now(&self) -> Option<Answered> {
        self.answered().filter(|answered| answered.told_at.is_some_and(|at| clock::now() < at + ANSWER_HOLDS))
    }

    /// Whether bundles and notes go by it rather than through the API; else the reason.
    pub(super) fn check_takes_deploys(&self) -> Result<(), String> {
        self.check_worth_asking()?;
        match self.answered() {
            None => Err("its agent was not asked".to_owned()),
            Some(answered) if answered.takes <= ROOM => {
                Err("its agent is an older one, which \"pya agent install\" renews".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    /// How much of a bundle of which so much is left the next request should bring, in bytes.
    pub(super) fn piece(&self, left: u64) -> u64 {
        let Some(Answered { takes, speed, .. }) = self.answered() else { return FIRST_PIECE };
        let arrives = match speed {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is rounded down to a limit")]
            Some(speed) => ((speed * ARRIVES_WITHIN.as_secs_f64()) as u64).max(FIRST_PIECE / 16),
            None => FIRST_PIECE,
        };
        left.min(arrives).min(LONGEST_PIECE).min(takes.saturating_sub(ROOM))
    }

    /// Notes how long a piece took to arrive.
    pub(super) fn note_speed(&self, bytes: u64, took: Duration) {
        if let Some(answered) = lock(&ANSWERED.get()).get_mut(&self.name()) {
            #[allow(clippy::cast_precision_loss, reason = "a piece has at most 16 MiB")]
            let speed = bytes as f64 / took.as_secs_f64().max(0.001);
            answered.speed = Some(speed);
        }
    }

    fn name(&self) -> String {
        format!("{} {} {}", self.api.user(), self.domain, self.address)
    }

    /// The address without its closing slash.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a signed operation to the agent. It is not retried: the agent accepts each request once, and what it did for
    /// one that was not answered must be looked for first.
    ///
    /// # Errors
    /// `Transport` or `Timeout` if no answer came, which says nothing about what the agent did.
    pub async fn ask(&self, key: &Key, operation: &str, body: &[u8]) -> Result<Answer> {
        self.with_password(|| self.ask_at(self.time(), REQUEST_LIMIT, key, operation, body)).await
    }

    /// Sends the operation that does nothing. What the agent may not have taken because of the time in it is sent once more with the time
    /// of the API.
    ///
    /// # Errors
    /// `Transport` or `Timeout` if no answer came.
    pub(super) async fn status(&self, key: &Key) -> Result<Answer> {
        self.with_password(|| self.retried(ANSWER_LIMIT, key, STATUS, b"{}")).await
    }

    /// Asks, and once more if the API tells the password that the site wants.
    async fn with_password<F: Future<Output = Result<Answer>>>(&self, ask: impl Fn() -> F) -> Result<Answer> {
        let answer = ask().await?;
        let wants_password = answer == Answer::Other(StatusCode::UNAUTHORIZED);
        if wants_password && self.learn_password().await? { ask().await } else { Ok(answer) }
    }

    /// Asks what the API can answer as well: soon, and without asking the API for a password.
    ///
    /// # Errors
    /// As for [`Self::status`].
    pub async fn look(&self, key: &Key, operation: &str, body: &[u8]) -> Result<Answer> {
        self.retried(LOOK_LIMIT, key, operation, body).await
    }

    /// For operations that change nothing.
    async fn retried(&self, limit: Duration, key: &Key, operation: &str, body: &[u8]) -> Result<Answer> {
        let time = self.time();
        let answer = self.ask_at(time, limit, key, operation, body).await?;
        if !matches!(answer, Answer::Other(_)) || answer.is_from_gateway() || !self.correct_time(time) {
            return Ok(answer);
        }
        self.ask_at(self.time(), limit, key, operation, body).await
    }

    /// Sends a signed operation that changes something, with a body that may be long, once. Also returns the request's
    /// nonce, by which it can be kept from being taken later ([`super::agent::Agent::spend`]).
    pub(super) async fn send_once(
        &self,
        key: &Key,
        operation: &str,
        body: Vec<u8>,
    ) -> Result<(String, Result<Answer>)> {
        let body = Bytes::from(body);
        let signed = key.sign_long(operation, &body, self.time())?;
        let nonce = signed.nonce.clone();
        Ok((nonce, self.exchange(key, &signed, REQUEST_LIMIT, body).await))
    }

    async fn ask_at(
        &self,
        time: SystemTime,
        limit: Duration,
        key: &Key,
        operation: &str,
        body: &[u8],
    ) -> Result<Answer> {
        let signed = key.sign(operation, body, time)?;
        self.exchange(key, &signed, limit, Bytes::copy_from_slice(body)).await
    }

    /// Reads a file in a state folder, in pieces, each of which `take` gets; false if one of them was not answered, or there
    /// is no such file.
    pub(super) async fn read_file(
        &self,
        key: &Key,
        folder: &str,
        name: &str,
        mut take: impl FnMut(Bytes) -> Result<()>,
    ) -> Result<bool> {
        let mut offset = 0;
        loop {
            let body = json!({ "state": folder, "name": name, "offset": offset, "size": READ_PIECE }).to_string();
            let Some(piece) = self.read_piece(key, body).await? else { return Ok(false) };
            let size = piece.len();
            offset += size;
            take(piece)?;
            if size < READ_PIECE {
                return Ok(true);
            }
        }
    }

    /// A piece of a file; `None` if it was not answered.
    async fn read_piece(&self, key: &Key, body: String) -> Result<Option<Bytes>> {
        let signed = key.sign(READ, body.as_bytes(), self.time())?;
        let (response, is_signed) = self.exchange_raw(key, &signed, REQUEST_LIMIT, body.into()).await?;
        let is_piece = is_signed && response.status == StatusCode::OK && response.body.len() <= READ_PIECE;
        Ok(is_piece.then_some(response.body))
    }

    async fn exchange_raw(&self, key: &Key, signed: &Signed, limit: Duration, body: Bytes) -> Result<(Response, bool)> {
        let request = Request::post("").content(body, "application/json").header(HEADER, &signed.header)?;
        let response = self.send(PATH, request.timeout(limit).at_most(MOST_ANSWERED)).await?;
        let signature = response.headers.get(HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_signed = key.has_signed(signed, response.status.as_u16(), &response.body, signature);
        Ok((response, is_signed))
    }

    async fn exchange(&self, key: &Key, signed: &Signed, limit: Duration, body: Bytes) -> Result<Answer> {
        let (response, is_signed) = self.exchange_raw(key, signed, limit, body).await?;
        let said: Value = response.json("the agent's answer").unwrap_or_default();
        if is_signed {
            self.note_answer(key.agent(), &signed.operation, &said);
        }
        Ok(match response.status {
            StatusCode::OK if is_signed => Answer::Taken(Some(said)),
            _ if is_signed => Answer::Refused,
            StatusCode::OK if said["id"].as_str().is_some_and(|id| key.is_taken(signed, id)) => Answer::Taken(None),
            status => Answer::Other(status),
        })
    }

    /// The time to sign with: the service's, as far as it is known.
    pub(in crate::host) fn time(&self) -> SystemTime {
        let time = super::time::host_time(&self.api);
        let behind = *lock(&self.behind);
        behind.map_or(time, |behind| moved(SystemTime::now(), behind))
    }

    /// Uses the time of the API from now on, if it is known and is far from the one that was used.
    pub(in crate::host) fn correct_time(&self, used: SystemTime) -> bool {
        let Some(time) = self.api.server_time() else { return false };
        let difference = time.duration_since(used).unwrap_or_else(|error| error.duration());
        if difference < CLOCKS_DIFFER {
            return false;
        }
        log::debug!("the clocks differ by {} s: using that of the API", difference.as_secs());
        *lock(&self.behind) = Some(seconds_between(SystemTime::now(), time));
        true
    }

    /// How far this machine's clock is behind, in seconds, as far as is known; 0 if that does not matter.
    pub(super) fn behind(&self) -> i64 {
        let seconds = seconds_between(SystemTime::now(), self.time());
        if seconds.abs() < 10 { 0 } else { seconds }
    }

    /// Starts with what was known of the clock when the site was asked before.
    pub(super) fn set_behind(&self, seconds: i64) {
        *lock(&self.behind) = Some(seconds).filter(|&seconds| seconds != 0);
    }

    /// Gets a page of the site, as a visitor would, but with the password.
    ///
    /// # Errors
    /// `Config` for an invalid path; `Transport` or `Timeout` if no answer came.
    pub async fn get(&self, path: &str) -> Result<Response> {
        if !path.starts_with('/') {
            return Err(Error::config(format!("the path {path:?} must start with \"/\"")));
        }
        self.send(path, Request::get("").timeout(ANSWER_LIMIT).at_most(MOST_BYTES)).await
    }

    async fn send(&self, path: &str, mut request: Request) -> Result<Response> {
        let options = Options { rate_limit: RateLimit::Off, retries: 0, ..*self.api.options() };
        if let Some(host) = &self.host {
            request = request.header("host", host)?;
        }
        let authorization = lock(&self.authorization).clone();
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization.expose_secret())?;
        }
        Client::at(&format!("{}{path}", self.address), options)?.noting_like(&self.api).send(request).await
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
        let Some(value) = authorization(&record) else { return Ok(false) };
        let mut known = lock(&self.authorization);
        let is_new = known.as_ref().is_none_or(|known| known.expose_secret() != value);
        *known = Some(value.into());
        Ok(is_new)
    }
}

fn seconds_between(from: SystemTime, to: SystemTime) -> i64 {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    to.duration_since(from).map_or_else(|error| -seconds(error.duration()), seconds)
}

fn moved(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time.checked_sub(by) } else { time.checked_add(by) }.unwrap_or(time)
}

/// The header that a web app asks of visitors; `None` if it has no password.
fn authorization(record: &Value) -> Option<String> {
    let field = |name: &str| record[name].as_str().unwrap_or_default();
    let (user, password) = (field("password_protection_username"), field("password_protection_password"));
    let is_protected = record["password_protection_enabled"] == Value::Bool(true);
    is_protected.then(|| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sites_password_goes_where_visitors_send_it() {
        let base = "https://www.pythonanywhere.com/api/v0/user/me/";
        let api = Client::with_base(base, &[], Options::default()).unwrap();
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
