//! The launch: looks at both sides, and then does what is not so already, step by step.
//!
//! Nothing is changed before everything that can be known to fail has been looked at. A launch may be killed at any
//! moment: each step looks first, so the next launch goes on where this one stopped. What was done as a whole is noted
//! on the host, and then nothing has to be done, or even looked at, again.

use std::time::SystemTime;

use super::context::{Launch, LaunchOptions};
use super::detect::project::ProjectKind;
use super::detect::python_version;
use super::generated::wsgi_file::{WsgiState, state_of, wsgi_text};
use super::local::{self, LocalPlan};
use super::note::{self, LaunchNote};
use super::report::{LaunchRecorder, LaunchReport, StepState};
use super::steps::{self, Files, Outcome};
use super::survey::Survey;
use crate::client::{Client, RemotePath};
use crate::clock;
use crate::deploy::{ExecutorChoice, ExecutorOptions, Project, StateFolder};
use crate::error::{Error, Result};
use crate::host::{host_time, original_of, wsgi_file};
use crate::setting::Setting;

/// Launches a project, and reports what was done: also why it stopped, if it did.
pub async fn launch(
    client: &Client,
    local: &LocalPlan,
    options: &LaunchOptions,
    recorder: &LaunchRecorder,
) -> LaunchReport {
    let (client, start) = (client.counting_anew(), clock::now());
    {
        let mut report = recorder.lock();
        report.dry_run = options.dry_run;
        report.domain.clone_from(&local.domain);
        report.url = options.site_url.clone().unwrap_or_else(|| format!("https://{}", local.domain));
        report.url = format!("{}/", report.url.trim_end_matches('/'));
    }
    // Large, as it holds the futures of all steps.
    let outcome = Box::pin(run(&client, local, options, recorder)).await;
    client.persist_budget();
    let mut report = recorder.lock();
    report.requests = client.requests_sent();
    report.seconds = (clock::now() - start).as_secs_f64();
    report.ok = outcome.is_some() && report.error.is_none();
    report.clone()
}

/// Runs a step, and tells of it; `None` if it failed.
macro_rules! step {
    ($recorder:expr, $name:literal, $work:expr) => {{
        $recorder.tell($name, StepState::Running, "");
        match $work.await {
            Ok(Outcome::Done(detail)) => $recorder.tell($name, StepState::Done, detail),
            Ok(Outcome::Skipped(detail)) => $recorder.tell($name, StepState::Skipped, detail),
            Err(error) => {
                $recorder.fail($name, &error);
                return None;
            }
        }
    }};
}

/// The same for what is only looked at, with its value.
macro_rules! looked {
    ($recorder:expr, $name:literal, $work:expr) => {{
        match $work {
            Ok(value) => value,
            Err(error) => {
                $recorder.fail($name, &error);
                return None;
            }
        }
    }};
}

async fn run(client: &Client, local: &LocalPlan, options: &LaunchOptions, recorder: &LaunchRecorder) -> Option<()> {
    looked!(recorder, "project", check_kind(local));
    recorder.tell("account", StepState::Running, "");
    let mut launch = looked!(recorder, "account", prepare(client, local, options, recorder).await);
    recorder.tell("account", StepState::Done, format!("{} at {}", client.user(), client.host().authority()));
    if options.dry_run {
        let files = looked!(recorder, "files", steps::compare(&launch).await);
        return tell_plan(&launch, &files);
    }
    let written = looked!(recorder, "project", local.write());
    let detail = if written.is_empty() { local.project.describe() } else { format!("{} written", written.join(", ")) };
    recorder.tell("project", if written.is_empty() { StepState::Skipped } else { StepState::Done }, detail);
    let files = looked!(recorder, "files", steps::compare(&launch).await);
    let before = host_time(client);
    if looked!(recorder, "requirements", is_done(&launch, &files)) {
        for step in ["web app", "WSGI file", "virtualenv", "files", "requirements"] {
            recorder.tell(step, StepState::Skipped, "as it was launched");
        }
    } else {
        Box::pin(change(&mut launch, files)).await?;
    }
    if options.superuser.is_some() {
        step!(recorder, "superuser", steps::make_superuser(&mut launch));
    }
    finish(&mut launch, before).await
}

