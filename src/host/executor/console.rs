//! Jobs done in a bash console, on accounts that have nothing else.
//!
//! The service starts a console only when its page is opened in a browser, so a new one cannot be used at once: the error
//! says which page to open, and the next attempt names the console. A console that is busy is left alone.

use std::time::Duration;

use super::Workshop;
use crate::api::is_shell_prompt;
use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::job::{Job, Receipt};

/// How often the receipt is looked for.
const POLL: Duration = Duration::from_secs(3);

/// How often, and how many times, a console is looked at that is not at a prompt.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: usize = 5;

pub(super) async fn run(id: Option<u64>, shop: &Workshop, job: &Job, limit: Duration) -> Result<Receipt> {
    let client = &shop.client;
    let id = ready(id, client).await?;
    let command = shop.set_up(job).await?;
    client.send_console_input(id, &format!("{command}\n")).await.map_err(|error| explain(error, id))?;
    shop.wait(job, POLL, limit).await
}

/// The console, at its prompt; without a number a new one.
pub(super) async fn ready(id: Option<u64>, client: &Client) -> Result<u64> {
    let id = match id {
        Some(id) => id,
        None => client.create_console("bash").await?,
    };
    wait_for_prompt(client, id).await?;
    Ok(id)
}

/// A shell that was just started takes a moment; a command that runs may take for ever.
async fn wait_for_prompt(client: &Client, id: u64) -> Result<()> {
    for _ in 0..LOOKS {
        let latest = client.latest_console_output(id).await.map_err(|error| explain(error, id))?;
        if is_shell_prompt(&latest) {
            return Ok(());
        }
        clock::sleep(LOOK).await;
    }
    Err(Error::config(format!("console {id} is not at a prompt: end what runs in it, or name another one")))
}

/// A console that was not started yet is kept, so that its page can be opened.
fn explain(error: Error, id: u64) -> Error {
    match error {
        Error::Api { status: 412, browser_url: Some(page), .. } => Error::config(format!(
            "console {id} is not started yet: open {page} in a browser, then try again with this console (--console {id})"
        )),
        error if error.kind() == ErrorKind::NotFound => Error::config(format!("there is no console {id}")),
        error => error,
    }
}
