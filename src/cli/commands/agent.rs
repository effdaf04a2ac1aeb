//! `pya agent`: the agent in a web app, which runs fast deploys, and commands without a browser.

use serde_json::{Value, json};

use crate::cli::args::{Agent, AgentOf};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::error::Result;
use crate::host::{Agents, Change, StatusReport};

pub async fn run(args: &Agent, context: &Context) -> Result<Exit> {
    let (Agent::Install(of) | Agent::Status(of) | Agent::Remove { of, .. }) = args;
    let (agents, domain) = agents(of, context)?;
    match args {
        Agent::Install(_) => {
            let change = agents.install().await?;
            Ok(print_change(&change, &domain, &installed_text(&change), context))
        }
        Agent::Remove { force, .. } => {
            let change = agents.remove(*force).await?;
            Ok(print_change(&change, &domain, removed_text(&change), context))
        }
        Agent::Status(_) => status(&agents, &domain, &context.output).await,
    }
}

fn installed_text(change: &Change) -> String {
    match (change.changed, change.renewed.as_slice()) {
        (false, _) => "the agent was already installed".to_owned(),
        (true, []) => "the agent is installed and answers".to_owned(),
        (true, renewed) => format!("the agent answers; these of its files were replaced: {}", renewed.join(", ")),
    }
}

fn removed_text(change: &Change) -> &'static str {
    match (change.changed, &change.kept) {
        (true, _) => "the agent is removed; the WSGI file is as it was before",
        (false, Some(_)) => "what was left of the agent is removed",
        (false, None) => "the agent is not installed",
    }
}

async fn status(agents: &Agents, domain: &str, output: &Output) -> Result<Exit> {
    let report = agents.status().await?;
    output.warn_all(&report.warnings);
    output.answer(&format!("{domain}: {}", report.status), &status_document(domain, &report));
    Ok(if report.is_ready() { Exit::Ok } else { Exit::Failed })
}

fn status_document(domain: &str, report: &StatusReport) -> Value {
    let (is_ready, status) = (report.is_ready(), report.status.to_string());
    json!({ "domain": domain, "ready": is_ready, "status": status, "warnings": report.warnings })
}

fn agents(of: &AgentOf, context: &Context) -> Result<(Agents, String)> {
    let settings = context.settings()?;
    let domain = settings.web_apps(of.domain.as_deref())?.swap_remove(0);
    let site_url = of.site_url.as_deref().or(settings.table.site_url.as_deref());
    Ok((Agents::new(&settings.client()?, &domain, site_url)?, domain))
}

fn print_change(change: &Change, domain: &str, text: &str, context: &Context) -> Exit {
    context.output.warn_all(&change.warnings);
    context.output.answer(&format!("{domain}: {text}"), &change_document(domain, change));
    Exit::Ok
}

fn change_document(domain: &str, change: &Change) -> Value {
    let Change { changed, renewed, warnings, .. } = change;
    json!({ "domain": domain, "changed": changed, "renewed": renewed, "warnings": warnings })
}
