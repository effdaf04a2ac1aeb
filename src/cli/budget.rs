//! What is left of the rate budget, which the next command goes on from.

use crate::client::Client;

/// Does the last work of a command on the account, and keeps what is left of its budget, also if that failed.
pub fn keeping_budget<T>(client: &Client, work: impl Future<Output = T>) -> impl Future<Output = T> {
    // Boxed, since the work on a whole project is large.
    let work = Box::pin(work);
    async move {
        let outcome = work.await;
        client.persist_budget();
        outcome
    }
}
