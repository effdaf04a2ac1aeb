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
    /// The client for these attributes, which counts its requests from 0. `web_domain` is what `base_url` was made of, if
    /// it was: then an error is about that.
    ///
    /// # Errors
    /// `Config` if one of them is not what it must be.
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
