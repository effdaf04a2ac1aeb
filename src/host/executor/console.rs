//! Jobs in a bash console, for accounts that have nothing else.
//!
//! The service starts a console only when its page is opened in a browser, so a new one cannot be used at once: the
//! error says which page to open, and a note in the state folder lets the next attempt find the console. A busy console
//! is left alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cancel::CancelOnDrop;
use crate::api::{if_there, is_shell_prompt};
use crate::client::{Client, RemotePath};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::job::{Job, Receipt};
use crate::host::workspace::JobFolder;

/// How often the receipt is looked for.
const POLL: Duration = Duration::from_secs(3);

/// How long to wait before looking again for a prompt, and how many times to look.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: usize = 5;

/// The note about the console that was made, for the next command.
const NOTE: &str = "console.json";
/// More than the note has, in bytes.
const MOST_BYTES: usize = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Made {
    id: u64,
}

pub(super) async fn run(id: Option<u64>, job_folder: &JobFolder, job: &Job, limit: Duration) -> Result<Receipt> {
    let id = ready(id, job_folder).await?;
    let command = job_folder.set_up(job).await?;
    let mut running = CancelOnDrop::new(job_folder, job);
    let receipt = async {
        job_folder.set_asked(true);
        job_folder.client.send_console_input(id, &format!("{command}\n")).await.map_err(|error| explain(error, id))?;
        job_folder.wait(job, POLL, limit).await
    };
    let receipt = receipt.await;
    running.is_over = true;
    if receipt.is_err() {
        job_folder.forget_variables(job).await;
    }
    receipt
}

/// The console, once it is at its prompt; without an id the one that was made for this project, or a new one.
pub(super) async fn ready(id: Option<u64>, job_folder: &JobFolder) -> Result<u64> {
    let client = &job_folder.client;
    if let Some(id) = id {
        return at_prompt(client, id).await;
    }
    let note = job_folder.state.join(NOTE)?;
    if let Some(Made { id }) = noted(client, &note).await? {
        match wait_for_prompt(client, id).await {
            Ok(()) => return Ok(id),
            // It has been closed since.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(explain(error, id)),
        }
    }
    let id = client.create_console("bash").await?;
    let text = serde_json::to_vec(&Made { id }).expect("a number makes JSON");
    client.upload_file(&note, text.into()).await?;
    at_prompt(client, id).await
}

/// The console that an earlier command made.
async fn noted(client: &Client, note: &RemotePath) -> Result<Option<Made>> {
    let content = if_there(client.read_file_at_most(note, MOST_BYTES).await)?;
    // An invalid note is replaced by a new one.
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
}

async fn at_prompt(client: &Client, id: u64) -> Result<u64> {
    wait_for_prompt(client, id).await.map_err(|error| explain(error, id))?;
    Ok(id)
}

/// A shell that was just started takes a moment; a running command may take for ever.
async fn wait_for_prompt(client: &Client, id: u64) -> Result<()> {
    for _ in 0..LOOKS {
        let latest = client.latest_console_output(id).await?;
        if is_shell_prompt(&latest) {
            return Ok(());
        }
        clock::sleep(LOOK).await;
    }
    Err(Error::config(format!(
        "console {id} is not at a prompt: end the program that runs in it, or name another console"
    )))
}

/// Explains errors. A console that is not started yet is kept, so that its page can be opened.
fn explain(error: Error, id: u64) -> Error {
    match error {
        Error::Api { status: 412, browser_url: Some(page), .. } => Error::config(format!(
            "console {id} has not been started: open {page} in a browser, then try again; this console will be used"
        )),
        error if error.kind() == ErrorKind::NotFound => Error::config(format!("there is no console {id}")),
        error => error,
    }
}
