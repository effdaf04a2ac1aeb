//! Sending: the loop of budget, attempt and retry that every request goes through.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use url::Url;

use super::account::Client;
use super::budget::window::{self, Slot};
use super::endpoints::{Endpoint, WINDOW};
use super::options::RateLimit;
use super::pool;
use super::reach::{self, Obstacle};
use super::request::Request;
use super::response::Response;
use super::retry::{Attempts, MAX_THROTTLE_WAIT, MAX_THROTTLES, is_transient, is_worth_repeating, throttle_wait};
use super::success::Success;
use super::timeline::{Noted, Timeline};
use super::transfer::{Activity, Attempt};
use crate::clock;
use crate::error::{Error, Result};
use crate::locks::lock;
use crate::setting::Interface;

/// What comes after an attempt: another one, or the end.
type Next = ControlFlow<Result<Response>>;

impl Client {
    /// Sends a request and returns the answer, whatever its status.
    ///
    /// Waits for the rate budget, obeys 429, and repeats what is safe to repeat ([`Options`](super::Options)). A
    /// repeated DELETE that finds nothing did its work the first time, so its answer becomes 204.
    ///
    /// # Errors
    /// `Config` for a path with `..`, before anything is sent; `Transport` or `Timeout` if no answer came after the
    /// retries; `RateLimited` if the budget's wait would exceed `max_wait`.
    pub async fn send(&self, request: Request) -> Result<Response> {
        request.check()?;
        let url = self.url_of(&request)?;
        let pool = pool::get(&self.account.kind)?;
        let attempt = Attempt {
            pool: &pool,
            request: &request,
            url: &url,
            headers: &self.account.headers,
            options: &self.options,
            observer: self.observer.as_ref(),
            success: if self.account.is_service { Success::of(&request.method, &request.path) } else { Success::Any },
        };
        let mut attempts = Attempts { was_absent: reach::was_absent(self.host().authority()), ..Attempts::default() };
        loop {
            let asked = Instant::now();
            let endpoint = request.endpoint();
            let limit = self.limited(endpoint).map(|endpoint| endpoint.limit);
            let name = if self.account.is_service { endpoint.name } else { Timeline::SITE };
            let noted = Noted::asked(self.timeline.as_ref(), name, limit, &request.method);
            let slot = self.acquire(endpoint).await?;
            noted.sent();
            self.requests.fetch_add(1, Ordering::Relaxed);
            let waited = asked.elapsed();
            let activity = Arc::new(Activity::new());
            let before = attempts.spent;
            // On the heap, since every operation's future contains it.
            let outcome = Box::pin(attempt.run(&activity)).await;
            noted.ended(outcome.as_ref().ok().map(|response| response.status.as_u16()));
            attempts.spent += activity.elapsed();
            self.log(&request, &url, &outcome, &activity, waited);
            self.note_reach(&outcome, before, &mut attempts);
            if let Ok(response) = &outcome {
                self.follow_emulator(response);
                self.note_date(response);
            }
            if let ControlFlow::Break(outcome) = self.after(&request, outcome, slot, &mut attempts).await {
                return outcome;
            }
        }
    }

    async fn after(
        &self,
        request: &Request,
        outcome: Result<Response>,
        slot: Option<Slot>,
        attempts: &mut Attempts,
    ) -> Next {
        match outcome {
            Ok(response) if response.status == StatusCode::TOO_MANY_REQUESTS && request.obeys_throttle() => {
                self.throttled(request, response, slot, attempts).await
            }
            Ok(response) => {
                if let Some(slot) = slot {
                    slot.answered();
                }
                attempts.throttled = 0;
                self.after_answer(request, response, attempts).await
            }
            Err(error) => {
                let reached = !error.is_unsent();
                match slot {
                    Some(slot) if reached => slot.answered(),
                    Some(slot) => slot.unused(),
                    None => {}
                }
                attempts.failed += 1;
                attempts.ambiguous += u32::from(reached);
                let backoff = attempts.next_backoff(&self.options, None);
                match backoff.filter(|_| {
                    is_worth_repeating(&error) && (request.is_repeatable() || !(reached || request.is_sent_once()))
                }) {
                    Some(backoff) => again(attempts, backoff, &error.chain()).await,
                    None => ControlFlow::Break(Err(error)),
                }
            }
        }
    }

    /// Obeys a 429 by blocking its bucket; the wait itself happens in the queue for the next slot.
    async fn throttled(
        &self,
        request: &Request,
        response: Response,
        slot: Option<Slot>,
        attempts: &mut Attempts,
    ) -> Next {
        let wait = throttle_wait(response.retry_after(), WINDOW);
        attempts.throttled += 1;
        log::info!("{} {}: throttled, continuing in {:.0} s", response.method, response.url.path(), wait.as_secs_f64());
        let gives_up = wait > MAX_THROTTLE_WAIT || attempts.throttled > MAX_THROTTLES || request.is_sent_once();
        if let Some(slot) = slot {
            slot.refused(wait);
        } else if self.options.max_wait.is_some_and(|most| wait > most) {
            // Without a limit of our own there is no queue that would report it.
            return ControlFlow::Break(Err(Error::Budget { endpoint: request.endpoint().name.to_owned(), wait }));
        } else if !gives_up {
            clock::sleep(wait).await;
        }
        if gives_up { ControlFlow::Break(Ok(response)) } else { ControlFlow::Continue(()) }
    }

