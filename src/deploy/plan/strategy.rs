//! How a deploy is carried out: with an executor for the bundle, for the commands, for both, or with none.

use serde::Serialize;

use super::cost::Estimate;
use super::executor::ExecutorChoice;
use super::options::DeployOptions;
use super::planner::ResolvedPlan;
use crate::client::Client;
use crate::deploy::diff::model::DeployDiff;
use crate::deploy::project::Project;
use crate::deploy::remote::Remote;
use crate::error::{Error, Result};
use crate::host::Executor;
use crate::text::counted;

/// What does the work on the host.
#[derive(Debug, Default)]
pub(crate) struct Strategy {
    /// The account and the executor, if there is one.
    pub executor: Option<(Client, Executor)>,
    /// Whether the files go as a bundle.
    pub in_bulk: bool,
    /// Why these.
    pub why: String,
    /// What each way costs.
    pub estimates: Vec<Estimate>,
}

impl Strategy {
    /// Chooses one. Sends nothing where nothing is to be chosen.
    pub async fn choose(client: Option<&Client>, options: &DeployOptions, work: &ResolvedPlan) -> Result<Self> {
        let executors = &options.executors;
        let (Some(client), false) = (client, work.plan.actions.is_empty()) else { return Ok(Self::default()) };
        let workload = work.workload(options);
        // Only what goes as a bundle is kept for a rollback.
        let must_be_kept = options.rollback_on_failure && workload.changes > 0;
        let mut chosen = if workload.commands > 0 {
            executors.for_commands(client).await?
        } else if must_be_kept {
            executors.for_rollback(client).await?
        } else {
            executors.for_deploy(client, &workload).await?
        };
        let is_wanted = must_be_kept || !matches!(executors.choice, ExecutorChoice::Auto | ExecutorChoice::None);
        let in_bulk = chosen.executor.is_some() && workload.changes > 0 && (is_wanted || workload.is_worth_a_bundle());
        let name = chosen.executor.as_ref().map(Executor::name);
        let files = match workload.changes {
            0 => "no file is to be sent".to_owned(),
            changes => format!("{} can go one by one", counted(changes, "change")),
        };
        match name {
            Some(_) if must_be_kept && executors.choice == ExecutorChoice::Auto => {
                chosen.why = format!("what it replaces must be kept for a rollback, and {}", chosen.why);
            }
            Some(name) if !in_bulk && workload.commands > 0 => {
                chosen.why = format!("{files}, and {name} runs the commands: {}", chosen.why);
            }
            Some(_) if !in_bulk => chosen.why = files,
            _ => {}
        }
        let taken = name.filter(|_| in_bulk).unwrap_or("none");
        let estimates = workload.estimates(name, chosen.requests, taken);
        let executor = chosen.executor.map(|executor| (client.clone(), executor));
        Ok(Self { executor, in_bulk, why: chosen.why, estimates })
    }

    /// What starts jobs.
    pub fn executor(&self) -> Option<&Executor> {
        self.executor.as_ref().map(|(_, executor)| executor)
    }

    /// What puts the files in place.
    pub fn name(&self) -> &'static str {
        self.executor().filter(|_| self.in_bulk).map_or("none", Executor::name)
    }

    /// The way that is taken; `None` if there is nothing to do, or no account.
    pub fn estimate(&self) -> Option<&Estimate> {
        self.estimates.iter().find(|estimate| estimate.executor == self.name())
    }

    /// What starts jobs, where there must be something.
    pub fn needed(&self) -> Result<&(Client, Executor)> {
        self.executor.as_ref().ok_or_else(|| Error::config("nothing can run commands on the host"))
    }
}

/// What each way of deploying costs, and which one would be taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The first is one request per file.
    pub estimates: Vec<Estimate>,
    /// The one that would be taken.
    pub executor: String,
    /// Why this one.
    pub why: String,
}

impl Forecast {
    /// The way that would be taken; `None` if there is nothing to do.
    #[must_use]
    pub fn estimate(&self) -> Option<&Estimate> {
        self.estimates.iter().find(|estimate| estimate.executor == self.executor)
    }
}

/// What a deploy of `diff` would cost in each estimate. Reads at most what tells whether an agent is installed.
///
/// # Errors
/// `Config` for options that the diff does not allow; what the service answers.
pub async fn forecast<R: Remote>(project: &Project<R>, diff: &DeployDiff, options: &DeployOptions) -> Result<Forecast> {
    let work = ResolvedPlan::of(diff, options)?;
    let strategy = Strategy::choose(project.client.as_client(), options, &work).await?;
    Ok(Forecast { executor: strategy.name().to_owned(), estimates: strategy.estimates, why: strategy.why })
}
