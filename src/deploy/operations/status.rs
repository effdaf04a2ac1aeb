//! The state of an account and a project at a glance, in at most six requests, and one more for each deploy that is running or was
//! cut off.
//!
//! What is asked costs one request each: the CPU seconds, the list of web apps, the state folder and its manifest, the note of
//! the agent. Where the agent answers by itself, it tells the state, and the API is asked twice. So nothing here looks into a
//! file of the web app: why an agent does not answer is the business of its own status.

use serde::Serialize;
use serde_json::Value;

use super::history::{HistoryEntry, of_deploy};
use crate::api::CallAnswer;
use crate::api::calls::find;
use crate::client::Client;
use crate::clock;
use crate::deploy::diff::compare::Compare;
use crate::deploy::diff::model::DeployDiff;
use crate::deploy::diff::snapshot::diff_by_site;
use crate::deploy::plan::executor::ExecutorOptions;
use crate::deploy::plan::sites::{Sites, days_left, expiry};
use crate::deploy::project::Project;
use crate::deploy::selection::select::SelectOptions;
use crate::deploy::state::folder::StateFolder;
use crate::deploy::state::history::completed;
use crate::error::{Error, Result};
use crate::finder::NeverSkip;
use crate::host::Agents;
use crate::text::excerpt;

/// An account, its sites and a project.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusReport {
    /// The account's user name.
    pub user: String,
    /// URL of its host.
    pub host: String,
    /// The CPU seconds of the day.
    pub cpu: CpuStatus,
    /// The sites that were asked for, else all web apps of the account.
    pub sites: Vec<SiteStatus>,
    /// The agent of the first of them; `None` where there is no web app.
    pub agent: Option<AgentState>,
    /// The latest deploy or rollback; `None` without a project, or if nothing was deployed.
    pub last_deploy: Option<HistoryEntry>,
    /// How the local files differ from what was deployed; `None` if they were not selected.
    pub local: Option<LocalStatus>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// How many requests it took.
    pub requests: u64,
}

/// The CPU seconds of the day, which consoles and tasks use up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CpuStatus {
    /// How many were used.
    pub used_seconds: f64,
    /// After how many the account's processes get slower.
    pub limit_seconds: f64,
    /// When counting begins anew, as the service writes it.
    pub next_reset: Option<String>,
}

/// A web app, or a website that a command serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteStatus {
    /// Its domain.
    pub domain: String,
    /// Whether the account has it.
    pub exists: bool,
    /// Whether it is served.
    pub enabled: Option<bool>,
    /// Its version of Python.
    pub python: Option<String>,
    /// Its virtualenv.
    pub virtualenv: Option<String>,
    /// The last day on which it is served, as `2026-12-24`.
    pub expiry: Option<String>,
    /// How many days are left until then; less than 0 if it has expired.
    pub days_left: Option<i64>,
}

/// Whether the agent of a web app can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// It answers.
    Answers,
    /// It is installed and does not answer.
    Silent,
    /// It has another API token, and needs a reload of the web app.
    NeedsReload,
    /// There is none of this version.
    NotInstalled,
}

/// How the local files differ from what was deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LocalStatus {
    /// Whether they do.
    pub differs: bool,
    /// How many files are new.
    pub added: usize,
    /// How many have other content.
    pub changed: usize,
    /// How many were deployed and are gone.
    pub removed: usize,
}

/// What is known of an account, of the sites of `domains` (without any, of all web apps), of a project, and of the local files
/// if they are selected. Changes nothing, except that it deletes tasks of ours that a killed deploy left in the account.
///
/// # Errors
/// As the service answers; `Config` and `Local` for local mistakes.
pub async fn status(
    client: &Client,
    domains: &[String],
    executors: &ExecutorOptions,
    project: Option<&Project>,
    local: Option<&SelectOptions>,
) -> Result<StatusReport> {
    let client = &client.counting_anew();
    let stands = match project {
        Some(project) => {
            let project = &Project { client: client.clone(), ..project.clone() };
            stands(project, local, executors).await?
        }
        None => Stands::default(),
    };
    let cpu = cpu(client).await?;
    let read = Sites::read(client, domains).await?;
    let domains = if domains.is_empty() { read.domains() } else { domains.to_vec() };
    let agent = match domains.first().filter(|domain| read.web_app(domain).is_some()) {
        Some(domain) => Some(agent(client, domain, executors.site_url.as_deref()).await?),
        None => None,
    };
    let mut warnings = stands.warnings;
    warnings.extend_from_slice(&read.warnings);
    Ok(StatusReport {
        user: client.user().to_owned(),
        host: client.host().to_string(),
        cpu,
        sites: domains.iter().map(|domain| site(&read, domain, client)).collect(),
        agent,
        last_deploy: stands.last_deploy,
        local: stands.local,
        warnings,
        requests: client.requests_sent(),
    })
}