    async fn after_answer(&self, request: &Request, mut response: Response, attempts: &mut Attempts) -> Next {
        if is_transient(response.status) && request.is_repeatable() {
            attempts.failed += 1;
            attempts.ambiguous += 1;
            if let Some(backoff) = attempts.next_backoff(&self.options, response.retry_after()) {
                return again(
                    attempts,
                    backoff,
                    &format!("{} {}: {}", request.method, response.url.path(), response.status),
                )
                .await;
            }
        }
        if request.method == Method::DELETE && response.is_not_found() && attempts.ambiguous > 0 {
            response.status = StatusCode::NO_CONTENT;
            response.body.clear();
        }
        ControlFlow::Break(Ok(response))
    }

    /// Waits for a slot of the budget; `None` where there is no limit.
    pub(super) async fn acquire(&self, endpoint: Endpoint) -> Result<Option<Slot>> {
        let Some(endpoint) = self.limited(endpoint) else { return Ok(None) };
        let (max_wait, observer) = (self.options.max_wait, self.observer.as_deref());
        window::acquire(&self.account.owner, endpoint, max_wait, observer).await.map(Some)
    }

    pub(super) fn url_of(&self, request: &Request) -> Result<Url> {
        if let Some(url) = &request.redirected_to {
            return Ok(url.clone());
        }
        // The dot keeps a path like `a:b/c` from being read as a URL of its own. Joining never parses a host again.
        let path = match request.path.trim_start_matches('/') {
            "" => String::new(),
            path => format!("./{path}"),
        };
        let mut url = self
            .base_of(request.version)
            .join(&path)
            .map_err(|error| Error::config(format!("{:?} is not a valid path: {error}", request.path)))?;
        url.set_fragment(None);
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }

    /// The base URL for another version of the API than 0.
    fn base_of(&self, version: u8) -> Cow<'_, Url> {
        let base = &self.account.base;
        if version == 0 {
            return Cow::Borrowed(base);
        }
        let mut base = base.clone();
        let path = base.path().replacen("/api/v0/", &format!("/api/v{version}/"), 1);
        base.set_path(&path);
        Cow::Owned(base)
    }

    /// The endpoint with the limit of this client; `None` without one.
    fn limited(&self, endpoint: Endpoint) -> Option<Endpoint> {
        match self.options.rate_limit {
            RateLimit::Off => None,
            RateLimit::PerMinute(limit) => Some(Endpoint { limit, ..endpoint }),
            RateLimit::Default => Some(endpoint),
        }
    }

    /// Keeps pace with the clock of an emulator in another process; otherwise a minute of the rate limit would be an
    /// hour there, and a deploy would lose its lease. Only `pya` does, which talks to one host and then ends.
    fn follow_emulator(&self, response: &Response) {
        if Interface::current() != Interface::CommandLine || !self.host().is_loopback() {
            return;
        }
        let speed =
            response.headers.get(clock::SPEED_HEADER).and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
        if let Some(speed) = speed.filter(|speed| (1.0..=1e5).contains(speed) && *speed > clock::speed()) {
            clock::set_speed(speed);
        }
    }

    /// What `-v` shows of each attempt. The query is left out: it may contain secrets. Python's `logging` does not get
    /// these records, because it would run Python code for every request.
    fn log(&self, request: &Request, url: &Url, outcome: &Result<Response>, activity: &Activity, waited: Duration) {
        let host = if self.account.is_service { "" } else { self.host().authority() };
        let told = match outcome {
            Ok(response) => response.status.as_u16().to_string(),
            Err(error) => error.chain(),
        };
        log::trace!(
            "{} {host}{}: {told} in {:.3} s, {} bytes sent, {} received, waited {:.1} s",
            request.method,
            url.path(),
            activity.elapsed().as_secs_f64(),
            activity.sent.load(Ordering::Relaxed),
            activity.received.load(Ordering::Relaxed),
            waited.as_secs_f64(),
        );
    }

    /// Records whether the host could be reached: for the retries of this request, and for the requests that follow.
    fn note_reach(&self, outcome: &Result<Response>, before: Duration, attempts: &mut Attempts) {
        let is_absent = outcome.as_ref().err().is_some_and(|error| Obstacle::behind(error) == Some(Obstacle::NoHost));
        attempts.absent_since = if is_absent { Some(attempts.absent_since.unwrap_or(before)) } else { None };
        reach::note(self.host().authority(), is_absent);
    }

    fn note_date(&self, response: &Response) {
        if let Some(date) = response.date() {
            *lock(&self.account.server_clock) = Some((date, clock::now()));
        }
    }
}

async fn again(attempts: &mut Attempts, backoff: Duration, why: &str) -> Next {
    log::debug!("attempt {} failed, next in {:.1} s: {why}", attempts.failed, backoff.as_secs_f64());
    attempts.spent += backoff;
    clock::sleep(backoff).await;
    ControlFlow::Continue(())
}
