//! Which way a deploy goes: one request per file, or one bundle that a job on the host unpacks.
//!
//! `auto` takes the cheapest way that works and says why. It uses an agent only where one is installed, makes a task only
//! where that is allowed, and opens no console.

use std::fmt;

use serde::Serialize;

use super::plan::projected_seconds;
use super::select::counted;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::host::{Agents, Executor};

/// Below this many changes a bundle saves next to nothing.
const FEW: usize = 20;

/// What a bundle costs whatever its size: the look for the agent, intent, listing, receipt, the intent's end.
const BULK_REQUESTS: usize = 5;

/// What a task costs beyond that: two uploads, the task and its end, its folder, and looks at the receipt.
const TASK_REQUESTS: usize = 9;

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

/// What was chosen, and why.
#[derive(Debug)]
pub struct Chosen {
    /// `None`: nobody.
    pub executor: Option<Executor>,
    /// For people.
    pub why: String,
}

/// What a way of deploying costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Way {
    /// The executor.
    pub executor: &'static str,
    /// Requests to the API, retries aside; with a task, about.
    pub requests: usize,
    /// At least, as far as the rate limit and the service's clock decide.
    pub seconds: f64,
    /// What it takes.
    pub needs: &'static str,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} {:>14}", self.executor, counted(self.requests, "request"))?;
        if self.seconds >= 60.0 {
            write!(f, ", about {:.0} min", (self.seconds / 60.0).ceil())?;
        } else {
            f.write_str(", seconds")?;
        }
        if self.needs.is_empty() { Ok(()) } else { write!(f, " ({})", self.needs) }
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

/// What each way costs for so many changed files in so many parts; the first is one request per file.
pub(super) fn ways(single: usize, reloads: usize, parts: usize, limit: Option<u32>) -> Vec<Way> {
    let bulk = BULK_REQUESTS + parts + reloads;
    let way = |executor, requests, least: f64, needs| Way {
        executor,
        requests,
        seconds: projected_seconds(requests, limit).max(least),
        needs,
    };
    vec![
        way("none", single, 0.0, ""),
        way("webapp", bulk, 0.0, "with the agent installed; a site with one worker waits meanwhile"),
        way("always_on", bulk + TASK_REQUESTS, 10.0, "paid accounts, with tasks allowed"),
        way("schedule", bulk + TASK_REQUESTS, 120.0, "accounts with scheduled tasks, with tasks allowed"),
    ]
}

impl Via {
    /// Who does a deploy of so many changes, which would take `single` requests one by one.
    pub(super) async fn for_deploy(&self, client: &Client, changes: usize, ways: &[Way]) -> Result<Chosen> {
        if self.choice == Choice::None {
            return Ok(Chosen { executor: None, why: "no executor is wanted".to_owned() });
        }
        if self.choice != Choice::Auto {
            return self.wanted(client).await;
        }
        if !Self::is_worth_it(changes, ways) {
            return Ok(Chosen { executor: None, why: format!("{} can go one by one", counted(changes, "change")) });
        }
        self.any(client).await
    }

    /// Whether a bundle saves anything.
    pub(super) fn is_worth_it(changes: usize, ways: &[Way]) -> bool {
        let saves = matches!(ways, [single, bulk, ..] if single.requests > bulk.requests);
        changes > FEW && saves
    }

    /// Who runs a command, which the API cannot.
    ///
    /// # Errors
    /// `Config` if nobody can, with what to do about it.
    pub async fn for_command(&self, client: &Client) -> Result<Executor> {
        self.somebody(client, "nothing can run commands on the host").await
    }

    /// Who keeps what a deploy replaces.
    ///
    /// # Errors
    /// `Config` if nobody can, with what to do about it.
    pub(super) async fn for_rollback(&self, client: &Client) -> Result<Executor> {
        self.somebody(client, "a deploy by single files keeps nothing for a rollback (rollback_on_failure)").await
    }

    async fn somebody(&self, client: &Client, otherwise: &str) -> Result<Executor> {
        let chosen = match self.choice {
            Choice::None => Chosen { executor: None, why: "no executor is wanted".to_owned() },
            Choice::Auto => self.any(client).await?,
            _ => self.wanted(client).await?,
        };
        chosen.executor.ok_or_else(|| Error::config(format!("{otherwise}: {}", chosen.why)))
    }

    async fn wanted(&self, client: &Client) -> Result<Chosen> {
        let executor = match self.choice {
            Choice::AlwaysOn => Executor::AlwaysOn,
            Choice::Schedule => Executor::Schedule,
            Choice::Console(id) => Executor::Console(id),
            _ => {
                let domain = self
                    .domain
                    .as_deref()
                    .ok_or_else(|| Error::config("which web app's agent? Give the domain (domain =, or --domain)"))?;
                let agent = Agents::new(client, domain, self.site_url.as_deref())?.find().await?;
                let agent = agent.ok_or_else(|| {
                    Error::config(format!("{domain} has no agent of this version: run \"pya agent install {domain}\""))
                })?;
                Executor::Webapp(Box::new(agent))
            }
        };
        Ok(Chosen { executor: Some(executor), why: "it was asked for".to_owned() })
    }

    /// The best of what is there.
    async fn any(&self, client: &Client) -> Result<Chosen> {
        let agent = match self.domain.as_deref() {
            None => "no domain is given whose agent could do it (domain)".to_owned(),
            Some(domain) => match Agents::new(client, domain, self.site_url.as_deref())?.find().await? {
                None => format!("no agent is installed (\"pya agent install {domain}\")"),
                Some(agent) if agent.is_there().await => {
                    let executor = Some(Executor::Webapp(Box::new(agent)));
                    return Ok(Chosen { executor, why: format!("{domain} has an agent") });
                }
                Some(_) => format!("the agent does not answer (\"pya agent status {domain}\" says why)"),
            },
        };
        if self.allow_tasks {
            for executor in [Executor::AnyTask, Executor::Schedule] {
                match client.tasks(executor.task_kinds()[0]).await {
                    Ok(_) => return Ok(Chosen { executor: Some(executor), why: "tasks are allowed".to_owned() }),
                    Err(error) if error.kind() == crate::ErrorKind::Forbidden => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let tasks = if self.allow_tasks { "this account has no tasks" } else { "no task may be made (allow_tasks)" };
        Ok(Chosen { executor: None, why: format!("{tasks}, and {agent}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_told_with_what_they_cost() {
        let ways = ways(471, 1, 1, Some(40));
        assert_eq!(ways[0].to_string(), "none         471 requests, about 11 min");
        assert_eq!(
            ways[1].to_string(),
            "webapp         7 requests, seconds (with the agent installed; a site with one worker waits meanwhile)"
        );
        assert!(ways[3].seconds >= 120.0);
    }

    #[test]
    fn executors_are_named_as_documented() {
        for name in ["auto", "webapp", "always_on", "schedule", "console", "none"] {
            assert!(Choice::parse(name).is_ok(), "{name}");
        }
        assert!(Choice::parse("cron").is_err());
    }
}
