//! `pya reload`: restart a site, so that it runs the code that is there now. Every domain is tried, also after one failed.

use std::collections::BTreeMap;

use serde_json::json;

use crate::api::{Reloaded, checked_domain};
use crate::cli::args::Reload;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::deploy::reload_sites;
use crate::error::Result;

pub async fn run(args: &Reload, context: &Context) -> Result<Exit> {
    let outcomes = reloads(args, context).await?;
    let is_only = outcomes.len() == 1;
    let (mut reloaded, mut warnings, mut failed) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut exit = Exit::Ok;
    for (domain, outcome) in outcomes {
        match outcome {
            // There is nothing else to tell.
            Err(error) if is_only => return Err(error),
            Err(error) => {
                context.output.failure(&format!("{domain}: {}", error.chain()));
                exit = if failed.is_empty() { Exit::of(&error) } else { exit };
                failed.insert(domain, error.chain());
            }
            Ok(outcome) => {
                warnings.extend(tell_reloaded(&domain, outcome, &context.output));
                reloaded.push(domain);
            }
        }
    }
    context.output.answer("", &json!({ "reloaded": reloaded, "warnings": warnings, "failed": failed }));
    Ok(exit)
}

/// Reloads what was named, or what the settings name.
async fn reloads(args: &Reload, context: &Context) -> Result<Vec<(String, Result<Reloaded>)>> {
    let settings = context.settings()?;
    let domains = settings.web_apps(args.domain.as_deref())?;
    let client = settings.client()?;
    domains.iter().try_for_each(|domain| checked_domain(domain).map(drop))?;
    Ok(keeping_budget(&client, reload_sites(&client, &domains)).await)
}

/// Tells of a reload, and returns the warning of the service, if there is one.
fn tell_reloaded(domain: &str, outcome: Reloaded, output: &Output) -> Option<String> {
    let warning = warning_of(outcome).inspect(|detail| output.warn(&format!("{domain}: {detail}")));
    output.say(&format!("reloaded {domain}"));
    warning
}

fn warning_of(outcome: Reloaded) -> Option<String> {
    match outcome {
        Reloaded::CnameWarning(detail) => Some(detail),
        Reloaded::Done => None,
    }
}
