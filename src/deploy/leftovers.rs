//! What killed deploys leave on the host besides half a change: tasks in the account, and work folders.
//!
//! Their notes say that there may be some. Every command about a project removes the tasks first; the work folder goes
//! together with the note, by whoever makes up for that deploy.

use std::collections::BTreeSet;

use super::intent::{Intent, Standing};
use super::remote::{Remote, list_if_there};
use super::state::StateFolder;
use crate::api::TaskKind;
use crate::client::Client;
use crate::error::{ErrorKind, Result};
use crate::host::sweep;

/// Names in a work folder that keep it: the only copies of files that could not be put back, and the note of files
/// elsewhere, which the runner removes with it.
const KEEPING: [&str; 2] = ["not_undone", "elsewhere.json"];

/// Deletes the tasks that dead jobs of a project left in the account; whether there were any, which may have worked until
/// then. Asks only where a note says that there may be some.
///
/// # Errors
/// As the service answers.
pub(super) async fn sweep_tasks(client: &Client, folder: &StateFolder, intents: &[Intent]) -> Result<bool> {
    let now = client.server_time();
    let is_live = |intent: &&Intent| intent.standing(now) == Standing::Live;
    let live: BTreeSet<String> = intents.iter().filter(is_live).map(|intent| intent.id.clone()).collect();
    let dead = intents.iter().filter(|intent| !live.contains(&intent.id));
    let kinds: BTreeSet<TaskKind> = dead.flat_map(|intent| intent.tasks.iter().copied()).collect();
    let mut any = false;
    for kind in kinds {
        any |= sweep(client, kind, folder.path().name(), &live).await?;
    }
    Ok(any)
}

/// Removes the work folder of a deploy that another one made up for: the bundle in it counts against the quota.
///
/// # Errors
/// As the service answers.
pub(super) async fn remove_work<R: Remote>(remote: &R, folder: &StateFolder, id: &str) -> Result<()> {
    let work = folder.work(id)?;
    let entries = list_if_there(remote, &work).await?.unwrap_or_default();
    if entries.iter().any(|entry| KEEPING.contains(&entry.name.as_str())) {
        return Ok(());
    }
    match remote.delete(&work).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
