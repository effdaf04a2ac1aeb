//! Which way a deploy goes: one request per file, or one bundle that a job on the host unpacks.
//!
//! `auto` takes the cheapest way that works and says why. It uses an agent only where one is installed, makes a task only
//! where that is allowed, and opens no console.

use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;

use super::cost::Workload;
use crate::api::checked_domain;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::host::{Agent, Agents, Executor, Lane};
use crate::setting::Setting;

/// The executors by name, as a caller chooses among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutorChoice {
    /// The cheapest that works; one request per file if none does.
    #[default]
    Auto,
    /// The agent in the web app.
    Webapp,
    /// An always-on task.
    AlwaysOn,
    /// A scheduled task.
    Schedule,
    /// A bash console.
    Console,
    /// No executor: one request per file.
    None,
}

impl ExecutorChoice {
    /// Every choice, in the order in which they are listed to users.
    pub const ALL: [Self; 6] = [Self::Auto, Self::Webapp, Self::AlwaysOn, Self::Schedule, Self::Console, Self::None];

    /// Its name, as options and reports spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Webapp => "webapp",
            Self::AlwaysOn => "always_on",
            Self::Schedule => "schedule",
            Self::Console => "console",
            Self::None => "none",
        }
    }
}

impl FromStr for ExecutorChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            Error::config(format!("there is no executor {name:?}: choose one of {names}"))
        })
    }
}

/// Which executor a caller wants, and what it needs to find one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecutorOptions {
    /// The executor.
    pub choice: ExecutorChoice,
    /// The console to use; without it a new one is made.
    pub console: Option<u64>,
    /// The domain of the web app with the agent.
    pub domain: Option<String>,
    /// The address of its site, if that is not its domain.
    pub site_url: Option<String>,
    /// Whether `auto` may make a task.
    pub allow_tasks: bool,
}

/// The beginning of the message where nothing can run commands.
pub(crate) const NO_COMMANDS: &str = "nothing can run commands on the host";

/// What was chosen, and why.
#[derive(Debug)]
pub struct SelectedExecutor {
    /// `None` if there is none.
    pub executor: Option<Executor>,
    /// Human-readable.
    pub why: String,
    /// How many requests it took, and will take, to have it: a deploy asks anew.
    pub requests: usize,
}

impl SelectedExecutor {
    fn none(why: impl Into<String>) -> Self {
        Self { executor: None, why: why.into(), requests: 0 }
    }

    fn task(executor: Executor, requests: usize) -> Self {
        Self { executor: Some(executor), why: "tasks are allowed".to_owned(), requests }
    }

    fn agent(agent: Agent, why: String) -> Self {
        let requests = agent.requests();
        Self { executor: Some(Executor::Webapp(Arc::new(agent))), why, requests }
    }
}

impl ExecutorOptions {
    /// The agent in the web app of `domain`, and nothing else.
    #[must_use]
    pub fn by_agent(domain: &str, site_url: Option<String>) -> Self {
        Self { choice: ExecutorChoice::Webapp, domain: Some(domain.to_owned()), site_url, ..Self::default() }
    }

    /// The site whose agent may be asked instead of the API, unless another executor is wanted.
    #[must_use]
    pub fn lane(&self, client: &Client) -> Option<Lane> {
        let is_wanted = matches!(self.choice, ExecutorChoice::Auto | ExecutorChoice::Webapp);
        Some(Lane::new(client, self.domain.as_deref().filter(|_| is_wanted)?, self.site_url.as_deref()))
    }

    /// Refuses a domain that is none.
    pub(crate) fn check(&self) -> Result<()> {
        self.domain.as_deref().map_or(Ok(()), |domain| checked_domain(domain).map(drop))
    }

    /// The executor of a deploy without commands.
    pub(crate) async fn for_deploy(&self, client: &Client, workload: &Workload) -> Result<SelectedExecutor> {
        match self.choice {
            ExecutorChoice::None => return Ok(SelectedExecutor::none("executors are switched off")),
            ExecutorChoice::Auto => {}
            _ => return self.wanted(client).await,
        }
        if workload.changes == 0 {
            return Ok(SelectedExecutor::none(workload.singly()));
        }
        let why = match self.agent(client).await? {
            Ok(agent) => return Ok(agent),
            Err(why) => why,
        };
        if workload.is_worth_a_bundle() {
            return self.task(client, why).await;
        }
        let why = if self.domain.is_none() { String::new() } else { format!(", and {why}") };
        let why = format!("{}{why}", workload.singly());
        Ok(SelectedExecutor { executor: None, why, requests: self.agent_requests() })
    }

    /// The executor of a job, which the API cannot do. `otherwise` begins the message if there is none.
    ///
    /// # Errors
    /// `Config` if there is none, with what to do about it.
    pub(crate) async fn for_job(&self, client: &Client, otherwise: &str) -> Result<Executor> {
        self.check()?;
        let chosen = self.required(client, otherwise).await?;
        chosen.executor.ok_or_else(|| Error::config(format!("{otherwise}: {}", chosen.why)))
    }