/// Does all that is not so already.
async fn change(launch: &mut Launch<'_>, files: Files) -> Option<()> {
    let recorder = launch.recorder;
    if launch.survey.note.is_some() {
        looked!(recorder, "account", LaunchNote::remove(launch.client, &launch.folder).await);
    }
    if let Some(text) = foreign_wsgi(launch) {
        // Making the web app overwrites it.
        looked!(recorder, "WSGI file", steps::keep_wsgi(launch, &text).await);
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
    step!(recorder, "reload", steps::reload(launch));
    Some(())
}

async fn finish(launch: &mut Launch<'_>, before: SystemTime) -> Option<()> {
    let recorder = launch.recorder;
    let is_reachable = launch.options.site_url.is_some() || !launch.client.host().is_loopback();
    if is_reachable {
        step!(recorder, "page", steps::health(launch, before));
    }
    if launch.changes > 0 {
        looked!(recorder, "page", launch.note.write(launch.client, &launch.folder).await);
    }
    let is_django = matches!(launch.local.project.kind, ProjectKind::Django { .. });
    if is_django && launch.options.superuser.is_none() && launch.before().is_none() {
        recorder.next("create a superuser: pya createsuperuser NAME");
    }
    Some(())
}

fn check_kind(local: &LocalPlan) -> Result<()> {
    if let ProjectKind::Asgi(application) = &local.project.kind {
        return Err(Error::config(format!(
            "{} is an ASGI application, which the service runs as a website: \"pya websites create\" makes one. A WSGI \
             application of the project can be launched ({})",
            application.spelled(),
            Setting::Wsgi
        )));
    }
    Ok(())
}

/// Reads what is on the host, and decides what everything is called.
async fn prepare<'a>(
    client: &'a Client,
    local: &'a LocalPlan,
    options: &'a LaunchOptions,
    recorder: &'a LaunchRecorder,
) -> Result<Launch<'a>> {
    let home = RemotePath::parse("/home")?.join(client.user())?;
    let remote_root = match &options.remote_root {
        Some(root) => root.clone(),
        None => home.join(&local.name)?,
    };
    recorder.lock().remote_root = remote_root.to_string();
    let folder = StateFolder::of(client.user(), &remote_root)?;
    let asks_python = options.python.is_some() || local.project.python.is_some();
    let survey = Survey::read(client, &local.domain, &remote_root, &folder, false).await?;
    let survey = match (&survey.pythons, asks_python && !fits(&survey, options, local)?) {
        (None, true) => Survey { pythons: Some(super::survey::pythons(client).await?), ..survey },
        _ => survey,
    };
    let python = python_of(&survey, options, local)?;
    let name = virtualenv_of(&survey, options, local, home.as_str())?;
    let path = format!("{home}/.virtualenvs/{name}");
    let executors = ExecutorOptions {
        choice: ExecutorChoice::Webapp,
        domain: Some(local.domain.clone()),
        site_url: options.site_url.clone(),
        ..ExecutorOptions::default()
    };
    let project = Project { client: client.clone(), local_root: local.project.root.clone(), remote_root };
    let note = LaunchNote { format: note::FORMAT, domain: local.domain.clone(), ..LaunchNote::default() };
    let mut launch = Launch {
        client,
        local,
        options,
        recorder,
        project,
        executors,
        folder,
        survey,
        wsgi: String::new(),
        python,
        virtualenv: (name, path),
        changes: 0,
        code_changed: false,
        inspected: None,
        note,
    };
    let settings = local.settings.as_ref().map(|settings| settings.module.as_str());
    launch.wsgi = wsgi_text(&local.project, settings, &launch.remote_source());
    check_wsgi(&launch)?;
    Ok(launch)
}

/// Whether the web app's Python is one that is wanted.
fn fits(survey: &Survey, options: &LaunchOptions, local: &LocalPlan) -> Result<bool> {
    let has = survey.field("python_version");
    match (&options.python, &local.project.python) {
        _ if has.is_empty() => Ok(false),
        (Some(wanted), _) => Ok(python_version::version(wanted)? == has),
        (None, Some(required)) => python_version::allows(&required.specifier, has),
        (None, None) => Ok(true),
    }
}

fn python_of(survey: &Survey, options: &LaunchOptions, local: &LocalPlan) -> Result<String> {
    if fits(survey, options, local)? {
        return Ok(survey.field("python_version").to_owned());
    }
    let (offered, default) = survey.pythons.clone().unwrap_or_else(|| (Vec::new(), "3.13".to_owned()));
    python_version::choose(options.python.as_deref(), local.project.python.as_ref(), &offered, &default)
}

/// The virtualenv: the one named, else the one of ours that the web app uses, else one of the project's name.
fn virtualenv_of(survey: &Survey, options: &LaunchOptions, local: &LocalPlan, home: &str) -> Result<String> {
    if let Some(name) = &options.virtualenv {
        return Ok(name.clone());
    }
    let used = survey.field("virtualenv_path").trim_end_matches('/');
    let name = used.strip_prefix(&format!("{home}/.virtualenvs/")).filter(|name| local::slug(name) == *name);
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        return Ok(name.to_owned());
    }
    let name = local::slug(&local.name);
    if name.is_empty() {
        return Err(Error::config(format!(
            "{:?} cannot be the name of a virtualenv: give one ({})",
            local.name,
            Setting::Virtualenv
        )));
    }
    Ok(name)
}

