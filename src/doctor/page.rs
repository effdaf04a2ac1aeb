//! The page of the site, as a visitor sees it: what is set up well may still fail when it is asked.

use serde_json::Value;

use super::examination::Examination;
use super::finding::{Check, Finding};
use super::site::Site;
use crate::deploy::{Health, check_health_once, raised_since};
use crate::host::host_time;

/// Looks at it, unless it is known to be out of reach from here, or to be disabled.
pub(super) async fn examine(examination: &Examination, site: &Site) -> Option<Finding> {
    let is_reachable = examination.site_url.is_some() || !examination.project.client.host().is_loopback();
    let is_disabled = site.record["enabled"] == Value::Bool(false);
    if is_reachable && !is_disabled { Some(look(examination, site).await) } else { None }
}

async fn look(examination: &Examination, site: &Site) -> Finding {
    let (client, domain) = (&examination.project.client, &site.domain);
    let site_url = examination.site_url.as_deref();
    let logs = format!("pya logs {domain} error");
    let since = host_time(client);
    match check_health_once(client, domain, site_url, "/").await {
        Ok(Health::Well) => Finding::ok(Check::Page, "it answers"),
        Ok(Health::Odd(status)) => Finding::ok(Check::Page, format!("\"/\" answers {status}, so the application runs")),
        Ok(Health::Placeholder) => {
            Finding::error(Check::Page, "it is still the host's placeholder page", format!("pya reload {domain}"))
        }
        Ok(Health::RefusesAll) => Finding::error(Check::Page, "every page answers 400", logs),
        Ok(Health::Failed(status)) => {
            let raised = raised_since(client, domain, site_url, "/", since).await;
            Finding::error(Check::Page, failed(status, raised), logs)
        }
        Err(error) => Finding::warning(Check::Page, error.chain(), "pya open"),
    }
}

fn failed(status: u16, raised: Option<String>) -> String {
    match raised {
        Some(raised) => format!("\"/\" answers {status}: {raised}"),
        None => format!(
            "\"/\" answers {status}, and the error log has no exception of it: with DEBUG off, Django logs one if LOGGING \
             sends \"django.request\" to the console"
        ),
    }
}
