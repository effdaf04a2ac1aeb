//! The WSGI file with the agent in it, in one write.
//!
//! Making a web app overwrites its WSGI file, also one that survived a web app that was deleted. So what is there is read
//! before anything is made, refused if it is somebody else's, and kept beside the project's state where it is replaced.

use super::Outcome;
use crate::error::Result;
use crate::host::{Agents, keep_wsgi, wsgi_file};
use crate::launch::context::Launch;
use crate::launch::found_wsgi::FoundWsgi;
use crate::launch::generated::wsgi_file::WsgiState;
use crate::launch::survey::read_wsgi;

/// Installs it.
pub(in crate::launch) async fn install(launch: &mut Launch<'_>) -> Result<Outcome> {
    let domain = launch.domain().to_owned();
    let file = wsgi_file(&domain)?;
    // Somebody may have written it since it was looked at.
    let text = read_wsgi(launch.client, &domain).await?.unwrap_or_default();
    launch.found = look(launch, text).await?;
    let found = &launch.found;
    if is_kept(launch, found).await? {
        return Ok(Outcome::skipped("it loads the project, and the agent answers"));
    }
    if !launch.options.replace_wsgi {
        found.check_replaceable(&domain)?;
    }
    if let Some(text) = found.of_the_user() {
        keep(launch, text).await?;
    }
    let wanted = if found.state == WsgiState::Edited { &found.original } else { &launch.wsgi };
    let mut text = &found.text;
    if text.is_empty() {
        // The agent replaces a file only if it is as it was read.
        launch.client.upload_file(&file, wanted.clone().into()).await?;
        text = wanted;
    }
    let change = agents(launch)?.install_around(wanted, &launch.record(), text).await?;
    change.warnings.into_iter().for_each(|warning| launch.recorder.warn(warning));
    launch.changes += 1;
    Ok(Outcome::done(format!("{file} loads the project, and the agent answers")))
}

fn agents(launch: &Launch<'_>) -> Result<Agents> {
    Agents::new(launch.client, launch.domain(), launch.options.site_url.as_deref())
}

/// Looks at the text of the WSGI file, which is empty if there is none.
pub(in crate::launch) async fn look(launch: &Launch<'_>, text: String) -> Result<FoundWsgi> {
    let file = wsgi_file(launch.domain())?;
    FoundWsgi::look(&agents(launch)?, text, &launch.wsgi, &file, launch.client.user()).await
}

/// Whether the file stays as it is: it loads the project, and its agent is the one of this build.
pub(in crate::launch) async fn is_kept(launch: &Launch<'_>, found: &FoundWsgi) -> Result<bool> {
    Ok(found.has_agent && found.state.serves() && agents(launch)?.is_current().await?)
}

/// Keeps a copy of a WSGI file that is to be replaced, under a name of its own.
pub(in crate::launch) async fn keep(launch: &Launch<'_>, text: &str) -> Result<()> {
    let place = keep_wsgi(launch.client, launch.folder.path(), text).await?;
    launch.recorder.warn(format!("the WSGI file that was replaced is kept in {place}"));
    Ok(())
}