    /// What runs the commands of a deploy, and why.
    ///
    /// # Errors
    /// `Config` if there is none, with what to do about it.
    pub(crate) async fn for_commands(&self, client: &Client) -> Result<SelectedExecutor> {
        self.required(client, NO_COMMANDS).await
    }

    /// What keeps the files that a deploy replaces.
    ///
    /// # Errors
    /// `Config` if there is none, with what to do about it.
    pub(crate) async fn for_rollback(&self, client: &Client) -> Result<SelectedExecutor> {
        let otherwise =
            format!("a deploy with single requests keeps nothing for a rollback ({})", Setting::RollbackOnFailure);
        self.required(client, &otherwise).await
    }

    async fn required(&self, client: &Client, otherwise: &str) -> Result<SelectedExecutor> {
        let chosen = match self.choice {
            ExecutorChoice::None => SelectedExecutor::none("executors are switched off"),
            ExecutorChoice::Auto => self.any(client).await?,
            _ => self.wanted(client).await?,
        };
        if chosen.executor.is_none() {
            return Err(Error::config(format!("{otherwise}: {}", chosen.why)));
        }
        Ok(chosen)
    }

    async fn wanted(&self, client: &Client) -> Result<SelectedExecutor> {
        let why = "it was requested".to_owned();
        let executor = match self.choice {
            ExecutorChoice::AlwaysOn => Executor::AlwaysOn,
            ExecutorChoice::Schedule => Executor::Schedule,
            ExecutorChoice::Console => Executor::Console(self.console),
            _ => return Ok(SelectedExecutor::agent(self.wanted_agent(client).await?, why)),
        };
        // Whether the account has tasks is asked before anything is sent.
        let requests = usize::from(!executor.task_kinds().is_empty());
        Ok(SelectedExecutor { executor: Some(executor), why, requests })
    }

    async fn wanted_agent(&self, client: &Client) -> Result<Agent> {
        let domain = self
            .domain
            .as_deref()
            .ok_or_else(|| Error::config(format!("which web app's agent? Give the domain ({})", Setting::Domain)))?;
        Agents::new(client, domain, self.site_url.as_deref())?.find().await?.ok_or_else(|| {
            Error::config(format!("{domain} has no agent of this version: run \"pya agent install {domain}\""))
        })
    }

    /// The best one available.
    async fn any(&self, client: &Client) -> Result<SelectedExecutor> {
        match self.agent(client).await? {
            Ok(agent) => Ok(agent),
            Err(why) => self.task(client, why).await,
        }
    }

    /// The agent if one is installed that answers; else why there is none.
    async fn agent(&self, client: &Client) -> Result<std::result::Result<SelectedExecutor, String>> {
        let Some(domain) = self.domain.as_deref() else {
            return Ok(Err(format!("no domain is given whose agent could do it ({})", Setting::Domain)));
        };
        Ok(match Agents::new(client, domain, self.site_url.as_deref())?.find().await? {
            None => Err(format!("no agent is installed (\"pya agent install {domain}\")")),
            Some(agent) if agent.is_there().await => {
                Ok(SelectedExecutor::agent(agent, format!("{domain} has an agent")))
            }
            Some(_) => Err(format!("the agent does not answer (\"pya agent status {domain}\" says why)")),
        })
    }

    /// How many requests it takes to see that there is no agent.
    fn agent_requests(&self) -> usize {
        usize::from(self.domain.is_some())
    }

    /// A task, if one may be made; else why there is no executor, `agent` being the reason why there is no agent.
    async fn task(&self, client: &Client, agent: String) -> Result<SelectedExecutor> {
        let mut requests = self.agent_requests();
        if self.allow_tasks {
            for executor in [Executor::AnyTask, Executor::Schedule] {
                requests += 1;
                match client.tasks(executor.task_kinds()[0]).await {
                    Ok(_) => return Ok(SelectedExecutor::task(executor, requests)),
                    Err(error) if error.kind() == crate::ErrorKind::Forbidden => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let tasks = if self.allow_tasks {
            "this account has no tasks".to_owned()
        } else {
            format!("creating tasks is not allowed ({} allows it)", Setting::AllowTasks)
        };
        Ok(SelectedExecutor { executor: None, why: format!("{tasks}, and {agent}"), requests })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executors_are_named_as_documented() {
        for name in ["auto", "webapp", "always_on", "schedule", "console", "none"] {
            assert_eq!(name.parse::<ExecutorChoice>().unwrap().as_str(), name);
        }
        let error = "cron".parse::<ExecutorChoice>().unwrap_err().to_string();
        assert!(error.contains("auto, webapp, always_on, schedule, console, none"), "{error}");
    }
}
