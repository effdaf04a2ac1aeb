//! What was done to a project: the deploys that the manifest tells of, and what the runner did on the host besides.
//!
//! Two lists of the same kind in two files, since a deploy by single requests starts no job, and a command writes no
//! manifest. A deploy by bundle is in both and is told of once: the manifest knows more of it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::if_there;
use crate::client::{Client, RemotePath};
use crate::deploy::project::Project;
use crate::deploy::state::folder::StateFolder;
use crate::deploy::state::history::{DeployEntry, DeployKind, StepOutcome};
use crate::deploy::state::recovery::sweep_tasks;
use crate::error::{Error, Result};
use crate::host::Lane;
use crate::text::excerpt;

/// One thing that was done. What is only known of deploys is `None` for others, and for a deploy that only a job tells of.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct HistoryEntry {
    /// Of the deploy or the job.
    pub id: String,
    /// `deploy` or `rollback`, or what the job did: `manage`, `pip`, `run`, `hash`, `archive`, `history`, `venv`, `inspect`,
    /// `requirements`, `variables`.
    pub operation: String,
    /// When it began, in seconds since 1970 by the service's clock.
    pub time: u64,
    /// How long it took: a deploy until its files were in place, or until it failed.
    pub seconds: Option<f64>,
    /// `done`, `failed`, `interrupted`, `rolled_back`, `running` or `refused`.
    pub outcome: String,
    /// What a job did, or why it failed, in a line; why a deploy failed.
    pub summary: String,
    /// The user who deployed, and their machine.
    pub who: Option<String>,
    /// Likewise.
    pub host: Option<String>,
    /// The commit that the work tree was at, its branch, and whether what was deployed is not all in that commit.
    pub commit: Option<String>,
    /// Likewise.
    pub branch: Option<String>,
    /// Likewise.
    pub dirty: Option<bool>,
    /// How many files were put there, and by a rollback back.
    pub uploaded: Option<u64>,
    /// How many files went.
    pub deleted: Option<u64>,
    /// How many files were copied on the host.
    pub copied: Option<u64>,
    /// What put the files in place; `none` for one request per file.
    pub executor: Option<String>,
    /// The commands that a deploy was to run.
    pub steps: Vec<StepOutcome>,
    /// The deploy that a rollback undid.
    pub undoes: Option<String>,
    /// Of the job, if there was one.
    pub exit_status: Option<i64>,
    /// The migrations that the job ran.
    pub migrations: Vec<String>,
}

/// A job, as the runner notes it. What it does not say is empty.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Job {
    id: String,
    operation: String,
    state: String,
    started: u64,
    finished: u64,
    exit_status: Option<i64>,
    summary: String,
    migrations: Vec<String>,
}

impl Job {
    /// How long it took, once it has ended.
    #[allow(clippy::cast_precision_loss, reason = "a job takes minutes")]
    fn seconds(&self) -> Option<f64> {
        (self.finished > 0).then_some(self.finished.saturating_sub(self.started) as f64)
    }
}

/// What was done to a project, oldest first: at most 50 deploys and 50 jobs, for three requests; none to the API where the
/// agent behind `lane` tells it.
///
/// # Errors
/// As the service answers; `Config` for a manifest of a later version.
pub async fn history(project: &Project, lane: Option<&Lane>) -> Result<Vec<HistoryEntry>> {
    let client = &project.client;
    let folder = StateFolder::of(client.user(), &project.remote_root)?;
    let (mut state, _) = folder.read_by(client, lane).await?;
    if sweep_tasks(client, &folder, &state).await? {
        state = folder.read(client).await?;
    }
    state.log_damages();
    let jobs = if state.has_jobs { history_in(client, &folder, lane).await? } else { Vec::new() };
    Ok(merged(state.history(client.server_time()), &jobs))
}

/// The longest list of jobs, in bytes. The host that it comes from is not trusted.
const MOST_HISTORY_BYTES: usize = 4 << 20;

/// The jobs that the runner did on the host in this project, oldest first.
pub(super) async fn history_in(client: &Client, folder: &StateFolder, lane: Option<&Lane>) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    struct History {
        jobs: Vec<Value>,
    }
    let place = folder.path().join("history.json")?;
    let answer = read_by(client, lane, folder, &place, "history.json", MOST_HISTORY_BYTES).await;
    let Some(content) = if_there(answer)? else { return Ok(Vec::new()) };
    serde_json::from_slice::<History>(&content)
        .map(|history| history.jobs)
        .map_err(|_| Error::config(format!("{place} cannot be read")))
}

