//! `pya reload`: restart a web app, so that it runs the code that is there now.

use serde_json::json;

use crate::api::Reloaded;
use crate::cli::args::Reload;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::error::Result;

pub async fn run(args: &Reload, context: &Context) -> Result<Exit> {
    let settings = context.settings()?;
    let domains = settings.web_apps(args.domain.as_deref())?;
    let client = settings.client()?;
    let (mut reloaded, mut warnings) = (Vec::new(), Vec::new());
    for domain in &domains {
        let outcome = client.reload_webapp(domain).await;
        client.persist_budget();
        match outcome {
            Ok(Reloaded::Done) => {}
            Ok(Reloaded::CnameWarning(detail)) => {
                context.output.warn(&format!("{domain}: {detail}"));
                warnings.push(detail);
            }
            // The ones before it were reloaded, and the answer must say so.
            Err(error) if !reloaded.is_empty() => {
                context.output.failure(&error.chain());
                if context.output.is_json() {
                    let failed = json!({ domain: error.chain() });
                    let document = json!({ "reloaded": reloaded, "warnings": warnings, "failed": failed });
                    context.output.document(&document);
                }
                return Ok(Exit::of(&error));
            }
            Err(error) => return Err(error),
        }
        reloaded.push(domain);
        context.output.say(&format!("reloaded {domain}"));
    }
    if context.output.is_json() {
        context.output.document(&json!({ "reloaded": reloaded, "warnings": warnings, "failed": {} }));
    }
    Ok(Exit::Ok)
}
