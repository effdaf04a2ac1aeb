//! How a deploy is carried out: with an executor for the bundle, for the commands, for both, or with none.

use serde::Serialize;

use super::actions::Plan;
use super::cost::{Estimate, Workload};
use super::environment::PythonEnvironment;
use super::executor::{ExecutorChoice, SelectedExecutor};
use super::options::DeployOptions;
use super::planner::ResolvedPlan;
use super::sites::Sites;
use super::step_files;
use crate::client::Client;
use crate::deploy::diff::model::DeployDiff;
use crate::deploy::project::Project;
use crate::deploy::remote::Remote;
use crate::error::{Error, Result};
use crate::host::Executor;
use crate::text::{counted, sized};

/// What does the work on the host.
#[derive(Debug, Default)]
pub(crate) struct Strategy {
    /// The account and the executor, if there is one.
    pub executor: Option<(Client, Executor)>,
    /// Whether the files go as a bundle.
    pub in_bulk: bool,
    /// Whether the agent gets the bundle and the intent by the site, rather than through the API; else why not.
    pub by_site: ByWhat,
    /// Why these.
    pub why: String,
    /// What each way costs.
    pub estimates: Vec<Estimate>,
    /// What is reloaded, as the account lists it.
    pub sites: Sites,
    /// What commands are told of the web app.
    pub environment: PythonEnvironment,
}

impl Strategy {
    /// Chooses one, and refuses what is bound to fail. Changes nothing on the host, and sends nothing where nothing is to
    /// be done.
    pub async fn choose(
        client: Option<&Client>,
        diff: &DeployDiff,
        options: &DeployOptions,
        work: &ResolvedPlan,
    ) -> Result<Self> {
        options.check()?;
        let (Some(client), false) = (client, work.plan.actions.is_empty()) else { return Ok(Self::default()) };
        let mut workload = work.workload(options);
        workload.preflight = step_files::check(client, diff, &options.steps, work).await?;
        let sites = sites(client, diff, options, work).await?;
        workload.preflight += sites.requests;
        let executors = &options.executors_in_effect();
        // Only what goes as a bundle is kept for a rollback.
        let must_be_kept = options.rollback_on_failure && workload.changes > 0;
        let chosen = match workload.commands {
            0 if must_be_kept => executors.for_rollback(client).await?,
            0 => executors.for_deploy(client, &workload).await?,
            _ => executors.for_commands(client).await?,
        };
        let is_wanted = must_be_kept || !matches!(executors.choice, ExecutorChoice::Auto | ExecutorChoice::None);
        let in_bulk = is_bundle(&chosen, &workload, is_wanted);
        let is_for_rollback = must_be_kept && executors.choice == ExecutorChoice::Auto;
        let mut why = why(&chosen, &workload, in_bulk, is_for_rollback);
        if !in_bulk && work.on_host() > 0 {
            let copies = counted(work.on_host(), "file");
            why = format!("{why}; the host has the content of {copies} already, which only a bundle copies");
        }
        let for_commands = chosen.executor.as_ref().filter(|_| workload.commands > 0);
        let (environment, requests) = environment(client, options, &sites, for_commands).await?;
        workload.preflight += requests;
        let by_site = ByWhat::choose(diff, chosen.executor.as_ref().filter(|_| in_bulk));
        workload.by_site = by_site == ByWhat::Site;
        let name = chosen.executor.as_ref().map(Executor::name);
        let taken = name.filter(|_| in_bulk).unwrap_or("none");
        let estimates = workload.estimates(name, chosen.requests, taken);
        let executor = chosen.executor.map(|executor| (client.clone(), executor));
        Ok(Self { executor, in_bulk, by_site, why, estimates, sites, environment })
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

/// By what a bundle and its intent go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ByWhat {
    /// No agent is used.
    #[default]
    Nothing,
    /// The account's site.
    Site,
    /// The API, for this reason.
    Api(String),
}

impl ByWhat {
    fn choose(diff: &DeployDiff, executor: Option<&Executor>) -> Self {
        let Some(Executor::Webapp(agent)) = executor else { return Self::Nothing };
        if !diff.base.is_settled() || !diff.base.abandoned_works().is_empty() {
            return Self::Api("an earlier deploy left something to do, or is running".to_owned());
        }
        agent.check_takes_deploys().map_or_else(Self::Api, |()| Self::Site)
    }

