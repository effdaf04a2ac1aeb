//! Reloads of web apps after a deploy.
//!
//! A reload that is not answered in time may have happened or not. Reloading twice does no harm, but a second request to
//! a service that is down helps nobody, so the web app's configuration is asked for in between.

use crate::api::Reloaded;
use crate::deploy::remote::Remote;
use crate::error::{Error, ErrorKind, Result};

pub(crate) async fn reload<R: Remote>(remote: &R, domain: &str) -> Result<Reloaded> {
    match remote.reload(domain).await {
        Err(error) if error.is_ambiguous() => {
            log::info!("nobody knows whether {domain} was reloaded, once more: {}", error.chain());
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
