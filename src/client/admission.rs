//! Requests that the caller sends by other means: the same rules for the URL, and a slot of the same budget.

use std::sync::atomic::Ordering;

use super::account::Client;
use super::budget::window::Slot;
use super::request::Request;
use crate::error::Result;

/// Permission to send one request by other means. The slot counts as used when this is dropped.
pub struct Admission {
    /// Where to.
    pub url: String,
    _slot: Option<Slot>,
}

impl Client {
    /// Checks a request and waits for the rate budget as [`send`](Self::send) does, and leaves the sending to the caller.
    ///
    /// # Errors
    /// `Config` for a path that would lead elsewhere; `RateLimited` if the budget's wait would exceed `max_wait`.
    pub async fn admit(&self, request: &Request) -> Result<Admission> {
        request.check()?;
        let url = self.url_of(request)?.into();
        let slot = self.acquire(request.endpoint()).await?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ok(Admission { url, _slot: slot })
    }
}
