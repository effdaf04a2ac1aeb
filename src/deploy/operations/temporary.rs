//! What lies on the host for the time of one operation only: the parts of a bundle, an archive to be fetched.
//!
//! It takes the room of a whole project, so it goes however the operation ends, also when its future is dropped.

use crate::cleanup;
use crate::client::{Client, RemotePath};
use crate::deploy::remote::delete_if_there;

/// Files or folders on the host that go when they are of no use any more.
pub(crate) struct Passing {
    client: Client,
    places: Vec<RemotePath>,
    /// For the log.
    what: &'static str,
}

impl Passing {
    pub(crate) fn new(client: &Client, what: &'static str) -> Self {
        Self { client: client.clone(), places: Vec::new(), what }
    }

    /// Takes another one, which need not be there yet.
    pub(crate) fn add(&mut self, place: RemotePath) {
        self.places.push(place);
    }

    /// Knows that nothing of it is there any more.
    pub(crate) fn is_gone(&mut self) {
        self.places.clear();
    }

    /// Removes it all. What is not removed when this is dropped is still owed.
    pub(crate) async fn remove(&mut self) {
        while let Some(place) = self.places.first() {
            if let Err(error) = delete_if_there(&self.client, place).await {
                log::warn!("{} is still on the host, in {place}: {}", self.what, error.chain());
            }
            self.places.remove(0);
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if !self.places.is_empty() {
            let mut left = Self::new(&self.client, self.what);
            left.places = std::mem::take(&mut self.places);
            cleanup::defer(async move { left.remove().await });
        }
    }
}
