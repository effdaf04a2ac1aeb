//! The WSGI file with the agent in it, in one write.
//!
//! Making a web app overwrites its WSGI file, also one that survived a web app that was deleted. So what is there is read
//! before anything is made, refused if it is somebody else's, and kept beside the project's state where it is replaced.

use super::Outcome;
use crate::client::RemotePath;
use crate::error::Result;
use crate::host::{Agents, Change, keep_wsgi, wsgi_file};
use crate::launch::context::Launch;
use crate::launch::detect::project::ProjectKind;
use crate::launch::found_wsgi::FoundWsgi;
use crate::launch::generated::wsgi_file::WsgiState;
use crate::launch::survey::read_wsgi;

/// Installs it.
pub(in crate::launch) async fn install(launch: &mut Launch<'_>) -> Result<Outcome> {
    let domain = launch.domain().to_owned();
    let file = wsgi_file(&domain)?;
    // Somebody may have written it since it was looked at.
    launch.found = look(launch, read_wsgi(launch.client, &domain).await?).await?;
    if is_kept(launch, &launch.found).await? {
        return Ok(Outcome::skipped("it loads the project, and the agent answers"));
    }
    give_up_old(launch).await?;
    let change = write(launch, &file).await?;
    change.warnings.into_iter().for_each(|warning| launch.recorder.warn(warning));
    launch.changes += 1;
    Ok(Outcome::done(format!("{file} loads the project, and the agent answers")))
}

/// Prepares that the file there is replaced: what is the user's is kept, and another project is left.
async fn give_up_old(launch: &mut Launch<'_>) -> Result<()> {
    let found = &launch.found;
    if !launch.options.replace_wsgi {
        found.check_replaceable(launch.domain(), &launch.project.remote_root)?;
    }
    if let Some(text) = found.of_the_user() {
        keep(launch, text).await?;
    }
    if found.other.is_some() {
        leave_other(launch).await?;
    }
    Ok(())
}

/// Writes the file with the agent in it.
async fn write(launch: &Launch<'_>, file: &RemotePath) -> Result<Change> {
    let found = &launch.found;
    let wanted = if found.state == WsgiState::Edited { &found.original } else { &launch.wsgi };
    let mut text = &found.text;
    if text.is_empty() {
        // The agent replaces a file only if it is as it was read.
        launch.client.upload_file(file, wanted.clone().into()).await?;
        text = wanted;
    }
    agents(launch)?.install_around(wanted, &launch.record(), text).await
}

fn agents(launch: &Launch<'_>) -> Result<Agents> {
    Agents::new(launch.client, launch.domain(), launch.options.site_url.as_deref())
}

/// Looks at the text of the WSGI file, if there is one.
pub(in crate::launch) async fn look(launch: &Launch<'_>, text: Option<String>) -> Result<FoundWsgi> {
    let Some(text) = text else { return Ok(FoundWsgi::default()) };
    let file = wsgi_file(launch.domain())?;
    let user = launch.client.user();
    let mut found = FoundWsgi::look(&agents(launch)?, text, &launch.wsgi, &file, user).await?;
    if launch.survey.web_app.is_some() {
        found.compare_with(&launch.project.remote_root, &file, user);
    }
    Ok(found)
}

/// Whether the file stays as it is: it loads the project, and its agent is the one of this build.
pub(in crate::launch) async fn is_kept(launch: &Launch<'_>, found: &FoundWsgi) -> Result<bool> {
    Ok(found.has_agent && found.state.serves() && agents(launch)?.is_current().await?)
}

/// Lets the web app no longer use what another project has: the next step gives it a virtualenv. That goes before the WSGI
/// file does, which tells the next launch of the other project if this one stops here.
async fn leave_other(launch: &mut Launch<'_>) -> Result<()> {
    let source = launch.remote_source();
    let mut fields = vec![("virtualenv_path", "")];
    for name in ["source_directory", "working_directory"] {
        if launch.found.is_of_other(launch.field(name)) {
            fields.push((name, source.as_str()));
        }
    }
    launch.survey.web_app = Some(launch.client.update_webapp(launch.domain(), &fields).await?);
    // A Django project has those moved that it needs.
    if !matches!(launch.local.project.kind, ProjectKind::Django { .. }) {
        warn_of_mappings(launch);
    }
    Ok(())
}

fn warn_of_mappings(launch: &Launch<'_>) {
    for mapping in &launch.survey.mappings {
        let (url, path) = (mapping["url"].as_str(), mapping["path"].as_str().unwrap_or_default());
        if launch.found.is_of_other(path) {
            launch.recorder.warn(format!(
                "the static files mapping {} still serves {path}, of the project that was replaced",
                url.unwrap_or_default()
            ));
        }
    }
}

/// Keeps a copy of a WSGI file that is to be replaced, under a name of its own.
pub(in crate::launch) async fn keep(launch: &Launch<'_>, text: &str) -> Result<()> {
    let place = keep_wsgi(launch.client, launch.folder.path(), text).await?;
    launch.recorder.warn(format!("the WSGI file that was replaced is kept in {place}"));
    Ok(())
}
