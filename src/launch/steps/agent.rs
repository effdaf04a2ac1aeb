//! The WSGI file with the agent in it, in one write.
//!
//! Making a web app overwrites its WSGI file, also one that survived a web app that was deleted. So what is there is read
//! before anything is made, refused if it is somebody else's, and kept beside the project's state where it is replaced.

use super::Outcome;
use crate::error::{ErrorKind, Result};
use crate::host::{Agents, keep_wsgi, original_of, wsgi_file};
use crate::launch::context::Launch;
use crate::launch::generated::wsgi_file::{WsgiState, refused, state_of};

/// Installs it.
pub(in crate::launch) async fn install(launch: &mut Launch<'_>) -> Result<Outcome> {
    let domain = launch.domain().to_owned();
    let file = wsgi_file(&domain)?;
    let found = match launch.client.read_file_at_most(&file, 4 << 20).await {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        content => String::from_utf8_lossy(&content?).into_owned(),
    };
    let (original, has_agent) = original_of(&found);
    let state = state_of(Some(&original), &launch.wsgi, file.as_str(), launch.client.user());
    let agents = Agents::new(launch.client, &domain, launch.options.site_url.as_deref())?;
    if has_agent && state.serves() && agents.is_current().await? {
        return Ok(Outcome::skipped("it loads the project, and the agent answers"));
    }
    if !state.may_be_replaced() && !state.serves() {
        // Somebody may have written it since it was looked at.
        if !launch.options.replace_wsgi {
            return Err(refused(file.as_str()));
        }
        keep(launch, &original).await?;
    }
    let wanted = if state == WsgiState::Edited { original } else { launch.wsgi.clone() };
    if found.is_empty() {
        // The agent replaces a file only if it is as it was read.
        launch.client.upload_file(&file, wanted.clone().into()).await?;
    }
    let found = if found.is_empty() { wanted.clone() } else { found };
    let change = agents.install_around(&wanted, &launch.record(), &found).await?;
    log::debug!("{:?}", change.warnings);
    launch.changes += 1;
    Ok(Outcome::done(format!("{file} loads the project, and the agent answers")))
}

/// Keeps a copy of a WSGI file that is to be replaced, under a name of its own.
pub(in crate::launch) async fn keep(launch: &Launch<'_>, text: &str) -> Result<()> {
    let place = keep_wsgi(launch.client, launch.folder.path(), text).await?;
    launch.recorder.warn(format!("the WSGI file that was replaced is kept in {place}"));
    Ok(())
}
