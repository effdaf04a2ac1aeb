//! Redirects of a GET within the host, such as the one to the same address with a slash at its end.
//!
//! The endpoints' own calls need none, so this is for requests whose path the caller wrote. Redirects to other hosts are
//! never followed: the token must not go there.

use http::Method;
use http::header::LOCATION;
use url::Url;

use super::account::Client;
use super::request::Request;
use super::response::Response;
use crate::error::Result;

/// How many redirects in a row are followed.
const MOST_REDIRECTS: usize = 5;

impl Client {
    /// As [`send`](Self::send), but where the service redirects a GET within its own host, the answer is that of the
    /// other address.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_within_host(&self, mut request: Request) -> Result<Response> {
        let mut response = self.send(request.clone()).await?;
        for _ in 0..MOST_REDIRECTS {
            let Some(target) = target(&request, &response) else { break };
            request.redirected_to = Some(target);
            response = self.send(request.clone()).await?;
        }
        Ok(response)
    }
}

/// The address that a GET is redirected to, if it is on the same host.
fn target(request: &Request, response: &Response) -> Option<Url> {
    if request.method != Method::GET || !matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let mut target = response.url.join(response.headers.get(LOCATION)?.to_str().ok()?).ok()?;
    target.set_fragment(None);
    let is_plain = target.username().is_empty() && target.password().is_none();
    (is_plain && target.origin() == response.url.origin()).then_some(target)
}
