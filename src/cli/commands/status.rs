//! `pya status`: the account, its web app, and how the project stands, in a few lines and requests.

use std::path::Path;

use serde_json::{Value, json};

use super::history::{time_text, who};
use super::project::{local_root, select};
use crate::api::checked_domain;
use crate::cli::args::{Select, Status};
use crate::cli::budget::keeping_budget;
use crate::cli::context::{Context, working_folder};
use crate::cli::exit::Exit;
use crate::cli::settings::Settings;
use crate::cli::table::titled;
use crate::client::Client;
use crate::deploy::{
    ExecutorOptions, HistoryEntry, LocalStatus, Project, SelectOptions, SiteStatus, StatusReport, status,
};
use crate::error::Result;
use crate::text::{counted, revision_text, some_of};

pub async fn run(args: &Status, context: &Context) -> Result<Exit> {
    let (report, document) = look(args, context).await?;
    context.output.answer(&text(&report, document["environment"].as_str(), context.output.width()), &document);
    context.output.warn_all(&report.warnings);
    Ok(Exit::Ok)
}

/// How things stand, also as the document of `--json`.
///
/// # Errors
/// As for [`status`].
pub async fn look(args: &Status, context: &Context) -> Result<(StatusReport, Value)> {
    let here = working_folder()?;
    let settings = context.settings_at(args.select.root.as_deref().unwrap_or(&here))?;
    let client = settings.client()?;
    let domains = args.domain.clone().map_or_else(|| settings.table.domains(), |domain| vec![domain]);
    domains.iter().try_for_each(|domain| checked_domain(domain).map(drop))?;
    let executors = executors(args, domains.first(), &settings);
    let (project, local) = project_of(&args.select, &settings, &client, &here)?.unzip();
    let status = status(&client, &domains, &executors, project.as_ref(), local.as_ref());
    let report = keeping_budget(&client, status).await?;
    let mut document = json!(report);
    document["environment"] = json!(settings.environment_name());
    Ok((report, document))
}

/// What asks the agent of a site.
fn executors(args: &Status, domain: Option<&String>, settings: &Settings<'_>) -> ExecutorOptions {
    // The address of the table is that of its first domain.
    let is_theirs = settings.table.domains().first() == domain;
    let site_url = args.site_url.clone().or(settings.table.site_url.clone().filter(|_| is_theirs));
    ExecutorOptions { domain: domain.cloned(), site_url, ..ExecutorOptions::default() }
}

/// The project and its selection. Without a project there is still an account.
fn project_of(
    args: &Select,
    settings: &Settings<'_>,
    client: &Client,
    here: &Path,
) -> Result<Option<(Project, SelectOptions)>> {
    let local_root = local_root(args.root.as_deref(), settings, here)?;
    if !settings.has_project() {
        return Ok(None);
    }
    let name = settings.project(&local_root)?;
    let remote_root = settings.remote_root(args.remote_root.as_deref(), client.user(), &name)?;
    Ok(Some((Project { client: client.clone(), local_root, remote_root }, select(args, settings)?)))
}

/// The lines for people, each with its title.
fn text(report: &StatusReport, environment: Option<&str>, width: Option<usize>) -> String {
    let host = report.host.split("://").last().unwrap_or_default().trim_end_matches('/');
    let environment = environment.map(|name| format!(", environment {name}")).unwrap_or_default();
    let mut rows = vec![("account", format!("{} at {host}{environment}", report.user))];
    rows.push(("CPU", format!("{:.1} of {:.0} s today", report.cpu.used_seconds, report.cpu.limit_seconds)));
    rows.extend(report.sites.iter().map(|site| ("web app", site_text(site))));
    if report.sites.is_empty() {
        rows.push(("web app", "none yet (\"pya webapps create\" makes one)".to_owned()));
    }
    rows.extend(report.agent.map(|agent| ("agent", agent.in_words().to_owned())));
    if let Some(local) = &report.local {
        rows.push(("last deploy", report.last_deploy.as_ref().map_or("none yet".to_owned(), deploy_text)));
        rows.push(("local files", local_text(local)));
    }
    titled(&rows, width)
}

fn site_text(site: &SiteStatus) -> String {
    if !site.exists {
        return format!("{}: the account does not have it", site.domain);
    }
    let mut facts = vec![if site.enabled == Some(false) { "disabled".to_owned() } else { "enabled".to_owned() }];
    facts.extend(site.python.as_ref().map(|version| format!("Python {version}")));
    facts.push(site.virtualenv.as_ref().map_or("no virtualenv".to_owned(), |path| format!("virtualenv {path}")));
    facts.extend(site.expiry.as_ref().zip(site.days_left).map(|(date, days)| expiry_text(date, days)));
    format!("{}: {}", site.domain, facts.join(", "))
}

fn expiry_text(date: &str, days: i64) -> String {
    match usize::try_from(days) {
        Ok(days) => format!("{} left, until {date}", counted(days, "day")),
        Err(_) => format!("expired on {date}"),
    }
}

fn deploy_text(entry: &HistoryEntry) -> String {
    let what = format!("{} {}", entry.operation, entry.outcome.replace('_', " "));
    let revision = Some(revision_text(entry.commit.as_deref(), entry.branch.as_deref(), entry.dirty));
    let mut facts = vec![what, format!("{} UTC", time_text(entry.time))];
    facts.extend(who(entry).into_iter().chain(revision.filter(|revision| !revision.is_empty())));
    format!("{} ({})", facts.join(", "), entry.id)
}

fn local_text(local: &LocalStatus) -> String {
    if !local.differs {
        return "as deployed".to_owned();
    }
    let counts = [(local.added, "new"), (local.changed, "changed"), (local.removed, "removed")];
    format!("{} (\"pya diff\" lists them)", some_of(&counts))
}
