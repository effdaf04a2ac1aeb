//! Which way a deploy goes: one request per file, or one bundle that a job on the host unpacks.
//!
//! `auto` takes the cheapest way that works and says why. It uses an agent only where one is installed, makes a task only
//! where that is allowed, and opens no console.

use super::cost::Effort;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::host::{Agent, Agents, Executor};
use crate::setting::Setting;
use crate::text::counted;

/// Who is to do what cannot be done through the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The cheapest that works; none, if none does.
    #[default]
    Auto,
    /// The agent in the web app.
    Webapp,
    /// An always-on task.
    AlwaysOn,
    /// A scheduled task.
    Schedule,
    /// A bash console: this one, or a new one.
    Console(Option<u64>),
    /// Nobody: one request per file.
    None,
}

/// Who does it, where there is a choice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Via {
    /// Who is to do it.
    pub choice: Choice,
    /// The domain of the web app with the agent.
    pub domain: Option<String>,
    /// Where its site is, if not at its domain.
    pub site_url: Option<String>,
    /// Whether `auto` may make a task.
    pub allow_tasks: bool,
}

/// Said where nobody can run commands.
pub(super) const NO_COMMANDS: &str = "nothing can run commands on the host";

/// What was chosen, and why.
#[derive(Debug)]
pub struct Chosen {
    /// `None`: nobody.
    pub executor: Option<Executor>,
    /// For people.
    pub why: String,
    /// How many requests it took, and will take, to have it: a deploy asks anew.
    pub requests: usize,
}

impl Chosen {
    fn nobody(why: impl Into<String>) -> Self {
        Self { executor: None, why: why.into(), requests: 0 }
    }

    /// With one request for the agent's note, and one more to reload a web app that does not know its agent yet.
    fn agent(agent: Agent, why: String) -> Self {
        let requests = 1 + usize::from(agent.needs_reload());
        Self { executor: Some(Executor::Webapp(Box::new(agent))), why, requests }
    }
}

impl Choice {
    /// Takes a name as users write it.
    ///
    /// # Errors
    /// `Config` for anything else.
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "auto" => Self::Auto,
            "webapp" => Self::Webapp,
            "always_on" => Self::AlwaysOn,
            "schedule" => Self::Schedule,
            "console" => Self::Console(None),
            "none" => Self::None,
            _ => {
                return Err(Error::config(format!(
                    "the executor {name:?} is none of auto, webapp, always_on, schedule, console, none"
                )));
            }
        })
    }
}

impl Via {
    /// Who does a deploy without commands.
    pub(super) async fn for_deploy(&self, client: &Client, effort: &Effort) -> Result<Chosen> {
        if self.choice == Choice::None {
            return Ok(Chosen::nobody("no executor is wanted"));
        }
        if self.choice != Choice::Auto {
            return self.wanted(client).await;
        }
        if !effort.is_worth_a_bundle() {
            return Ok(Chosen::nobody(format!("{} can go one by one", counted(effort.changes, "change"))));
        }
        self.any(client).await
    }

    /// Who does a job, which the API cannot. `otherwise` says what nobody can do then.
    ///
    /// # Errors
    /// `Config` if nobody can, with what to do about it.
    pub(super) async fn for_job(&self, client: &Client, otherwise: &str) -> Result<Executor> {
        let chosen = self.somebody(client, otherwise).await?;
        chosen.executor.ok_or_else(|| Error::config(format!("{otherwise}: {}", chosen.why)))
    }

    /// Who runs the commands of a deploy, and why.
    ///
    /// # Errors
    /// `Config` if nobody can, with what to do about it.
    pub(super) async fn for_commands(&self, client: &Client) -> Result<Chosen> {
        self.somebody(client, NO_COMMANDS).await
    }

    /// Who keeps what a deploy replaces.
    ///
    /// # Errors
    /// `Config` if nobody can, with what to do about it.
    pub(super) async fn for_rollback(&self, client: &Client) -> Result<Chosen> {
        let otherwise =
            format!("a deploy by single files keeps nothing for a rollback ({})", Setting::RollbackOnFailure);
        self.somebody(client, &otherwise).await
    }

    async fn somebody(&self, client: &Client, otherwise: &str) -> Result<Chosen> {
        let chosen = match self.choice {
            Choice::None => Chosen::nobody("no executor is wanted"),
            Choice::Auto => self.any(client).await?,
            _ => self.wanted(client).await?,
        };
        if chosen.executor.is_none() {
            return Err(Error::config(format!("{otherwise}: {}", chosen.why)));
        }
        Ok(chosen)
    }

    async fn wanted(&self, client: &Client) -> Result<Chosen> {
        let why = "it was asked for".to_owned();
        let executor = match self.choice {
            Choice::AlwaysOn => Executor::AlwaysOn,
            Choice::Schedule => Executor::Schedule,
            Choice::Console(id) => Executor::Console(id),
            _ => {
                let domain = self.domain.as_deref().ok_or_else(|| {
                    Error::config(format!("which web app's agent? Give the domain ({})", Setting::Domain))
                })?;
                let agent = Agents::new(client, domain, self.site_url.as_deref())?.find().await?;
                let agent = agent.ok_or_else(|| {
                    Error::config(format!("{domain} has no agent of this version: run \"pya agent install {domain}\""))
                })?;
                return Ok(Chosen::agent(agent, why));
            }
        };
        // Whether the account has tasks is asked before anything is sent.
        let requests = usize::from(!executor.task_kinds().is_empty());
        Ok(Chosen { executor: Some(executor), why, requests })
    }

    /// The best of what is there.
    async fn any(&self, client: &Client) -> Result<Chosen> {
        let agent = match self.domain.as_deref() {
            None => format!("no domain is given whose agent could do it ({})", Setting::Domain),
            Some(domain) => match Agents::new(client, domain, self.site_url.as_deref())?.find().await? {
                None => format!("no agent is installed (\"pya agent install {domain}\")"),
                Some(agent) if agent.is_there().await => {
                    return Ok(Chosen::agent(agent, format!("{domain} has an agent")));
                }
                Some(_) => format!("the agent does not answer (\"pya agent status {domain}\" says why)"),
            },
        };
        let mut requests = usize::from(self.domain.is_some());
        if self.allow_tasks {
            for executor in [Executor::AnyTask, Executor::Schedule] {
                requests += 1;
                match client.tasks(executor.task_kinds()[0]).await {
                    Ok(_) => {
                        return Ok(Chosen { executor: Some(executor), why: "tasks are allowed".to_owned(), requests });
                    }
                    Err(error) if error.kind() == crate::ErrorKind::Forbidden => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let tasks = if self.allow_tasks {
            "this account has no tasks".to_owned()
        } else {
            format!("no task may be made ({} allows it)", Setting::AllowTasks)
        };
        Ok(Chosen { executor: None, why: format!("{tasks}, and {agent}"), requests })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executors_are_named_as_documented() {
        for name in ["auto", "webapp", "always_on", "schedule", "console", "none"] {
            assert!(Choice::parse(name).is_ok(), "{name}");
        }
        assert!(Choice::parse("cron").is_err());
    }
}