/// What the WSGI file is to us, before anything is changed.
fn wsgi_state(launch: &Launch<'_>) -> Result<WsgiState> {
    let original = launch.survey.wsgi.as_deref().map(|text| original_of(text).0);
    let file = wsgi_file(launch.domain())?;
    Ok(state_of(original.as_deref(), &launch.wsgi, file.as_str(), launch.client.user()))
}

/// The text of a WSGI file of somebody else that making the web app would overwrite.
fn foreign_wsgi(launch: &Launch<'_>) -> Option<String> {
    let state = wsgi_state(launch).ok()?;
    let is_lost = launch.survey.web_app.is_none() && matches!(state, WsgiState::Foreign | WsgiState::Edited);
    launch.survey.wsgi.as_deref().filter(|_| is_lost).map(|text| original_of(text).0)
}

/// Refuses to replace a WSGI file of somebody else.
fn check_wsgi(launch: &Launch<'_>) -> Result<()> {
    if wsgi_state(launch)? != WsgiState::Foreign || launch.options.replace_wsgi {
        return Ok(());
    }
    Err(Error::config(format!(
        "{} is not one that this program wrote, and launching would replace it: let it be replaced ({}; a copy is kept), or \
         deploy to the site that it serves (\"pya deploy\")",
        wsgi_file(launch.domain())?,
        Setting::ReplaceWsgi
    )))
}

/// Whether everything is as the last launch left it, and that was for the same.
fn is_done(launch: &Launch<'_>, files: &Files) -> Result<bool> {
    let Some(note) = launch.before() else { return Ok(false) };
    let has_agent = launch.survey.wsgi.as_deref().is_some_and(|text| original_of(text).1);
    let is_mapped = note.mappings.iter().all(|(url, path)| {
        launch.survey.mappings.iter().any(|known| known["url"] == **url && known["path"] == **path)
    });
    Ok(files.is_clean
        && note.deploy == files.deploy
        && has_agent
        && is_mapped
        && wsgi_state(launch)?.serves()
        && note.virtualenv == launch.virtualenv.1
        && launch.field("virtualenv_path").trim_end_matches('/') == note.virtualenv
        && launch.field("python_version") == launch.python
        && note.requirements == steps::requirements_digest(launch.local)?
        && note.variables == steps::variables_digest(launch.local))
}

/// What a launch would do, for a dry run.
fn tell_plan(launch: &Launch<'_>, files: &Files) -> Option<()> {
    let recorder = launch.recorder;
    if looked!(recorder, "requirements", is_done(launch, files)) && launch.local.writes().is_empty() {
        recorder.tell("launch", StepState::Skipped, "everything is as it was launched");
        return Some(());
    }
    let plan = |step: &'static str, detail: String| recorder.tell(step, StepState::Planned, detail);
    for (path, _) in launch.local.writes() {
        plan("project", format!("write {path} here"));
    }
    if launch.survey.web_app.is_none() {
        plan("web app", format!("make {}, Python {}", launch.domain(), launch.python));
    }
    plan("WSGI file", format!("{}, with the agent", looked!(recorder, "WSGI file", wsgi_file(launch.domain()))));
    plan("virtualenv", format!("{}, Python {}", launch.virtualenv.1, launch.python));
    plan("files", format!("{} to {}", files.describe(), launch.project.remote_root));
    plan("requirements", launch.local.project.requirements.describe());
    let names: Vec<&str> = launch.local.variables.names().collect();
    let secret = launch.local.settings.as_ref().and_then(|settings| settings.secret_variable.as_deref());
    let secret = secret.filter(|secret| !names.contains(secret));
    if !names.is_empty() || secret.is_some() {
        plan("variables", names.into_iter().chain(secret).collect::<Vec<_>>().join(", "));
    }
    if launch.local.settings.is_some() {
        plan("static files mappings", "as STATIC_ROOT and MEDIA_ROOT say".to_owned());
        plan("collectstatic", "manage.py collectstatic".to_owned());
        plan("migrate", "manage.py migrate".to_owned());
    }
    if let Some(superuser) = &launch.options.superuser {
        plan("superuser", superuser.name.clone());
    }
    plan("reload", format!("{}, and look at its page", launch.domain()));
    Some(())
}