/// How a project stands.
#[derive(Default)]
struct Stands {
    last_deploy: Option<HistoryEntry>,
    local: Option<LocalStatus>,
    warnings: Vec<String>,
}

async fn stands(project: &Project, local: Option<&SelectOptions>, executors: &ExecutorOptions) -> Result<Stands> {
    let client = &project.client;
    let lane = executors.lane(client);
    let Some(options) = local else {
        let folder = StateFolder::of(client.user(), &project.remote_root)?;
        let (state, _) = folder.read_by(client, lane.as_ref()).await?;
        let last_deploy = state.history(client.server_time()).pop().map(of_deploy);
        return Ok(Stands { last_deploy, local: None, warnings: state.damages() });
    };
    // Without a manifest, whatever else there is costs a request for each folder.
    let diff = diff_by_site(project, options, &NeverSkip, Some(Compare::Manifest), lane.as_ref()).await?;
    let last_deploy = completed(&diff.base.history, &diff.base.told).pop().map(of_deploy);
    Ok(Stands { last_deploy, local: Some(LocalStatus::of(&diff)), warnings: diff.warnings })
}

async fn cpu(client: &Client) -> Result<CpuStatus> {
    let Some(call) = find("cpu.get") else { return Err(Error::Closed) };
    let CallAnswer::Json(answer) = client.call(call, &[]).await? else { return Err(Error::Closed) };
    Ok(CpuStatus {
        used_seconds: answer["daily_cpu_total_usage_seconds"].as_f64().unwrap_or_default(),
        limit_seconds: answer["daily_cpu_limit_seconds"].as_f64().unwrap_or_default(),
        next_reset: answer["next_reset_time"].as_str().map(|text| excerpt(text).into_owned()),
    })
}

fn site(sites: &Sites, domain: &str, client: &Client) -> SiteStatus {
    let record = sites.record(domain);
    let field = |name: &str| {
        let text = record.and_then(|record| record[name].as_str()).filter(|text| !text.is_empty());
        text.map(|text| excerpt(text).into_owned())
    };
    let last = field("expiry");
    let now = client.server_time().unwrap_or_else(clock::wall);
    SiteStatus {
        domain: domain.to_owned(),
        exists: record.is_some(),
        enabled: record.and_then(|record| record["enabled"].as_bool()),
        python: field("python_version"),
        virtualenv: field("virtualenv_path"),
        expiry: last.as_deref().and_then(expiry).map(|date| date.to_string()),
        days_left: last.and_then(|text| days_left(&text, now)),
    }
}

async fn agent(client: &Client, domain: &str, site_url: Option<&str>) -> Result<AgentState> {
    Ok(match Agents::new(client, domain, site_url)?.find().await? {
        None => AgentState::NotInstalled,
        Some(agent) if agent.needs_reload() => AgentState::NeedsReload,
        Some(agent) if agent.is_there().await => AgentState::Answers,
        Some(_) => AgentState::Silent,
    })
}

impl LocalStatus {
    fn of(diff: &DeployDiff) -> Self {
        let (added, changed, removed) = (diff.added.len(), diff.changed.len(), diff.removed.len());
        Self { differs: added + changed + removed > 0, added, changed, removed }
    }
}

impl AgentState {
    /// In words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Answers => "installed and answering",
            Self::Silent => "installed, but it does not answer (\"pya agent status\" says why)",
            Self::NeedsReload => "the web app has an old API token: reload it (\"pya reload\")",
            Self::NotInstalled => "not installed (\"pya agent install\")",
        }
    }
}

impl Sites {
    /// The domains of all web apps.
    fn domains(&self) -> Vec<String> {
        self.web_apps().iter().filter_map(|app: &Value| app["domain_name"].as_str().map(str::to_owned)).collect()
    }
}
