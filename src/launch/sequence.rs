//! The launch: looks at both sides, and then does what is not so already, step by step.
//!
//! Nothing is changed before everything that can be known to fail has been looked at. A launch may be killed at any
//! moment: each step looks first, so the next launch goes on where this one stopped. What was done as a whole is noted
//! on the host, and then nothing has to be done, or even looked at, again.

use std::time::SystemTime;

use super::context::{Launch, LaunchOptions};
use super::detect::project::ProjectKind;
use super::local::LocalPlan;
use super::note::LaunchNote;
use super::prepare::{check_wsgi, is_done, lost_wsgi, prepare, write_project};
use super::report::{LaunchRecorder, LaunchReport, StepState};
use super::steps::{self, Files, Outcome, looked, step};
use super::website;
use crate::client::Client;
use crate::clock;
use crate::host::{host_time, wsgi_file};

/// Launches a project, and reports what was done: also why it stopped, if it did.
pub async fn launch(
    client: &Client,
    local: &LocalPlan,
    options: &LaunchOptions,
    recorder: &LaunchRecorder,
) -> LaunchReport {
    let (client, start) = (client.counting_anew(), clock::now());
    begin_report(local, options, recorder);
    // Large, as it holds the futures of all steps.
    let outcome = Box::pin(run(&client, local, options, recorder)).await;
    client.persist_budget();
    let mut report = recorder.lock();
    report.requests += client.requests_sent();
    report.seconds = (clock::now() - start).as_secs_f64();
    report.ok = outcome.is_some() && report.error.is_none();
    report.clone()
}

fn begin_report(local: &LocalPlan, options: &LaunchOptions, recorder: &LaunchRecorder) {
    let mut report = recorder.lock();
    report.dry_run = options.dry_run;
    report.domain.clone_from(&local.domain);
    report.url = options.site_url.clone().unwrap_or_else(|| format!("https://{}", local.domain));
    report.url = format!("{}/", report.url.trim_end_matches('/'));
    report.warnings.clone_from(&local.warnings);
}

async fn run(client: &Client, local: &LocalPlan, options: &LaunchOptions, recorder: &LaunchRecorder) -> Option<()> {
    if let ProjectKind::Asgi(application) = &local.project.kind {
        return website::launch(client, local, application, options, recorder).await;
    }
    recorder.tell("account", StepState::Running, "");
    let mut launch = looked(recorder, "account", prepare(client, local, options, recorder).await)?;
    recorder.tell("account", StepState::Done, format!("{} at {}", client.user(), client.host().authority()));
    if options.dry_run {
        let files = looked(recorder, "files", steps::compare(&launch).await)?;
        return tell_plan(&launch, &files).await;
    }
    write_project(local, recorder)?;
    let files = looked(recorder, "files", steps::compare(&launch).await)?;
    let since = change_unless_done(&mut launch, files).await?;
    if options.superuser.is_some() {
        step!(recorder, "superuser", steps::make_superuser(&mut launch));
    }
    finish(&mut launch, since).await
}

/// As [`change`], unless the last launch did all of it.
async fn change_unless_done(launch: &mut Launch<'_>, files: Files) -> Option<SystemTime> {
    let since = host_time(launch.client);
    if looked(launch.recorder, "requirements", is_done(launch, &files))? {
        launch.recorder.tell_launched(&["web app", "WSGI file", "virtualenv", "files", "requirements"]);
        return Some(since);
    }
    Box::pin(change(launch, files)).await
}

/// Does all that is not so already; returns when the web app was reloaded. What its error log tells of earlier is history:
/// the agent was installed, and the application loaded with it, before the host had what it imports.
async fn change(launch: &mut Launch<'_>, files: Files) -> Option<SystemTime> {
    let recorder = launch.recorder;
    looked(recorder, "WSGI file", check_wsgi(launch).await)?;
    if launch.survey.note.is_some() {
        looked(recorder, "account", LaunchNote::remove(launch.client, &launch.folder).await)?;
    }
    if let Some(text) = lost_wsgi(launch) {
        // Making the web app overwrites it.
        looked(recorder, "WSGI file", steps::keep_wsgi(launch, text).await)?;
    }
    step!(recorder, "web app", steps::web_app(launch));
    step!(recorder, "WSGI file", steps::agent(launch));
    step!(recorder, "virtualenv", steps::virtualenv(launch));
    step!(recorder, "files", steps::files(launch, files));
    step!(recorder, "requirements", steps::requirements(launch));
    step!(recorder, "variables", steps::variables(launch));
    if matches!(launch.local.project.kind, ProjectKind::Django { .. }) {
        step!(recorder, "settings", steps::settings(launch));
        step!(recorder, "static files mappings", steps::mappings(launch));
        step!(recorder, "collectstatic", steps::collect_static_files(launch));
        step!(recorder, "migrate", steps::migrate(launch));
    }
    // Also where nothing was changed now: an interrupted launch may have changed something.
    launch.changes += 1;
    let since = host_time(launch.client);
    step!(recorder, "reload", steps::reload(launch));
    Some(since)
}

