//! The files that the steps of a deploy need: `manage.py` and the requirements file.
//!
//! Checked before the first upload, since a step that cannot start would leave new files under an old process. What is
//! neither here nor in the manifest may still be on the host, put there by hand: only then the host is asked.

use super::planner::ResolvedPlan;
use super::steps::Steps;
use crate::client::Client;
use crate::deploy::diff::model::DeployDiff;
use crate::deploy::paths::{name_of, parent_of, place};
use crate::deploy::remote::list_if_folder;
use crate::error::{Error, Result};
use crate::setting::Interface;
use crate::text::first_few;

const MANAGE: &str = "manage.py";

/// Refuses steps whose files will not be on the host. Returns the number of requests that it took.
pub(crate) async fn check(client: &Client, diff: &DeployDiff, steps: &Steps, work: &ResolvedPlan) -> Result<usize> {
    let mut requests = 0;
    for path in needed(steps) {
        let goes = work.deletes.values().flatten().any(|gone| gone == path);
        if !goes && will_be_there(path, diff, work) {
            continue;
        }
        requests += 1;
        if goes || !is_on_host(client, diff, path).await? {
            return Err(Error::config(missing(path, diff, steps)));
        }
    }
    Ok(requests)
}

/// The paths of the files that the steps use.
fn needed(steps: &Steps) -> Vec<&str> {
    let manage = steps.runs_manage().then(|| steps.manage.as_deref().unwrap_or(MANAGE));
    steps.requirements.as_deref().into_iter().chain(manage).collect()
}

fn will_be_there(path: &str, diff: &DeployDiff, work: &ResolvedPlan) -> bool {
    let base = &diff.base;
    let is_sent = work.uploads.iter().any(|upload| upload.path == path);
    let is_ours = base.known.ours.contains_key(path) && !base.vanished.contains(path);
    is_sent || is_ours || diff.unchanged.iter().any(|there| there == path)
}

async fn is_on_host(client: &Client, diff: &DeployDiff, path: &str) -> Result<bool> {
    let Ok(folder) = place(&diff.base.remote_root, parent_of(path)) else { return Ok(false) };
    let entries = list_if_folder(client, &folder).await?;
    Ok(entries.iter().any(|entry| entry.name == name_of(path) && !entry.is_dir))
}

/// Names the file and what needs it, and where else it may be.
fn missing(path: &str, diff: &DeployDiff, steps: &Steps) -> String {
    let is_requirements = steps.requirements.as_deref() == Some(path);
    let is_elsewhere = |other: &&String| name_of(other) == name_of(path) && *other != path;
    let elsewhere: Vec<&String> = diff.base.local.keys().filter(is_elsewhere).collect();
    let found = match elsewhere.as_slice() {
        [] if diff.base.local_root.join(path).exists() => "; the local one is left out of this deploy".to_owned(),
        [] => String::new(),
        _ => format!("; there is {}", first_few(elsewhere.iter().map(|&other| other.clone()))),
    };
    let remedy = match elsewhere.first() {
        _ if is_requirements => "name the file by its path in the project".to_owned(),
        other => manage_hint(other.map_or("FOLDER/manage.py", |other| other.as_str())),
    };
    let step = if is_requirements { "pip needs" } else { "this deploy is to run" };
    format!("{step} {path}, which will not be on the host{found}: {remedy}")
}

/// How to say where `manage.py` is.
pub(crate) fn manage_hint(path: &str) -> String {
    match Interface::current() {
        Interface::Python => format!("give manage={path:?}"),
        Interface::CommandLine => format!("write manage = {path:?} under [tool.pythonanywhere] in pyproject.toml"),
    }
}
