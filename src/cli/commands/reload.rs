//! `pya reload`: restart a web app, so that it runs the code that is there now.

use serde_json::json;

use super::dispatch::settings;
use crate::api::Reloaded;
use crate::cli::args::Reload;
use crate::cli::exit::Exit;
use crate::cli::run::Context;
use crate::error::{Error, Result};

pub async fn run(args: &Reload, context: &Context) -> Result<Exit> {
    let settings = settings(context)?;
    let domains = args.domain.clone().map_or_else(|| settings.domains(), |domain| vec![domain]);
    if domains.is_empty() {
        return Err(Error::config(
            "which web app? Name its domain, or write domain = \"NAME\" under [tool.pythonanywhere] in pyproject.toml",
        ));
    }
    let client = settings.client()?;
    let mut warnings = Vec::new();
    for domain in &domains {
        let reloaded = client.reload_webapp(domain).await;
        client.persist_budget();
        if let Reloaded::CnameWarning(detail) = reloaded? {
            context.output.warn(&format!("{domain}: {detail}"));
            warnings.push(detail);
        }
        context.output.say(&format!("reloaded {domain}"));
    }
    if context.output.is_json() {
        context.output.document(&json!({ "reloaded": domains, "warnings": warnings }));
    }
    Ok(Exit::Ok)
}