/// A file in a state folder, from the site that told what is in there, else through the API.
pub(super) async fn read_by(
    client: &Client,
    lane: Option<&Lane>,
    folder: &StateFolder,
    place: &RemotePath,
    name: &str,
    most: usize,
) -> Result<Bytes> {
    if let Some(lane) = lane
        && let Some(content) = lane.read_file(folder.path(), name, most).await
    {
        return Ok(content);
    }
    client.read_file_at_most(place, most).await
}

/// Both lists by time. Deploys keep their order, whatever the clocks of those who deployed.
fn merged(deploys: Vec<DeployEntry>, jobs: &[Value]) -> Vec<HistoryEntry> {
    let mut latest = 0;
    let mut entries: Vec<(u64, HistoryEntry)> = Vec::new();
    for entry in deploys.into_iter().map(of_deploy) {
        latest = entry.time.max(latest);
        entries.push((latest, entry));
    }
    for job in jobs.iter().filter_map(|job| serde_json::from_value::<Job>(job.clone()).ok()) {
        let known = entries.iter_mut().map(|(_, entry)| entry).find(|entry| entry.id == job.id);
        if let Some(entry) = known {
            entry.seconds = entry.seconds.or(job.seconds());
            (entry.exit_status, entry.migrations) = (job.exit_status, job.migrations);
        } else {
            entries.push((job.started, of_job(job)));
        }
    }
    // Of one second, deploys come before the commands that they ran.
    entries.sort_by_key(|(time, _)| *time);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn of_job(job: Job) -> HistoryEntry {
    let operation = if job.operation == "apply" { "deploy" } else { &job.operation };
    HistoryEntry {
        id: excerpt(&job.id).into_owned(),
        operation: excerpt(operation).into_owned(),
        time: job.started,
        seconds: job.seconds(),
        outcome: excerpt(&job.state).into_owned(),
        summary: excerpt(&job.summary).into_owned(),
        exit_status: job.exit_status,
        migrations: job.migrations,
        ..HistoryEntry::default()
    }
}

pub(super) fn of_deploy(entry: DeployEntry) -> HistoryEntry {
    let operation = match entry.kind {
        DeployKind::Deploy => "deploy",
        DeployKind::Rollback => "rollback",
    };
    HistoryEntry {
        id: entry.id,
        operation: operation.to_owned(),
        time: entry.time,
        seconds: entry.seconds,
        outcome: entry.outcome.as_str().to_owned(),
        summary: entry.reason.unwrap_or_default(),
        who: Some(entry.who),
        host: Some(entry.host),
        commit: entry.commit,
        branch: entry.branch,
        dirty: entry.dirty,
        uploaded: Some(entry.uploaded),
        deleted: Some(entry.deleted),
        copied: Some(entry.copied),
        executor: Some(entry.executor).filter(|executor| !executor.is_empty()),
        steps: entry.steps,
        undoes: entry.undoes,
        exit_status: None,
        migrations: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deploy(id: &str, time: u64) -> DeployEntry {
        serde_json::from_value(json!({"id": id, "time": time, "who": "ada", "uploaded": 3, "outcome": "done"})).unwrap()
    }

    #[test]
    fn deploys_and_jobs_are_one_list_by_time_in_which_a_bundle_is_told_of_once() {
        let jobs = [
            json!({"id": "a", "operation": "apply", "state": "done", "started": 11, "finished": 13, "exit_status": 0}),
            json!({"id": "m", "operation": "manage", "state": "done", "started": 12, "finished": 12, "exit_status": 0,
                "summary": "manage.py migrate", "migrations": ["app.0001_initial"]}),
            json!("garbage"),
            json!({"id": "f", "operation": "apply", "state": "failed", "started": 30, "finished": 31, "summary": "no space"}),
        ];
        let entries = merged(vec![deploy("a", 10), deploy("b", 20)], &jobs);
        let told: Vec<(&str, &str, &str)> =
            entries.iter().map(|entry| (&*entry.id, &*entry.operation, &*entry.outcome)).collect();
        let expected =
            [("a", "deploy", "done"), ("m", "manage", "done"), ("b", "deploy", "done"), ("f", "deploy", "failed")];
        assert_eq!(told, expected);
        assert_eq!((entries[0].seconds, entries[0].exit_status, entries[0].uploaded), (Some(2.0), Some(0), Some(3)));
        assert_eq!((entries[1].migrations.len(), entries[1].who.as_deref()), (1, None));
        assert_eq!((&*entries[3].summary, entries[3].uploaded), ("no space", None));
        assert_eq!(merged(Vec::new(), &jobs).len(), 3);
        assert_eq!(merged(vec![deploy("a", 10)], &[]).len(), 1);
    }
}
