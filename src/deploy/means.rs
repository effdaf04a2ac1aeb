//! By what means a deploy is carried out: an executor for the bundle, for the commands, for both, or none.

use serde::Serialize;

use super::cost::Way;
use super::diff::{DeployDiff, Project};
use super::executors::Choice;
use super::plan::{DeployOptions, Work};
use super::remote::Remote;
use super::report::Recorder;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::host::Executor;
use crate::text::counted;

/// What does the work on the host.
#[derive(Debug, Default)]
pub(super) struct Means {
    /// Whose, and what starts jobs, where anything does.
    pub executor: Option<(Client, Executor)>,
    /// Whether the files go as a bundle.
    pub in_bulk: bool,
    why: String,
    ways: Vec<Way>,
}

impl Means {
    /// Chooses. Sends nothing where there is nothing to choose.
    pub async fn choose(client: Option<&Client>, options: &DeployOptions, work: &Work) -> Result<Self> {
        let via = &options.via;
        let (Some(client), false) = (client, work.plan.actions.is_empty()) else { return Ok(Self::default()) };
        let effort = work.effort(options);
        // Only what goes as a bundle is kept for a rollback.
        let must_be_kept = options.rollback_on_failure && effort.changes > 0;
        let mut chosen = if effort.commands > 0 {
            via.for_commands(client).await?
        } else if must_be_kept {
            via.for_rollback(client).await?
        } else {
            via.for_deploy(client, &effort).await?
        };
        let is_wanted = must_be_kept || !matches!(via.choice, Choice::Auto | Choice::None);
        let in_bulk = chosen.executor.is_some() && effort.changes > 0 && (is_wanted || effort.is_worth_a_bundle());
        let name = chosen.executor.as_ref().map(Executor::name);
        let files = match effort.changes {
            0 => "no file is to be sent".to_owned(),
            changes => format!("{} can go one by one", counted(changes, "change")),
        };
        match name {
            Some(_) if must_be_kept && via.choice == Choice::Auto => {
                chosen.why = format!("what it replaces must be kept for a rollback, and {}", chosen.why);
            }
            Some(name) if !in_bulk && effort.commands > 0 => {
                chosen.why = format!("{files}, and {name} runs the commands: {}", chosen.why);
            }
            Some(_) if !in_bulk => chosen.why = files,
            _ => {}
        }
        let taken = name.filter(|_| in_bulk).unwrap_or("none");
        let ways = effort.ways(name, chosen.requests, taken);
        let executor = chosen.executor.map(|executor| (client.clone(), executor));
        Ok(Self { executor, in_bulk, why: chosen.why, ways })
    }

    /// What starts jobs.
    pub fn executor(&self) -> Option<&Executor> {
        self.executor.as_ref().map(|(_, executor)| executor)
    }

    /// What puts the files in place.
    fn name(&self) -> &'static str {
        self.executor().filter(|_| self.in_bulk).map_or("none", Executor::name)
    }

    /// The way that is taken; `None` if there is nothing to do, or no account.
    pub fn way(&self) -> Option<&Way> {
        self.ways.iter().find(|way| way.executor == self.name())
    }

    /// What starts jobs, for those who cannot do without.
    pub fn needed(&self) -> Result<&(Client, Executor)> {
        self.executor.as_ref().ok_or_else(|| Error::config("nothing can run commands on the host"))
    }

    /// Says in the report what was chosen and what else there is.
    pub fn tell(&self, recorder: &Recorder, work: &Work) {
        let mut report = recorder.lock();
        self.name().clone_into(&mut report.executor);
        report.why.clone_from(&self.why);
        report.ways.clone_from(&self.ways);
        if !self.in_bulk {
            report.warnings.extend(work.executables_warning());
        }
    }
}

/// What each way of deploying costs, and which one would be taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The first is one request per file.
    pub ways: Vec<Way>,
    /// The one that would be taken.
    pub executor: String,
    /// Why this one.
    pub why: String,
}

impl Forecast {
    /// The way that would be taken; `None` if there is nothing to do.
    #[must_use]
    pub fn way(&self) -> Option<&Way> {
        self.ways.iter().find(|way| way.executor == self.executor)
    }
}

/// What a deploy of `diff` would cost in each way. Reads at most what tells whether an agent is installed.
///
/// # Errors
/// `Config` for options that the diff does not allow; what the service answers.
pub async fn forecast<R: Remote>(project: &Project<R>, diff: &DeployDiff, options: &DeployOptions) -> Result<Forecast> {
    let work = Work::of(diff, options)?;
    let means = Means::choose(project.client.as_client(), options, &work).await?;
    Ok(Forecast { executor: means.name().to_owned(), ways: means.ways, why: means.why })
}
