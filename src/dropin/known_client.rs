//! The client of an instance, kept while its attributes stay as they are.

use std::process;
use std::sync::Mutex;

use crate::client::{BaseUrl, Client, Options};
use crate::error::Result;
use crate::locks::lock;

/// Names and values of headers.
type Headers = Vec<(String, String)>;

/// The client for the attributes as they were at the last call. Making one costs more than a small request's own work.
#[derive(Default)]
pub struct KnownClient(Mutex<Option<Known>>);

struct Known {
    /// A child does not use its parent's: a thread that it does not have may hold a lock in it.
    process: u32,
    base_url: String,
    headers: Headers,
    client: Client,
}

impl Known {
    /// Whether it is the one that would be made of these attributes now.
    fn fits(&self, base_url: &str, headers: &Headers) -> bool {
        self.process == process::id()
            && self.base_url == base_url
            && self.headers == *headers
            && self.client.fits_environment()
    }
}

impl KnownClient {
    /// The client for these attributes, which counts its requests from 0.
    ///
    /// `web_domain` is given where `base_url` was made of it, rather than set by the caller. It is checked first, so that
    /// the error quotes what the caller typed.
    ///
    /// # Errors
    /// `Config` if one of them is not what it must be; then none is kept.
    pub fn get(&self, base_url: String, headers: Headers, web_domain: Option<&str>) -> Result<Client> {
        let mut known = lock(&self.0);
        if let Some(known) = known.as_ref().filter(|known| known.fits(&base_url, &headers)) {
            return Ok(known.client.counting_anew());
        }
        *known = None;
        web_domain.map_or(Ok(()), |web_domain| BaseUrl::parse(web_domain).map(drop))?;
        let client = Client::with_base(&base_url, &headers, Options::default())?;
        *known = Some(Known { process: process::id(), base_url, headers, client: client.clone() });
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::{Headers, KnownClient};
    use crate::error::Result;

    const BASE: &str = "http://127.0.0.1:1/api/v0/user/me/";

    fn headers(token: &str) -> Headers {
        vec![("Authorization".to_owned(), format!("Token {token}"))]
    }

    fn user_at(known: &KnownClient, base_url: &str, token: &str) -> Result<String> {
        known.get(base_url.to_owned(), headers(token), None).map(|client| client.base().to_owned())
    }

    #[test]
    fn a_client_is_made_anew_when_an_attribute_changed() {
        let known = KnownClient::default();
        let is_known = |base_url: &str, token: &str| {
            let known = known.0.lock().unwrap();
            known.as_ref().is_some_and(|it| it.base_url == base_url && it.headers == headers(token))
        };
        user_at(&known, BASE, "one").unwrap();
        assert!(is_known(BASE, "one"));
        user_at(&known, BASE, "two").unwrap();
        assert!(is_known(BASE, "two"));
        let other = "http://127.0.0.1:1/api/v0/user/other/";
        assert_eq!(user_at(&known, other, "two").unwrap(), other);
        assert!(is_known(other, "two"));
    }

    #[test]
    fn after_an_error_none_is_kept() {
        let known = KnownClient::default();
        user_at(&known, BASE, "one").unwrap();
        user_at(&known, "nonsense", "one").unwrap_err();
        assert!(known.0.lock().unwrap().is_none());
    }

    #[test]
    fn an_error_is_about_the_domain_that_was_typed() {
        let known = KnownClient::default();
        let wrong = known.get("https://a b/api/v0/user/me/".to_owned(), headers("one"), Some("a b"));
        let text = wrong.err().unwrap().to_string();
        assert!(text.contains("\"a b\""), "{text}");
    }
}
