//! The project's files, as a deploy sends them: one bundle.

use std::sync::Arc;

use super::Outcome;
use crate::deploy::{DeployDiff, DeployOptions, Recorder, deploy, diff_by_site};
use crate::error::{Error, Result};
use crate::finder::NeverSkip;
use crate::launch::context::Launch;
use crate::text::counted;

/// How the project differs from the host.
pub(in crate::launch) struct Files {
    diff: DeployDiff,
    /// Whether nothing is to be sent, and no deploy was interrupted.
    pub is_clean: bool,
    /// The deploy whose files are there.
    pub deploy: Option<String>,
}

impl Files {
    /// What is to be sent, in a few words.
    pub fn describe(&self) -> String {
        counted(self.diff.added.len() + self.diff.changed.len(), "file")
    }
}

/// Compares the project with the host.
pub(in crate::launch) async fn compare(launch: &Launch<'_>) -> Result<Files> {
    let lane = launch.executors.lane(launch.client);
    let diff = diff_by_site(&launch.project, &launch.options.select, &NeverSkip, None, lane.as_ref()).await?;
    let has_removed = launch.options.deploy.delete && !diff.removed.is_empty();
    let is_clean = diff.added.is_empty() && diff.changed.is_empty() && !has_removed && diff.base.intents.is_empty();
    let deploy = diff.base.deploy.clone();
    Ok(Files { diff, is_clean, deploy })
}

/// Sends what differs.
pub(in crate::launch) async fn send(launch: &mut Launch<'_>, files: Files) -> Result<Outcome> {
    for warning in &files.diff.warnings {
        launch.recorder.warn(warning.clone());
    }
    launch.note.deploy.clone_from(&files.deploy);
    if files.is_clean {
        let is_known = launch.before().is_some_and(|note| note.deploy.is_some() && note.deploy == files.deploy);
        launch.code_changed |= !is_known;
        return Ok(Outcome::skipped("the host has them"));
    }
    // A reload that an earlier deploy owes is made: else its note would stay, and no launch would find everything done.
    let options =
        DeployOptions { executors: launch.executors.clone(), reload: Vec::new(), ..launch.options.deploy.clone() };
    let report = deploy(&launch.project, &files.diff, &options, Arc::new(()), &Recorder::default()).await?;
    // It counts its own.
    launch.recorder.lock().requests += report.requests;
    for warning in report.warnings.iter().filter(|warning| !files.diff.warnings.contains(warning)) {
        launch.recorder.warn(warning.clone());
    }
    if let Some(why) = report.error_message() {
        return Err(if report.held { Error::held(why) } else { Error::job(why) });
    }
    launch.changes += 1;
    launch.code_changed = true;
    launch.note.deploy = report.id.clone().or(files.deploy);
    Ok(Outcome::done(format!("{} sent to {}", counted(report.uploaded.len(), "file"), launch.project.remote_root)))
}
