//! Reloads of sites: of web apps, and of websites that a command serves.
//!
//! After a time-out it is unknown whether the site was reloaded. A second reload does no harm, but a service that is down
//! should not be asked again, so the site's configuration is read in between.

use crate::api::Reloaded;
use crate::client::Client;
use crate::deploy::remote::Remote;
use crate::error::{Error, ErrorKind, Result};

/// Reloads the site of `domain`, whichever kind it is: only if there is no such web app, a website is looked for.
pub(crate) async fn reload<R: Remote>(remote: &R, domain: &str) -> Result<Reloaded> {
    let outcome = reload_web_app(remote, domain).await;
    match (outcome, remote.as_client()) {
        (Err(error), Some(client)) if error.kind() == ErrorKind::NotFound => {
            match reload_website(client, domain).await {
                // Then what the service said of the web app counts.
                Err(other) if is_refused(&other) => Err(error),
                outcome => outcome,
            }
        }
        (outcome, _) => outcome,
    }
}

/// Reloads every one of `domains`, also after one failed.
///
/// # Errors
/// None: the outcome of each is returned with its domain.
pub async fn reload_sites(client: &Client, domains: &[String]) -> Vec<(String, Result<Reloaded>)> {
    let mut outcomes = Vec::with_capacity(domains.len());
    for domain in domains {
        outcomes.push((domain.clone(), reload(client, domain).await));
    }
    outcomes
}

async fn reload_web_app<R: Remote>(remote: &R, domain: &str) -> Result<Reloaded> {
    match remote.reload(domain).await {
        Err(error) if error.is_ambiguous() => {
            log::info!("it is unknown whether {domain} was reloaded, trying once more: {}", error.chain());
            remote.ask(domain).await?;
            remote.reload(domain).await
        }
        outcome => outcome,
    }
}

/// Reloads a website that a command serves.
pub(crate) async fn reload_website(client: &Client, domain: &str) -> Result<Reloaded> {
    match client.reload_website(domain).await {
        Err(error) if error.is_ambiguous() => {
            log::info!("it is unknown whether {domain} was reloaded, trying once more: {}", error.chain());
            client.list_websites().await?;
            client.reload_website(domain).await?;
        }
        outcome => outcome?,
    }
    Ok(Reloaded::Done)
}

/// Whether a reload will never work, as far as the service says.
pub(crate) fn is_refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Config)
}