    /// Says which it is, and why.
    pub(crate) fn log(&self) {
        match self {
            Self::Nothing => {}
            Self::Site => log::info!("the bundle goes by the site, not through the API"),
            Self::Api(why) => log::info!("the bundle goes through the API, not by the site: {why}"),
        }
    }
}

/// Whether the files go as a bundle, `is_wanted` being whether that is asked for.
fn is_bundle(chosen: &SelectedExecutor, workload: &Workload, is_wanted: bool) -> bool {
    // By the agent it costs next to nothing; what it replaces is kept, so that the deploy can be undone.
    let is_agent = matches!(chosen.executor, Some(Executor::Webapp(_)));
    let is_worth_it = is_wanted || is_agent || workload.is_worth_a_bundle();
    chosen.executor.is_some() && workload.changes > 0 && is_worth_it
}

/// Why this executor, with what it is for where it does not do all of the deploy.
fn why(chosen: &SelectedExecutor, workload: &Workload, in_bulk: bool, is_for_rollback: bool) -> String {
    let (files, why) = (workload.singly(), &chosen.why);
    match chosen.executor.as_ref().map(Executor::name) {
        Some(_) if is_for_rollback => format!("what it replaces must be kept for a rollback, and {why}"),
        Some(name) if !in_bulk && workload.commands > 0 => format!("{files}, and {name} runs the commands: {why}"),
        Some(_) if !in_bulk => files,
        _ => why.clone(),
    }
}

/// The sites that are reloaded or have commands run for them. One at least of those that were asked for must be there.
async fn sites(client: &Client, diff: &DeployDiff, options: &DeployOptions, work: &ResolvedPlan) -> Result<Sites> {
    let domain = options.executors_in_effect().domain.filter(|_| !options.steps.is_none());
    let domains: Vec<String> = work.reload.iter().chain(&domain).cloned().collect();
    if domains.is_empty() {
        return Ok(Sites::default());
    }
    if let Some(answering) = diff.base.answering_site().filter(|_| options.steps.is_none())
        && domains.iter().all(|domain| domain.eq_ignore_ascii_case(answering))
        && !Sites::expires_soon(client, answering)
    {
        // Nothing but its existence matters.
        return Ok(Sites::answering(answering));
    }
    let mut sites = Sites::read(client, &domains).await?;
    let now = client.server_time();
    // One that cannot be reloaded would have everything rolled back.
    let reloaded = options.reload.iter().filter(|_| options.rollback_on_failure);
    domain.iter().chain(reloaded).try_for_each(|domain| sites.check(domain, now))?;
    // What an earlier deploy owes may be gone by now, which is no reason to refuse this one.
    sites.refuse(&options.reload, now)?;
    Ok(sites)
}

/// What the commands are told, and how many requests it took to know it.
async fn environment(
    client: &Client,
    options: &DeployOptions,
    sites: &Sites,
    executor: Option<&Executor>,
) -> Result<(PythonEnvironment, usize)> {
    let Some(executor) = executor else { return Ok((PythonEnvironment::default(), 0)) };
    let domain = options.executors_in_effect().domain;
    let record = domain.as_deref().and_then(|domain| sites.web_app(domain));
    let environment = PythonEnvironment::of_record(record, executor);
    if !options.steps.runs_manage() {
        return Ok((environment, 0));
    }
    if let Some(website) = domain.as_deref().filter(|domain| sites.is_website(domain)) {
        return Err(Error::config(format!(
            "manage.py was not run: {website} is served by a command, whose Django settings are unknown"
        )));
    }
    let (domain, settings) = (domain.as_deref(), options.steps.settings.as_deref());
    Ok((environment.for_manage(client, domain, settings, executor).await?, 1))
}

/// What to know about undoing a deploy that changes files, before it begins. `bytes` are those that it keeps.
#[must_use]
pub fn undo_note(executor: &str, bytes: u64) -> Option<String> {
    match (executor, bytes) {
        ("none", _) => {
            Some("this deploy cannot be undone: files that go one by one keep nothing of what they replace".into())
        }
        (_, 0) => None,
        (_, bytes) => Some(format!("keeps {} for a rollback", sized(bytes))),
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
    /// What the deploy would warn of, beside what the diff does.
    pub warnings: Vec<String>,
    /// What it would do.
    #[serde(skip)]
    pub plan: Plan,
    /// How many bytes it would keep for a rollback, as far as the manifest knows what is replaced.
    pub rollback_bytes: u64,
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
    let mut work = ResolvedPlan::of(diff, options)?;
    let strategy = Strategy::choose(project.client.as_client(), diff, options, &work).await?;
    if strategy.in_bulk {
        work.copy_on_host();
    }
    Ok(Forecast {
        executor: strategy.name().to_owned(),
        estimates: strategy.estimates,
        rollback_bytes: if strategy.in_bulk { work.replaced_bytes } else { 0 },
        why: strategy.why,
        warnings: work.warnings.into_iter().chain(strategy.sites.warnings).collect(),
        plan: work.plan,
    })
}
