//! What a launch knows before it changes anything: what is on the host, what everything is called there, and whether anything
//! is to be done at all.

use super::context::{Launch, LaunchOptions};
use super::detect::python_version;
use super::generated::wsgi_file::{WsgiState, refused, state_of, wsgi_text};
use super::local::{self, LocalPlan};
use super::note::{self, LaunchNote};
use super::report::LaunchRecorder;
use super::steps::{self, Files};
use super::survey::{SeenHost, Survey, pythons, read_wsgi};
use crate::client::{Client, RemotePath};
use crate::deploy::{ExecutorChoice, ExecutorOptions, Project, StateFolder};
use crate::error::{Error, Result};
use crate::host::{original_of, wsgi_file};
use crate::setting::Setting;

/// Reads what is on the host, and decides what everything is called.
pub(super) async fn prepare<'a>(
    client: &'a Client,
    local: &'a LocalPlan,
    options: &'a LaunchOptions,
    recorder: &'a LaunchRecorder,
) -> Result<Launch<'a>> {
    let mut launch = begin(client, local, options, recorder)?;
    let asks_python = options.python.is_some() || local.project.python.is_some();
    let survey = match options.seen.as_ref().and_then(SeenHost::fresh) {
        // Making the web app overwrites the file, which somebody may have written since.
        Some(survey) if survey.web_app.is_none() => Survey { wsgi: read_wsgi(client, &local.domain).await?, ..survey },
        Some(survey) => survey,
        None => Survey::read(client, &local.domain, &launch.project.remote_root, &launch.folder, false).await?,
    };
    let survey = match (&survey.pythons, asks_python && !fits(&survey, options, local)?) {
        (None, true) => Survey { pythons: Some(pythons(client).await?), ..survey },
        _ => survey,
    };
    recorder.set_seen(SeenHost::new(survey.clone()));
    launch.python = python_of(&survey, options, local)?;
    launch.use_virtualenv(virtualenv_of(&survey, options, local, client.user())?);
    launch.executors = ExecutorOptions {
        choice: ExecutorChoice::Webapp,
        domain: Some(local.domain.clone()),
        site_url: options.site_url.clone(),
        ..ExecutorOptions::default()
    };
    launch.survey = survey;
    let settings = local.settings.as_ref().map(|settings| settings.module.as_str());
    launch.wsgi = wsgi_text(&local.project, settings, &launch.remote_source(), client.user());
    check_wsgi(&launch)?;
    Ok(launch)
}

/// A launch of which is known where the project goes, and nothing else. The report names that folder from now on.
pub(super) fn begin<'a>(
    client: &'a Client,
    local: &'a LocalPlan,
    options: &'a LaunchOptions,
    recorder: &'a LaunchRecorder,
) -> Result<Launch<'a>> {
    let remote_root = match &options.remote_root {
        Some(root) => root.clone(),
        None => RemotePath::home(client.user())?.join(&local.name)?,
    };
    recorder.lock().remote_root = remote_root.to_string();
    Ok(Launch {
        client,
        local,
        options,
        recorder,
        folder: StateFolder::of(client.user(), &remote_root)?,
        project: Project { client: client.clone(), local_root: local.project.root.clone(), remote_root },
        executors: ExecutorOptions::default(),
        survey: Survey::default(),
        wsgi: String::new(),
        python: String::new(),
        virtualenv: (String::new(), String::new()),
        changes: 0,
        code_changed: false,
        inspected: None,
        note: LaunchNote { format: note::FORMAT, domain: local.domain.clone(), ..LaunchNote::default() },
    })
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

pub(super) fn python_of(survey: &Survey, options: &LaunchOptions, local: &LocalPlan) -> Result<String> {
    if fits(survey, options, local)? {
        return Ok(survey.field("python_version").to_owned());
    }
    let (offered, default) = survey.pythons.clone().unwrap_or_else(|| (Vec::new(), "3.13".to_owned()));
    python_version::choose(options.python.as_deref(), local.project.python.as_ref(), &offered, &default)
}

/// The virtualenv: the one named, else the one of ours that the web app uses, else one of the project's name.
pub(super) fn virtualenv_of(survey: &Survey, options: &LaunchOptions, local: &LocalPlan, user: &str) -> Result<String> {
    if let Some(name) = &options.virtualenv {
        return Ok(name.clone());
    }
    let path = survey.field("virtualenv_path").trim_end_matches('/');
    let name = path.strip_prefix(&format!("/home/{user}/.virtualenvs/")).filter(|name| local::slug(name) == *name);
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
pub(super) fn foreign_wsgi(launch: &Launch<'_>) -> Option<String> {
    let state = wsgi_state(launch).ok()?;
    let is_lost = launch.survey.web_app.is_none() && matches!(state, WsgiState::Foreign | WsgiState::Edited);
    launch.survey.wsgi.as_deref().filter(|_| is_lost).map(|text| original_of(text).0)
}

/// Refuses to replace a WSGI file of somebody else.
fn check_wsgi(launch: &Launch<'_>) -> Result<()> {
    if wsgi_state(launch)? != WsgiState::Foreign || launch.options.replace_wsgi {
        return Ok(());
    }
    Err(refused(wsgi_file(launch.domain())?.as_str()))
}

/// Whether everything is as the last launch left it, and that was for the same.
pub(super) fn is_done(launch: &Launch<'_>, files: &Files) -> Result<bool> {
    let Some(note) = launch.before() else { return Ok(false) };
    let has_agent = launch.survey.wsgi.as_deref().is_some_and(|text| original_of(text).1);
    let is_mapped = note
        .mappings
        .iter()
        .all(|(url, path)| launch.survey.mappings.iter().any(|known| known["url"] == **url && known["path"] == **path));
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
