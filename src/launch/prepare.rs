//! What a launch knows before it changes anything: what is on the host, what everything is called there, and whether anything
//! is to be done at all.

use super::context::{Launch, LaunchOptions};
use super::detect::python_version;
use super::found_wsgi::FoundWsgi;
use super::generated::wsgi_file::{WsgiState, wsgi_text};
use super::local::{self, LocalPlan};
use super::note::{self, LaunchNote};
use super::report::{LaunchRecorder, StepState};
use super::steps::{self, Files};
use super::survey::{SeenHost, Survey, pythons, read_wsgi};
use crate::client::{Client, RemotePath};
use crate::deploy::{ExecutorOptions, Project, StateFolder};
use crate::error::{Error, Result};
use crate::setting::Setting;

/// Reads what is on the host, and decides what everything is called.
pub(super) async fn prepare<'a>(
    client: &'a Client,
    local: &'a LocalPlan,
    options: &'a LaunchOptions,
    recorder: &'a LaunchRecorder,
) -> Result<Launch<'a>> {
    let mut launch = begin(client, local, options, recorder)?;
    let survey = survey(&launch).await?;
    recorder.set_seen(SeenHost::new(survey.clone()));
    launch.python = python_of(&survey, options, local)?;
    launch.executors = ExecutorOptions::by_agent(&local.domain, options.site_url.clone());
    launch.survey = survey;
    look_at_wsgi(&mut launch).await?;
    // That of another project is not for this one.
    let path = if launch.found.other.is_some() { "" } else { launch.field("virtualenv_path") };
    launch.use_virtualenv(virtualenv_of(path, options, local, client.user())?);
    Ok(launch)
}

/// What is on the host: also which versions of Python the account offers, where that of the web app is not wanted.
async fn survey(launch: &Launch<'_>) -> Result<Survey> {
    let (local, options) = (launch.local, launch.options);
    let survey = seen_or_read(launch).await?;
    let asks_python = options.python.is_some() || local.project.python.is_some();
    match (&survey.pythons, asks_python && !fits(&survey, options, local)?) {
        (None, true) => Ok(Survey { pythons: Some(pythons(launch.client).await?), ..survey }),
        _ => Ok(survey),
    }
}

async fn seen_or_read(launch: &Launch<'_>) -> Result<Survey> {
    let (client, domain) = (launch.client, launch.domain());
    match launch.options.seen.as_ref().and_then(SeenHost::fresh) {
        // Making the web app overwrites the file, which somebody may have written since.
        Some(survey) if survey.web_app.is_none() => Ok(Survey { wsgi: read_wsgi(client, domain).await?, ..survey }),
        Some(survey) => Ok(survey),
        None => Survey::read(client, domain, &launch.project.remote_root, &launch.folder, false).await,
    }
}

/// Decides on the WSGI file, and looks at the one that is there.
async fn look_at_wsgi(launch: &mut Launch<'_>) -> Result<()> {
    let settings = launch.local.settings.as_ref().map(|settings| settings.module.as_str());
    launch.wsgi = wsgi_text(&launch.local.project, settings, &launch.remote_source(), launch.client.user());
    launch.found = steps::look_at_wsgi(launch, launch.survey.wsgi.clone()).await?;
    // Where the last launch was whole, there may be nothing to write.
    if launch.before().is_some() && launch.found.state.serves() {
        return Ok(());
    }
    check_wsgi(launch).await
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
        found: FoundWsgi::default(),
        python: String::new(),
        virtualenv: (String::new(), String::new()),
        changes: 0,
        code_changed: false,
        inspected: None,
        note: LaunchNote { format: note::FORMAT, domain: local.domain.clone(), ..LaunchNote::default() },
    })
}

/// Writes the files that a launch makes here.
pub(super) fn write_project(local: &LocalPlan, recorder: &LaunchRecorder) -> Option<()> {
    let written = steps::looked(recorder, "project", local.write())?;
    if written.is_empty() {
        recorder.tell("project", StepState::Skipped, local.project.describe());
    } else {
        recorder.tell("project", StepState::Done, format!("{} written", written.join(", ")));
    }
    Some(())
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

/// The virtualenv: the one named, else the one of ours at `path`, which the web app uses, else one of the project's
/// name.
pub(super) fn virtualenv_of(path: &str, options: &LaunchOptions, local: &LocalPlan, user: &str) -> Result<String> {
    if let Some(name) = &options.virtualenv {
        return Ok(name.clone());
    }
    let path = path.trim_end_matches('/');
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

/// What the user has in a WSGI file that making the web app would overwrite.
pub(super) fn lost_wsgi<'a>(launch: &'a Launch<'_>) -> Option<&'a str> {
    let found = &launch.found;
    let edited = (found.state == WsgiState::Edited).then_some(found.original.as_str());
    found.of_the_user().or(edited).filter(|_| launch.survey.web_app.is_none())
}

/// Refuses to replace what the user has in the WSGI file, or another project.
pub(super) async fn check_wsgi(launch: &Launch<'_>) -> Result<()> {
    if launch.options.replace_wsgi {
        return Ok(());
    }
    let Err(refusal) = launch.found.check_replaceable(launch.domain(), &launch.project.remote_root) else {
        return Ok(());
    };
    if steps::is_wsgi_kept(launch, &launch.found).await? { Ok(()) } else { Err(refusal) }
}

/// Whether everything is as the last launch left it, and that was for the same.
pub(super) fn is_done(launch: &Launch<'_>, files: &Files) -> Result<bool> {
    let Some(note) = launch.before() else { return Ok(false) };
    let is_mapped = note
        .mappings
        .iter()
        .all(|(url, path)| launch.survey.mappings.iter().any(|known| known["url"] == **url && known["path"] == **path));
    Ok(files.is_clean
        && note.deploy == files.deploy
        && launch.found.has_agent
        && is_mapped
        && launch.found.state.serves()
        && note.virtualenv == launch.virtualenv.1
        && launch.field("virtualenv_path").trim_end_matches('/') == note.virtualenv
        && launch.field("python_version") == launch.python
        && note.requirements == steps::requirements_digest(launch.local)?
        && note.variables == steps::variables_digest(launch.local))
}
