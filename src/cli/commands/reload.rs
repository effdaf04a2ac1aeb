//! `pya reload`: restart a site, so that it runs the code that is there now. Every domain is tried, also after one failed.

use std::collections::BTreeMap;

use serde_json::json;

use crate::api::Reloaded;
use crate::cli::args::Reload;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::deploy::reload_sites;
use crate::error::Result;

pub async fn run(args: &Reload, context: &Context) -> Result<Exit> {
    let settings = context.settings()?;
    let domains = settings.web_apps(args.domain.as_deref())?;
    let client = settings.client()?;
    for domain in &domains {
        crate::api::checked_domain(domain)?;
    }
    let outcomes = keeping_budget(&client, reload_sites(&client, &domains)).await;
    let (mut reloaded, mut warnings, mut failed) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut exit = Exit::Ok;
    for (domain, outcome) in outcomes {
        match outcome {
            // There is nothing else to tell.
            Err(error) if domains.len() == 1 => return Err(error),
            Err(error) => {
                context.output.failure(&format!("{domain}: {}", error.chain()));
                exit = if failed.is_empty() { Exit::of(&error) } else { exit };
                failed.insert(domain, error.chain());
                continue;
            }
            Ok(Reloaded::CnameWarning(detail)) => {
                context.output.warn(&format!("{domain}: {detail}"));
                warnings.push(detail);
            }
            Ok(Reloaded::Done) => {}
        }
        context.output.say(&format!("reloaded {domain}"));
        reloaded.push(domain);
    }
    if context.output.is_json() {
        let document = json!({ "reloaded": reloaded, "warnings": warnings, "failed": failed });
        context.output.document(&document);
    }
    Ok(exit)
}
