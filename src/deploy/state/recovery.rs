//! What killed deploys leave on the host besides half a change: tasks in the account, and work folders.
//!
//! Their notes say that there may be some. Every command about a project removes the tasks first; the work folder goes
//! together with the note, by whoever makes up for that deploy.

use std::collections::BTreeSet;

use super::folder::{State, StateFolder};
use super::intent::{Intent, IntentState};
use crate::api::TaskKind;
use crate::client::Client;
use crate::deploy::remote::{Remote, delete_if_there, list_if_there};
use crate::error::Result;
use crate::host::sweep;

/// Names in a work folder that keep it: the only copies of files that could not be put back, and the note of files
/// elsewhere, which the runner removes with it.
const KEEPING: [&str; 2] = ["not_undone", "elsewhere.json"];

/// Deletes the tasks that dead jobs of a project left in the account; whether there were any, which may have worked until
/// then. Asks only where a note says that there may be some.
///
/// # Errors
/// As the service answers.
pub(crate) async fn sweep_tasks(client: &Client, folder: &StateFolder, state: &State) -> Result<bool> {
    let now = client.server_time();
    let (live, dead): (Vec<&Intent>, Vec<&Intent>) =
        state.intents.iter().chain(&state.maintenance).partition(|note| note.standing(now) == IntentState::Running);
    let live: BTreeSet<String> = live.into_iter().map(|note| note.id.clone()).collect();
    let kinds: BTreeSet<TaskKind> = dead.iter().flat_map(|note| note.tasks.iter().copied()).collect();
    let mut any = false;
    for kind in kinds {
        any |= sweep(client, kind, folder.path().name(), &live).await?;
    }
    for maintenance in state.maintenance.iter().filter(|maintenance| !live.contains(&maintenance.id)) {
        if state.works.contains(&maintenance.id) {
            remove_work(client, folder, &maintenance.id).await?;
        }
        delete_if_there(client, &folder.maintenance(&maintenance.id)?).await?;
    }
    Ok(any)
}

/// Writes down that there are tasks that could not be deleted, for the next command.
pub(crate) async fn note_tasks(client: &Client, folder: &StateFolder, kinds: BTreeSet<TaskKind>) {
    if kinds.is_empty() {
        return;
    }
    let mut note = Intent::new(client.server_time());
    note.ended = true;
    note.tasks = kinds;
    let written = match folder.maintenance(&note.id) {
        Ok(place) => client.upload_file(&place, note.to_text().into()).await.map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        log::warn!("a task made by pya stays in the account, delete it there: {}", error.chain());
    }
}

/// Removes the work folder of an interrupted deploy that another one completed: the bundle in it counts against the
/// quota.
///
/// # Errors
/// As the service answers.
pub(crate) async fn remove_work<R: Remote>(remote: &R, folder: &StateFolder, id: &str) -> Result<()> {
    let work = folder.work(id)?;
    let entries = list_if_there(remote, &work).await?.unwrap_or_default();
    let is_kept = entries.iter().any(|entry| KEEPING.contains(&entry.name.as_str()));
    if is_kept { Ok(()) } else { delete_if_there(remote, &work).await }
}