async fn finish(launch: &mut Launch<'_>, since: SystemTime) -> Option<()> {
    let recorder = launch.recorder;
    let is_reachable = launch.options.site_url.is_some() || !launch.client.host().is_loopback();
    if is_reachable {
        step!(recorder, "page", steps::health(launch, since));
    }
    if launch.changes > 0 {
        looked(recorder, "page", launch.note.write(launch.client, &launch.folder).await)?;
    }
    let is_django = matches!(launch.local.project.kind, ProjectKind::Django { .. });
    if is_django && launch.options.superuser.is_none() && launch.before().is_none() {
        recorder.next("create a superuser: pya createsuperuser");
    }
    Some(())
}

/// What a launch would do, for a dry run.
async fn tell_plan(launch: &Launch<'_>, files: &Files) -> Option<()> {
    let recorder = launch.recorder;
    if looked(recorder, "requirements", is_done(launch, files))? && launch.local.writes().is_empty() {
        recorder.tell("launch", StepState::Skipped, "everything is as it was launched");
        return Some(());
    }
    looked(recorder, "WSGI file", check_wsgi(launch).await)?;
    plan_web_app(launch)?;
    plan_code(launch, files);
    plan_django(launch);
    recorder.plan("reload", format!("{}, and look at its page", launch.domain()));
    Some(())
}

/// The files that are written here, the web app that would serve the project, and its virtualenv.
fn plan_web_app(launch: &Launch<'_>) -> Option<()> {
    let recorder = launch.recorder;
    for (path, _) in launch.local.writes() {
        recorder.plan("project", format!("write {path} here"));
    }
    if launch.survey.web_app.is_none() {
        recorder.plan("web app", format!("make {}, Python {}", launch.domain(), launch.python));
    }
    let other = launch.found.other.as_ref().map(|other| format!(", in place of the one that serves {other}"));
    let file = looked(recorder, "WSGI file", wsgi_file(launch.domain()))?;
    recorder.plan("WSGI file", format!("{file}, with the agent{}", other.unwrap_or_default()));
    recorder.plan("virtualenv", format!("{}, Python {}", launch.virtualenv.1, launch.python));
    Some(())
}

/// What would be sent and installed, and the variables that would be set.
fn plan_code(launch: &Launch<'_>, files: &Files) {
    let (local, recorder) = (launch.local, launch.recorder);
    let also = if local.writes().is_empty() { "" } else { ", and those written here," };
    recorder.plan("files", format!("{}{also} to {}", files.describe(), launch.project.remote_root));
    recorder.plan("requirements", local.project.requirements.name());
    let names = variable_names(local);
    if !names.is_empty() {
        recorder.plan("variables", names.join(", "));
    }
}

/// The variables of the environment file, and that of a secret key that is not among them.
fn variable_names(local: &LocalPlan) -> Vec<&str> {
    let mut names: Vec<&str> = local.variables.names().collect();
    let secret = local.settings.as_ref().and_then(|settings| settings.secret_variable.as_deref());
    names.extend(secret.filter(|secret| !names.contains(secret)));
    names
}

fn plan_django(launch: &Launch<'_>) {
    let recorder = launch.recorder;
    if launch.local.settings.is_some() {
        recorder.plan("static files mappings", "for STATIC_ROOT and MEDIA_ROOT");
        recorder.plan("collectstatic", "manage.py collectstatic");
        recorder.plan("migrate", "manage.py migrate");
    }
    if let Some(superuser) = &launch.options.superuser {
        recorder.plan("superuser", superuser.name.clone());
    }
}
