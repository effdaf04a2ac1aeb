//! The project's files, as a deploy sends them: one bundle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Outcome;
use crate::deploy::{DeployDiff, DeployOptions, DeployReport, Protection, Recorder, deploy, diff_by_site};
use crate::error::{Error, Result};
use crate::finder::Skipper;
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

/// Leaves out the environment file, whatever its name is: the web app gets its variables, and a copy of them would lie
/// among the project's files.
struct EnvFile {
    /// Its names in the project, but for those that the user includes.
    names: Vec<String>,
    /// Whether nothing but this keeps one of them here.
    is_kept: AtomicBool,
    protection: Protection,
}

impl EnvFile {
    fn of(launch: &Launch<'_>) -> Result<Self> {
        let select = &launch.options.select;
        let include: Vec<String> = select.include.iter().chain(&select.include_if_there).cloned().collect();
        let protection = Protection::new(select.protected.as_deref(), &include)?;
        let names = launch.local.env_file_names().into_iter().filter(|name| !protection.lifts(name)).collect();
        Ok(Self { names, is_kept: AtomicBool::new(false), protection })
    }
}

impl Skipper for EnvFile {
    async fn skip(&self, paths: Vec<String>) -> Result<Vec<bool>> {
        let is_named = |path: &String| {
            let is_named = self.names.contains(path);
            if is_named && !self.protection.covers(path) {
                self.is_kept.store(true, Ordering::Relaxed);
            }
            is_named
        };
        Ok(paths.iter().map(is_named).collect())
    }
}

/// Compares the project with the host.
pub(in crate::launch) async fn compare(launch: &Launch<'_>) -> Result<Files> {
    let lane = launch.executors.lane(launch.client);
    let env_file = EnvFile::of(launch)?;
    let diff = diff_by_site(&launch.project, &launch.options.select, &env_file, None, lane.as_ref()).await?;
    if env_file.is_kept.into_inner() {
        launch.recorder.warn(format!(
            "a launch does not send {}, but \"pya deploy\" does: name it in .pythonanywhereignore",
            env_file.names.join(", ")
        ));
    }
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
    let report = deploy_files(launch, &files.diff).await?;
    if let Some(why) = report.error_message() {
        return Err(if report.held { Error::held(why) } else { Error::job(why) });
    }
    launch.changes += 1;
    launch.code_changed = true;
    launch.note.deploy = report.id.clone().or(files.deploy);
    Ok(Outcome::done(format!("{} sent to {}", counted(report.uploaded.len(), "file"), launch.project.remote_root)))
}

async fn deploy_files(launch: &Launch<'_>, diff: &DeployDiff) -> Result<DeployReport> {
    // A reload that an earlier deploy owes is made: else its note would stay, and no launch would find everything done.
    let options =
        DeployOptions { executors: launch.executors.clone(), reload: Vec::new(), ..launch.options.deploy.clone() };
    let report = deploy(&launch.project, diff, &options, Arc::new(()), &Recorder::default()).await?;
    // It counts its own.
    launch.recorder.lock().requests += report.requests;
    for warning in report.warnings.iter().filter(|warning| !diff.warnings.contains(warning)) {
        launch.recorder.warn(warning.clone());
    }
    Ok(report)
}
