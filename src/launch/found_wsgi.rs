//! The WSGI file that is on the host: what it runs, and what would be lost by replacing it.
//!
//! What the user wrote, in it or into the agent's stub around it, is replaced only when that is asked for, and kept then. So
//! is the file that serves another project: a free account has one web app, and replacing it takes that project offline.

use std::path::Path;

use super::generated::wsgi_file::{WsgiState, is_written_here, refused, state_of};
use crate::client::RemotePath;
use crate::error::{Error, Result};
use crate::host::{Agents, WsgiCode, wsgi_file};
use crate::setting::Setting;

/// The WSGI file as it was found.
#[derive(Debug, Clone, Default)]
pub(super) struct FoundWsgi {
    /// All of it; empty if there is none.
    pub text: String,
    /// Whether it has the agent.
    pub has_agent: bool,
    /// What that which it runs is to us.
    pub state: WsgiState,
    /// What it runs.
    pub original: String,
    /// What the user would lose if the agent's stub were written again.
    pub lost: Option<String>,
    /// The folder of another project that an earlier launch made the web app serve.
    pub other: Option<String>,
}

impl FoundWsgi {
    /// Looks at the text of the file, which is to run `wanted`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn look(agents: &Agents, text: String, wanted: &str, file: &RemotePath, user: &str) -> Result<Self> {
        let content = agents.content_of(&text).await?;
        let state = match &content.original {
            Some(original) => state_of(Some(original), wanted, file.as_str(), user),
            None => WsgiState::Foreign,
        };
        let original = content.original.unwrap_or_default();
        Ok(Self { text, has_agent: content.has_agent, state, original, lost: content.lost, other: None })
    }

    /// Notes the folder that it serves, if that is another project's than the one in `root`.
    pub fn compare_with(&mut self, root: &RemotePath, file: &RemotePath, user: &str) {
        if self.state.serves() || !is_written_here(&self.original) {
            return;
        }
        let folders = WsgiCode::read(&self.original, file.as_str(), user).path;
        if !folders.iter().any(|folder| Path::new(folder).starts_with(root.as_str())) {
            self.other = folders.into_iter().next();
        }
    }

    /// Whether a path on the host is in the folder of another project that the web app serves.
    pub fn is_of_other(&self, path: &str) -> bool {
        self.other.as_ref().is_some_and(|other| Path::new(path).starts_with(other))
    }

    /// What is in it that is not ours to replace, and kept where it is replaced.
    pub fn of_the_user(&self) -> Option<&str> {
        let is_foreign = self.state == WsgiState::Foreign || self.other.is_some();
        if self.lost.is_some() { Some(&self.text) } else { is_foreign.then_some(&self.original) }
    }

    /// Refuses to replace what the user has in it, or the project that it serves by the one in `root`.
    ///
    /// # Errors
    /// `Config`, with the option that lets it be replaced.
    pub fn check_replaceable(&self, domain: &str, root: &RemotePath) -> Result<()> {
        let file = wsgi_file(domain)?;
        if let Some(lost) = &self.lost {
            return Err(Error::config(format!(
                "launching would write {file} again: let it be replaced ({}; a copy is kept), or take out what you have \
                 changed. {lost}",
                Setting::ReplaceWsgi
            )));
        }
        if self.state == WsgiState::Foreign {
            return Err(refused(file.as_str()));
        }
        let Some(other) = &self.other else { return Ok(()) };
        Err(Error::config(format!(
            "{domain} serves the project in {other}, not {root}, and launching would take it offline: launch to another web app \
             ({}), or replace that project ({}; a copy of the WSGI file is kept)",
            Setting::Domain,
            Setting::ReplaceWsgi
        )))
    }
}
