//! Jobs done in a bash console, on accounts that have nothing else.
//!
//! The service starts a console only when its page is opened in a browser, so a new one cannot be used at once: the error
//! says which page to open, and a note in the state folder lets the next attempt find the console again.
//! A console that is busy is left alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::is_shell_prompt;
use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::job::{Job, Receipt};
use crate::host::workspace::JobFolder;

/// How often the receipt is looked for.
const POLL: Duration = Duration::from_secs(3);

/// How often, and how many times, a console is looked at that is not at a prompt.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: usize = 5;

/// Says which console was made here, for the next command.
const NOTE: &str = "console.json";

#[derive(Serialize, Deserialize)]
struct Made {
    id: u64,
}

pub(super) async fn run(id: Option<u64>, job_folder: &JobFolder, job: &Job, limit: Duration) -> Result<Receipt> {
    let id = ready(id, job_folder).await?;
    let command = job_folder.set_up(job).await?;
    job_folder.client.send_console_input(id, &format!("{command}\n")).await.map_err(|error| explain(error, id))?;
    job_folder.wait(job, POLL, limit).await
}

/// The console, at its prompt; without a number the one that was made for this project, or else a new one.
pub(super) async fn ready(id: Option<u64>, job_folder: &JobFolder) -> Result<u64> {
    let client = &job_folder.client;
    if let Some(id) = id {
        wait_for_prompt(client, id).await.map_err(|error| explain(error, id))?;
        return Ok(id);
    }
    let note = job_folder.state.join(NOTE)?;
    let made = match client.read_file(&note).await {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // Whatever else it holds: the new one takes its place.
        content => serde_json::from_slice::<Made>(&content?).ok(),
    };
    if let Some(Made { id }) = made {
        match wait_for_prompt(client, id).await {
            Ok(()) => return Ok(id),
            // It was closed since.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(explain(error, id)),
        }
    }
    let id = client.create_console("bash").await?;
    let text = serde_json::to_vec(&Made { id }).expect("a number makes JSON");
    client.upload_file(&note, text.into()).await?;
    wait_for_prompt(client, id).await.map_err(|error| explain(error, id))?;
    Ok(id)
}

/// A shell that was just started takes a moment; a command that runs may take for ever.
async fn wait_for_prompt(client: &Client, id: u64) -> Result<()> {
    for _ in 0..LOOKS {
        let latest = client.latest_console_output(id).await?;
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
            "console {id} is not started yet: open {page} in a browser, then try again: the same console will be used"
        )),
        error if error.kind() == ErrorKind::NotFound => Error::config(format!("there is no console {id}")),
        error => error,
    }
}
