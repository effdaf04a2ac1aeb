//! The WSGI file that is on the host: what it runs, and what would be lost by replacing it.
//!
//! What the user wrote, in it or into the agent's stub around it, is replaced only when that is asked for, and kept then.

use super::generated::wsgi_file::{WsgiState, refused, state_of};
use crate::client::RemotePath;
use crate::error::{Error, Result};
use crate::host::{Agents, wsgi_file};
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
        Ok(Self { text, has_agent: content.has_agent, state, original, lost: content.lost })
    }

    /// What the user has in it, to be kept where it is replaced.
    pub fn of_the_user(&self) -> Option<&str> {
        match self.state {
            _ if self.lost.is_some() => Some(&self.text),
            WsgiState::Foreign => Some(&self.original),
            _ => None,
        }
    }

    /// Refuses to replace what the user has in it.
    ///
    /// # Errors
    /// `Config`, with the option that lets it be replaced.
    pub fn check_replaceable(&self, domain: &str) -> Result<()> {
        let file = wsgi_file(domain)?;
        if let Some(lost) = &self.lost {
            return Err(Error::config(format!(
                "launching would write {file} again: let it be replaced ({}; a copy is kept), or take out what you have \
                 changed. {lost}",
                Setting::ReplaceWsgi
            )));
        }
        if self.state == WsgiState::Foreign { Err(refused(file.as_str())) } else { Ok(()) }
    }
}
