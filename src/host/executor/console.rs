//! Jobs done in a bash console, on accounts that have nothing else.
//!
//! The service starts a console only when its page is opened in a browser, so a new one cannot be used at once: the error
//! says which page to open, and the next attempt names the console. A console that is busy is left alone.

use std::time::Duration;

use super::Workshop;
use crate::error::{Error, ErrorKind, Result};
use crate::host::job::{Job, Receipt};

/// How often the receipt is looked for.
const POLL: Duration = Duration::from_secs(3);

pub(super) async fn run(id: Option<u64>, shop: &Workshop, job: &Job, limit: Duration) -> Result<Receipt> {
    let client = &shop.client;
    let id = match id {
        Some(id) => id,
        None => client.create_console("bash").await?,
    };
    let latest = client.latest_console_output(id).await.map_err(|error| explain(error, id))?;
    if !is_at_prompt(&latest) {
        return Err(Error::config(format!(
            "console {id} is not at a prompt: end what runs in it, or name another one"
        )));
    }
    let command = shop.set_up(job).await?;
    client.send_console_input(id, &format!("{command}\n")).await.map_err(|error| explain(error, id))?;
    shop.wait(job, POLL, limit).await
}

/// A console that was not started yet is kept, so that its page can be opened.
fn explain(error: Error, id: u64) -> Error {
    match error {
        Error::Api { status: 412, browser_url: Some(page), .. } => Error::config(format!(
            "console {id} is not started yet: open {page} in a browser, then try again with this console"
        )),
        error if error.kind() == ErrorKind::NotFound => Error::config(format!("there is no console {id}")),
        error => error,
    }
}

/// Whether a console waits for a command: the last thing on it is bash's prompt.
fn is_at_prompt(output: &str) -> bool {
    output.trim_end().ends_with('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_the_last_thing_on_the_console() {
        assert!(is_at_prompt("\u{1b}[0;33m16:52 ~\u{1b}[0m $ "));
        assert!(!is_at_prompt("16:52 ~ $ sleep 100\r\n"));
        assert!(!is_at_prompt(""));
    }
}
