//! Reloads of web apps after a deploy.
//!
//! After a time-out it is unknown whether the web app was reloaded. A second reload does no harm, but a service that is
//! down should not be asked again, so the web app's configuration is read in between.

use crate::api::Reloaded;
use crate::deploy::remote::Remote;
use crate::error::{Error, ErrorKind, Result};

pub(crate) async fn reload<R: Remote>(remote: &R, domain: &str) -> Result<Reloaded> {
    match remote.reload(domain).await {
        Err(error) if error.is_ambiguous() => {
            log::info!("it is unknown whether {domain} was reloaded, trying once more: {}", error.chain());
            remote.ask(domain).await?;
            remote.reload(domain).await
        }
        outcome => outcome,
    }
}

/// Whether a reload will never work, as far as the service says.
pub(crate) fn is_refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Config)
}
